# SPDX-License-Identifier: MIT
"""The numbers of two groups that are held against each other, one a run, and why others are not there.

Definitions are those of docs/metrics.md, over the compared window. Windows of two sides need not be of one
length, so that what adds up is held as a rate: counts as events a second (1/s), times as CPUs (ns a ns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scxval.catalog.comparison import Compare, Compared
from scxval.compare.distort import COPIES
from scxval.compare.prepare import Common, Prepared
from scxval.compare.record import SIMILARITY, Quantity
from scxval.compare.source import REPORTED, Cell, Key, cells
from scxval.errors import ScxvalError, unknown_name
from scxval.events.metrics import METRICS, Form, Metric, measure_with_samples
from scxval.events.metrics.outputs import COUNTED, COUNTERS
from scxval.events.metrics.rows import I64

# Metrics whose distributions of single events are held against each other.
DISTRIBUTIONS = ("wakeup_latency", "scheduling_delay", "slice_length", "dsq_latency")
# All CPU time together is what the CPUs have, as long as there is work: no verdict, whatever is configured.
PINNED = ("run_time", "utilisation", "idle_time", "kernel_user_time", "kernel_system_time")
# Counters of the whole machine; the others are the workload's.
_OF_SYSTEM = frozenset(metric for scope, metric, _ in COUNTERS.values() if scope == "system")
# A percentile of fewer samples lies between the outermost ones.
FEWEST = {"p50": 5, "p90": 20, "p99": 100}

_METRICS: dict[str, Metric] = {metric.name: metric for metric in METRICS}
_STATS = {True: ("count", "mean", "p50", "p90", "p99", "max"), False: ("value",)}


@dataclass(frozen=True)
class Numbers:
    """One run's metrics, those of its distorted copies by their names, and samples of single events.

    `length_ns` is the compared window's, `workload_s` the workload's own seconds, 0 where unknown;
    `samples` are by (metric, scope), as of `measure_with_samples`. `traced`: it has events.
    """

    cells: Mapping[Key, Cell]
    length_ns: int = 0
    workload_s: float = 0.0
    copies: Mapping[str, Mapping[Key, Cell]] = field(default_factory=dict)
    samples: Mapping[tuple[str, str], I64] = field(default_factory=dict)
    traced: bool = False


@dataclass(frozen=True)
class Found:
    """Quantities, why others are not measured (by name), and notes for the reader."""

    quantities: tuple[Quantity, ...]
    not_measured: dict[str, str]
    notes: tuple[str, ...]


def numbers_of(
    prepared: Prepared | None,
    reported: Mapping[Key, Cell],
    workload_ns: tuple[int, int] | None,
    distortion: float | None,
) -> Numbers:
    """Measure one run: its events (None: not traced), and what the workload said of itself.

    With a `distortion` its copies are measured too. Raises ScxvalError for events out of order.
    """
    seconds = (workload_ns[1] - workload_ns[0]) / 1e9 if workload_ns else 0.0
    if prepared is None:
        copies = dict.fromkeys(COPIES, _slower(reported, distortion)) if distortion else {}
        return Numbers(reported, 0, seconds, copies)
    own, samples = _measured(prepared, DISTRIBUTIONS)
    copies = {}
    if distortion:
        copies = {name: _measured(copy(prepared, distortion))[0] for name, copy in COPIES.items()}
        # Where there are events they alone must tell the starved copy.
        copies["dilated"] |= _slower(reported, distortion)
    length = prepared.window_ns[1] - prepared.window_ns[0]
    return Numbers({**own, **reported}, length, seconds, copies, samples, traced=True)


def _measured(
    prepared: Prepared, wanted: Sequence[str] = ()
) -> tuple[dict[Key, Cell], dict[tuple[str, str], I64]]:
    table, samples = measure_with_samples(
        prepared.table,
        prepared.capability,
        prepared.window_ns,
        prepared.cpus,
        prepared.comms or None,
        wanted,
    )
    return cells(table), samples


def _slower(reported: Mapping[Key, Cell], factor: float) -> dict[Key, Cell]:
    """What the workload would have said had everything taken longer: what it counts comes less often."""
    return {
        key: cell
        if cell.value is None
        else replace(cell, value=cell.value / factor if _counts(key, cell) else cell.value * factor)
        for key, cell in reported.items()
    }


def _counts(key: Key, cell: Cell) -> bool:
    return key[3] == "count" or (key[2].startswith(COUNTED) and cell.unit == "count")


def quantities_of(
    a: Sequence[Numbers], b: Sequence[Numbers], common: Common, how: Compare
) -> Found:
    """The configured quantities of two groups of used runs, A's copies as controls.

    Raises ScxvalError for a configured metric or stat that does not exist.
    """
    sides = _Sides(a, b, common)
    found: dict[str, Quantity] = {}
    not_measured: dict[str, str] = {}
    notes: dict[str, None] = {}
    for compared in _expanded(how.quantities, a, b, not_measured):
        if compared.scope == "task" and not common.comms:
            not_measured[compared.name] = "no name of a task of the workload is known"
        for task in _tasks(compared, common):
            name = f"{compared.name} task {task}" if task else compared.name
            try:
                found[name] = sides.quantity(name, compared, task, notes)
            except _NotMeasuredError as error:
                not_measured[name] = str(error)
    return Found(tuple(found.values()), not_measured, tuple(notes))


class _NotMeasuredError(Exception):
    """Why a quantity has no numbers."""


def _expanded(
    wanted: Iterable[Compared],
    a: Sequence[Numbers],
    b: Sequence[Numbers],
    not_measured: dict[str, str],
) -> Iterator[Compared]:
    """Each quantity with a metric's full name; one that is configured by its own name goes before `*`."""
    wanted = [item for item in wanted if item.metric != SIMILARITY]
    own = {item.name for item in wanted}
    seen = {key[2] for run in (*a, *b) for key in run.cells}
    for item in wanted:
        if not item.metric.endswith("*"):
            _check(item)
            yield item
            continue
        begin = item.metric.removesuffix("*")
        names = sorted(n for n in {*_METRICS, *seen} if n.startswith(begin))
        more = [replace(item, metric=name) for name in names]
        more = [one for one in more if one.name not in own and one.stat in _stats(one.metric)]
        if not more:
            not_measured[item.name] = f"no run has a metric that begins with {begin}"
        yield from more


