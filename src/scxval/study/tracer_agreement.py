# SPDX-License-Identifier: MIT
"""Study: which tracers agree, on one run that both saw and on runs of their own, and what each really gives.

Pairs over one run are read from results/study/agreement/ (scxval.study.agreement), pairs over different runs
from the family `tracer` (scxval.compare.family); kinds and columns are counted in the event tables
(scxval.study.granularity).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scxval.catalog.model import cell_from_path
from scxval.compare.verdict import Judgement, Verdict, overall, together
from scxval.study.figure import Square, matrix, nothing
from scxval.study.granularity import (
    Kind,
    Reading,
    by_kind,
    judge_column,
    judge_kind,
    others_rows,
    read_readings,
)
from scxval.study.record import Finding, Inputs, Study, Table, Value
from scxval.study.tracer_pairs import (
    AXES,
    MADE_OF,
    OneRun,
    OwnRuns,
    different_runs,
    one_run,
    same_run_findings,
)

NAME = "tracer_agreement"
TITLE = "What tracers agree on, and what each gives"
QUESTION = (
    "Do two tracers tell the same of one run, and of runs of their own? Which kinds of events and "
    "which columns does each really give, and which only in its promise?"
)
GIVES = "gives what it promises"
_Key = TypeVar("_Key")


@dataclass(frozen=True)
class _Tracer:
    """One tracer's readings, by kind, with the judgement of each kind and of each of its columns."""

    name: str
    runs: int
    kinds: Mapping[str, Kind]
    judged: Mapping[str, Judgement]
    columns: Mapping[tuple[str, str], Judgement]


def study(inputs: Inputs) -> Study:
    """Make the study. What is not there is not measured; nothing is raised for it."""
    cells = [cell_from_path(path) for path in inputs.plan["cells"]]
    readings, unread = read_readings(inputs.runs, cells)
    tracers = [
        _tracer(name, readings, inputs.settings.gap_rows)
        for name in sorted({r.tracer for r in readings})
    ]
    same = one_run(inputs.agreement, cells, {(r.cell, r.tracer) for r in readings})
    apart = different_runs(inputs.compare, inputs.plan.get("pairs", {}).get("tracer", []))
    findings = (
        *same_run_findings(same),
        *(pair.finding for pair in apart),
        *(_gives(tracer) for tracer in tracers),
    )
    return Study(
        name=NAME,
        title=TITLE,
        question=QUESTION,
        judgement=_judgement(findings),
        findings=findings,
        figure=_figure(tracers, same, apart),
        caption=_caption(tracers, same, apart),
        tables=_tables(tracers, same, unread),
        cannot_tell=_cannot_tell(tracers, same, apart, unread),
        notes=_notes(bool(tracers)),
    )


def _tracer(name: str, readings: Sequence[Reading], fewest: int) -> _Tracer:
    own = [reading for reading in readings if reading.tracer == name]
    kinds = by_kind(own)
    elsewhere = others_rows(readings, name)
    return _Tracer(
        name,
        len(own),
        kinds,
        {kind: judge_kind(found, elsewhere[kind], fewest) for kind, found in kinds.items()},
        {
            (kind, column): judge_column(filled, fewest)
            for kind, found in kinds.items()
            for column, filled in sorted(found.columns.items())
            if found.rows or filled.unpromised
        },
    )


def _gives(tracer: _Tracer) -> Finding:
    """Whether a tracer gives what its capability records promise, of all its runs."""
    wrong = _with(tracer.judged, Verdict.DISAGREE) + [
        (f"{kind}.{column}", why) for (kind, column), why in _with(tracer.columns, Verdict.DISAGREE)
    ]
    unseen = _with(tracer.judged, Verdict.INCONCLUSIVE)
    given = len(_with(tracer.judged, Verdict.AGREE))
    filled = len(_with(tracer.columns, Verdict.AGREE))
    text = (
        f"{given} of {len(tracer.kinds)} kinds, {filled} of {len(tracer.columns)} columns of them"
    )
    verdict = Verdict.AGREE
    if wrong:
        verdict, text = Verdict.DISAGREE, f"{text}; {together(wrong)}"
    elif not given:
        verdict, text = Verdict.INCONCLUSIVE, f"{text}: no row at all"
    if unseen:
        text = f"{text}; promised and never seen: {', '.join(str(name) for name, _ in unseen)}"
    return Finding(
        what=GIVES,
        where={"tracer": tracer.name},
        verdict=verdict,
        reason=text,
        unit="part of kinds",
        estimate=given / len(tracer.kinds) if tracer.kinds else None,
        n_a=tracer.runs,
    )


def _with(judged: Mapping[_Key, Judgement], verdict: Verdict) -> list[tuple[_Key, str]]:
    return [(key, found.reason) for key, found in judged.items() if found.verdict is verdict]


