# SPDX-License-Identifier: MIT
"""Every two tracers of one run, and of runs of their own, with what was said of them: not judged anew."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scxval.catalog.combination import TOGETHER, part_names
from scxval.catalog.model import AXES as CELL_AXES
from scxval.catalog.model import Cell
from scxval.compare.plan import VERSUS
from scxval.compare.verdict import Judgement, Verdict, overall, with_words
from scxval.errors import ScxvalError
from scxval.study.gap_judge import interval
from scxval.study.record import Finding

MADE_OF = "one run that both saw"
OWN = "runs of their own"
AXES = (*CELL_AXES, "a", "b")
# Of what could have gone unseen.
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class OneRun:
    """Two tracers over the repetitions of one cell: the judgement of each run, by its repetition.

    `single` is the part of rows that only one of the two has, of each run that was compared, and `allowed`
    the part that may be.
    """

    where: dict[str, str]
    runs: dict[str, Judgement] = field(default_factory=dict)
    single: tuple[float, ...] = ()
    allowed: float | None = None

    @property
    def first(self) -> str:
        """The tracer that is A."""
        return self.where["a"]

    @property
    def second(self) -> str:
        """The tracer that is B."""
        return self.where["b"]

    @property
    def label(self) -> str:
        """The cell without its repetition."""
        return "/".join(self.where[axis] for axis in CELL_AXES)

    @property
    def compared(self) -> int:
        """Runs of which something is said."""
        return sum(run.verdict is not Verdict.NOT_MEASURED for run in self.runs.values())

    @property
    def judgement(self) -> Judgement:
        """The worst run's, with its reason."""
        agree = sum(run.verdict is Verdict.AGREE for run in self.runs.values())
        worst = overall(self.runs)
        if worst.verdict is Verdict.AGREE:
            shown = 1 - 0.5**agree
            return Judgement(
                Verdict.AGREE,
                f"{agree} of {agree} runs agree: so many show a fault of every second run with "
                f"chance {shown:.0%}",
            )
        return Judgement(worst.verdict, f"{agree} of {self.compared} runs agree; {worst.reason}")

    @property
    def unseen(self) -> str:
        """What so many runs that agree cannot rule out, "" where one does not agree.

        With a fault in a part x of runs, n runs show none with chance (1 - x)^n (Clopper and Pearson 1934).
        """
        if not self.compared or self.judgement.verdict is not Verdict.AGREE:
            return ""
        most = 1 - (1 - _CONFIDENCE) ** (1 / self.compared)
        return (
            f"whether {self.first} and {self.second} agree in every run of {self.label}: "
            f"{self.compared} that all do leave room for a fault in up to {most:.0%} of runs "
            f"({_CONFIDENCE:.0%} sure)"
        )


def one_run(root: Path, cells: Iterable[Cell], tables: Collection[tuple[str, str]]) -> list[OneRun]:
    """Every two tracers side by side in a planned cell, in the plan's order.

    `root` is results/study/agreement; `tables` are the cells' paths and tracers that have an event table. Two
    of a run that both have one and were not compared are not measured.
    """
    found: dict[tuple[tuple[str, ...], str, str], OneRun] = {}
    for cell in cells:
        if TOGETHER not in cell.tracer:
            continue
        folder = root / "same_run" / cell.path
        known = {path.parent.name for path in folder.glob("*/agreement.json")}
        for a, b in itertools.combinations(part_names(cell.tracer), 2):
            name = f"{a}{VERSUS}{b}"
            if name in known or {(cell.path, a), (cell.path, b)} <= set(tables):
                key = (cell.group, a, b)
                where = {**dict(zip(CELL_AXES, cell.group, strict=True)), "a": a, "b": b}
                one = found.get(key) or OneRun(where)
                found[key] = _with_run(one, f"rep{cell.rep}", folder / name / "agreement.json")
    return list(found.values())


