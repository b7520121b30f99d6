# SPDX-License-Identifier: MIT
"""Damaged files of the simulator: a table that keeps its word, or a refusal in one line."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.captures import Capture, captures
from tests.mutants.run import replay, run

MINE = [capture for capture in captures() if capture.source == "scxsim"]
# test_mutants.py tries the seeds from 0 on.
FIRST, EACH = 10_000, 100


def test_there_is_one_of_each_format():
    assert {c.path.suffix for c in MINE} == {".pftrace", ".json", ".jsonl"}


@pytest.mark.parametrize("capture", MINE, ids=lambda c: c.path.suffix)
def test_mutants_of_each_format(capture: Capture):
    results = list(run(capture, FIRST, EACH))
    failed = [f"{replay(capture, r.seed)}: {r.said}" for r in results if r.result == "failed"]
    assert not failed, "\n".join(failed)
    assert len(results) == EACH
    fared = Counter(r.result for r in results)
    assert fared["refused"] and fared["lossy"] > EACH // 4
