# SPDX-License-Identifier: MIT
"""Turns the samples of each metric into rows by scope and name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.metrics.registry import METRICS
from scxval.events.metrics.rows import I64
from scxval.events.metrics.samples import Form, Metric, Samples, View
from scxval.events.metrics.trace import Trace, comm_codes, take_apart
from scxval.events.schema import dsq_name

METRIC_SCHEMA = pa.schema(
    [
        # One of SCOPES.
        pa.field("scope", pa.string(), nullable=False),
        # CPU number, name of task or process, dispatch queue; "" for system and workload.
        pa.field("name", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("stat", pa.string(), nullable=False),
        # Null: not measured (every stat is null), or no sample (but then count is 0).
        pa.field("value", pa.float64()),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),
    ]
)

SCOPES = ("system", "workload", "cpu", "process", "task", "dsq")
PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
DISTRIBUTION_STATS = ("count", "mean", *PERCENTILES)

# The places of samples of one metric and scope, by the key of the member that they belong to.
_Grouped = dict[int, I64]


@dataclass(frozen=True)
class _Member:
    """One name in a scope. `key` finds its samples; not `known`: nothing was seen of it.

    `cpus` is how many CPUs it has, and not `all_cpus`: nothing was seen of some of them.
    """

    key: int
    name: str
    known: bool = True
    cpus: int = 1
    all_cpus: bool = True


def measure(
    events: pa.Table,
    capability: Capability,
    window_ns: tuple[int, int] | None,
    cpus: list[int] | None,
    workload_comms: frozenset[str] | None = None,
) -> pa.Table:
    """Compute every metric of the registry over one event table; the rows are METRIC_SCHEMA.

    `window_ns` is [start, end) in the table's clock, cut to `capability.window_ns` where that is
    known; None takes the latter, or else the first to the last record. `cpus` are all CPUs of the
    machine; None takes those that a switch was seen on. `workload_comms` adds the scope `workload`.

    Not measured (value null, n 0): a metric whose kinds the source cannot see; a CPU without any
    switch in the whole table (it may have been idle or busy all along) and with it the system's
    metrics of CPUs; a workload none of whose threads ran or waited in the window.
    Raises ScxvalError for an empty window, one outside the traced span, a switch on a CPU that
    `cpus` lacks, or a switch without a task.
    """
    return measure_with_samples(events, capability, window_ns, cpus, workload_comms)[0]


def measure_with_samples(
    events: pa.Table,
    capability: Capability,
    window_ns: tuple[int, int] | None,
    cpus: list[int] | None,
    workload_comms: frozenset[str] | None = None,
    wanted: Collection[str] = (),
) -> tuple[pa.Table, dict[tuple[str, str], I64]]:
    """As `measure`, and the samples themselves of the metrics `wanted`, by (metric, scope).

    Scopes are `system` and `workload`; a metric that is not measured there has no entry, and one of
    which nothing was seen an empty one. Samples are in the metric's unit, in the order of the trace.
    """
    trace = take_apart(events)
    window = _window(events, capability, window_ns)
    machine = _machine(trace, cpus)
    samples: dict[str, Samples] = {}
    if window is not None:
        view = View(trace, *window)
        blind = trace.seen_cpus.size == 0
        samples = {
            metric.name: metric.samples(view)
            for metric in METRICS
            if metric.measurable(capability) and not (metric.needs and blind)
        }
    workload = None if workload_comms is None else comm_codes(trace, workload_comms)
    grouped = {
        (metric.name, scope): _group(samples[metric.name], scope, workload)
        for metric in METRICS
        for scope in metric.scopes
        if metric.name in samples
    }
    length_ns = window[1] - window[0] if window else 0
    rows = [
        (scope, member.name, metric.name, *cell)
        for scope in SCOPES
        for member in _members(scope, trace, machine, workload, grouped)
        for metric in METRICS
        if scope in metric.scopes
        for cell in _cells(
            metric,
            member,
            _own(samples.get(metric.name), grouped.get((metric.name, scope)), member),
            length_ns,
        )
    ]
    columns = zip(*rows, strict=True) if rows else ([] for _ in METRIC_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, METRIC_SCHEMA, strict=True)]
    kept = {
        (name, scope): own[0]
        for name in wanted
        for scope in ("system", "workload")
        for member in _members(scope, trace, machine, workload, grouped)
        if member.known and (own := _own(samples.get(name), grouped.get((name, scope)), member))
    }
    return pa.table(arrays, METRIC_SCHEMA), kept


def write_metrics(table: pa.Table, path: Path) -> None:
    """Write a metrics table as Parquet; equal tables give equal bytes."""
    pq.write_table(table, path, compression="zstd")


def _window(
    events: pa.Table, capability: Capability, window_ns: tuple[int, int] | None
) -> tuple[int, int] | None:
    span = capability.window_ns
    if window_ns is None:
        if span is None and events.num_rows:
            times = events["time_ns"].to_numpy()
            span = (int(times.min()), int(times.max()))
        return span
    start, end = window_ns
    if start >= end:
        raise ScxvalError(f"window [{start}, {end}] is empty: its end must be after its start")
    if span is None:
        return start, end
    if start >= span[1] or end <= span[0]:
        raise ScxvalError(
            f"window [{start}, {end}] ns lies outside the traced span [{span[0]}, {span[1]}] ns: "
            "both must be on one clock, and the tracer must run during the workload"
        )
    return max(start, span[0]), min(end, span[1])


def _machine(trace: Trace, cpus: list[int] | None) -> list[int]:
    seen: list[int] = trace.seen_cpus.tolist()
    if cpus is None:
        return seen
    extra = sorted(set(seen) - set(cpus))
    if extra:
        raise ScxvalError(
            f"the trace has switches on CPU {extra[0]}, which is not one of the CPUs given: {cpus}"
        )
    return sorted(set(cpus))


def _group(samples: Samples, scope: str, workload: I64 | None) -> _Grouped:
    """The samples by member: code of comm or process, CPU, dispatch queue id, or 0 for all of them."""
    every = np.arange(samples.values.size)
    if scope == "task":
        return _split(samples.comm, every)
    if scope == "cpu":
        return _split(samples.cpu, every)
    if scope == "process":
        process = samples.process
        if process is None:
            return {}
        return _split(process[process >= 0], every[process >= 0])
    if scope == "workload":
        return {} if workload is None else {0: every[np.isin(samples.comm, workload)]}
    if scope == "dsq":
        if samples.dsq is None or samples.dsq_known is None:
            return {}
        ids, codes = np.unique(samples.dsq[samples.dsq_known], return_inverse=True)
        by_code = _split(codes.astype(np.int64), every[samples.dsq_known])
        return {int(ids[code]): part for code, part in by_code.items()}
    return {0: every}


def _split(keys: I64, places: I64) -> _Grouped:
    # numpy sorts 16 bits by radix, which is linear; nearly every trace has fewer names than that.
    small = bool(keys.size) and int(keys.max()) <= np.iinfo(np.int16).max
    order = np.argsort(keys.astype(np.int16) if small else keys, kind="stable")
    keys, places = keys[order], places[order]
    cuts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate([np.zeros(min(keys.size, 1), dtype=np.int64), cuts])
    return dict(zip(keys[starts].tolist(), np.split(places, cuts), strict=False))


def _own(
    samples: Samples | None, grouped: _Grouped | None, member: _Member
) -> tuple[I64, I64 | None] | None:
    """Values and weights of one member's samples; None: the metric was not measured."""
    if samples is None or grouped is None:
        return None
    places = grouped.get(member.key, np.zeros(0, dtype=np.int64))
    weight = samples.weight
    return samples.values[places], None if weight is None else weight[places]