def _with_run(one: OneRun, run: str, path: Path) -> OneRun:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        judgement = Judgement(Verdict(data["verdict"]), str(data["reason"]))
        single = one.single
        classes = data.get("classes", [])
        rows = sum(some["matched"] + some["only_a"] + some["only_b"] for some in classes)
        if rows:
            apart = sum(some["only_a"] + some["only_b"] for some in classes)
            single = (*single, apart / rows)
        allowed = float(data["limits"]["unmatched_share"])
    except OSError as error:
        judgement = Judgement(Verdict.NOT_MEASURED, f"not compared: {error.strerror}: {path}")
        return OneRun(one.where, {**one.runs, run: judgement}, one.single, one.allowed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        judgement = Judgement(Verdict.NOT_MEASURED, f"{path}: not an agreement.json: {error!r}")
        return OneRun(one.where, {**one.runs, run: judgement}, one.single, one.allowed)
    return OneRun(one.where, {**one.runs, run: judgement}, single, allowed)


def same_run_findings(found: Iterable[OneRun]) -> list[Finding]:
    """One for each two tracers of each cell: the part of rows that only one has, over runs."""
    return [_same(one) for one in found]


def _same(one: OneRun) -> Finding:
    low, high = interval(one.single, _CONFIDENCE)
    judgement = one.judgement
    return Finding(
        what=MADE_OF,
        where=one.where,
        verdict=judgement.verdict,
        reason=judgement.reason,
        unit="part of rows that one lacks",
        estimate=float(np.mean(one.single)) if one.single else None,
        low=low,
        high=high,
        margin_low=None if one.allowed is None else 0.0,
        margin_high=one.allowed,
        n_a=one.compared,
    )


@dataclass(frozen=True)
class OwnRuns:
    """Two tracers over runs of their own: `quantities` are the verdicts of those that carry one."""

    first: str
    second: str
    label: str
    finding: Finding
    quantities: tuple[Verdict, ...] = ()


def different_runs(root: Path, planned: Sequence[str]) -> list[OwnRuns]:
    """The pairs of the family `tracer` with its verdicts; not measured where there are none."""
    path = root / "tracer" / "verdicts.json"
    if not planned:
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        pairs = {pair["path"]: pair for pair in data["pairs"]}
        return [_pair(name, pairs[name]) if name in pairs else _none(name, "") for name in planned]
    except OSError as error:
        return [_none(name, f"cannot read {path}: {error.strerror}") for name in planned]
    except (ValueError, KeyError, TypeError, AttributeError, ScxvalError) as error:
        return [_none(name, f"{path}: not a family's verdicts: {error!r}") for name in planned]


def _axes(name: str) -> tuple[str, str, str, dict[str, str]]:
    two, *rest = name.split("/")
    a, _, b = two.partition(VERSUS)
    others = [axis for axis in CELL_AXES if axis != "tracer"]
    where = {**dict(zip(others, rest, strict=False)), "a": a, "b": b}
    return a, b, "/".join(rest), where


def _none(name: str, why: str) -> OwnRuns:
    a, b, label, where = _axes(name)
    reason = why or "the family `tracer` was judged without this pair; make it again"
    return OwnRuns(a, b, label, Finding(OWN, where, Verdict.NOT_MEASURED, reason))


def _pair(name: str, data: Mapping[str, Any]) -> OwnRuns:
    a, b, label, where = _axes(name)
    carried = [q for q in data["quantities"] if q["verdict"] is not None]
    power = [float(q["power"]) for q in carried if q["power"] is not None]
    needed = [q["needed_runs"] for q in carried if q["power"] is not None]
    most = max(needed) if needed and all(n is not None for n in needed) else None
    agree = sum(q["verdict"] == Verdict.AGREE for q in carried)
    judgement = with_words(
        Judgement(Verdict(data["verdict"]), str(data["reason"])),
        f"power {min(power):.2f} to {max(power):.2f}" if power else "",
    )
    finding = Finding(
        what=OWN,
        where=where,
        verdict=judgement.verdict,
        reason=judgement.reason,
        unit="part of quantities that agree",
        estimate=agree / len(carried) if carried else None,
        n_a=data["a"]["used"],
        n_b=data["b"]["used"],
        power=min(power) if power and all(map(math.isfinite, power)) else None,
        needed=most,
    )
    return OwnRuns(a, b, label, finding, tuple(Verdict(q["verdict"]) for q in carried))
