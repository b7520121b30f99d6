# SPDX-License-Identifier: MIT
"""What each tracer costs: the same runs with it and without it, in pairs of one repetition.

Held against each other is what the workload says of itself and what the kernel counts, traced or not. The
CPU time of the tracer's own processes is that of perf or bpftrace; what its probes cost is in the workload's
numbers, where it is felt.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.comparison import Compare, Margin
from scxval.catalog.model import AXES
from scxval.compare.prepare import Common
from scxval.compare.quantities import numbers_of, quantities_of
from scxval.compare.record import Quantity
from scxval.compare.source import REPORTED, Cell, Source, cells, read_source
from scxval.compare.statistics.judge import Judged, judge
from scxval.compare.statistics.paired import ask_pairs
from scxval.compare.statistics.question import Answer, ask
from scxval.compare.statistics.side import Side
from scxval.compare.verdict import Verdict
from scxval.study.findings import finding_of, judgement_of, ratios_figure, too_few, unmeasured
from scxval.study.record import Finding, Inputs, Study, Table

TITLE = "Tracer overhead"
QUESTION = (
    "Does a tracer change the workload that it watches, and how much CPU does it take itself?"
)
# The catalogue's name of no tracer: the other run of each pair.
NONE = "none"
CPU = "tracer_cpu_time"
_TRACER = AXES.index("tracer")

Group = tuple[str, ...]


@dataclass(frozen=True)
class _Two:
    """The runs with a tracer and without, by repetition; `where` are the axis values of the traced ones."""

    where: dict[str, str]
    traced: Mapping[str, Source]
    bare: Mapping[str, Source]

    @property
    def reps(self) -> list[str]:
        """Repetitions that both have, usable on both sides."""
        both = [rep for rep in self.bare if rep in self.traced]
        return [rep for rep in both if self.bare[rep].used and self.traced[rep].used]

    def lost(self) -> list[str]:
        """A line for each repetition without a pair."""
        lines = []
        for rep in sorted({*self.bare, *self.traced}):
            for side, runs in (("without", self.bare), ("with", self.traced)):
                if rep not in runs:
                    lines.append(f"{rep} {side} the tracer is not planned")
                elif not runs[rep].used:
                    lines.append(f"{rep} {side} the tracer: {runs[rep].why}")
        return lines


def study(inputs: Inputs) -> Study:
    """Pair the plan's runs and judge every reported quantity; Holm over all of them."""
    twos = _twos(inputs)
    if not twos:
        return _nothing(
            "no tracer was run beside runs without one; put `none` and a tracer on the axis"
        )
    asked = {
        f"{place} {quantity.name}": (two, quantity)
        for place, two in twos.items()
        for quantity in _quantities(two, inputs.how)
    }
    cpu = {f"{place} {CPU}": (two, values) for place, two in twos.items() if (values := _cpus(two))}
    questions = max(1, sum(q.carries for _, q in asked.values()) + len(cpu))
    answers: dict[str, Answer] = {
        name: ask_pairs(q.a, q.b, q.margin, inputs.how, questions)
        for name, (_, q) in asked.items()
        if q.carries
    }
    own = Margin(0.0, inputs.settings.tracer_cpus, "study.tracer_cpus")
    nothing_used = Side((0.0,), deterministic=True)
    answers |= {
        name: ask(nothing_used, Side(values), own, inputs.how, questions)
        for name, (_, values) in cpu.items()
    }
    judged = judge(answers, inputs.how)
    findings = _findings(twos, asked, cpu, answers, judged)
    return _study(inputs, twos, findings, asked)


def _nothing(why: str) -> Study:
    made = Study("tracer_overhead", TITLE, QUESTION, judgement_of([], why), cannot_tell=(why,))
    return replace(made, figure=ratios_figure(made, ""))


def _twos(inputs: Inputs) -> dict[str, _Two]:
    """Every group of runs with a tracer that has one without, by its place in words."""
    groups: dict[Group, dict[str, str]] = {}
    for path in inputs.plan["cells"]:
        *group, rep = path.split("/")
        groups.setdefault(tuple(group), {})[rep] = path
    found: dict[str, _Two] = {}
    read: dict[str, Source] = {}

    def sources(group: Group) -> dict[str, Source]:
        for path in groups[group].values():
            if path not in read:
                read[path] = read_source(
                    inputs.runs / path, inputs.how.warm_up_ns, inputs.how.clock_step_ns
                )
        return {rep: read[path] for rep, path in sorted(groups[group].items())}

    for group in groups:
        bare = (*group[:_TRACER], NONE, *group[_TRACER + 1 :])
        if group != bare and bare in groups:
            where = dict(zip(AXES, group, strict=True))
            ordered = {"tracer": where.pop("tracer"), **where}
            found["/".join(ordered.values())] = _Two(ordered, sources(group), sources(bare))
    return found


