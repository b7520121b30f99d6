# SPDX-License-Identifier: MIT
"""Machine code is kept for exactly these sources, and never outlives a change in any of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numba
import pytest

import scxval
from scxval.formats.compiled import compiled, sources_digest

CALLEE = """
from scxval.formats.compiled import compiled
@compiled
def callee(x):
    return x + {number}
"""
CALLER = """
from scxval.formats.compiled import compiled
from scxval.callee import callee
@compiled
def caller(x):
    return callee(x)
print(caller(1))
"""


def answer(root: Path) -> str:
    # -B: Python itself would not see a change of the same size within a second.
    command = [sys.executable, "-B", "-c", "import scxval.caller"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_changed_callee_in_another_file_is_seen(tmp_path):
    package = tmp_path / "scxval"
    (package / "formats").mkdir(parents=True)
    for name in ("__init__.py", "formats/__init__.py"):
        (package / name).touch()
    source = Path(scxval.__file__).parent / "formats/compiled.py"
    (package / "formats/compiled.py").write_bytes(source.read_bytes())
    (package / "caller.py").write_text(CALLER)
    for number in (10, 20):
        (package / "callee.py").write_text(CALLEE.format(number=number))
        assert answer(tmp_path) == str(1 + number)
        assert len(list((package / "__pycache__").glob("compiled-*/*/*.nbi"))) == 2
    assert len(list((package / "__pycache__").glob("compiled-*"))) == 1


def test_only_files_with_compiled_functions_count(tmp_path):
    (tmp_path / "a.py").write_text("from scxval.formats.compiled import compiled")
    before = sources_digest(tmp_path)
    (tmp_path / "b.py").write_text("x = 1")
    assert sources_digest(tmp_path) == before
    (tmp_path / "a.py").write_text("from scxval.formats.compiled import compiled\n")
    assert sources_digest(tmp_path) != before


def test_an_index_beyond_an_array_is_an_error():
    @compiled
    def element(values, place):
        return values[place]

    import numpy as np

    with pytest.raises(IndexError):
        element(np.zeros(3), 3)
    assert numba.config.CACHE_DIR
