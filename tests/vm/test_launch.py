# SPDX-License-Identifier: MIT
"""The launcher: what a guest may reach, and that it never outlives whoever asked for it."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.catalog.model import Machine
from scxval.vm import qemu
from scxval.vm.launch import Guest, VmSpec

from ..processes import machines_below, wait_for
from .test_outcomes import spec_of

MACHINE = Machine("m", "tcg", "", "debian-7.2", 2, 512)
GUEST = Guest(Path("/k"), Path("/i"), Path("/image"))
SPEC = VmSpec(MACHINE, GUEST, Path("/in"), Path("/out"), Path("/work"), "x=1")


def test_argv_gives_the_guest_one_writable_folder_and_no_network() -> None:
    argv = qemu.argv(SPEC)
    shares = [word for word in argv if word.startswith("local,")]
    assert [("readonly=on" in share) for share in shares] == [True, False]
    assert "path=/out," in shares[1]
    drives = [word for word in argv if word.startswith("file=/image")]
    assert len(drives) == 1
    assert "readonly=on" in drives[0]
    assert argv[argv.index("-nic") + 1] == "none"
    assert argv[argv.index("-append") + 1].endswith("oops=panic x=1")


def test_argv_by_accelerator() -> None:
    tcg, kvm = (
        qemu.argv(dataclasses.replace(SPEC, machine=dataclasses.replace(MACHINE, accelerator=a)))
        for a in ("tcg", "kvm")
    )
    assert tcg[tcg.index("-accel") + 1] == "tcg,thread=multi"
    assert (kvm[kvm.index("-accel") + 1], kvm[kvm.index("-cpu") + 1]) == ("kvm", "host")


def qemu_of(folder: Path) -> int | None:
    """The QEMU process that works below a folder."""
    return next(iter(machines_below(folder)), None)


@pytest.mark.vm
@pytest.mark.parametrize("machine", ["tcg2", "vng2"])
@pytest.mark.parametrize("victim", ["runner", "parent"])
def test_a_guest_dies_with_whoever_asked_for_it(
    fault_config: Config, guest: Guest, tmp_path: Path, victim: str, machine: str
) -> None:
    command = [
        *(sys.executable, "-m", "scxval.vm.run_cell"),
        *("--spec", spec_of(fault_config, workload="hang", machine=machine).to_json()),
        *("--kernel", str(guest.kernel), "--initramfs", str(guest.initramfs)),
        *("--image", str(guest.image), "--functions", str(guest.kernel.parent / "functions.txt")),
        *("--output", str(tmp_path / "cell")),
    ]
    (tmp_path / "cell").mkdir()
    # As Snakemake does: a shell that waits for the command, in Snakemake's place a second shell.
    inner = f"{shlex.join(command)} --parent $PPID; exit $?"
    middle = ["bash", "-c", f"bash -c {shlex.quote(inner)}; exit $?"]
    top = subprocess.Popen(middle, start_new_session=True)
    try:
        assert wait_for(lambda: qemu_of(tmp_path), 30), "QEMU never started"
        if victim == "runner":
            runner = parent_of(qemu_of(tmp_path) or 0)
            os.kill(runner, signal.SIGKILL)
        else:
            top.kill()
        assert wait_for(lambda: qemu_of(tmp_path) is None, 10), "QEMU is still there"
    finally:
        pid = qemu_of(tmp_path)
        if pid:
            os.kill(pid, signal.SIGKILL)
        if top.poll() is None:
            os.killpg(top.pid, signal.SIGKILL)
        top.wait()


def parent_of(pid: int) -> int:
    """The parent of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])
