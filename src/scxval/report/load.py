# SPDX-License-Identifier: MIT
"""Reads the plan and every planned cell's files, and keeps what is wrong with them as text.

A missing or unreadable file of a cell never stops the report: partial results stay visible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scxval.catalog.model import AXES, Cell, Excluded, cell_from_path
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.events.capability import Capability, read_capability
from scxval.events.stats import read_stats
from scxval.events.table import read_events
from scxval.report.text import visible

NOT_RUN = "not run"
UNREADABLE = "unreadable"
METRIC_COLUMNS = ("scope", "name", "metric", "stat", "value", "unit", "n")

Found = TypeVar("Found")


@dataclass(frozen=True)
class Key:
    """What a metric value is about; `scope` is system, workload, cpu, task or another."""

    scope: str
    name: str
    metric: str
    stat: str


@dataclass(frozen=True)
class Value:
    """One metric value of one run, None if not measured, and how many events are behind it."""

    value: float | None
    unit: str
    events: int


@dataclass(frozen=True)
class Run:
    """One planned cell and whatever its run left; None or empty: the file is missing or unreadable.

    `problems` says what could not be read; `missing` names the files that are not there.
    """

    cell: Cell
    folder: Path
    status: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    capability: Capability | None = None
    metrics: dict[Key, Value] | None = None
    kinds: dict[str, int] | None = None
    stats: pa.Table | None = None
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The outcome, or `not run`, or `unreadable`."""
        if self.status is not None:
            return str(self.status["outcome"])
        return UNREADABLE if self.problems else NOT_RUN

    @property
    def ok(self) -> bool:
        """Whether the run ended ok."""
        return self.state == Outcome.OK

    @property
    def has_events(self) -> bool:
        """Whether its trace may be read as a record of the named scheduler and workload."""
        return self.status is not None and Outcome(self.state).has_events

    @property
    def events_path(self) -> Path:
        """Where its event table lies, if it has one."""
        return self.folder / "events.parquet"


@dataclass(frozen=True)
class Inputs:
    """Everything the page is made from, in the plan's order."""

    runs: list[Run]
    excluded: list[Excluded]
    config: dict[str, Any]
    unplanned: list[str]
    # The plan's own lists `simulations` and `excluded_simulations`.
    simulations: dict[str, list[Any]] = field(default_factory=dict)
    # Families of comparisons; None: the plan does not say.
    families: list[str] | None = None


def load(plan: Path, runs: Path) -> Inputs:
    """Read the plan and the cells it names. Raises ScxvalError for an unreadable plan only."""
    data = _read_plan(plan)
    cells = [_planned(item, plan) for item in data.get("cells", [])]
    excluded = [_excluded(item, plan) for item in data.get("excluded", [])]
    config = data.get("config")
    return Inputs(
        runs=[read_run(cell, runs / cell.path) for cell in cells],
        excluded=excluded,
        config=config if isinstance(config, dict) else {},
        unplanned=_unplanned(runs, {cell.path for cell in cells}),
        simulations=_simulations(data, plan),
        families=_families(data, plan),
    )


def _families(data: dict[str, Any], plan: Path) -> list[str] | None:
    """The families of comparisons that the plan has `pairs` of, if it has them."""
    pairs = data.get("pairs")
    if pairs is not None and not isinstance(pairs, dict):
        raise ScxvalError(f"{plan}: `pairs` is not a record of families: {pairs!r}")
    return None if pairs is None else list(pairs)


def _simulations(data: dict[str, Any], plan: Path) -> dict[str, list[Any]]:
    """The simulations that a plan names: paths below results/sim, and those excluded with their reasons."""
    planned, excluded = data.get("simulations", []), data.get("excluded_simulations", [])
    for path in planned if isinstance(planned, list) else [planned]:
        parts = path.split("/") if isinstance(path, str) else []
        if len(parts) != 5 or ".." in parts or visible(path) != path:
            raise ScxvalError(f"{plan}: not a simulation: {path!r}")
    for item in excluded if isinstance(excluded, list) else [excluded]:
        if not isinstance(item, Mapping) or not {"simulation", "outcome", "reason"} <= set(item):
            raise ScxvalError(
                f"{plan}: an excluded simulation needs simulation, outcome and reason: {item!r}"
            )
    return {"simulations": planned, "excluded_simulations": excluded}


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read the plan {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path}: not a plan: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ScxvalError(f"{path}: not a plan: no list `cells`; write it anew with the workflow")
    return data