def _stats(metric: str) -> tuple[str, ...]:
    if metric in _METRICS:
        return _STATS[_METRICS[metric].form is Form.DISTRIBUTION]
    return _STATS[metric.startswith("rtapp_")]


def _check(item: Compared) -> None:
    if item.metric not in _METRICS and not item.metric.startswith(REPORTED):
        raise unknown_name("metric in compare.quantities", item.metric, [*_METRICS, SIMILARITY])
    if item.stat not in _stats(item.metric):
        stats = ", ".join(_stats(item.metric))
        raise ScxvalError(f"compare.quantities: {item.name!r}: stats of {item.metric} are {stats}")
    scopes = _METRICS[item.metric].scopes if item.metric in _METRICS else ("workload", "task")
    if item.scope == "task" and "task" not in scopes:
        raise ScxvalError(f"compare.quantities: {item.name!r}: {item.metric} is of no single task")


def _tasks(compared: Compared, common: Common) -> list[str]:
    """ "" for a quantity of the whole workload, else its tasks."""
    if compared.scope != "task":
        return [""]
    return sorted(common.comms)


@dataclass(frozen=True)
class _Sides:
    """Both groups' numbers, and what they have in common."""

    a: Sequence[Numbers]
    b: Sequence[Numbers]
    common: Common

    def quantity(self, name: str, item: Compared, task: str, notes: dict[str, None]) -> Quantity:
        """One quantity's numbers; raises _NotMeasuredError."""
        metric = _METRICS.get(item.metric)
        if metric is not None:
            self._must_be_seen(metric)
        scope, where = self._scope(item, task, notes)
        sides = []
        for side, runs in (("A", self.a), ("B", self.b)):
            numbers = [run for run in runs if _is_measured(run, item, scope, where)]
            if not numbers:
                raise _NotMeasuredError(f"no run of {side} measures it")
            if len(numbers) < len(runs):
                notes[f"{name}: measured in {len(numbers)} of {len(runs)} runs of {side}"] = None
            sides.append(numbers)
        _must_suffice(item, scope, where, sides)
        read = _reader(item, scope, where)
        values = [tuple(read(run, run.cells) for run in side) for side in sides]
        pinned = _pinned(item.metric, task, self.common)
        why = item.margin.reason if not item.carries else pinned
        return Quantity(
            name=name,
            metric=item.metric,
            stat=item.stat,
            task=task,
            unit=_unit(item, scope, where, sides[0][0]),
            margin=item.margin,
            a=_numbers(values[0]),
            b=_numbers(values[1]),
            carries=not why,
            why_not=why,
            controls=_controls(sides[0], read),
            blur_a=_blur(item, sides[0], _numbers(values[0])),
            blur_b=_blur(item, sides[1], _numbers(values[1])),
        )

    def _must_be_seen(self, metric: Metric) -> None:
        for side, runs in (("A", self.a), ("B", self.b)):
            if not any(run.traced for run in runs):
                raise _NotMeasuredError(f"{side} has no events")
        common = self.common
        for need in metric.needs:
            if need & common.kinds:
                continue
            dropped = [common.dropped[kind] for kind in sorted(need) if kind in common.dropped]
            if dropped:
                raise _NotMeasuredError(dropped[0])
            blind = [s for s, kinds in zip("AB", common.seen, strict=True) if not need & kinds]
            who = " and ".join(blind) if blind else "not every run of both"
            see = "do not see" if len(blind) > 1 else "does not see" if blind else "sees"
            raise _NotMeasuredError(f"needs {' or '.join(sorted(need))}, which {who} {see}")
        kinds = common.kinds.intersection(*metric.needs[-1:])
        if metric.column and not any(metric.column in common.fields[kind] for kind in kinds):
            raise _NotMeasuredError(f"not both fill {metric.column} of {', '.join(sorted(kinds))}")

    def _scope(self, item: Compared, task: str, notes: dict[str, None]) -> tuple[str, str]:
        """Where its numbers stand: scope and name."""
        if task:
            return "task", task
        metric = _METRICS.get(item.metric)
        if metric is None:
            return ("system" if item.metric in _OF_SYSTEM else "workload"), ""
        if "workload" not in metric.scopes:
            return "system", ""
        blind = workload_blind(self.a, self.b)
        if blind:
            notes[blind] = None
            return "system", ""
        return "workload", ""


