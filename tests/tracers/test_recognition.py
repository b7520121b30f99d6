# SPDX-License-Identifier: MIT
"""Every capture in the fixtures belongs to one converter, and converts to the same bytes in any process."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scxval.tracers.convert import converters, packages, recognise
from tests.captures import Capture, captures, claims

ROOT = Path(__file__).parents[2]


def name_of(capture: Capture) -> str:
    return f"{capture.source}:{capture.name}"


@pytest.mark.parametrize("capture", captures(), ids=name_of)
def test_exactly_one_converter_claims_a_capture(capture):
    assert claims(capture.path) == [capture.source]
    assert recognise(capture.path) == capture.source


def test_every_converter_has_a_capture():
    assert {capture.source for capture in captures()} == set(converters())


def test_a_capture_by_a_tracers_own_name_is_that_tracers():
    for name, package in packages().items():
        file = importlib.import_module(package).RAW_FILE
        for capture in captures():
            if capture.path.name in (file, f"{file}.gz"):
                assert capture.source == name


def converted(capture: Capture, folder: Path, seed: str) -> tuple[str, str]:
    """Digests of both files by a process of its own, whose hashes of texts differ with the seed."""
    command = [sys.executable, "-m", "scxval.cli", "convert", str(capture.path), "-o", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    files = (folder / "events.parquet", folder / "capability.json")
    return tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


@pytest.mark.parametrize("capture", captures(), ids=name_of)
def test_two_processes_write_the_same_bytes(capture, tmp_path):
    first = converted(capture, tmp_path / "first", "1")
    assert converted(capture, tmp_path / "second", "2") == first
