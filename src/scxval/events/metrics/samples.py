# SPDX-License-Identifier: MIT
"""What a metric is: a function from a trace and a window to samples, and how those are summed up.

A sample is one number for each event behind the metric, with the task, CPU, process and dispatch
queue that it belongs to; `reduce` groups samples by scope.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from scxval.events.capability import Capability
from scxval.events.metrics.rows import I64, U64, Bools
from scxval.events.metrics.trace import Points, Spans, Trace


@dataclass(frozen=True)
class View:
    """A trace and the window [start_ns, end_ns) it is looked at through."""

    trace: Trace
    start_ns: int
    end_ns: int

    def inside(self, time_ns: I64) -> Bools:
        """Which times lie in the window."""
        mask: Bools = (time_ns >= self.start_ns) & (time_ns < self.end_ns)
        return mask

    def overlaps(self, start_ns: I64, end_ns: I64) -> Bools:
        """Which stretches have a part in the window; one of no length counts where it starts."""
        mask: Bools = (start_ns < self.end_ns) & (
            (end_ns > self.start_ns) | (start_ns >= self.start_ns)
        )
        return mask

    def length(self, start_ns: I64, end_ns: I64) -> I64:
        """The part of each stretch that lies in the window, in ns."""
        length: I64 = np.minimum(end_ns, self.end_ns) - np.maximum(start_ns, self.start_ns)
        return length


@dataclass(frozen=True)
class Samples:
    """Numbers with their owners; `comm` and `cpu` are NO_TASK and -1 where there is none.

    `dsq` says for each sample the queue's id, `dsq_known` whether there is one. `process` is a place
    in Trace.processes, or NO_TASK. `weight` is of a weighted mean alone.
    """

    values: I64
    comm: I64
    cpu: I64
    dsq: U64 | None = None
    dsq_known: Bools | None = None
    process: I64 | None = None
    weight: I64 | None = None


class Form(StrEnum):
    """What becomes of the samples of one scope and name."""

    # stat `value`: their sum.
    TOTAL = "total"
    # stat `value`: how many different ones.
    DISTINCT = "distinct"
    # stat `value`: their sum over the window's length times the CPUs.
    SHARE = "share"
    # stat `value`: their mean, each weighted; null without a sample.
    WEIGHTED_MEAN = "weighted mean"
    # stats count, mean, p50, p90, p99, max.
    DISTRIBUTION = "distribution"


@dataclass(frozen=True)
class Metric:
    """One metric. `needs`: from each set the source must be able to see at least one kind.

    `column`: one of these kinds must also fill it.
    """

    name: str
    unit: str
    form: Form
    scopes: tuple[str, ...]
    needs: tuple[frozenset[str], ...]
    samples: Callable[[View], Samples]
    column: str = ""

    @property
    def definition(self) -> str:
        """The metric in words, with formula and source: the docstring of its function."""
        return inspect.getdoc(self.samples) or ""

    @property
    def of_cpus(self) -> bool:
        """Whether it says something about CPUs alone: its total needs every one of them."""
        return set(self.scopes) == {"system", "cpu"}

    def measurable(self, source: Capability) -> bool:
        """Whether a source that can do this much can measure it."""
        kinds = frozenset(source.kinds)
        seen = kinds.intersection(*self.needs[-1:])
        fills = any(self.column in source.fields.get(kind, ()) for kind in seen)
        return all(need & kinds for need in self.needs) and (fills or not self.column)


def spans_of(view: View, spans: Spans, values: I64 | None = None) -> Samples:
    """One sample a stretch: its length in the window, or the given values."""
    mask = view.overlaps(spans.start_ns, spans.end_ns)
    if values is None:
        values = view.length(spans.start_ns, spans.end_ns)
    return Samples(values[mask], spans.comm[mask], spans.cpu[mask])


def points_of(view: View, points: Points, only: Bools | None = None) -> Samples:
    """A one for each record in the window (that is also in `only`)."""
    mask = view.inside(points.time_ns)
    if only is not None:
        mask = mask & only
    return Samples(ones(int(mask.sum())), points.comm[mask], points.cpu[mask])


def ones(count: int) -> I64:
    """As many ones."""
    return np.ones(count, dtype=np.int64)


def no_cpu(comm: I64) -> I64:
    """That samples of these tasks are of no CPU."""
    return np.full(comm.size, -1, dtype=np.int64)
