# SPDX-License-Identifier: MIT
"""What each tracer costs: the same runs with it and without it, in pairs of one repetition.

Held against each other is what the workload says of itself and what the kernel counts, traced or not. The
CPU time of the tracer's own processes is that of perf or bpftrace; what its probes cost is in the workload's
numbers, where it is felt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.comparison import Compare, Margin
from scxval.catalog.model import AXES
from scxval.compare.prepare import Common
from scxval.compare.quantities import Numbers, numbers_of, quantities_of
from scxval.compare.record import Quantity
from scxval.compare.source import REPORTED, Cell, Source, cells, read_source
from scxval.compare.statistics.judge import Judged, judge
from scxval.compare.statistics.paired import ask_pairs
from scxval.compare.statistics.question import Answer, ask
from scxval.compare.statistics.side import Side
from scxval.compare.verdict import Verdict
from scxval.study.findings import (
    finding_of,
    judgement_of,
    takes_turns,
    too_few,
    unmeasured,
    with_figure,
)
from scxval.study.pairing import pairing_table, pairing_words
from scxval.study.record import Finding, Inputs, Study, Table

TITLE = "Tracer overhead"
QUESTION = (
    "Does a tracer change the workload that it watches, and how much CPU does it take itself?"
)
# The catalogue's name of no tracer: the other run of each pair.
NONE = "none"
CPU = "tracer_cpu_time"
OWN = "CPUs of the tracer itself"
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

    @property
    def no_answer(self) -> str:
        """Why numbers of this machine are no answer, "" if they are."""
        folders = (runs[rep].folder for rep in self.reps for runs in (self.bare, self.traced))
        return next(filter(None, map(takes_turns, folders)), "")

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


@dataclass(frozen=True)
class _Asked:
    """A quantity of both runs of each pair; `reps` are the pairs, in its numbers' order."""

    two: _Two
    quantity: Quantity
    reps: tuple[str, ...]


@dataclass(frozen=True)
class _Told:
    """What the runs of one group report, why the rest is not measured, by name, and what pairs lack."""

    asked: tuple[_Asked, ...] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def study(inputs: Inputs) -> Study:
    """Pair the plan's runs and judge every reported quantity; Holm over all of them."""
    twos = _twos(inputs)
    if not twos:
        return _nothing(
            "no tracer was run beside runs without one; put `none` and a tracer on the axis"
        )
    told = {place: _told(two, inputs.how) for place, two in twos.items()}
    asked = {f"{p} {one.quantity.name}": one for p, found in told.items() for one in found.asked}
    cpu = {f"{place} {CPU}": (two, values) for place, two in twos.items() if (values := _cpus(two))}
    questions = max(1, sum(one.quantity.carries for one in asked.values()) + len(cpu))
    answers: dict[str, Answer] = {
        name: ask_pairs(q.a, q.b, q.margin, inputs.how, questions)
        for name, q in ((name, one.quantity) for name, one in asked.items())
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
    return _study(inputs, twos, findings, told)


def _nothing(why: str) -> Study:
    made = Study("tracer_overhead", TITLE, QUESTION, judgement_of([], why), cannot_tell=(why,))
    return with_figure(made, "")


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


def _told(two: _Two, how: Compare) -> _Told:
    """What both runs of the pairs report, as the configuration's quantities have it."""
    reps = two.reps
    if not reps:
        return _Told()
    reported = replace(
        how, quantities=tuple(q for q in how.quantities if q.metric.startswith(REPORTED))
    )
    common = Common(frozenset(), {}, None, _tasks(two))
    pairs = [tuple(_numbers(runs[rep]) for runs in (two.bare, two.traced)) for rep in reps]

    def quantities(which: Sequence[int]) -> dict[str, Quantity]:
        one, other = zip(*(pairs[k] for k in which), strict=True)
        return {q.name: q for q in quantities_of(one, other, common, reported).quantities}

    one, other = zip(*pairs, strict=True)
    found = quantities_of(one, other, common, reported)
    not_measured, notes, asked = dict(found.not_measured), [], []
    for quantity in found.quantities:
        if len(quantity.a) == len(quantity.b) == len(reps):
            asked.append(_Asked(two, quantity, tuple(reps)))
            continue
        # A run that lacks the number has no place in a row of pairs, nor has its partner.
        both = [k for k in range(len(reps)) if quantity.name in quantities([k])]
        if both:
            kept = tuple(reps[k] for k in both)
            asked.append(_Asked(two, quantities(both)[quantity.name], kept))
            notes.append(f"{quantity.name}: {len(both)} of {len(reps)} pairs have it on both sides")
        else:
            not_measured[quantity.name] = "no pair has it on both sides"
    return _Told(tuple(asked), not_measured, tuple(notes))


def _numbers(source: Source) -> Numbers:
    return numbers_of(None, source.reported, source.workload_ns, None)


def _tasks(two: _Two) -> frozenset[str]:
    """Names of tasks that tell of themselves."""
    return frozenset(
        name
        for runs in (two.bare, two.traced)
        for rep in two.reps
        for scope, name, metric, _ in runs[rep].reported
        if scope == "task" and metric.startswith("rtapp_")
    )


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
    asked: Mapping[str, _Asked],
    cpu: Mapping[str, tuple[_Two, Sequence[float]]],
    answers: Mapping[str, Answer],
    judged: Mapping[str, Judged],
) -> list[Finding]:
    found = []
    for place, two in twos.items():
        own = [
            finding_of(
                *(one.quantity.name, two.where, one.quantity.unit, answers[name], judged[name])
            )
            for name, one in asked.items()
            if one.two is two and name in judged
        ]
        name = f"{place} {CPU}"
        if name in cpu:
            found_cpu = finding_of(OWN, two.where, "CPUs", answers[name], judged[name])
            # Of the side that is known to be 0 there are no runs.
            own.append(replace(found_cpu, n_a=found_cpu.n_b, n_b=None))
        if not own:
            why = "; ".join(two.lost()) or "no number that both report"
            own.append(unmeasured("anything", two.where, why, Verdict.NOT_MEASURED))
        elif two.no_answer:
            own = [replace(f, verdict=Verdict.INCONCLUSIVE, reason=two.no_answer) for f in own]
        found += own
    return found


