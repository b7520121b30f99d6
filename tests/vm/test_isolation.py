# SPDX-License-Identifier: MIT
"""A guest has no network, writes to its job's folder only, and leaves nothing dangerous there."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.files import sha256
from scxval.vm.launch import Guest
from scxval.vm.run_cell import run_cell

from .test_outcomes import binary_of, run, spec_of

pytestmark = pytest.mark.vm

# Everything that root in the guest can think of; each line's failure is printed, not fatal.
ATTEMPTS = r"""
echo "interfaces: $(ls /sys/class/net | tr '\n' ' ')"
python3 -c '
import socket
for address in ("10.0.2.2", "192.0.2.1"):
    s = socket.socket(); s.settimeout(3)
    try: s.connect((address, 53)); print("connected")
    except OSError as error: print("connect:", error.strerror)
'
for disk in /dev/vd*; do
    blockdev --setrw $disk
    dd if=/dev/zero of=$disk bs=4096 count=1 conv=fsync 2>/dev/null && echo "wrote $disk"
done
mount -o remount,rw /job/in && grep -q "^job_in /job/in 9p rw," /proc/mounts && echo "job_in is rw"
echo x >/job/in/job.json && echo "wrote job_in"
echo x >/job/in/new && echo "made a file in job_in"
rm -f /job/in/job.json && echo "removed from job_in"
cd /job/out
# Through links: in the guest, and by the host's own copies and reads once the guest is gone.
ln -s VICTIM link; echo pwned >link && echo "wrote through a link"
ln -sn FOLDER folder; echo pwned >folder/new && echo "wrote through a folder"
echo pwned >../victim; echo pwned >/job/victim
ln -s VICTIM job.json
ln -s SECRET scheduler.log
rm -f console.log; ln -s VICTIM console.log
mkfifo tracer.log
mknod null c 1 3; mknod disk b 8 0
cp /bin/cat suid; chown 0:0 suid; chmod 6755 suid
mkdir locked; chmod 0 locked
python3 -c '
open(b"odd\xff\n", "w"); open("a" * 255, "w"); open("-rf", "w")
try: open("sparse", "w").truncate(1 << 43)
except OSError: pass
'
true
"""


def test_a_hostile_guest(fault_config: Config, guest: Guest, tmp_path: Path) -> None:
    victim, secret, folder = (tmp_path / name for name in ("victim", "secret", "folder"))
    victim.write_text("host")
    secret.write_text("not for a report")
    folder.mkdir()
    script = ATTEMPTS
    for name, path in (("VICTIM", victim), ("SECRET", secret), ("FOLDER", folder)):
        script = script.replace(name, str(path))
    image = sha256(guest.image)
    spec = spec_of(fault_config, workload="endless")
    workload = dataclasses.replace(spec.workload, argv=("sh", "-c", script))
    status = run(dataclasses.replace(spec, workload=workload), guest, tmp_path / "cell")
    assert status["outcome"] == "ok", status
    raw = tmp_path / "cell/raw"
    said = (raw / "workload.log").read_text()
    assert "interfaces: lo \n" in said
    assert said.count("connect: Network is unreachable") == 2
    # To this guest; what refuses is QEMU.
    assert "job_in is rw" in said
    assert said.count("Read-only file system") == 3
    for success in ("connected", "wrote", "made a file", "removed from"):
        assert success not in said
    assert sha256(guest.image) == image
    assert victim.read_text() == "host"
    assert list(folder.iterdir()) == []
    assert "not for a report" not in (tmp_path / "cell/status.json").read_text()
    for entry in raw.rglob("*"):
        info = entry.lstat()
        assert stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode), entry
        assert not info.st_mode & (stat.S_ISUID | stat.S_ISGID), entry
        assert info.st_uid == os.geteuid()
        assert info.st_size < 1 << 40
    removed = (raw / "vm.log").read_text()
    for name in ("link", "folder", "job.json", "scheduler.log", "tracer.log"):
        assert f"removed '{name}': not a plain file" in removed
    assert "odd" in removed
    # What the harness itself put there is its own.
    assert (raw / "job.json").read_text().startswith("{")


NOBODY = 65534


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """A folder of an ordinary user's own: this user, or nobody when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="scxval-user-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def test_a_run_needs_no_privilege(fault_config: Config, guest: Guest, users_folder: Path) -> None:
    """Only the set-up may need root: a scheduler is attached in a guest of a user without rights."""
    spec = spec_of(fault_config, scheduler="scx_simple")

    def as_user() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        run_cell(
            spec, guest, guest.kernel.parent / "functions.txt", (binary_of(spec),), users_folder
        )

    # A fork, and no new interpreter: that may lie where only its owner can read.
    user = multiprocessing.get_context("fork").Process(target=as_user)
    user.start()
    user.join(300)
    assert user.exitcode == 0
    status = json.loads((users_folder / "status.json").read_text())
    assert status["outcome"] == "ok", status
    assert status["scheduler"]["after"]["ops"] == "simple"
    for entry in users_folder.rglob("*"):
        assert entry.stat().st_uid != 0, entry
