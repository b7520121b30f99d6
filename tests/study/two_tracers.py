# SPDX-License-Identifier: MIT
"""Runs that two tracers saw, all of one real capture, as the workflow leaves them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from scxval.catalog.model import Cell
from scxval.study import agreement

from ..conftest import ROOT

CAPTURE = ROOT / "tests/fixtures/agreement/perf-bpftrace-rusty"
TRACERS = ("perf-sched", "bpftrace")
CELL = Cell("scx_rusty", "periodic_mix", "+".join(TRACERS), "taskset", "tcg4", 0)
CELLS = [replace(CELL, rep=rep) for rep in range(3)]


def make_run(runs: Path, cell: Cell, **status: Any) -> Path:
    """A run's folder with a part for each tracer."""
    folder = runs / cell.path
    for tracer in TRACERS:
        part = folder / "parts" / tracer
        part.mkdir(parents=True)
        for name in ("events.parquet", "capability.json"):
            shutil.copy(CAPTURE / f"{tracer}.{name}", part / name)
    record = json.loads((CAPTURE / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**record, "outcome": "ok", **status}))
    return folder


def make_agreement(root: Path, runs: Path, cell: Cell) -> Path:
    """The agreement of a run's two parts, as the workflow makes it; its record."""
    folder = root / "same_run" / cell.path / "_vs_".join(TRACERS)
    parts = [runs / cell.path / "parts" / tracer for tracer in TRACERS]
    code = agreement.main(
        [
            *("--names", *TRACERS),
            *("--events", *(str(part / "events.parquet") for part in parts)),
            *("--capability", *(str(part / "capability.json") for part in parts)),
            *("--status", str(runs / cell.path / "status.json")),
            *("--output", str(folder / "agreement.json")),
            *("--pairs", str(folder / "pairs.parquet")),
        ]
    )
    assert code == 0
    return folder / "agreement.json"
