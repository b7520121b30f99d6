# SPDX-License-Identifier: MIT
"""One run as history keeps it: when, where and with what it was made, and its configured numbers.

Numbers are those of metrics.parquet, by the names of `compare.quantities`. What adds up is a rate, so that
windows of unlike length can be held against each other, and a percentile of too few samples is none
(docs/compare.md).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import scxval.events.metrics
from scxval.catalog.comparison import Compare, Compared
from scxval.catalog.model import AXES
from scxval.compare.clocks import moved
from scxval.compare.quantities import FEWEST
from scxval.compare.source import REPORTED, Cell, Key, cells
from scxval.errors import ScxvalError
from scxval.events.metrics import METRICS, Form
from scxval.events.metrics.outputs import COUNTED
from scxval.files import read_record, tree_sha256

_TOTALS = frozenset(metric.name for metric in METRICS if metric.form is Form.TOTAL)
# So many digits of a digest tell two binaries apart.
_DIGITS = 12


@dataclass(frozen=True)
class Reading:
    """A number of a run by metric, stat and task (docs/metrics.md); `n` is how many events are behind it.

    `scope` is task, workload, or system where a source cannot tell the workload's tasks from others.
    """

    metric: str
    stat: str
    value: float
    unit: str
    n: int = 1
    scope: str = "workload"
    task: str = ""

    @property
    def what(self) -> str:
        """Its name, as the comparison's quantities have it."""
        return f"{self.metric} {self.stat}" + (f" task {self.task}" if self.task else "")


@dataclass(frozen=True)
class MadeWith:
    """What a run was made and measured with, in words or as the beginning of a digest; "" is not recorded."""

    host: str = ""
    launcher: str = ""
    kernel: str = ""
    image: str = ""
    scheduler: str = ""
    workload: str = ""
    tracer: str = ""
    agent: str = ""
    scxval: str = ""
    # The code that made metrics.parquet into these numbers, or is here when they are added.
    metrics: str = ""


MADE_WITH = tuple(field.name for field in fields(MadeWith))


@dataclass(frozen=True)
class RunRecord:
    """A run with its readings, none when it did not end ok or (`unused`) its clocks moved.

    `identity` is a digest of what the run left, so that it is the same run however often it is added.
    `started_s` is seconds since 1970, by the host's clock. `node` is the machine that ran it; the
    store does not keep it: to a measurement a host is its CPU and its kernel.
    """

    identity: str
    axes: tuple[str, ...]
    rep: int
    started_s: float
    outcome: str
    reason: str
    unused: str
    made_with: MadeWith
    readings: tuple[Reading, ...]
    node: str = ""