def _planned(item: object, plan: Path) -> Cell:
    """A cell as its path, or as a mapping of the six axis values."""
    try:
        if isinstance(item, Mapping):
            axes = {axis: str(item[axis]) for axis in AXES}
            cell = Cell(**axes, rep=int(item["rep"]))
        else:
            cell = cell_from_path(str(item))
    except (KeyError, TypeError, ValueError) as error:
        raise ScxvalError(f"{plan}: not a cell: {item!r}") from error
    # It becomes an id, a link and a folder; none of them may lie about where it leads.
    if visible(cell.path) != cell.path or ".." in cell.group:
        raise ScxvalError(f"{plan}: not a cell: {item!r}")
    return cell


def _excluded(item: object, plan: Path) -> Excluded:
    if not isinstance(item, Mapping) or not {"cell", "outcome", "reason"} <= set(item):
        raise ScxvalError(f"{plan}: an excluded cell needs cell, outcome and reason: {item!r}")
    try:
        outcome = Outcome(item["outcome"])
    except ValueError as error:
        raise ScxvalError(f"{plan}: excluded cell with unknown outcome: {item!r}") from error
    return Excluded(_planned(item["cell"], plan), outcome, str(item["reason"]))


def _unplanned(runs: Path, planned: set[str]) -> list[str]:
    """Cells on disk that this plan does not name: left over from another configuration."""
    found = (status.parent.relative_to(runs) for status in runs.glob("*/*/*/*/*/rep*/status.json"))
    return sorted(path.as_posix() for path in found if path.as_posix() not in planned)


def read_run(cell: Cell, folder: Path) -> Run:
    """Read what the run of `cell` left in `folder`."""
    problems: list[str] = []
    missing: list[str] = []

    def read(name: str, reader: Callable[[Path], Found]) -> Found | None:
        path = folder / name
        if not path.is_file():
            missing.append(name)
            return None
        try:
            return reader(path)
        except (ScxvalError, OSError, ValueError, KeyError, TypeError) as error:
            problems.append(f"{name}: {_short(error, folder)}")
            return None

    status = read("status.json", lambda path: _read_status(path, cell))
    return Run(
        cell=cell,
        folder=folder,
        status=status,
        provenance=read("provenance.json", _read_object),
        capability=read("capability.json", read_capability),
        metrics=read("metrics.parquet", read_metrics),
        kinds=read("events.parquet", _count_kinds),
        # Only a cell that samples statistics has any.
        stats=read("stats.parquet", read_stats) if (folder / "stats.parquet").is_file() else None,
        problems=problems,
        missing=missing,
    )


def _short(error: Exception, folder: Path) -> str:
    """One line without the folder, so that the page does not depend on where it was built."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(f"{folder}/", "")[:300]


def _read_object(path: Path) -> dict[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    return data


def _read_status(path: Path, cell: Cell) -> dict[str, Any]:
    status = _read_object(path)
    try:
        Outcome(str(status.get("outcome")))
    except ValueError:
        raise ValueError(f"unknown outcome {status.get('outcome')!r}") from None
    named = status.get("cell")
    if named is not None:
        expected = {axis: getattr(cell, axis) for axis in (*AXES, "rep")}
        if named != expected and named != cell.path:
            raise ValueError(f"it is the status of another cell: {named!r}")
    return status


def read_metrics(path: Path) -> dict[Key, Value]:
    """Read a metrics.parquet; a null or NaN is None: not measured."""
    try:
        table = pq.read_table(path, columns=list(METRIC_COLUMNS))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ValueError(f"not a metrics table: {error}") from error
    lacking = [name for name in METRIC_COLUMNS if name not in table.schema.names]
    if lacking:
        raise ValueError(f"not a metrics table: no column {', '.join(lacking)}")
    columns = (table[name].to_pylist() for name in METRIC_COLUMNS)
    found: dict[Key, Value] = {}
    for scope, name, metric, stat, value, unit, events in zip(*columns, strict=True):
        number = None if value is None or not math.isfinite(value) else float(value)
        found[Key(scope, name or "", metric, stat)] = Value(number, unit or "", events or 0)
    return found


def _count_kinds(path: Path) -> dict[str, int]:
    """How many rows of each kind an event table holds."""
    kinds = read_events(path, columns=["kind"])["kind"].cast(pa.string())
    counted = pc.value_counts(kinds).to_pylist()
    return {item["values"]: item["counts"] for item in sorted(counted, key=lambda i: i["values"])}
