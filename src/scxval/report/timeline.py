# SPDX-License-Identifier: MIT
"""Slices of a short window, per CPU, from an event table: what the timeline pictures show.

A slice is opened by TaskScheduled and closed by the next record of the same CPU that takes the task
off it (scxval.events.schema.SWITCH_OUT_KINDS). What closes or opens a slice without such a record
is said in words, never guessed silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.schema import SWITCH_OUT_KINDS, Reason, TraceKind

COLUMNS = ["time_ns", "cpu", "kind", "tid", "comm", "reason", "seq"]
# A browser draws this many bars in well under a second.
MAX_SLICES = 3000

_WORDS = {
    TraceKind.TASK_PREEMPTED: "preempted",
    TraceKind.TASK_YIELDED: "yielded",
    TraceKind.TASK_SLEPT: "slept",
    TraceKind.TASK_COMPLETED: "exited",
    TraceKind.SIMULATION_END: "simulation ended",
}
# The reason that only repeats the kind.
_PLAIN = {
    TraceKind.TASK_PREEMPTED: Reason.PREEMPT,
    TraceKind.TASK_YIELDED: Reason.YIELD,
    TraceKind.TASK_SLEPT: Reason.SLEEP,
    TraceKind.TASK_COMPLETED: Reason.EXIT,
}


@dataclass(frozen=True)
class Slice:
    """One task on one CPU from `start_ns` to `end_ns`, and why it ended.

    `start_known` is False when the trace began with the task already on the CPU: `start_ns` is then
    the trace's first record.
    """

    cpu: int
    tid: int | None
    comm: str | None
    start_ns: int
    end_ns: int
    ended: str
    start_known: bool = True


@dataclass(frozen=True)
class Timeline:
    """The slices that touch `window_ns`, and every CPU that occurs in the trace.

    `wanted_ns` is the window asked for, longer than `window_ns` if it held too many slices.
    """

    window_ns: tuple[int, int]
    wanted_ns: tuple[int, int]
    cpus: list[int]
    slices: list[Slice]


def middle(span_ns: tuple[int, int], length_ns: int) -> tuple[int, int]:
    """The window of `length_ns` in the middle of a span, or the whole span if it is shorter."""
    start, end = span_ns
    if end - start <= length_ns:
        return start, end
    centre = (start + end) // 2
    return centre - length_ns // 2, centre - length_ns // 2 + length_ns


def timeline(table: pa.Table, wanted_ns: tuple[int, int], max_slices: int = MAX_SLICES) -> Timeline:
    """Slices within `wanted_ns` of an event table that has at least COLUMNS.

    The window is halved about its middle until it holds at most `max_slices`.
    """
    cpus = sorted(pc.unique(table["cpu"]).to_pylist())
    lanes = [_Lane(cpu, table) for cpu in cpus]
    window = wanted_ns
    while True:
        slices = [piece for lane in lanes for piece in lane.slices(window)]
        length = window[1] - window[0]
        if len(slices) <= max_slices or length < 2:
            return Timeline(window, wanted_ns, cpus, slices)
        window = middle(window, length // 2)


class _Lane:
    """The records of one CPU that open or close slices, in the order in which they took effect."""

    def __init__(self, cpu: int, table: pa.Table) -> None:
        self.cpu = cpu
        kinds = [*SWITCH_OUT_KINDS, TraceKind.TASK_SCHEDULED, TraceKind.CPU_IDLE]
        wanted = pc.and_(
            pc.equal(table["cpu"], cpu),
            pc.is_in(table["kind"].cast(pa.string()), pa.array([str(kind) for kind in kinds])),
        )
        rows = table.select(COLUMNS).filter(wanted)
        kind = rows["kind"].cast(pa.string())
        opens = pc.is_in(kind, pa.array(["TaskScheduled", "CpuIdle"])).to_numpy()
        # One sched_switch record gives two rows: the task that leaves, then the one that comes.
        order = np.lexsort((opens, rows["seq"].to_numpy(), rows["time_ns"].to_numpy()))
        self.rows = rows.take(pa.array(order))
        self.time_ns = self.rows["time_ns"].to_numpy()
        self.trace_start_ns = pc.min(table["time_ns"]).as_py() if len(table) else 0
        self.trace_end_ns = pc.max(table["time_ns"]).as_py() if len(table) else 0

    def slices(self, window_ns: tuple[int, int]) -> Iterator[Slice]:
        """Slices with any time in the window; both ends are the real ones, not clipped."""
        start, end = window_ns
        first = max(0, int(np.searchsorted(self.time_ns, start, side="right")) - 1)
        # Rows of one instant belong together: begin with the first of them.
        if first < len(self.time_ns):
            first = int(np.searchsorted(self.time_ns, self.time_ns[first], side="left"))
        last = int(np.searchsorted(self.time_ns, end, side="left"))
        if last < len(self.time_ns):
            last = int(np.searchsorted(self.time_ns, self.time_ns[last], side="right"))
        rows = self.rows.slice(first, last - first).to_pylist()
        for piece in self._pair(
            rows, at_trace_start=first == 0, at_trace_end=last == len(self.rows)
        ):
            if piece.end_ns > start and piece.start_ns < end:
                yield piece

    def _pair(
        self, rows: list[dict[str, Any]], at_trace_start: bool, at_trace_end: bool
    ) -> Iterator[Slice]:
        running: dict[str, Any] | None = None
        for index, row in enumerate(rows):
            kind = row["kind"]
            if kind in SWITCH_OUT_KINDS:
                if running is not None and running["tid"] == row["tid"]:
                    yield self._slice(running, row["time_ns"], _ended(kind, row["reason"]))
                elif running is not None:
                    yield self._slice(running, row["time_ns"], "not recorded: another task left")
                elif index == 0 and at_trace_start and row["tid"] != 0:
                    began = row | {"time_ns": self.trace_start_ns}
                    yield self._slice(began, row["time_ns"], _ended(kind, row["reason"]), False)
                running = None
            else:
                if running is not None:
                    what = "the CPU went idle" if kind == TraceKind.CPU_IDLE else "another began"
                    yield self._slice(running, row["time_ns"], f"not recorded: {what}")
                idle = kind == TraceKind.CPU_IDLE or row["tid"] == 0
                running = None if idle else row
        if running is not None and at_trace_end:
            yield self._slice(running, self.trace_end_ns, "still running when the trace ended")

    def _slice(
        self, began: dict[str, Any], end_ns: int, ended: str, start_known: bool = True
    ) -> Slice:
        return Slice(
            self.cpu, began["tid"], began["comm"], began["time_ns"], end_ns, ended, start_known
        )


def _ended(kind: str, reason: str | None) -> str:
    word = _WORDS[TraceKind(kind)]
    plain = reason is None or reason == _PLAIN.get(TraceKind(kind))
    return word if plain else f"{word} (reason {reason})"