def _pinned(metric: str, task: str, common: Common) -> str:
    """Why a metric comes out the same whatever a scheduler does; "" if it does not."""
    if metric not in PINNED or (task and len(common.comms) > 1):
        return ""
    if task:
        return "the workload has one task name, whose share of the CPUs is pinned"
    return "pinned by capacity: a workload that fills its CPUs cannot show another value"


def workload_blind(a: Sequence[Numbers], b: Sequence[Numbers]) -> str:
    """Why the workload's tasks cannot be told from the rest, "" when both sides can."""
    for side, runs in (("A", a), ("B", b)):
        traced = [run for run in runs if run.traced]
        if traced and not any(_told(run, "workload") for run in traced):
            return (
                f"{side} shows none of the workload's tasks: numbers are those of the whole system"
            )
    return ""


def _told(run: Numbers, scope: str) -> bool:
    """Whether a run tells any of the workload's tasks."""
    return any(
        cell.value is not None
        for key, cell in run.cells.items()
        if key[:2] == (scope, "") and key[2] in _METRICS
    )


def _counter(item: Compared) -> str:
    """The stat that is null only where the metric is not measured."""
    return "count" if "count" in _stats(item.metric) else "value"


def _is_measured(run: Numbers, item: Compared, scope: str, where: str) -> bool:
    cell = run.cells.get((scope, where, item.metric, _counter(item)))
    if cell is not None and cell.value is not None:
        return True
    # A task that did nothing in a run that shows the others has no row.
    whole = run.cells.get(("workload", "", item.metric, _counter(item)))
    return (
        scope == "task"
        and item.metric in _METRICS
        and whole is not None
        and whole.value is not None
    )


