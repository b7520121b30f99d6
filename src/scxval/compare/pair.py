# SPDX-License-Identifier: MIT
"""Two groups of runs of one family into pair.json: everything that is read of them, before a verdict.

`python -m scxval.compare.pair`: the pair's spec in, pair.json, alignment.parquet and divergence.svg out.
docs/compare.md says what is read and how; docs/contracts.md what the files hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import Compare, compare_from_json
from scxval.catalog.outcomes import Outcome
from scxval.compare.again import simulated_again
from scxval.compare.aligned import Laid, Reader, lay
from scxval.compare.alignment import Alignment
from scxval.compare.alignment.picture import picture
from scxval.compare.prepare import Common, common_of, prepare
from scxval.compare.quantities import (
    DISTRIBUTIONS,
    Numbers,
    numbers_of,
    quantities_of,
    workload_blind,
)
from scxval.compare.record import Distance, Group, Pair, Run
from scxval.compare.source import Source, read_source
from scxval.compare.statistics.distribution import distances
from scxval.compare.verdict import Judgement, Verdict, together
from scxval.errors import ScxvalError, answer
from scxval.files import whole


@dataclass(frozen=True)
class Side:
    """One group as asked for: its runs' folders, or `settled` when there can be none."""

    name: str
    runs: tuple[Path, ...]
    deterministic: bool = False
    settled: Judgement | None = None


@dataclass(frozen=True)
class Spec:
    """What a pair is made of; `workload` is an rt-app file, `again` simulations with their repetitions."""

    family: str
    path: str
    where: dict[str, str]
    a: Side
    b: Side
    how: Compare
    workload: Path | None = None
    again: tuple[tuple[Path, Path], ...] = ()


