# SPDX-License-Identifier: MIT
"""Metrics over repetitions: the run is the unit of replication, events are never pooled.

Only runs that ended ok enter median and range. A run whose tracer lost events is shown beside them:
what it counts is a lower bound.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scxval.catalog.model import Excluded
from scxval.report.load import Key, Run
from scxval.report.text import Scale, count_text, plural, scale_for

# With fewer events than this, fewer than five lie beyond the quantile and decide it.
FEW_EVENTS = {"p50": 10, "p90": 50, "p99": 500}


NO_EVENT = "without such an event"
# Lost records, wakings without a record, and tasks that starve; zero is good.
QUALITY = ("broken_switches", "unmatched_waits", "unfinished_waits")


@dataclass(frozen=True)
class Wanted:
    """A metric of the comparison: the first of `stats` that the files have is shown."""

    title: str
    metric: str
    stats: tuple[str, ...]


MAIN = (
    Wanted("Wakeup latency, p50", "wakeup_latency", ("p50",)),
    Wanted("Wakeup latency, p99", "wakeup_latency", ("p99",)),
    Wanted("Scheduling delay, p50", "scheduling_delay", ("p50",)),
    Wanted("Scheduling delay, p99", "scheduling_delay", ("p99",)),
    Wanted("Slice length, p50", "slice_length", ("p50",)),
    Wanted("DSQ latency, p50", "dsq_latency", ("p50",)),
    Wanted("DSQ latency, p99", "dsq_latency", ("p99",)),
    Wanted("Context switches", "context_switches", ("value", "count")),
    Wanted("Migrations", "migrations", ("value", "count")),
    Wanted("Run time", "run_time", ("value",)),
    Wanted("Utilisation", "utilisation", ("value",)),
)


@dataclass(frozen=True)
class Point:
    """One metric value of one run."""

    rep: int
    value: float
    events: int
    lossy: bool


@dataclass(frozen=True)
class Row:
    """One scheduler's repetitions of one metric; `why` says what is not measured."""

    scheduler: str
    points: list[Point]
    planned: int
    why: str

    @property
    def good(self) -> list[Point]:
        """The runs that median and range are made of."""
        return [point for point in self.points if not point.lossy]

    @property
    def values(self) -> list[float]:
        """The values of the good runs."""
        return [point.value for point in self.good]

    @property
    def absent(self) -> str:
        """Words for a row without a median."""
        only_empty = self.why == f"{self.planned} {NO_EVENT}"
        return f"no event: {self.why}" if only_empty else f"not measured: {self.why}"

    @property
    def median(self) -> float:
        """Median over the good runs; only for a row that has any."""
        return statistics.median(self.values)

    @property
    def events(self) -> tuple[int, int]:
        """Fewest and most events behind one value."""
        counts = [point.events for point in self.good]
        return min(counts), max(counts)


@dataclass(frozen=True)
class Comparison:
    """One metric of one workload under one condition, for every scheduler of the plan."""

    title: str
    key: Key
    unit: str
    scale: Scale
    rows: list[Row]

    @property
    def few_events(self) -> bool:
        """Whether a quantile here hangs on very few events in some run."""
        limit = FEW_EVENTS.get(self.key.stat, 0)
        return any(row.good and row.events[0] < limit for row in self.rows)


def smallest_p(reps: int) -> float:
    """The smallest two-sided p an exact permutation test of `reps` against `reps` runs can give.

    2 / C(2n, n): all runs of one side above all of the other, either way round.
    """
    return min(1.0, 2 / math.comb(2 * reps, reps)) if reps else 1.0


def comparisons(
    runs: Sequence[Run], excluded: Sequence[Excluded], schedulers: Sequence[str]
) -> list[Comparison]:
    """The MAIN metrics of the runs of one workload under one condition.

    Scope `workload` (the workload's tasks) where the files have it, else `system`; one scope for
    all schedulers, so that like is compared with like.
    """
    if not any(
        key.metric in _METRICS for run in runs if run.has_events for key in measured_keys(run)
    ):
        return []
    return [_compare(wanted, runs, excluded, schedulers) for wanted in MAIN]


def measured_keys(run: Run) -> set[Key]:
    """The metrics that a run has a value for."""
    return {key for key, value in (run.metrics or {}).items() if value.value is not None}


def _compare(
    wanted: Wanted, runs: Sequence[Run], excluded: Sequence[Excluded], schedulers: Sequence[str]
) -> Comparison:
    present = {key for run in runs if run.has_events for key in measured_keys(run)}
    for scope in ("workload", "system"):
        for stat in wanted.stats:
            key = Key(scope, "", wanted.metric, stat)
            if key in present:
                return compare(wanted.title, key, runs, excluded, schedulers)
    return compare(
        wanted.title, Key("", "", wanted.metric, wanted.stats[0]), runs, excluded, schedulers
    )


def compare(
    title: str,
    key: Key,
    runs: Sequence[Run],
    excluded: Sequence[Excluded],
    schedulers: Sequence[str],
) -> Comparison:
    """One row per scheduler for one metric."""
    rows = [_row(scheduler, key, runs, excluded) for scheduler in schedulers]
    values = [point.value for row in rows for point in row.points]
    units = [run.metrics[key].unit for run in runs if run.metrics and key in run.metrics]
    unit = units[0] if units else ""
    return Comparison(title, key, unit, scale_for(values, unit), rows)


