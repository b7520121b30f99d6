# SPDX-License-Identifier: MIT
"""The thread names of an rt-app workload: they tell its tasks from the rest of the guest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError

# TASK_COMM_LEN - 1 (include/linux/sched.h); pthread_setname_np refuses more with ERANGE.
COMM_BYTES = 15


def rtapp_comms(path: Path) -> frozenset[str]:
    """Every name that a thread of this rt-app file may bear.

    rt-app 1.0 names a thread `<task>`, later sources `<task>-<index>` with one index running over
    the instances of all tasks in file order (create_thread in src/rt-app.c); both are returned, for
    the file does not say which rt-app runs it. A name of more than 15 bytes is not cut: rt-app
    fails to set it and the thread stays `rt-app`, so such a task is refused (ScxvalError).
    Threads made by a `fork` event are not named here.
    """
    tasks = _tasks(path)
    names: set[str] = set()
    index = 0
    for task, body in tasks.items():
        if len(task.encode()) > COMM_BYTES:
            raise ScxvalError(
                f"{path}: task {task!r} has more than {COMM_BYTES} bytes, so that its thread keeps "
                "the name rt-app; shorten it"
            )
        names.add(task)
        for _ in range(_instances(path, task, body)):
            indexed = f"{task}-{index}"
            index += 1
            if len(indexed.encode()) <= COMM_BYTES:
                names.add(indexed)
    return frozenset(names)


def _tasks(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read workload {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path}: not an rt-app file: {error}") from error
    tasks = data.get("tasks") if isinstance(data, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise ScxvalError(f"{path}: not an rt-app file: no `tasks`")
    return tasks


def _instances(path: Path, task: str, body: Any) -> int:
    count = body.get("instance", 1) if isinstance(body, dict) else None
    if not isinstance(count, int) or count < 0:
        raise ScxvalError(f"{path}: task {task!r}: `instance` must be a number, not {count!r}")
    return count
