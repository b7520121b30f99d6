# SPDX-License-Identifier: MIT
"""The thread names of an rt-app workload: they tell its tasks from the rest of the guest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scxval.catalog.rtapp import COMM_BYTES, check_comm, read_json
from scxval.errors import ScxvalError


def rtapp_comms(path: Path) -> frozenset[str]:
    """Every name that a thread of this rt-app file may bear.

    rt-app 1.0 names a thread `<task>`, later sources `<task>-<index>` with one index running over
    the instances of all tasks in file order (create_thread in src/rt-app.c); both are returned, for
    the file does not say which rt-app runs it. A name of more than 15 bytes is not cut: rt-app
    fails to set it and the thread stays `rt-app`, so such a task is refused (ScxvalError).
    Threads made by a `fork` event are not named here.
    """
    names: set[str] = set()
    index = 0
    for task, body in read_json(path)["tasks"].items():
        check_comm(path, task)
        names.add(task)
        for _ in range(_instances(path, task, body)):
            indexed = f"{task}-{index}"
            index += 1
            if len(indexed.encode()) <= COMM_BYTES:
                names.add(indexed)
    return frozenset(names)


def _instances(path: Path, task: str, body: Any) -> int:
    count = body.get("instance", 1) if isinstance(body, dict) else None
    if not isinstance(count, int) or count < 0:
        raise ScxvalError(f"{path}: task {task!r}: `instance` must be a number, not {count!r}")
    return count