def read_run(root: Path, path: str, how: Compare) -> RunRecord:
    """Read a run's folder below `root`; `path` is its cell's. Raises ScxvalError with one line."""
    folder = root / path
    status, provenance = (read_record(folder / name) for name in ("status.json", "provenance.json"))
    try:
        *axes, rep = path.split("/")
        if len(axes) != len(AXES):
            raise ValueError(path)
        unused = _unused(status, provenance, how)
        return RunRecord(
            identity=_identity(folder, path),
            axes=tuple(axes),
            rep=int(rep.removeprefix("rep")),
            started_s=float(provenance["started_unix_s"]),
            outcome=str(status["outcome"]),
            reason=str(status["reason"]),
            unused=unused,
            made_with=_made_with(provenance),
            readings=() if unused else tuple(_readings(folder, status, how)),
            node=str((provenance.get("node") or {}).get("name") or ""),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ScxvalError(f"{folder}: not a run that history can keep: {error!r}") from error


def _identity(folder: Path, path: str) -> str:
    """Of the cell and of what its run left: status.json has digests of all raw files."""
    digest = hashlib.sha256(path.encode())
    for name in ("status.json", "provenance.json"):
        digest.update(b"\0" + (folder / name).read_bytes())
    return digest.hexdigest()


def _unused(status: Mapping[str, Any], provenance: Mapping[str, Any], how: Compare) -> str:
    """Why a run's numbers are not kept; "" when they are."""
    if status["outcome"] != "ok":
        return f"outcome {status['outcome']}"
    if status["window_ns"] is None:
        return "status.json has no window_ns: when did the workload run?"
    return moved(provenance.get("clocks") or (), how.clock_step_ns) or ""


def _made_with(provenance: Mapping[str, Any]) -> MadeWith:
    digests, host = provenance.get("digests") or {}, provenance.get("host") or {}
    versions, vm = provenance.get("versions") or {}, provenance.get("vm") or {}
    tracers = (str(versions[name]) for name in sorted(versions) if name.startswith("tracer"))
    # A host is its CPU and its kernel to a measurement, not its name.
    words = (str(host.get(key) or "") for key in ("cpu_model", "cpus", "kernel"))
    return MadeWith(
        host=_joined(words),
        launcher=_joined(str(vm.get(key) or "") for key in ("version", "accelerator")),
        kernel=str((provenance.get("guest") or {}).get("kernel") or ""),
        image=_digest(digests, "image"),
        scheduler=_joined(_digest(digests, key) for key in ("scheduler", "scheduler_files")),
        workload=_digest(digests, "workload"),
        tracer=_joined((*tracers, _digest(digests, "tracer"))),
        agent=_digest(digests, "agent"),
        scxval=_version(provenance),
        metrics=_measuring(),
    )


def _joined(words: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(word for word in words if word)


def _digest(digests: Mapping[str, Any], name: str) -> str:
    return str(digests.get(name) or "")[:_DIGITS]


def _version(provenance: Mapping[str, Any]) -> str:
    scxval = provenance.get("scxval", "")
    if not isinstance(scxval, Mapping):
        return str(scxval)
    return " ".join(str(scxval[key]) for key in ("version", "git") if scxval.get(key))


@functools.cache
def _measuring() -> str:
    """A digest of the code that defines metrics: another definition is another number."""
    folder = Path(scxval.events.metrics.__file__).parent
    return tree_sha256(sorted(folder.glob("*.py")))[:_DIGITS]


def _readings(folder: Path, status: Mapping[str, Any], how: Compare) -> Iterator[Reading]:
    """The configured quantities of a run that ended ok."""
    start, end = status["window_ns"]
    path = folder / "metrics.parquet"
    try:
        found = cells(pq.read_table(path, memory_map=False))
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise ScxvalError(f"{path}: not a metrics table: {error}") from error
    yield from select(found, how.quantities, end - start)


def select(
    found: Mapping[Key, Cell], quantities: Sequence[Compared], workload_ns: int
) -> Iterator[Reading]:
    """The readings of a metrics table: the first configured quantity that names a row decides."""
    taken: set[tuple[str, str, str]] = set()
    # The workload's tasks are those that say something of themselves; the others are the machine's.
    tasks = {key[1] for key in found if key[0] == "task" and key[2].startswith("rtapp_")}
    # What events show is of the part of the workload that was traced.
    traced = found.get(("system", "", "window", "value"))
    traced_ns = traced.value if traced is not None and traced.value else float(workload_ns)
    for quantity in quantities:
        for key in sorted(found):
            scope, name, metric, stat = key
            if stat != quantity.stat or not fnmatchcase(metric, quantity.metric):
                continue
            if scope == "task" and name not in tasks:
                continue
            task = name if scope == "task" else ""
            if (metric, stat, task) in taken or scope != _scope(quantity, metric, stat, found):
                continue
            value = found[key].value
            if value is None or _too_few(key, found):
                continue
            taken.add((metric, stat, task))
            own = metric.startswith(REPORTED)
            value, unit = _rate(key, found[key], value, workload_ns if own else traced_ns)
            yield Reading(metric, stat, value, unit, found[key].n, scope, task)


def _scope(quantity: Compared, metric: str, stat: str, found: Mapping[Key, Cell]) -> str:
    """The workload's own row where there is one, else the system's."""
    if quantity.scope == "task":
        return "task"
    own = found.get(("workload", "", metric, stat))
    return "workload" if own is not None and own.value is not None else "system"


def _too_few(key: Key, found: Mapping[Key, Cell]) -> bool:
    """Whether a percentile lies between the outermost samples."""
    count = found.get((*key[:3], "count"))
    return key[3] in FEWEST and (count is None or (count.value or 0) < FEWEST[key[3]])


def _rate(key: Key, cell: Cell, value: float, window_ns: float) -> tuple[float, str]:
    _, _, metric, stat = key
    adds_up = stat == "count" or metric in _TOTALS or metric.startswith(COUNTED)
    if not adds_up:
        return value, cell.unit
    if cell.unit == "ns":
        return value / window_ns, "CPUs"
    return value * 1e9 / window_ns, "1/s"


def quantity_of(
    metric: str, stat: str, task: str, quantities: Sequence[Compared]
) -> Compared | None:
    """The configured quantity of a reading: the first, as in `select`; None: configured no more."""
    wanted = "task" if task else "workload"
    named = (q for q in quantities if (q.stat, q.scope) == (stat, wanted))
    return next((q for q in named if fnmatchcase(metric, q.metric)), None)
