# SPDX-License-Identifier: MIT
"""Which process a task belongs to: its thread group, named by the group's leader."""

from __future__ import annotations

import numpy as np

from scxval.events.metrics.rows import I64, NO_TASK, Rows


def leaders(by_task: Rows, life: I64, order: I64, comms: list[str]) -> tuple[I64, list[str]]:
    """For each row its process, as a place in the list of names; NO_TASK without a thread group.

    Rows are grouped by task: `life` numbers the lives of tids, `order` is each row's place in time. A
    process bears its leader's last name in the life that the row falls into, because a leader is
    forked under its parent's name and then executes its own program. A leader without a row of its
    own makes it `pid <n>`. Processes of one name are one, as tasks are.
    """
    result = np.full(by_task.tid.size, NO_TASK, dtype=np.int64)
    member = np.flatnonzero(by_task.pid > 0)
    if not member.size:
        return result, []
    # Lives are in the order of tids: the last row of a life has its last name.
    last = np.append(np.flatnonzero(life[1:] != life[:-1]), life.size - 1)
    first = np.append(0, last[:-1] + 1)
    pid, when = by_task.pid[member], order[member]
    tid = by_task.tid[first]
    # Of the leader's lives the last that had begun by then, else its first.
    begun = np.searchsorted(_key(tid, order[first]), _key(pid, when), side="right") - 1
    at = np.maximum(begun, 0)
    at = np.where(tid[at] == pid, at, np.minimum(begun + 1, tid.size - 1))
    found = tid[at] == pid
    names = dict.fromkeys(comms[code] for code in np.unique(by_task.comm[last[at[found]]]))
    names |= dict.fromkeys(f"pid {number}" for number in np.unique(pid[~found]))
    code = {name: place for place, name in enumerate(names)}
    of_comm = np.array([code.get(comm, NO_TASK) for comm in comms], dtype=np.int64)
    result[member[found]] = of_comm[by_task.comm[last[at[found]]]]
    missing, which = np.unique(pid[~found], return_inverse=True)
    of_pid = np.array([code[f"pid {number}"] for number in missing], dtype=np.int64)
    if missing.size:
        result[member[~found]] = of_pid[which]
    return result, list(names)


def _key(tid: I64, place: I64) -> I64:
    """One number that sorts by tid, then place: a table has fewer than 2**32 rows."""
    return (tid << 32) + place
