# SPDX-License-Identifier: MIT
"""What a guest may leave on the host; test_isolation.py has a guest that tries it all."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from scxval.errors import HarnessError
from scxval.vm.leftovers import SPARSE_BYTES, keep_plain_files


def test_only_plain_files_stay(tmp_path: Path) -> None:
    raw, outside = tmp_path / "raw", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("host")
    (raw / "workload").mkdir(parents=True)
    (raw / "workload/rt.log").write_text("log")
    (raw / "link").symlink_to(outside / "file")
    (raw / "workload/folder").symlink_to(outside)
    (raw / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(raw / "agent.json")
    with socket.socket(socket.AF_UNIX) as here:
        here.bind(str(raw / "sock"))
    (raw / "suid").write_text("x")
    (raw / "suid").chmod(0o6777)
    (raw / "locked").mkdir(mode=0)
    (raw / "bell\x07\n").mkdir()
    with (raw / "sparse").open("w") as file:
        file.truncate(SPARSE_BYTES + 1)
    removed = keep_plain_files(raw)
    assert sorted(str(f.relative_to(raw)) for f in raw.rglob("*")) == [
        "locked",
        "suid",
        "workload",
        "workload/rt.log",
    ]
    assert stat.S_IMODE((raw / "suid").stat().st_mode) == 0o644
    assert stat.S_IMODE((raw / "locked").stat().st_mode) == 0o755
    assert (outside / "file").read_text() == "host"
    assert len(removed) == 7
    assert all("\n" not in line and line.isprintable() for line in removed)
    assert keep_plain_files(raw) == []


def test_folders_without_end(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * 20)).mkdir(parents=True)
    with pytest.raises(HarnessError, match="nested deeper"):
        keep_plain_files(tmp_path)