def _quantities(two: _Two, how: Compare) -> tuple[Quantity, ...]:
    """What both runs of every pair report, as the configuration's quantities have it."""
    reps = two.reps
    if not reps:
        return ()
    reported = replace(
        how, quantities=tuple(q for q in how.quantities if q.metric.startswith(REPORTED))
    )
    sides = [[runs[rep] for rep in reps] for runs in (two.bare, two.traced)]
    tasks = {
        key[1]
        for side in sides
        for source in side
        for key in source.reported
        if key[0] == "task" and key[2].startswith("rtapp_")
    }
    common = Common(frozenset(), {}, None, frozenset(tasks))
    one, other = (
        [numbers_of(None, source.reported, source.workload_ns, None) for source in side]
        for side in sides
    )
    found = quantities_of(one, other, common, reported).quantities
    # A run that lacks the number has no place in a row of pairs.
    return tuple(q for q in found if len(q.a) == len(q.b) == len(reps))


def _cpus(two: _Two) -> tuple[float, ...]:
    """CPUs that the tracer's processes used in each run with one; () where nobody counted."""
    used = []
    for source in two.traced.values():
        if not source.used or source.workload_ns is None:
            continue
        length_ns = source.workload_ns[1] - source.workload_ns[0]
        times = [cell.value for key, cell in _rows(source.folder) if key[2] == CPU]
        if times and None not in times and length_ns > 0:
            used.append(sum(time for time in times if time is not None) / length_ns)
    return tuple(used)


def _rows(folder: Path) -> list[tuple[tuple[str, str, str, str], Cell]]:
    try:
        return list(cells(pq.read_table(folder / "metrics.parquet", memory_map=False)).items())
    except (OSError, pa.ArrowInvalid, KeyError):
        # Its Source has said so.
        return []


def _findings(
    twos: Mapping[str, _Two],
    asked: Mapping[str, tuple[_Two, Quantity]],
    cpu: Mapping[str, tuple[_Two, Sequence[float]]],
    answers: Mapping[str, Answer],
    judged: Mapping[str, Judged],
) -> list[Finding]:
    found = []
    for place, two in twos.items():
        own: list[Finding] = []
        for name, (other, quantity) in asked.items():
            if other is two and name in judged:
                own.append(
                    finding_of(quantity.name, two.where, quantity.unit, answers[name], judged[name])
                )
        name = f"{place} {CPU}"
        if name in judged:
            found_cpu = finding_of(
                "CPUs of the tracer itself", two.where, "CPUs", answers[name], judged[name]
            )
            # Of the side that is known to be 0 there are no runs.
            own.append(replace(found_cpu, n_a=found_cpu.n_b, n_b=None))
        if not own:
            why = "; ".join(two.lost()) or "no number that both report"
            own.append(unmeasured("anything", two.where, why, Verdict.NOT_MEASURED))
        found += own
    return found


def _study(
    inputs: Inputs,
    twos: Mapping[str, _Two],
    findings: Sequence[Finding],
    asked: Mapping[str, tuple[_Two, Quantity]],
) -> Study:
    pairs = [len(two.reps) for two in twos.values()]
    gaps = [gap for two in twos.values() for gap in _gaps_s(two)]
    apart = (
        f" The two runs of a pair began {statistics.median(gaps) / 60:.1f} minutes apart in the median, "
        f"{max(gaps) / 60:.1f} at most."
        if gaps
        else ""
    )
    counted = any(f.what.startswith("CPUs") for f in findings)
    made = Study(
        name="tracer_overhead",
        title=TITLE,
        question=QUESTION,
        judgement=judgement_of(findings, "nothing to compare"),
        findings=tuple(findings),
        caption=f"With the tracer over without it, {min(pairs)} to {max(pairs)} pairs of runs a line, "
        f"{inputs.how.confidence:.0%} intervals over pairs.{apart}",
        tables=(_table(asked),),
        cannot_tell=(
            *too_few(findings, inputs.how, "pairs"),
            *(
                ["What the tracer's processes used: runs older than raw/counters.json."]
                * (not counted)
            ),
            "What the probes of a tracer cost in the kernel by themselves: it is part of the workload's"
            " numbers, as a difference to runs without them.",
        ),
        notes=tuple(f"{place}: {line}" for place, two in twos.items() for line in two.lost()),
    )
    return replace(made, figure=ratios_figure(made, "with the tracer / without"))


def _gaps_s(two: _Two) -> list[float]:
    """Seconds between the starts of the two runs of each pair, by the host's clock."""
    found = []
    for rep in two.reps:
        starts = [_started(runs[rep].folder) for runs in (two.bare, two.traced)]
        if None not in starts:
            found.append(abs((starts[1] or 0.0) - (starts[0] or 0.0)))
    return found


def _started(folder: Path) -> float | None:
    try:
        value = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        return float(value["started_unix_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _table(asked: Mapping[str, tuple[_Two, Quantity]]) -> Table:
    """Both numbers of every pair."""
    rows = [
        ("/".join(two.where.values()), quantity.name, quantity.unit, rep, a, b)
        for two, quantity in asked.values()
        for rep, a, b in zip(two.reps, quantity.a, quantity.b, strict=True)
    ]
    columns = ("where", "what", "unit", "rep", "without", "with")
    return Table("pairs", "Both numbers of every pair of runs", columns, tuple(rows))