def _judgement(findings: Sequence[Finding]) -> Judgement:
    if not findings:
        return Judgement(
            Verdict.NOT_MEASURED,
            "no run has events: name tracers side by side (tracer: [perf-sched+bpftrace]), as "
            "config/studies/tracer_agreement.yaml does",
        )
    parts: dict[str, dict[str, Judgement]] = {}
    for finding in findings:
        name = ", ".join(finding.where.values())
        parts.setdefault(finding.what, {})[name] = Judgement(finding.verdict, "")
    return overall({what: _counted(found) for what, found in parts.items()})


def _counted(found: Mapping[str, Judgement]) -> Judgement:
    """The worst verdict of several, with the names of those that have it."""
    worst = overall(found).verdict
    names = [name for name, judgement in found.items() if judgement.verdict is worst]
    return Judgement(worst, f"{len(names)} of {len(found)} ({together((n, '') for n in names)})")


def _figure(tracers: Sequence[_Tracer], same: Sequence[OneRun], apart: Sequence[OwnRuns]) -> str:
    if not tracers:
        return nothing(TITLE, "no run of any tracer has events")
    names = [tracer.name for tracer in tracers]
    squares: dict[tuple[str, str], Square] = {}
    rows: list[str] = []
    for what, found in (("one run", _same_squares(same)), ("own runs", _apart_squares(apart))):
        for other in names:
            row = f"{what}: with {other}"
            own = {name: square for name in names if (square := found.get((name, other)))}
            if own:
                rows.append(row)
                squares.update({(row, name): square for name, square in own.items()})
    kinds = sorted({kind for tracer in tracers for kind in tracer.kinds})
    cannot = Square("", None, None, "it cannot see this kind")
    squares |= {(kind, name): cannot for kind in kinds for name in names}
    for tracer in tracers:
        squares |= {(kind, tracer.name): _kind_square(kind, tracer) for kind in tracer.kinds}
    description = (
        "A column is a tracer. Above: its verdict with each other tracer, over one run that both saw and "
        "over runs of their own. Below: in how many of the runs that promise a kind of event it was seen. "
        "Hatched: not measured."
    )
    return matrix(TITLE, description, [*rows, *kinds], names, squares)


def _same_squares(same: Sequence[OneRun]) -> dict[tuple[str, str], Square]:
    """By tracer and other tracer, over all groups in which both saw one run."""
    found: dict[frozenset[str], list[OneRun]] = {}
    for one in same:
        found.setdefault(frozenset((one.first, one.second)), []).append(one)
    squares: dict[tuple[str, str], Square] = {}
    for both, groups in found.items():
        runs = [judgement for group in groups for judgement in group.runs.values()]
        counted = [run for run in runs if run.verdict is not Verdict.NOT_MEASURED]
        agree = sum(run.verdict is Verdict.AGREE for run in counted)
        worst = overall({group.label: group.judgement for group in groups})
        tip = f"{' and '.join(sorted(both))} over one run: {agree} of {len(counted)} agree; {worst.reason}"
        share = agree / len(counted) if counted else None
        verdict = worst.verdict if counted else None
        square = Square(f"{agree}/{len(counted)}", share, verdict, tip)
        squares |= dict.fromkeys(itertools.permutations(sorted(both), 2), square)
    return squares


def _apart_squares(apart: Sequence[OwnRuns]) -> dict[tuple[str, str], Square]:
    found: dict[frozenset[str], list[OwnRuns]] = {}
    for pair in apart:
        found.setdefault(frozenset((pair.first, pair.second)), []).append(pair)
    squares: dict[tuple[str, str], Square] = {}
    for both, pairs in found.items():
        agree = sum(pair.finding.verdict is Verdict.AGREE for pair in pairs)
        worst = overall(
            {pair.label: Judgement(pair.finding.verdict, pair.finding.reason) for pair in pairs}
        )
        quantities = [q for pair in pairs for q in pair.quantities]
        carried = sum(verdict is Verdict.AGREE for verdict in quantities)
        tip = (
            f"{' and '.join(sorted(both))} over runs of their own: {agree} of {len(pairs)} groups agree, "
            f"{carried} of {len(quantities)} quantities; {worst.reason}"
        )
        share = carried / len(quantities) if quantities else None
        square = Square(f"{agree}/{len(pairs)}", share, worst.verdict, tip)
        squares |= dict.fromkeys(itertools.permutations(sorted(both), 2), square)
    return squares


