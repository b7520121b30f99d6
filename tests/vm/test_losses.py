# SPDX-License-Identifier: MIT
"""Losses that only a trace tells of are in the agent's result before the verdict."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.model import Tracer
from scxval.vm.job import JobFiles
from scxval.vm.losses import with_counted_losses

FIXTURE = Path(__file__).parents[1] / "fixtures/perf-sched/lost.data.gz"
PERF = Tracer("perf", "perf_sched", "about")
OTHER = Tracer("other", "bpftrace", "about")
UNSAID = {"ready": True, "lost": None}


def job(*folders: tuple[str, str]) -> JobFiles:
    return JobFiles({"tracers": [{"name": n, "folder": f} for n, f in folders]}, {}, {})


def recording(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "perf.data").write_bytes(gzip.decompress(FIXTURE.read_bytes()))


def test_a_tracer_alone(tmp_path: Path) -> None:
    recording(tmp_path)
    agent = {"outcome": "ok", "tracer": UNSAID}
    found = with_counted_losses(agent, [PERF], job(("perf", "")), tmp_path)
    assert found == {"outcome": "ok", "tracer": {"ready": True, "lost": 110}}
    assert agent["tracer"] is UNSAID


def test_one_of_several(tmp_path: Path) -> None:
    recording(tmp_path / "parts/perf")
    parts = {"perf": {**UNSAID, "exit_code": -2}, "other": {**UNSAID, "lost": 7, "exit_code": 0}}
    agent = {"tracer": {"ready": True, "lost": 7, "parts": parts}}
    layout = job(("perf", "parts/perf/"), ("other", "parts/other/"))
    found: Any = with_counted_losses(agent, [PERF, OTHER], layout, tmp_path)
    assert found["tracer"]["lost"] == 117
    assert found["tracer"]["parts"]["perf"] == {"ready": True, "lost": 110, "exit_code": -2}
    assert found["tracer"]["parts"]["other"] == parts["other"]


@pytest.mark.parametrize("data", [None, b"", b"PERFILE2"])
def test_a_file_that_is_missing_or_none_counts_as_nothing(
    tmp_path: Path, data: bytes | None
) -> None:
    if data is not None:
        (tmp_path / "perf.data").write_bytes(data)
    agent = {"tracer": UNSAID}
    assert with_counted_losses(agent, [PERF], job(("perf", "")), tmp_path) == agent
    assert with_counted_losses(None, [PERF], job(("perf", "")), tmp_path) is None
    assert with_counted_losses({}, [PERF], job(("perf", "")), tmp_path) == {}