def spec_from_json(text: str) -> Spec:
    """Read a spec as rules hand it over. Raises ScxvalError."""
    try:
        data = json.loads(text)
        return Spec(
            family=str(data["family"]),
            path=str(data["path"]),
            where=dict(data["where"]),
            a=_side(data["a"]),
            b=_side(data["b"]),
            how=compare_from_json(json.dumps(data["compare"])),
            workload=Path(data["workload"]) if data.get("workload") else None,
            again=tuple((Path(one), Path(two)) for one, two in data.get("again") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScxvalError(f"--spec: not a pair's spec: {error!r}") from error


def _side(data: dict[str, Any]) -> Side:
    settled = data.get("settled")
    return Side(
        str(data["name"]),
        tuple(Path(run) for run in data["runs"]),
        bool(data.get("deterministic", False)),
        Judgement(Verdict(settled["verdict"]), str(settled["reason"])) if settled else None,
    )


@dataclass(frozen=True)
class Compared:
    """A pair's record, and the alignment that its files beside it show; None without one."""

    pair: Pair
    alignment: Alignment | None = None


@dataclass
class _Runs:
    """One side's runs as they are read: sources, and of the used ones numbers and rows left out."""

    side: Side
    sources: list[Source]
    numbers: dict[int, Numbers] = field(default_factory=dict)
    removed: dict[int, dict[str, int]] = field(default_factory=dict)

    @property
    def used(self) -> list[int]:
        """Places of those that are used."""
        return [place for place, source in enumerate(self.sources) if source.used]

    @property
    def group(self) -> Group:
        """The record of this side."""
        runs = (
            Run(str(s.folder), s.outcome, s.why, self.removed.get(place, {}))
            for place, s in enumerate(self.sources)
        )
        return Group(self.side.name, tuple(runs), self.side.deterministic)

    def measured(self) -> list[Numbers]:
        """Of the used runs, in order."""
        return [self.numbers[place] for place in self.used]

    def readers(self, common: Common) -> list[Reader]:
        """Of the used runs with events, in order."""
        found = [self.sources[place] for place in self.used]
        return [(str(s.folder), partial(prepare, s, common)) for s in found if s.has_events]

    def settled(self, name: str) -> Judgement | None:
        """What there is to say if none can be used."""
        if self.side.settled is not None:
            return replace(self.side.settled, reason=f"{name}: {self.side.settled.reason}")
        if self.used:
            return None
        whys = together((s.folder.name, s.why) for s in self.sources) or "no runs"
        unsupported = bool(self.sources) and all(
            s.outcome == Outcome.UNSUPPORTED for s in self.sources
        )
        verdict = Verdict.UNSUPPORTED if unsupported else Verdict.NOT_MEASURED
        return Judgement(verdict, f"{name} ({self.side.name}): no run can be used: {whys}")


def compare(spec: Spec) -> Compared:
    """Read both groups and everything that is compared of them.

    Trouble with a run is its own `why`. Raises ScxvalError for what is not a run's: the workload's file,
    or a configured metric that does not exist.
    """
    a, b = (_read(side, spec.how) for side in (spec.a, spec.b))
    settled = _settled(a, b)
    if settled is not None:
        return Compared(_pair(spec, a, b, settled=settled))
    common = common_of(a.sources, b.sources, spec.workload)
    _measure(a, common, spec.how.distortion)
    _measure(b, common, None)
    settled = _settled(a, b)
    if settled is not None:
        return Compared(_pair(spec, a, b, settled=settled))
    numbers = a.measured(), b.measured()
    found = quantities_of(*numbers, common, spec.how)
    blind = bool(workload_blind(*numbers)) or not common.comms
    apart, not_apart = _distances(numbers, blind, spec.how)
    laid = _lay(a, b, common, blind, spec.how)
    similarity, why = laid.quantity(spec.how)
    not_measured = {**found.not_measured, **not_apart}
    if why:
        not_measured["similarity value"] = why
    pair = _pair(
        spec,
        a,
        b,
        quantities=(*found.quantities, *([similarity] if similarity else [])),
        distances=apart,
        alignments=laid.entries,
        checks=tuple(simulated_again(spec.again)),
        not_measured=not_measured,
        notes=(*_kernels(a, b), *_nodes(a, b), *common.notes, *found.notes, *_run_notes(a, b)),
    )
    return Compared(pair, laid.first)


def _read(side: Side, how: Compare) -> _Runs:
    sources = [read_source(run, how.warm_up_ns, how.clock_step_ns) for run in side.runs]
    return _Runs(side, sources)


def _settled(a: _Runs, b: _Runs) -> Judgement | None:
    """The verdict of a pair of which a side has no run: one that cannot exist says more."""
    found = [some for some in (a.settled("A"), b.settled("B")) if some is not None]
    if not found:
        return None
    verdicts = [some.verdict for some in found]
    verdict = Verdict.UNSUPPORTED if Verdict.UNSUPPORTED in verdicts else verdicts[0]
    return Judgement(verdict, "; ".join(some.reason for some in found))


def _measure(runs: _Runs, common: Common, distortion: float | None) -> None:
    """Measure the used runs; what cannot be measured is not used."""
    for place in runs.used:
        source = runs.sources[place]
        try:
            prepared = prepare(source, common) if source.has_events else None
            runs.numbers[place] = numbers_of(
                prepared, source.reported, source.workload_ns, distortion
            )
            runs.removed[place] = prepared.removed if prepared else {}
        except ScxvalError as error:
            runs.sources[place] = replace(source, why=str(error))


def _lay(a: _Runs, b: _Runs, common: Common, blind: bool, how: Compare) -> Laid:
    sides = a.readers(common), b.readers(common)
    if not common.kinds or not all(sides):
        return Laid((), (), (), None)
    return lay(*sides, common, blind, how, deterministic=b.side.deterministic)


def _distances(
    numbers: tuple[Sequence[Numbers], Sequence[Numbers]], blind: bool, how: Compare
) -> tuple[tuple[Distance, ...], dict[str, str]]:
    """Distances of distributions, and why others are not there."""
    found, missing = [], {}
    for metric in DISTRIBUTIONS:
        key = (metric, "system" if blind else "workload")
        a, b = ([run.samples[key] for run in side if key in run.samples] for side in numbers)
        a, b = ([one for one in side if len(one)] for side in (a, b))
        if not a or not b:
            none = " and ".join(name for name, side in (("A", a), ("B", b)) if not side)
            missing[f"{metric} distribution"] = f"no samples of {none}"
            continue
        counts_a, counts_b = (tuple(len(one) for one in side) for side in (a, b))
        found.append(Distance(metric, "ns", counts_a, counts_b, *distances(a, b, how)))
    return tuple(found), missing


def _kernels(a: _Runs, b: _Runs) -> list[str]:
    """That the sides ran on unlike kernels, which a difference may be of: a host has its own."""
    said = [sorted({runs.sources[k].release for k in runs.used} - {""}) for runs in (a, b)]
    if not all(said) or said[0] == said[1]:
        return []
    return [f"kernels: A ran on {', '.join(said[0])}, B on {', '.join(said[1])}"]


def _nodes(a: _Runs, b: _Runs) -> list[str]:
    """That runs are of more than one machine, which a difference may be of; and how many of each."""
    said = [Counter(runs.sources[k].node for k in runs.used) for runs in (a, b)]
    if len({node for side in said for node in side} - {""}) < 2:
        return []
    texts = (
        ", ".join(f"{node or 'not recorded'} ({side[node]})" for node in sorted(side))
        for side in said
    )
    return ["nodes (runs): " + "; ".join(f"{n} {t}" for n, t in zip("AB", texts, strict=True))]


def _run_notes(a: _Runs, b: _Runs) -> list[str]:
    """Notes of the used runs, one line for those that have the same."""
    said: dict[str, list[str]] = {}
    for runs in (a, b):
        for place in runs.used:
            for note in runs.sources[place].notes:
                said.setdefault(note, []).append(str(runs.sources[place].folder))
    return [f"{together((name, '') for name in names)}: {note}" for note, names in said.items()]


def _pair(spec: Spec, a: _Runs, b: _Runs, **more: Any) -> Pair:
    return Pair(spec.family, spec.path, spec.where, a.group, b.group, **more)


def write(compared: Compared, folder: Path) -> None:
    """Write pair.json, and the alignment's table and picture, or take away old ones of these two."""
    alignment = compared.alignment
    beside = [folder / name for name in ("alignment.parquet", "divergence.svg")]
    if alignment is None:
        for path in beside:
            path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    else:
        drawn = picture(alignment.divergence, compared.pair.a.name, compared.pair.b.name)
        with whole(*beside) as (table, image):
            alignment.write(table)
            image.write_text(drawn, encoding="utf-8")
    compared.pair.write(folder / "pair.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two groups; 0, or 2 with one line on stderr when input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.compare.pair", description=__doc__)
    parser.add_argument("--spec", required=True, help="the pair's spec as JSON, or @FILE with it")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    return answer("scxval compare", partial(_compare_files, args))


def _compare_files(args: argparse.Namespace) -> None:
    text = args.spec
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise ScxvalError(f"cannot read {text[1:]}: {error.strerror}") from error
    write(compare(spec_from_json(text)), args.output)


if __name__ == "__main__":
    sys.exit(main())
