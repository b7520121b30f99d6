# SPDX-License-Identifier: MIT
"""Machines at once on one node, asked for by processes that know nothing of each other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from scxval.errors import HarnessError, ScxvalError
from scxval.vm.slots import Slot, locks_folder, node_slot, slots_allowed

HOLD = """
import sys
from pathlib import Path
from scxval.vm.slots import node_slot
with node_slot(int(sys.argv[2]), lambda: False, Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path: Path):
    """Start a process that holds a slot of the folder until it is killed or its input ends."""
    holders: list[subprocess.Popen[str]] = []

    def start(at_once: int) -> subprocess.Popen[str]:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), str(at_once)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        assert holder.stdout and holder.stdout.readline() == "held\n"
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.wait()


def free(folder: Path, at_once: int) -> bool:
    """Whether a slot can be had at once: the second look is the one at which nobody waits any more."""
    try:
        with node_slot(at_once, lambda: True, folder):
            return True
    except HarnessError:
        return False


def test_alone_is_alone(hold, tmp_path: Path) -> None:
    assert free(tmp_path, 1)
    holder = hold(1)
    assert not free(tmp_path, 1)
    assert not free(tmp_path, 2), "who wants to be alone is not joined by one that would share"
    holder.kill()
    holder.wait()
    assert free(tmp_path, 1), "the kernel lets a lock go, however its holder ended"


def test_so_many_that_share(hold, tmp_path: Path) -> None:
    hold(2)
    assert free(tmp_path, 2)
    hold(2)
    assert not free(tmp_path, 2)
    assert free(tmp_path, 3)
    assert not free(tmp_path, 1)


def test_a_wait_is_recorded(hold, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    holder = hold(1)
    looks = threading.Event()

    def gone() -> bool:
        # The first look happens while the slot is taken; then it becomes free.
        if not looks.is_set():
            looks.set()
            holder.kill()
            holder.wait()
        return False

    with node_slot(1, gone, tmp_path) as slot:
        assert slot.at_once == 1 and slot.waited_s > 0.2
    assert "others run machines" in capsys.readouterr().out


def test_no_wait_is_a_short_one(tmp_path: Path) -> None:
    with node_slot(4, lambda: False, tmp_path) as slot:
        assert slot == Slot(4, slot.waited_s)


def test_another_user_needs_no_write_permission(tmp_path: Path) -> None:
    with node_slot(1, lambda: False, tmp_path):
        pass
    (tmp_path / "alone").chmod(0o444)
    tmp_path.chmod(0o555)
    if os.geteuid() == 0:
        for above in tmp_path.parents:
            # pytest's own folders are for one user only.
            if Path(tempfile.gettempdir()) in above.parents:
                above.chmod(above.stat().st_mode | 0o055)
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setuid(65534)
        os._exit(0 if free(tmp_path, 1) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert free(tmp_path, 1)


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alone").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="SCXVAL_NODE_LOCKS"):
        free_of_faults(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def free_of_faults(folder: Path) -> None:
    with node_slot(1, lambda: False, folder):
        pass


def test_the_folder_is_everybodys(tmp_path: Path) -> None:
    folder = locks_folder({"SCXVAL_NODE_LOCKS": str(tmp_path / "locks")})
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert locks_folder({"SCXVAL_NODE_LOCKS": str(folder)}) == folder
    with pytest.raises(HarnessError, match="SCXVAL_NODE_LOCKS"):
        locks_folder({"SCXVAL_NODE_LOCKS": str(tmp_path / "no/such/folder")})


@pytest.mark.parametrize("text", ["0", "-1", "two", ""])
def test_a_number_is_asked_for(text: str) -> None:
    with pytest.raises(ScxvalError, match="SCXVAL_NODE_SLOTS"):
        slots_allowed({"SCXVAL_NODE_SLOTS": text})


def test_one_unless_asked() -> None:
    assert slots_allowed({}) == 1
    assert slots_allowed({"SCXVAL_NODE_SLOTS": "3"}) == 3
