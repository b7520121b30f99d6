# SPDX-License-Identifier: MIT
"""Records of perf.data that are no samples: names and thread groups of tasks, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scxval.events.columns import EVIDENCE, Columns, Ints, Names, join, rows
from scxval.events.schema import MAX_CPU
from scxval.formats.tracepoint import first_bytes, zero_tails
from scxval.tracers.perf_sched.chain import Piece, Type
from scxval.tracers.perf_sched.limits import sound_tids
from scxval.tracers.perf_sched.samples import CPU, TIME, Trailer
from scxval.tracers.sched_records import PROBES, Records

# A COMM record has its two numbers and at least a zero byte, padded; FORK and EXIT have their time.
_COMM_BYTES = 24
_TASK_BYTES = 32
# The losses that a BPF filter chose to make (PERF_RECORD_MISC_LOST_SAMPLES_BPF).
_MISC_BPF = 1 << 15
_I64_MAX = np.iinfo(np.int64).max


@dataclass
class Sideband:
    """What the records seen so far say.

    A loss is told twice: by the kernel in LOST, once there is room again, and by perf in
    LOST_SAMPLES when it ends (record__read_lost_samples), which has also those that no LOST followed.
    """

    trailer: Trailer
    names: Names
    evidence: list[Columns] = field(default_factory=list)
    forks: list[npt.NDArray[np.int64]] = field(default_factory=list)
    lost_by_kernel: int = 0
    lost_by_perf: int = 0
    throttled: int = 0

    @property
    def lost(self) -> int:
        """Events that the ring buffers had no room for."""
        return max(self.lost_by_kernel, self.lost_by_perf)

    def read(self, piece: Piece) -> None:
        """Take in the records of a piece."""
        self.count_losses(piece)
        self._names(piece.of(Type.COMM))
        exits = self._tasks(piece.of(Type.EXIT))
        forks = self._tasks(piece.of(Type.FORK))
        # Those that perf made up for tasks that were there before have no time.
        live = forks.time_ns > 0
        self.forks.append(np.stack([forks.tid[live], forks.pid[live], forks.time_ns[live]]))
        self.evidence += [exits, forks.take(~live)]

    def count_losses(self, piece: Piece) -> None:
        """Take in only what the records of a piece say of losses."""
        by_kernel = piece.of(Type.LOST)
        by_kernel = by_kernel.take(by_kernel.at_least(24))
        self.lost_by_kernel += sum(by_kernel.read(16, "<u8").tolist())
        by_perf = piece.of(Type.LOST_SAMPLES)
        by_perf = by_perf.take(by_perf.at_least(16))
        by_perf = by_perf.take(by_perf.read(4, "<u2") & _MISC_BPF == 0)
        self.lost_by_perf += sum(by_perf.read(8, "<u8").tolist())
        self.throttled += len(piece.of(Type.THROTTLE))

    def _names(self, records: Piece) -> None:
        records = records.take(records.at_least(_COMM_BYTES + self.trailer.size))
        begin = records.place + 16
        raw = first_bytes(records.data, begin, records.end - self.trailer.size - begin)
        zero_tails(raw)
        pid, tid = records.read(8, "<i4"), records.read(12, "<i4")
        comm = self.names.codes(raw)
        back = self.trailer.back(TIME)
        if back is None:
            # Nothing says when the task took its name.
            comm = np.full(len(records), -1)
            time = np.zeros(len(records), dtype=np.int64)
        else:
            time = _time(records, records.end - records.place - back)
        self.evidence.append(self._rows(records, time, tid, pid, comm))

    def _tasks(self, records: Piece) -> Columns:
        """Evidence of FORK or EXIT records, which are alike: u32 pid, ppid, tid, ptid; u64 time."""
        records = records.take(records.at_least(_TASK_BYTES))
        pid, tid = records.read(8, "<i4"), records.read(16, "<i4")
        time = _time(records, np.full(len(records), 24))
        return self._rows(records, time, tid, pid, np.full(len(records), -1))

    def _rows(
        self,
        records: Piece,
        time: npt.NDArray[np.int64],
        tid: Ints,
        pid: Ints,
        comm: npt.NDArray[np.int64],
    ) -> Columns:
        back = self.trailer.back(CPU)
        cpu = np.zeros(len(records), dtype=np.int64)
        if back is not None and len(records):
            at_end = records.end - back
            inside = at_end >= records.place
            view = Piece(records.data, at_end[inside], records.end, records.kind, records.ordinal)
            cpu[inside] = view.read(0, "<u4")
        known = sound_tids(tid) & sound_tids(pid) & (time >= 0) & (cpu <= MAX_CPU)
        made = rows(time, 2 * records.ordinal, cpu, EVIDENCE, 0, tid=tid, pid=pid, comm=comm)
        return made.take(known)

    def evidence_with(self, forked: list[Records]) -> list[Columns]:
        """All evidence; what FORK says of a new task begins with its sched_process_fork.

        The kernel makes the FORK record before the tracepoint, but a task's rows before the
        tracepoint are those of another task of that number.
        """
        if not self.forks:
            return self.evidence
        tid, pid, time = np.concatenate(self.forks, axis=1)
        points = _joined(forked)
        fork_of, used = _latest(tid, time, points["tid"], points["time"])
        known = fork_of >= 0
        new = rows(
            points["time"][known],
            2 * points["record"][known] + 1,
            points["cpu"][known],
            EVIDENCE,
            PROBES.index("sched_process_fork"),
            tid=tid[fork_of[known]],
            pid=pid[fork_of[known]],
        )
        count = int((~used).sum())
        other = rows(
            time[~used],
            np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            EVIDENCE,
            0,
            tid=tid[~used],
            pid=pid[~used],
        )
        return [*self.evidence, join([new, other])]


def _time(records: Piece, offset: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """A time of each record, -1 where it is none."""
    place = Piece(records.data, records.place + offset, records.end, records.kind, records.ordinal)
    time = place.read(0, "<u8")
    return np.where(time <= np.uint64(_I64_MAX), time, np.uint64(_I64_MAX)).astype(np.int64)


def _joined(forked: list[Records]) -> dict[str, npt.NDArray[np.int64]]:
    def every(arrays: list[npt.NDArray[np.integer]]) -> npt.NDArray[np.int64]:
        return np.concatenate([*arrays, np.zeros(0, dtype=np.int64)]).astype(np.int64)

    return {
        "tid": every([some.values["child_pid"] for some in forked]),
        "time": every([some.time_ns for some in forked]),
        "cpu": every([some.cpu for some in forked]),
        "record": every([some.record for some in forked]),
    }


def _latest(
    tid: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    point_tid: npt.NDArray[np.int64],
    point_time: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For each point the latest record of its tid before it and after the point before, or -1.

    Also which records are some point's.
    """
    is_point = np.repeat([False, True], [len(tid), len(point_tid)])
    both_tid = np.concatenate([tid, point_tid])
    order = np.lexsort((is_point, np.concatenate([time, point_time]), both_tid))
    point = is_point[order]
    place = np.arange(len(order))
    # The record just before a point, in the order of tid and time, is its own.
    before = np.where(place > 0, order[place - 1], 0)
    fits = point & (place > 0) & ~np.roll(point, 1) & (both_tid[before] == both_tid[order])
    fork_of = np.full(len(point_tid), -1, dtype=np.int64)
    fork_of[order[fits] - len(tid)] = before[fits]
    used = np.zeros(len(tid), dtype=np.bool_)
    used[before[fits]] = True
    return fork_of, used