def _members(
    scope: str,
    trace: Trace,
    machine: list[int],
    workload: I64 | None,
    grouped: dict[tuple[str, str], _Grouped],
) -> list[_Member]:
    """The names of a scope in their order: CPUs and queues by number, tasks by name."""
    seen = set(trace.seen_cpus.tolist())
    if scope == "system":
        return [_Member(0, "", cpus=len(machine), all_cpus=seen.issuperset(machine))]
    if scope == "cpu":
        return [_Member(cpu, str(cpu), known=cpu in seen) for cpu in machine]
    if scope == "workload":
        if workload is None:
            return []
        threads = grouped.get(("threads", "workload"), {})
        return [_Member(0, "", known=any(part.size for part in threads.values()))]
    keys = {key for (_, where), parts in grouped.items() if where == scope for key in parts}
    if scope == "dsq":
        return [_Member(key, dsq_name(key)) for key in sorted(keys)]
    names = trace.processes if scope == "process" else trace.comms
    return sorted((_Member(key, names[key]) for key in keys), key=lambda m: m.name)


def _cells(
    metric: Metric, member: _Member, own: tuple[I64, I64 | None] | None, length_ns: int
) -> Iterator[tuple[str, float | None, str, int]]:
    """The rows of one metric and member, without scope, name and metric: stat, value, unit, n."""
    distribution = metric.form is Form.DISTRIBUTION
    measured = member.known and (member.all_cpus or not metric.of_cpus)
    if own is None or not measured:
        for stat in DISTRIBUTION_STATS if distribution else ("value",):
            yield stat, None, "count" if stat == "count" else metric.unit, 0
        return
    values, weight = own
    if distribution:
        yield "count", float(values.size), "count", values.size
        for stat, value in summarise(values).items():
            yield stat, value, metric.unit, values.size
    elif metric.form is Form.DISTINCT:
        yield "value", float(np.unique(values).size), metric.unit, values.size
    elif metric.form is Form.SHARE:
        whole = length_ns * member.cpus
        yield "value", _sum(values) / whole, metric.unit, values.size
    elif metric.form is Form.WEIGHTED_MEAN:
        yield "value", _weighted_mean(values, weight), metric.unit, values.size
    else:
        yield "value", float(_sum(values)), metric.unit, values.size


def _sum(values: I64) -> int:
    """The exact sum: 64 bits may be too few for it."""
    low = values & 0xFFFFFFFF
    return (int((values >> 32).sum()) << 32) + int(low.sum())


def _weighted_mean(values: I64, weight: I64 | None) -> float | None:
    """None without a sample, or when the samples weigh nothing."""
    if weight is None or not weight.any():
        return None
    return float(np.average(values.astype(np.float64), weights=weight.astype(np.float64)))


def summarise(values: I64) -> dict[str, float | None]:
    """Mean and percentiles; the latter by numpy's default, linear interpolation between ranks."""
    if not values.size:
        return dict.fromkeys(DISTRIBUTION_STATS[1:])
    # Half of all 64 bits is what two such values may differ by without a wrap.
    wide = int(np.abs(values.astype(np.float64)).max()) >= 1 << 62
    points = np.percentile(
        values.astype(np.float64) if wide else values, list(PERCENTILES.values())
    )
    return {
        "mean": _sum(values) / values.size,
        **dict(zip(PERCENTILES, points.tolist(), strict=True)),
    }