def _study(
    inputs: Inputs,
    twos: Mapping[str, _Two],
    findings: Sequence[Finding],
    told: Mapping[str, _Told],
) -> Study:
    pairing = pairing_table(
        {
            place: (
                _gaps_s(two),
                [
                    (one.quantity.a, one.quantity.b)
                    for one in told[place].asked
                    if one.quantity.carries
                ],
            )
            for place, two in twos.items()
        }
    )
    made = Study(
        name="tracer_overhead",
        title=TITLE,
        question=QUESTION,
        judgement=judgement_of(findings, "nothing to compare"),
        findings=tuple(findings),
        caption=f"With the tracer over without it, {_pairs_words(twos)} a line, "
        f"{inputs.how.confidence:.0%} intervals over pairs. {pairing_words(pairing)}".strip(),
        tables=(_pairs(told), pairing, _not_measured(told)),
        cannot_tell=(
            *too_few(findings, inputs.how, "pairs"),
            *_uncounted(twos, findings),
            "What the probes of a tracer cost in the kernel by themselves: it is part of the workload's"
            " numbers, as a difference to runs without them.",
        ),
        notes=tuple(
            f"{place}: {line}"
            for place, two in twos.items()
            for line in (*two.lost(), *told[place].notes)
        ),
    )
    return with_figure(made, "with the tracer / without")


def _pairs_words(twos: Mapping[str, _Two]) -> str:
    counts = [len(two.reps) for two in twos.values()]
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} pair{'s' * (high != 1)} of runs"


def _uncounted(twos: Mapping[str, _Two], findings: Sequence[Finding]) -> list[str]:
    """What is not known of the tracer's own processes."""
    known = [finding.where for finding in findings if finding.what == OWN]
    missing = [place for place, two in twos.items() if two.where not in known]
    if not missing:
        return []
    return [
        f"What the tracer's processes used, of {len(missing)} of {len(twos)} groups: their runs have no"
        f" raw/counters.json, or the tracer had ended before it was read: {', '.join(missing)}."
    ]


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


def _pairs(told: Mapping[str, _Told]) -> Table:
    """Both numbers of every pair."""
    rows = [
        (place, one.quantity.name, one.quantity.unit, rep, a, b)
        for place, found in told.items()
        for one in found.asked
        for rep, a, b in zip(one.reps, one.quantity.a, one.quantity.b, strict=True)
    ]
    columns = ("where", "what", "unit", "rep", "without", "with")
    return Table("pairs", "Both numbers of every pair of runs", columns, tuple(rows))


def _not_measured(told: Mapping[str, _Told]) -> Table:
    """What the configuration asks for and the runs do not tell."""
    rows = [
        (place, name, why)
        for place, found in told.items()
        for name, why in found.not_measured.items()
    ]
    return Table(
        "not_measured",
        "What is not measured, and why (A is without the tracer)",
        ("where", "what", "why"),
        tuple(rows),
    )
