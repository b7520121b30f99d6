# SPDX-License-Identifier: MIT
"""One run as history keeps it: when, where and with what it was made, and its configured numbers.

Numbers are those of metrics.parquet over the whole window, by the names of `compare.quantities`; what adds up
is a rate, so that windows of unlike length can be held against each other (docs/compare.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.comparison import Compare, Compared
from scxval.catalog.model import AXES
from scxval.compare.source import Cell, Key, cells
from scxval.errors import ScxvalError
from scxval.events.metrics import METRICS, Form
from scxval.events.metrics.outputs import COUNTED

_TOTALS = frozenset(metric.name for metric in METRICS if metric.form is Form.TOTAL)
_TIMES = frozenset(metric.name for metric in METRICS if metric.unit == "ns")


@dataclass(frozen=True)
class Reading:
    """A number of a run; `what` names metric, stat and task as the comparison's quantities do."""

    what: str
    unit: str
    value: float


@dataclass(frozen=True)
class RunRecord:
    """A run with its readings.

    `identity` is a digest of what the run left, so that it is the same run however often it is added.
    `started_s` is seconds since 1970, by the host's clock.
    """

    identity: str
    axes: tuple[str, ...]
    rep: int
    started_s: float
    outcome: str
    reason: str
    host: str
    kernel: str
    scheduler: str
    scxval: str
    readings: tuple[Reading, ...]


def read_run(root: Path, path: str, how: Compare) -> RunRecord:
    """Read a run's folder below `root`; `path` is its cell's. Raises ScxvalError with one line."""
    folder = root / path
    status, provenance = (_json(folder / name) for name in ("status.json", "provenance.json"))
    try:
        *axes, rep = path.split("/")
        if len(axes) != len(AXES):
            raise ValueError(path)
        return RunRecord(
            identity=_identity(folder, path),
            axes=tuple(axes),
            rep=int(rep.removeprefix("rep")),
            started_s=float(provenance["started_unix_s"]),
            outcome=str(status["outcome"]),
            reason=str(status["reason"]),
            host=_host(provenance),
            kernel=str(provenance.get("guest", {}).get("release", "")),
            scheduler=str(provenance.get("digests", {}).get("scheduler") or "")[:12],
            scxval=_version(provenance),
            readings=tuple(_readings(folder, status, how)),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ScxvalError(f"{folder}: not a run that history can keep: {error!r}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ScxvalError(f"{path} is not a record")
    return data


def _identity(folder: Path, path: str) -> str:
    """Of the cell and of what its run left: status.json has digests of all raw files."""
    digest = hashlib.sha256(path.encode())
    for name in ("status.json", "provenance.json"):
        digest.update(b"\0" + (folder / name).read_bytes())
    return digest.hexdigest()


def _host(provenance: Mapping[str, Any]) -> str:
    """What a host is to a measurement: its CPU and its kernel, not its name."""
    host = provenance.get("host", {})
    words = [str(host.get(key, "")) for key in ("cpu_model", "cpus", "kernel")]
    return ", ".join(word for word in words if word)


def _version(provenance: Mapping[str, Any]) -> str:
    scxval = provenance.get("scxval", "")
    if not isinstance(scxval, Mapping):
        return str(scxval)
    return " ".join(str(scxval[key]) for key in ("version", "git") if scxval.get(key))


def _readings(folder: Path, status: Mapping[str, Any], how: Compare) -> Iterator[Reading]:
    """The configured quantities of a run that ended ok; none of any other."""
    if status["outcome"] != "ok" or status["window_ns"] is None:
        return
    start, end = status["window_ns"]
    path = folder / "metrics.parquet"
    try:
        found = cells(pq.read_table(path, memory_map=False))
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise ScxvalError(f"{path}: not a metrics table: {error}") from error
    yield from select(found, how.quantities, end - start)


def select(
    found: Mapping[Key, Cell], quantities: Sequence[Compared], window_ns: int
) -> Iterator[Reading]:
    """The readings of a metrics table: the first configured quantity that names a row decides."""
    taken: set[str] = set()
    # The workload's tasks are those that say something of themselves; the others are the machine's.
    tasks = {key[1] for key in found if key[0] == "task" and key[2].startswith("rtapp_")}
    for quantity in quantities:
        for key in sorted(found):
            scope, name, metric, stat = key
            if stat != quantity.stat or not fnmatchcase(metric, quantity.metric):
                continue
            if scope == "task" and name not in tasks:
                continue
            what = f"{metric} {stat}" + (f" task {name}" if scope == "task" else "")
            if what in taken or scope != _scope(quantity, metric, stat, found):
                continue
            value = found[key].value
            if value is not None:
                taken.add(what)
                yield _rate(what, metric, stat, found[key], value, window_ns)


def _scope(quantity: Compared, metric: str, stat: str, found: Mapping[Key, Cell]) -> str:
    """The workload's own row where there is one, else the system's."""
    if quantity.scope == "task":
        return "task"
    own = found.get(("workload", "", metric, stat))
    return "workload" if own is not None and own.value is not None else "system"


def _rate(what: str, metric: str, stat: str, cell: Cell, value: float, window_ns: int) -> Reading:
    adds_up = stat == "count" or metric in _TOTALS or metric.startswith(COUNTED)
    if not adds_up:
        return Reading(what, cell.unit, value)
    if cell.unit == "ns":
        return Reading(what, "CPUs", value / window_ns)
    return Reading(what, "1/s", value * 1e9 / window_ns)