def _kind_square(kind: str, tracer: _Tracer) -> Square:
    found = tracer.kinds[kind]
    judged = tracer.judged[kind]
    bad = [c for (k, c), j in tracer.columns.items() if k == kind and j.verdict is Verdict.DISAGREE]
    verdict = Verdict.DISAGREE if bad else judged.verdict
    more = f"; not as promised: {', '.join(bad)}" if bad else ""
    tip = f"{tracer.name}, {kind}: {judged.reason}{more}"
    share = found.seen / found.promised if found.promised else 0.0
    return Square(f"{found.seen}/{found.promised}", share, verdict, tip)


def _caption(tracers: Sequence[_Tracer], same: Sequence[OneRun], apart: Sequence[OwnRuns]) -> str:
    if not tracers:
        return ""
    runs = sum(len(one.runs) for one in same)
    return (
        f"{len(tracers)} tracers, {sum(tracer.runs for tracer in tracers)} tables of events; {runs} "
        f"comparisons of two tracers over one run, {len(apart)} over runs of their own. Numbers are runs "
        "(groups of runs, where each tracer has its own)."
    )


KINDS = (
    *("tracer", "kind", "runs", "promised_runs", "seen_runs", "rows", "unpromised_rows"),
    *("verdict", "reason"),
)
FIELDS = (
    *("tracer", "kind", "column", "promised_runs", "rows", "filled", "share", "least", "most"),
    *("unpromised", "verdict", "reason"),
)


def _tables(
    tracers: Sequence[_Tracer], same: Sequence[OneRun], unread: Mapping[str, str]
) -> tuple[Table, ...]:
    kinds: list[tuple[Value, ...]] = []
    fields: list[tuple[Value, ...]] = []
    for tracer in tracers:
        for name, kind in tracer.kinds.items():
            judged = tracer.judged[name]
            numbers = (kind.runs, kind.promised, kind.seen, kind.rows, kind.unpromised_rows)
            kinds.append((tracer.name, name, *numbers, str(judged.verdict), judged.reason))
        for (name, column), judged in tracer.columns.items():
            one = tracer.kinds[name].columns[column]
            counts = (one.promised, one.rows, one.filled, one.share, one.least, one.most)
            fields.append(
                (
                    tracer.name,
                    name,
                    column,
                    *counts,
                    one.unpromised,
                    str(judged.verdict),
                    judged.reason,
                )
            )
    runs: list[tuple[Value, ...]] = [
        (*one.where.values(), run, str(judgement.verdict), judgement.reason)
        for one in same
        for run, judgement in one.runs.items()
    ]
    unused: list[tuple[Value, ...]] = list(unread.items())
    return (
        Table("kinds", "Kinds of events by tracer: promised and seen", KINDS, tuple(kinds)),
        Table("fields", "Columns by tracer and kind: promised and filled", FIELDS, tuple(fields)),
        Table("runs", "Two tracers over one run", (*AXES, "run", "verdict", "reason"), tuple(runs)),
        Table("unused", "Runs that are not counted", ("run", "reason"), tuple(unused)),
    )


def _cannot_tell(
    tracers: Sequence[_Tracer],
    same: Sequence[OneRun],
    apart: Sequence[OwnRuns],
    unread: Mapping[str, str],
) -> tuple[str, ...]:
    lines = []
    if not same:
        lines.append(
            "whether two tracers tell the same of one run: none had two that make events; name them side by "
            "side (tracer: [perf-sched+bpftrace])"
        )
    if not apart:
        lines.append(
            "whether runs of different tracers give the same numbers: the plan has no two, or the family "
            "`tracer` is not compared"
        )
    lines += [line for one in same if (line := one.unseen)]
    lines += [
        f"{pair.first} and {pair.second} over runs of their own ({pair.label}): {pair.finding.reason}"
        for pair in apart
        if pair.finding.verdict is Verdict.INCONCLUSIVE
    ]
    for tracer in tracers:
        unseen = _with(tracer.judged, Verdict.INCONCLUSIVE)
        if unseen:
            lines.append(
                f"whether {tracer.name} gives {', '.join(kind for kind, _ in unseen)}: promised, and no row "
                f"in {tracer.runs} runs; a workload that does it would say"
            )
    if unread:
        lines.append(f"{len(unread)} planned runs have no table that counts: {_reasons(unread)}")
    return tuple(lines)


def _reasons(unread: Mapping[str, str]) -> str:
    folders = sorted(unread)
    return together((folder, unread[folder]) for folder in folders)


def _notes(any_tracer: bool) -> tuple[str, ...]:
    if not any_tracer:
        return ()
    return (
        "Agreement is not truth: two tracers on one tracepoint share what the tracepoint does not show.",
        "Over runs of their own a difference is the tracer's reading or its cost; only one run that both saw "
        "tells which.",
        f"A finding of {MADE_OF} is the worst of its runs; docs/agreement.md says what is judged in each.",
        "Columns that no table can lack (time_ns, cpu, kind, probe, seq) are not counted.",
    )