def _row(scheduler: str, key: Key, runs: Sequence[Run], excluded: Sequence[Excluded]) -> Row:
    own = [run for run in runs if run.cell.scheduler == scheduler]
    points: list[Point] = []
    without: list[str] = []
    for run in own:
        value = (run.metrics or {}).get(key)
        if not run.has_events:
            without.append(run.state)
        elif value is None or value.value is None:
            without.append(_why_no_value(run, key))
        else:
            points.append(Point(run.cell.rep, value.value, value.events, not run.ok))
            if not run.ok:
                without.append(f"{run.state} (not in the median)")
    refused = [item for item in excluded if item.cell.scheduler == scheduler]
    without += [f"excluded ({item.outcome})" for item in refused]
    return Row(scheduler, points, len(own) + len(refused), reasons(without))


def _why_no_value(run: Run, key: Key) -> str:
    if run.metrics is None:
        return "without metrics.parquet"
    count = run.metrics.get(Key(key.scope, key.name, key.metric, "count"))
    # A quantile of no events has no value, yet the metric was measured.
    return NO_EVENT if count is not None and count.value == 0 else "without this metric"


def incomplete(
    runs: Sequence[Run], excluded: Sequence[Excluded], schedulers: Sequence[str]
) -> list[tuple[str, str]]:
    """Schedulers that lack good repetitions, with how many for each reason."""
    words: dict[str, list[str]] = {name: [] for name in schedulers}
    for run in runs:
        if not run.ok:
            words[run.cell.scheduler].append(run.state)
    for item in excluded:
        words[item.cell.scheduler].append(f"excluded ({item.outcome})")
    return [(name, reasons(found)) for name, found in words.items() if found]


def reasons(words: Iterable[str]) -> str:
    """`2 not run, 1 timeout`: how many runs for each reason."""
    counts = Counter(words)
    return ", ".join(f"{number} {word}" for word, number in counts.items())


def all_keys(runs: Sequence[Run], max_tasks: int) -> tuple[list[Key], int]:
    """Every metric that any usable run has, in reading order, and the number of tasks left out.

    The `max_tasks` tasks with the longest run time in any run are kept. Processes are in metrics.parquet
    and in plots: nearly every kernel thread is one.
    """
    usable = [run for run in runs if run.has_events and run.metrics]
    keys = {key for run in usable for key in run.metrics or {}}
    run_time: dict[str, float] = {key.name: 0.0 for key in keys if key.scope == "task"}
    for run in usable:
        for key, value in (run.metrics or {}).items():
            if key.scope == "task" and (key.metric, key.stat) == ("run_time", "value"):
                run_time[key.name] = max(run_time[key.name], value.value or 0.0)
    kept = sorted(run_time, key=lambda name: (-run_time[name], name))[:max_tasks]
    shown = [
        key for key in keys if key.scope != "process" and (key.scope != "task" or key.name in kept)
    ]
    return sorted(shown, key=lambda key: _reading_order(key, kept)), len(run_time) - len(kept)


def quality(runs: Sequence[Run]) -> str:
    """The largest QUALITY counts over the usable runs: `broken_switches 3, ...`."""
    worst: dict[str, float] = {}
    for run in runs:
        for name in QUALITY:
            found = (run.metrics or {}).get(Key("system", "", name, "value"))
            if run.has_events and found is not None and found.value is not None:
                worst[name] = max(worst.get(name, 0.0), found.value)
    return ", ".join(f"{name} {count_text(round(value))}" for name, value in worst.items())


_SCOPES = ("workload", "cgroup", "system", "task", "cpu", "dsq")
_STATS = ("value", "count", "mean", "p50", "p90", "p99", "max")
_METRICS = tuple(dict.fromkeys(wanted.metric for wanted in MAIN))


def _reading_order(key: Key, tasks: list[str]) -> tuple[object, ...]:
    # CPU numbers are text in the file: 10 comes after 9.
    number = int(key.name) if key.name.isdecimal() else -1
    rank = tasks.index(key.name) if key.scope == "task" else number
    return (
        _place(key.scope, _SCOPES),
        key.scope,
        rank,
        key.name,
        _place(key.metric, _METRICS),
        key.metric,
        _place(key.stat, _STATS),
        key.stat,
    )


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)


def replication_note(counts: Sequence[int]) -> str:
    """What this many repetitions can and cannot support, in one or two sentences."""
    reps = [count for count in counts if count]
    if not reps:
        return "No run gave metrics, so nothing is compared."
    low, high = min(reps), max(reps)
    spread = f"n = {low}" if low == high else f"n = {low} to {high}"
    least = smallest_p(low)
    note = (
        f"Here {spread} {'run' if high == 1 else 'runs'} per scheduler. With "
        f"{plural(low, 'run')} on each side an exact permutation test cannot give a p below "
        f"{least:.2g}"
    )
    if least > 0.05:
        return f"{note}: n = {low} repetitions do not support a claim that one scheduler is better."
    return f"{note}; no test was made here, and differences within the ranges shown mean nothing."
