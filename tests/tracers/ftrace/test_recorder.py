# SPDX-License-Identifier: MIT
"""The recorder's tar file by Python's tarfile; the rest of it runs in tests/vm/test_ftrace.py."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from scxval.tracers.ftrace.archive import read_archive
from scxval.tracers.ftrace.recorder import Tar


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 8192 * 3])
def test_the_tar_file_is_one(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    data = bytes(n * 7 % 256 for n in range(size))
    source.write_bytes(data)
    text = tmp_path / "text"
    text.write_text("[mono]\n")
    path = tmp_path / "out.tar"
    tar = Tar(str(path))
    assert tar.add("scxval-ftrace/trace_clock", str(text)) == b"[mono]\n"
    tar.add_pages("scxval-ftrace/cpu11/pages", str(source), 4096)
    tar.add("scxval-ftrace/cpu11/stats", str(text))
    tar.end()
    with tarfile.open(path) as whole:
        names = ["trace_clock", "cpu11/pages", "cpu11/stats"]
        assert whole.getnames() == [f"scxval-ftrace/{name}" for name in names]
        member = whole.extractfile("scxval-ftrace/cpu11/pages")
        assert member is not None
        assert member.read() == data
    archive = read_archive(io.BytesIO(path.read_bytes()))
    assert archive.complete
    at, there = archive.pages[11]
    assert path.read_bytes()[at : at + there] == data
    assert archive.stats == {11: "[mono]\n"}
    assert archive.texts == {"trace_clock": "[mono]\n"}
