# SPDX-License-Identifier: MIT
"""How many machines a node runs at once, whoever asks for them: locks that a process holds while it runs one.

Two virtual machines would measure each other. Snakemake's `vm_slots` counts those of one call; a cluster's
scheduler, a second user and a second sweep know nothing of it. The kernel lets a lock go when its holder
ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scxval.errors import HarnessError, ScxvalError
from scxval.vm.launch import ended

# Machines at once that whoever starts one allows; 1 is alone.
SLOTS = "SCXVAL_NODE_SLOTS"
# A folder that all jobs of the node share. Batch systems may give each job a /tmp of its own.
FOLDER = "SCXVAL_NODE_LOCKS"
FOLDERS = (Path("/run/lock"), Path("/tmp"))
POLL_S = 0.25
# Whoever wants to be alone holds it alone; those that share hold it together.
ALONE = "alone"


@dataclass(frozen=True)
class Slot:
    """What a machine was started under: so many at once, after a wait in seconds."""

    at_once: int
    waited_s: float


def slots_allowed(environment: Mapping[str, str] = os.environ) -> int:
    """How many machines may run at once on this node. Raises ScxvalError."""
    text = environment.get(SLOTS, "1")
    if not text.isdecimal() or int(text) < 1:
        raise ScxvalError(f"{SLOTS}={text!r}: a number of machines at once, 1 or more")
    return int(text)


@contextmanager
def node_slot(at_once: int, gone: Callable[[], bool], folder: Path | None = None) -> Iterator[Slot]:
    """Hold one of `at_once` slots of this node; waits for it. Alone means alone: 1 shares with nobody.

    Raises HarnessError when `gone` says that nobody waits for the result any more, or when the locks cannot
    be made.
    """
    places = folder or locks_folder()
    began = time.monotonic()
    told = False
    while True:
        with ExitStack() as held:
            if _take(held, places, at_once):
                yield Slot(at_once, round(time.monotonic() - began, 3))
                return
        if gone():
            raise HarnessError("the process that asked for this run is gone")
        if not told:
            print(f"waiting: {at_once} at once, others run machines ({places})", flush=True)
            told = True
        time.sleep(POLL_S)


def own_slot() -> AbstractContextManager[Slot]:
    """A slot of what this process's environment allows, while whoever started it lives."""
    return node_slot(slots_allowed(), ended(os.getppid()))


def locks_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of this node's locks, open to all of its users. Raises HarnessError."""
    given = environment.get(FOLDER)
    tops = (
        [Path(given)] if given else [top / "scxval" for top in FOLDERS if os.access(top, os.W_OK)]
    )
    for folder in tops:
        try:
            folder.mkdir(mode=0o777)
            # As /tmp: anyone may make a lock, nobody may take away another's.
            folder.chmod(0o1777)
        except FileExistsError:
            pass
        except OSError:
            continue
        return folder
    raise HarnessError(f"no folder for this node's locks: set {FOLDER} to one that its jobs share")


def _take(held: ExitStack, folder: Path, at_once: int) -> bool:
    alone = at_once == 1
    if not _lock(held, folder / ALONE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        return False
    return alone or any(
        _lock(held, folder / f"slot{number}", fcntl.LOCK_EX) for number in range(at_once)
    )


def _lock(held: ExitStack, file: Path, kind: int) -> bool:
    handle = _open(file)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    held.callback(os.close, handle)
    return True


def _open(file: Path) -> int:
    """Open a lock to read, which is all a lock needs; made by the first. Raises HarnessError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(file, flags)
        except FileNotFoundError:
            return os.open(file, flags | os.O_CREAT, 0o644)
    except OSError as error:
        raise HarnessError(f"{file}: {error.strerror}: set {FOLDER} to another folder") from error
