# SPDX-License-Identifier: MIT
"""Rows of the tables (scxval.report.tables) that are about runs and simulations, as their files have them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.catalog.model import AXES, Cell
from scxval.report import facts
from scxval.report.cell import CellView
from scxval.report.load import NOT_RUN, Inputs, Run
from scxval.report.scx_stats import series_of
from scxval.report.sections import WorkloadTimelines
from scxval.report.text import value_text

Row = dict[str, Any]


def _cell(cell: Cell) -> Row:
    return {axis: getattr(cell, axis) for axis in AXES} | {"rep": cell.rep}


def outcomes(inputs: Inputs) -> Iterator[Row]:
    """How each planned cell ended."""
    for run in inputs.runs:
        status = run.status or {}
        said = {name: status.get(name) or "" for name in ("reason", "log")}
        yield _cell(run.cell) | {"outcome": run.state, **said}


def excluded(inputs: Inputs) -> Iterator[Row]:
    """Cells that cannot exist."""
    for item in inputs.excluded:
        yield _cell(item.cell) | {"outcome": item.outcome, "reason": item.reason}


def cells(views: Sequence[CellView]) -> Iterator[Row]:
    """What the status of each cell says: wall-clock seconds, loss, exit codes, the kernel's sched_ext."""
    for view in views:
        parts = {
            "wall clock, s": view.wall,
            "loss": view.lost,
            "exit code": view.exit_codes,
            "sched_ext before": [(key, before) for key, before, _ in view.scheduler],
            "sched_ext after": [(key, after) for key, _, after in view.scheduler],
        }
        for what, rows in parts.items():
            for name, value in rows:
                yield _cell(view.run.cell) | {"what": what, "name": name, "value": value}


def kinds(inputs: Inputs) -> Iterator[Row]:
    """Events by kind, for the kinds that a cell's source can see; null without an event table."""
    for run in inputs.runs:
        seen = run.capability.kinds if run.capability else []
        counts = run.kinds
        for kind in dict.fromkeys([*seen, *(counts or {})]):
            events = None if counts is None else counts.get(kind, 0)
            yield _cell(run.cell) | {"kind": kind, "events": events}


def tasks(views: Sequence[CellView]) -> Iterator[Row]:
    """Tasks in the window of each cell's workload, and their scheduling delays."""
    for view in views:
        for task in view.tasks:
            yield _cell(view.run.cell) | {
                "task": task.name,
                "threads": task.threads,
                "run_ns": task.run_ns,
                "switches": task.switches,
                "delays": task.delays,
                "mean_delay_ns": task.mean_ns,
                "longest_delay_ns": task.max_ns,
                "longest_delay_start_ns": task.max_start_ns,
            }


def statistics_(inputs: Inputs) -> Iterator[Row]:
    """What schedulers say of themselves, over all answers of a run."""
    for run in inputs.runs:
        for series in series_of(run.stats) if run.stats is not None else ():
            row = _cell(run.cell) | {
                "path": series.path,
                "description": series.description,
                "unit": series.unit,
                "last_text": series.texts[-1] if series.texts else None,
            }
            numbers = [float(number) for number in series.numbers]
            if numbers:
                middle = statistics.median(numbers)
                row |= {"low": min(numbers), "median": middle, "high": max(numbers)}
                row |= {"last": numbers[-1]}
            yield row


def timelines(groups: Sequence[WorkloadTimelines]) -> Iterator[Row]:
    """Tasks in the windows of the timelines."""
    for drawn in (drawn for group in groups for drawn in group.drawn if drawn.run):
        for task in drawn.tasks:
            yield _cell(_of(drawn.run)) | {
                "task": task.name,
                "slices": task.slices,
                "run_ns": task.run_ns,
                "longest_slice_ns": task.longest_ns,
            }


def _of(run: Run | None) -> Cell:
    assert run is not None
    return run.cell


def metrics(inputs: Inputs, schema: pa.Schema) -> pa.Table:
    """All numbers of all runs, column by column: a sweep has millions."""
    return pa.concat_tables(
        [schema.empty_table(), *(_metrics(run, schema) for run in inputs.runs if run.metrics)]
    )


def _metrics(run: Run, schema: pa.Schema) -> pa.Table:
    found = run.metrics or {}
    columns: dict[str, Any] = {
        **{name: [getattr(key, name) for key in found] for name in ("scope", "metric", "stat")},
        "name": [key.name.encode("utf-8", "backslashreplace").decode() for key in found],
        "unit": [value.unit for value in found.values()],
        "value": [value.value for value in found.values()],
        "n": [value.events for value in found.values()],
    }
    same = _cell(run.cell) | {"outcome": run.state}
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(same[field.name], field.type), len(found))
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def provenance(inputs: Inputs) -> Iterator[Row]:
    """Every fact of every run."""
    for run in inputs.runs:
        for fact, value in facts.flatten(run.provenance or {}).items():
            yield _cell(run.cell) | {"fact": fact, "value": value_text(value)}


def configuration(inputs: Inputs) -> Iterator[Row]:
    """The plan's configuration, where it has one."""
    for key, value in facts.flatten(inputs.config).items():
        if key:
            yield {"key": key, "value": value_text(value)}


def simulations(inputs: Inputs, root: Path | None) -> Iterator[Row]:
    """How each planned simulation ended."""
    for path in inputs.simulations.get("simulations", []):
        status = _json(root / path / "status.json") if root else {}
        yield {"simulation": path, "outcome": NOT_RUN, **_known(status, _SIMULATED)}


_SIMULATED = ("outcome", "reason", "policy", "simulated_s", "wall_s")


def _known(record: Row, names: Sequence[str]) -> Row:
    return {name: record[name] for name in names if name in record}


def excluded_simulations(inputs: Inputs) -> Iterator[Row]:
    """Simulations that cannot exist."""
    yield from inputs.simulations.get("excluded_simulations", [])


def parameters(inputs: Inputs, root: Path | None) -> Iterator[Row]:
    """What simulated machines take for what, and where it is from."""
    paths = [str(path).split("/") for path in inputs.simulations.get("simulations", [])]
    for machine in dict.fromkeys(parts[3] for parts in paths if len(parts) == 5 and root):
        record = _json(Path(root or "") / "calibration" / f"{machine}.json")
        values, sources = record.get("parameters"), record.get("sources")
        if not isinstance(values, dict) or not isinstance(sources, dict):
            continue
        for name, value in values.items():
            row = {"machine": machine, "parameter": name, "value": value}
            yield row | {"source": sources.get(name)}


def agreement(root: Path | None) -> Iterator[Row]:
    """What every two tracers of a run agree on: a row for each class of rows."""
    counts = ("what", "rows_a", "rows_b", "matched", "only_a", "only_b")
    if root is None:
        return
    for file in sorted(root.rglob("agreement.json")):
        record = _json(file)
        classes = record.get("classes")
        whole = {
            "comparison": file.parent.relative_to(root).as_posix(),
            "verdict": record.get("verdict"),
            "reason": record.get("reason"),
            **{side: _name(record.get(side)) for side in ("a", "b")},
        }
        each = (
            [one for one in classes if isinstance(one, dict)] if isinstance(classes, list) else []
        )
        for one in each or [{}]:
            yield whole | {name: one.get(name) for name in counts}


def _name(side: object) -> object:
    return side.get("name") if isinstance(side, dict) else None


def _json(path: Path) -> Row:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
