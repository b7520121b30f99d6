# SPDX-License-Identifier: MIT
"""Groups of runs made of one real capture: folders as the workflow leaves them, a piece of its window."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.catalog.comparison import Compare, parse_compare
from scxval.compare.source import Source, read_source
from scxval.events.capability import read_capability
from scxval.events.metrics import METRIC_SCHEMA, write_metrics
from scxval.events.table import read_events, write_events

from ..conftest import ROOT

CAPTURE = ROOT / "tests/fixtures/calibration"
WORKLOAD = ROOT / "config/workloads/calibration.json"
TASKS = {"alone", "ping", "pong", "busy"}
WARM_UP_NS = 5_000_000
STEP_NS = 2_000_000
STATUS = json.loads((CAPTURE / "status.json").read_text())

Row = tuple[str, str, str, str, float | None, str, int]


def settings(raw_config: Mapping[str, Any], **more: Any) -> Compare:
    """The shipped settings, but for a warm-up that fits a piece and few resamples."""
    how = parse_compare(raw_config["compare"])
    return replace(how, warm_up_ns=WARM_UP_NS, **{"resamples": 199, **more})


def piece(number: int, of: int) -> tuple[int, int]:
    """One of several equal parts of the capture's window."""
    start, end = STATUS["window_ns"]
    length = (end - start) // of
    return start + number * length, start + (number + 1) * length


def marks(window: tuple[int, int], moved_ns: int = 0) -> list[dict[str, Any]]:
    """The agent's marks around a window, REALTIME moved in between."""
    first = {"mono_ns": window[0], "boot_ns": window[0], "real_ns": window[0] + 10**18}
    last = {"mono_ns": window[1], "boot_ns": window[1], "real_ns": window[1] + 10**18 + moved_ns}
    return [
        {"mark": "work-start", **first, "spread_ns": 2000},
        {"mark": "work-end", **last, "spread_ns": 3000},
    ]


def make_run(
    folder: Path,
    window: tuple[int, int],
    change: Callable[[pa.Table], pa.Table] | None = None,
    capability: Mapping[str, Any] | None = None,
    reported: list[Row] | None = None,
    **status: Any,
) -> Path:
    """A run's folder. `capability` replaces fields, `reported` are rows of metrics.parquet."""
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({**STATUS, "window_ns": window, **status}))
    provenance = {"clocks": marks(window), "machine": {"vcpus": 4}}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    record = read_capability(CAPTURE / "capability.json")
    replace(record, **(capability or {})).write(folder / "capability.json")
    if change is None:
        shutil.copy(CAPTURE / "events.parquet", folder)
    else:
        write_events(change(read_events(CAPTURE / "events.parquet")), folder / "events.parquet")
    columns = list(zip(*reported, strict=True)) if reported else [[] for _ in METRIC_SCHEMA]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, METRIC_SCHEMA, strict=True)]
    write_metrics(pa.table(arrays, METRIC_SCHEMA), folder / "metrics.parquet")
    return folder


def group(root: Path, numbers: list[int], of: int, **more: Any) -> list[Path]:
    """Runs of these pieces of the capture."""
    return [make_run(root / f"rep{number}", piece(number, of), **more) for number in numbers]


def read(folder: Path) -> Source:
    return read_source(folder, WARM_UP_NS, STEP_NS)


def edit(path: Path, **fields: Any) -> None:
    """Replace fields of a JSON record."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def spec(how: Compare, a: list[Path], b: list[Path], **more: Any) -> dict[str, Any]:
    """A pair's spec as rules hand it over."""
    return {
        "family": "isolation",
        "path": "x/none_vs_taskset",
        "where": {"scheduler": "scx_simple"},
        "a": {"name": "none", "runs": list(map(str, a)), "deterministic": False, "settled": None},
        "b": {
            "name": "taskset",
            "runs": list(map(str, b)),
            "deterministic": False,
            "settled": None,
        },
        "workload": str(WORKLOAD),
        "again": [],
        "compare": asdict(how),
        **more,
    }
