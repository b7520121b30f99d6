# SPDX-License-Identifier: MIT
"""envs/host.sh takes lists of packages: `make setup` names none, `make test` the one of the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-query"), reason="this host is not Debian")


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    """A folder with the script and a list of what every Debian has."""
    shutil.copy(ROOT / "envs/host.sh", tmp_path)
    (tmp_path / "host.packages").write_text("# a comment\ndpkg # another\n\n")
    return tmp_path


def run(envs: Path, *lists: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(envs / "host.sh"), *lists], capture_output=True, text=True, timeout=60
    )


def test_the_list_of_the_host_is_the_default(envs: Path) -> None:
    done = run(envs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (envs / "host.packages").unlink()
    assert "no list of packages" in run(envs).stderr


def test_several_lists(envs: Path) -> None:
    (envs / "test.packages").write_text("coreutils\n")
    assert run(envs, "host.packages", "test.packages").returncode == 0


def test_a_list_that_is_not_there_is_no_empty_one(envs: Path) -> None:
    done = run(envs, "host.packages", "typo.packages")
    assert done.returncode == 1
    assert done.stderr.startswith("scxval: no list of packages ")
