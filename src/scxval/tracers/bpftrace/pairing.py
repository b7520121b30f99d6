# SPDX-License-Identifier: MIT
"""What one bpftrace record says of another: yields of the switches after them, returns of entries.

Both need the whole trace in order, because the two records may be any number of lines apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from scxval.events.columns import KIND, NULL, REASON, Columns, off_cpu
from scxval.events.schema import Reason, TraceKind
from scxval.tracers.bpftrace.probes import PICK_TASK, PROBES, SWITCH, YIELDS, Point, Probe
from scxval.tracers.bpftrace.rows import PROBE_CODE, PROBE_NAMES

Places = npt.NDArray[np.int64]
_SWITCH = PROBE_CODE[SWITCH.variants[0].record]
_PICK = PROBE_CODE[PICK_TASK.variants[0].record]
_YIELDS = [PROBE_CODE[probe.variants[0].record] for probe in YIELDS]


def settle_yields(columns: Columns, sees_yields: bool) -> Columns:
    """Decide which runnable tasks that left their CPU had yielded. Rows must be in order.

    `sees_yields`: a yield would have left a record, so that a task without one was preempted.
    """
    undecided = columns.kind == KIND[TraceKind.TASK_PREEMPTED]
    undecided &= columns.reason == REASON[Reason.UNKNOWN]
    at = np.flatnonzero(undecided)
    yielded = _yielded(columns)[at]
    kind, reason = columns.kind.copy(), columns.reason.copy()
    kind[at], reason[at] = off_cpu(np.zeros(len(at), dtype=np.int64), yielded, sees_yields)
    return replace(columns, kind=kind, reason=reason)


def _yielded(columns: Columns) -> npt.NDArray[np.bool_]:
    """Which rows are a switch-out after a yield that no pick of the same task has answered."""
    result = np.zeros(len(columns), dtype=np.bool_)
    wanted = np.zeros(len(PROBE_NAMES), dtype=np.bool_)
    wanted[[_SWITCH, _PICK, *_YIELDS]] = True
    # Of a switch's two rows, the one that is always there: what comes on.
    at = np.flatnonzero(
        wanted[columns.probe] & ((columns.probe != _SWITCH) | (columns.seq & 1 == 1))
    )
    is_switch = columns.probe[at] == _SWITCH
    # Picks and yields count for the CPU whose runqueue they are about.
    cpu = np.where(is_switch, columns.cpu[at], columns.other_cpu[at])
    order = np.argsort(cpu, kind="stable")
    at, cpu, is_switch = at[order], cpu[order], is_switch[order]
    what, task = columns.probe[at], columns.other_tid[at]
    is_yield = np.isin(what, _YIELDS)
    if not is_yield.any():
        return result
    place = np.arange(len(at))
    last_yield = np.maximum.accumulate(np.where(is_yield, place, -1))
    barrier = np.append(-1, np.maximum.accumulate(np.where(is_switch, place, -1))[:-1])
    first_of_cpu = np.append(True, cpu[1:] != cpu[:-1])
    begin = np.maximum.accumulate(np.where(first_of_cpu, place, 0))
    picks = np.cumsum(what == _PICK)
    proof = is_switch & (last_yield > barrier) & (last_yield >= begin)
    proof &= (task[last_yield] == task) & (picks - picks[last_yield] <= 1)
    # What goes off stands right before what comes on; idle has no such row, and never yields.
    result[at[proof & (task > 0)] - 1] = True
    return result


def settle_returns(columns: Columns) -> tuple[Columns, int]:
    """Give entries what their returns say; also the number of returns without an entry.

    Rows must be in order.
    """
    names = {name for probe in PROBES for name in probe.return_columns}
    changed = replace(columns, **{name: getattr(columns, name).copy() for name in names})
    unpaired = 0
    for probe in PROBES:
        for function, back in probe.returns.items():
            unpaired += _settle(changed, probe, function, back)
    return changed, unpaired


def _settle(columns: Columns, probe: Probe, function: str, back: Point) -> int:
    """Fill in place what the returns of one function say of its entries."""
    entry_code, return_code = PROBE_CODE[function], PROBE_CODE[back.record]
    returns = columns.probe == return_code
    count = int(returns.sum())
    if not count:
        return 0
    at = np.flatnonzero(returns | (columns.probe == entry_code))
    at = at[np.argsort(columns.cpu[at], kind="stable")]
    cpu, by = columns.cpu[at], columns.other_tid[at]
    is_return = columns.probe[at] == return_code
    pair = ~is_return[:-1] & is_return[1:] & (cpu[:-1] == cpu[1:])
    # A line without `by`, from an older script, goes with any task.
    pair &= (by[:-1] == by[1:]) | (by[1:] == NULL)
    entries, their_returns = at[:-1][pair], at[1:][pair]
    for column in probe.return_columns:
        values = getattr(columns, column)
        values[entries] = values[their_returns]
    return count - int(pair.sum())