def _must_suffice(
    item: Compared, scope: str, where: str, sides: Sequence[Sequence[Numbers]]
) -> None:
    """A percentile of too few samples is not measured."""
    if "count" not in _stats(item.metric) or item.stat == "count":
        return
    least = FEWEST.get(item.stat, 1)
    counts = [
        [_count(run.cells.get((scope, where, item.metric, "count"))) for run in side]
        for side in sides
    ]
    if min(min(side) for side in counts) < least:
        words = [f"{name} has {_range(side)}" for name, side in zip("AB", counts, strict=True)]
        plural = "samples" if least > 1 else "sample"
        raise _NotMeasuredError(
            f"{item.stat} needs {least} {plural} in every run: {', '.join(words)}"
        )


def _count(cell: Cell | None) -> int:
    return cell.n if cell is not None else 0


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


_Read = Callable[[Numbers, Mapping[Key, Cell]], float | None]


def _reader(item: Compared, scope: str, where: str) -> _Read:
    """Reads the quantity from a run's metrics or from those of a copy of it; None: no value."""
    metric = _METRICS.get(item.metric)
    key = (scope, where, item.metric, item.stat)

    def read(run: Numbers, found: Mapping[Key, Cell]) -> float | None:
        cell = found.get(key)
        # What events do not show of a task did not happen; what the workload does not say may have.
        if cell is None and scope == "task" and metric is not None and _adds_up(item, metric):
            return 0.0
        if cell is None or cell.value is None:
            return None
        divisor = _divisor(item, metric, run)
        return cell.value / divisor if divisor else None

    return read


def _adds_up(item: Compared, metric: Metric | None) -> bool:
    total = metric is not None and metric.form is Form.TOTAL
    return item.stat == "count" or total or item.metric.startswith(COUNTED)


def _divisor(item: Compared, metric: Metric | None, run: Numbers) -> float:
    """What makes a number a rate: seconds, nanoseconds, or 1 for what is none."""
    if not _adds_up(item, metric):
        return 1.0
    if metric is None:
        return run.workload_s * 1e9 if _is_time(item) else run.workload_s
    if item.stat == "count" or metric.unit == "count":
        return run.length_ns / 1e9
    return float(run.length_ns)


def _is_count(item: Compared, metric: Metric | None) -> bool:
    """Whether it is a number of events."""
    if item.metric.startswith(COUNTED):
        return not _is_time(item)
    return item.stat == "count" or (metric is not None and metric.unit == "count")


def _is_time(item: Compared) -> bool:
    """Whether a counter of the kernel is a time in ns; the others are numbers of events."""
    return item.metric.startswith(COUNTED) and item.metric.endswith("_time")


def _unit(item: Compared, scope: str, where: str, run: Numbers) -> str:
    metric = _METRICS.get(item.metric)
    if _adds_up(item, metric):
        return "1/s" if _is_count(item, metric) else "CPUs"
    if metric is not None:
        return metric.unit
    cell = run.cells.get((scope, where, item.metric, item.stat))
    return cell.unit if cell else ""


def _numbers(values: Sequence[float | None]) -> tuple[float, ...]:
    found = tuple(value for value in values if value is not None)
    if len(found) < len(values):
        raise _NotMeasuredError("no value in some runs that measure it")
    return found


def _blur(item: Compared, side: Sequence[Numbers], values: Sequence[float]) -> float:
    """By how much equal counts differ as rates, because runs' windows are of unlike length."""
    metric = _METRICS.get(item.metric)
    if not _is_count(item, metric):
        return 0.0
    lengths = [_divisor(item, metric, run) for run in side]
    # A little more, for rounding.
    return max(values) * (1 - min(lengths) / max(lengths)) * (1 + 1e-9)


def _controls(side: Sequence[Numbers], read: _Read) -> dict[str, tuple[float, ...]]:
    """The copies' numbers, where all of the side's runs have one."""
    controls: dict[str, tuple[float, ...]] = {}
    for name in COPIES:
        values = [read(run, run.copies[name]) for run in side if name in run.copies]
        found = tuple(value for value in values if value is not None)
        if found and len(found) == len(side):
            controls[name] = found
    return controls
