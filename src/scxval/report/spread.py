# SPDX-License-Identifier: MIT
"""One metric for each process, dispatch queue, task or CPU: the questions of scx's own scripts.

Only what some run measured is here. As everywhere, a run gives one number, and the median of those
of runs that ended ok is shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scxval.report.load import Key, Run, Value
from scxval.report.text import Scale, count_text, scale_for

# More names than this make a plot that nobody reads; those with the most events are kept.
MAX_MEMBERS = 12


@dataclass(frozen=True)
class Question:
    """A metric by the names of a scope; `stats` are the ends of its bar, or the one stat of a dot.

    `told_apart` are counts of the events that are in no value, each with words for it.
    """

    title: str
    scope: str
    metric: str
    stats: tuple[str, ...] = ("p50", "p99")
    told_apart: tuple[tuple[str, str], ...] = ()


_SLICES = (
    ("slice_infinite", "inserts with a slice that does not end"),
    ("slice_kept", "that keep the slice the task had"),
)
QUESTIONS = (
    Question("Scheduling delay by process", "process", "scheduling_delay"),
    Question("DSQ latency by queue", "dsq", "dsq_latency"),
    Question("Slice given, by queue", "dsq", "slice_allocation", told_apart=_SLICES),
    Question("Slice given, by task", "task", "slice_allocation"),
    Question("Step of vtime from one insert to the next, by queue", "dsq", "vtime_step"),
    Question("CPU frequency, mean over time, by CPU", "cpu", "cpu_frequency", ("value",)),
)


@dataclass(frozen=True)
class Bar:
    """A scheduler's values for one name: medians over `runs` runs, `events` in the median run."""

    scheduler: str
    member: str
    ends: tuple[float, ...]
    events: float
    runs: int


@dataclass(frozen=True)
class Spread:
    """The answer to a question: bars of the kept `members`, in their order, for each scheduler."""

    question: Question
    members: list[str]
    left_out: int
    schedulers: list[str]
    bars: list[Bar]
    scale: Scale
    notes: list[str]


def spreads(runs: Sequence[Run], schedulers: Sequence[str]) -> list[Spread]:
    """Every question that some run of one workload and condition has an answer to."""
    by_scheduler = {
        name: [run for run in runs if run.ok and run.metrics and run.cell.scheduler == name]
        for name in schedulers
    }
    found = (_spread(question, by_scheduler) for question in QUESTIONS)
    return [spread for spread in found if spread.bars or spread.notes]


def _spread(question: Question, runs: dict[str, list[Run]]) -> Spread:
    bars = [
        bar
        for scheduler, own in runs.items()
        for member in _members(question, own)
        if (bar := _bar(question, scheduler, member, own)) is not None
    ]
    events: dict[str, float] = {}
    for bar in bars:
        events[bar.member] = max(events.get(bar.member, 0), bar.events)
    kept = set(sorted(events, key=lambda name: (-events[name], name))[:MAX_MEMBERS])
    shown = [bar for bar in bars if bar.member in kept]
    unit = next((value.unit for own in runs.values() for value in _values(question, own)), "")
    return Spread(
        question,
        sorted(kept, key=_reading_order),
        len(events) - len(kept),
        [name for name in runs if any(bar.scheduler == name for bar in shown)],
        shown,
        scale_for([end for bar in shown for end in bar.ends], unit),
        _notes(question, runs),
    )


def _reading_order(name: str) -> tuple[int, str]:
    # CPU numbers and queue ids are text in the file: 10 comes after 9.
    number = name.removeprefix("0x")
    base = 10 if number == name else 16
    try:
        return int(number, base), name
    except ValueError:
        return -1, name


def _members(question: Question, runs: Iterable[Run]) -> list[str]:
    names = {
        key.name: None
        for run in runs
        for key in run.metrics or {}
        if (key.scope, key.metric) == (question.scope, question.metric)
    }
    return list(names)


def _bar(question: Question, scheduler: str, member: str, runs: Iterable[Run]) -> Bar | None:
    """The medians, over the runs that have a value for every end."""
    found = [
        [
            (run.metrics or {}).get(Key(question.scope, member, question.metric, stat))
            for stat in question.stats
        ]
        for run in runs
    ]
    whole = [
        [(value.value, value.events) for value in values if value and value.value is not None]
        for values in found
    ]
    whole = [values for values in whole if len(values) == len(question.stats)]
    if not whole:
        return None
    ends = tuple(statistics.median(v for v, _ in column) for column in zip(*whole, strict=True))
    events = statistics.median(values[0][1] for values in whole)
    return Bar(scheduler, member, ends, events, len(whole))


def _values(question: Question, runs: Iterable[Run]) -> list[Value]:
    return [
        value
        for run in runs
        for key, value in (run.metrics or {}).items()
        if (key.scope, key.metric, key.stat) == (question.scope, question.metric, question.stats[0])
    ]


def _notes(question: Question, runs: dict[str, list[Run]]) -> list[str]:
    """For each scheduler, how many events are told apart, where there are any."""
    notes = []
    for scheduler, own in runs.items():
        counts = [(_median_count(metric, own), words) for metric, words in question.told_apart]
        if any(number for number, _ in counts):
            told = ", ".join(
                f"{count_text(round(number or 0))} {words}" for number, words in counts
            )
            notes.append(f"{scheduler}: {told}")
    return notes


def _median_count(metric: str, runs: Iterable[Run]) -> float | None:
    values = [(run.metrics or {}).get(Key("system", "", metric, "value")) for run in runs]
    known = [value.value for value in values if value is not None and value.value is not None]
    return statistics.median(known) if known else None
