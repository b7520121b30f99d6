# SPDX-License-Identifier: MIT
"""Whether a trace's clock can be believed: steps back on a CPU, and times when nothing happened at all.

Sorting hides a clock that stepped, so it is looked for in the source's order, and said in a note.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Some CPU of a machine that runs anything switches or wakes a task far more often than this.
GAP_NS = 10_000_000_000


def clock_notes(
    time_ns: npt.NDArray[np.int64],
    cpu: npt.NDArray[np.signedinteger],
    seq: npt.NDArray[np.int64],
    ordered: bool,
) -> list[str]:
    """Notes on the clock of rows in canonical order: (time, CPU, seq).

    With `ordered` the source holds each CPU's records in the order in which they happened, so that
    a record that is earlier than the one before it there tells of a clock step or damage.
    """
    notes = []
    if ordered:
        back = _steps_back(time_ns, cpu, seq)
        if len(back):
            notes.append(
                f"clock steps: {len(back)} records are earlier than the one before them on their "
                f"CPU, by up to {back.max() / 1e9:.6f} s; they stand where their times say"
            )
    apart = np.diff(time_ns)
    gaps = np.flatnonzero(apart > GAP_NS)
    if len(gaps):
        longest = gaps[np.argmax(apart[gaps])]
        notes.append(
            f"gaps: {len(gaps)} times nothing was recorded for more than {GAP_NS // 10**9} s, at most "
            f"{apart[longest] / 1e9:.3f} s from {time_ns[longest] / 1e9:.6f} s on: the clock "
            "stepped, records are lost or damaged, or the machine slept"
        )
    return notes


def _steps_back(
    time_ns: npt.NDArray[np.int64],
    cpu: npt.NDArray[np.signedinteger],
    seq: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """How far each record steps back from the one before it on its CPU, of those that do."""
    # Radix sort of a narrow column: rows of a CPU together, by time.
    by_cpu = np.argsort(cpu.astype(np.int16, copy=False), kind="stable")
    same = np.diff(cpu[by_cpu]) == 0
    if not (same & (np.diff(seq[by_cpu]) < 0)).any():
        return np.zeros(0, dtype=np.int64)
    as_written = np.lexsort((seq, cpu))
    step = np.diff(time_ns[as_written])
    same = np.diff(cpu[as_written]) == 0
    back: npt.NDArray[np.int64] = -step[same & (step < 0)]
    return back


def foreign_clock(clock: str, remedy: str) -> str:
    """The note of a trace whose times are not CLOCK_MONOTONIC."""
    return (
        f"times are of {clock}, not CLOCK_MONOTONIC: no other source can be laid beside; {remedy}"
    )
