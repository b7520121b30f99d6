# SPDX-License-Identifier: MIT
"""What is known of a run without a trace: rt-app's logs, cpu.stat, a command's result, the kernel's counters.

A file that is missing, cut or not understood makes its rows not measured (null), with one warning:
it is a cell's trouble, never a failed job. docs/metrics.md defines each row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from scxval.catalog.model import Result
from scxval.catalog.rtapp import RtApp
from scxval.errors import ScxvalError
from scxval.events.metrics.reduce import DISTRIBUTION_STATS, METRIC_SCHEMA, summarise
from scxval.events.metrics.rows import I64

# The second line of a log, as thread_body() of rt-app 1.0 writes it; times are microseconds.
COLUMNS = (
    "#idx",
    "perf",
    "run",
    "period",
    "start",
    "end",
    "rel_st",
    "slack",
    "c_duration",
    "c_period",
    "wu_lat",
)
LOG_METRICS = ("rtapp_run", "rtapp_period", "rtapp_slack", "rtapp_wakeup_latency")
# cpu.stat key -> metric, unit, factor to it (Documentation/admin-guide/cgroup-v2.rst).
CGROUP_METRICS = {
    "usage_usec": ("cgroup_cpu_time", "ns", 1000),
    "nr_throttled": ("cgroup_throttled_periods", "count", 1),
    "throttled_usec": ("cgroup_throttled_time", "ns", 1000),
}

# What the names of the kernel's counters begin with.
COUNTED = "kernel_"
# Of counters.json (scxval.agent.counters): its part and key -> scope, metric, unit.
COUNTERS = {
    ("workload", "user_ns"): ("workload", "kernel_user_time", "ns"),
    ("workload", "system_ns"): ("workload", "kernel_system_time", "ns"),
    ("workload", "voluntary_switches"): ("workload", "kernel_voluntary_switches", "count"),
    ("workload", "involuntary_switches"): ("workload", "kernel_involuntary_switches", "count"),
    ("system", "context_switches"): ("system", "kernel_context_switches", "count"),
    ("system", "interrupts"): ("system", "kernel_interrupts", "count"),
    ("system", "forks"): ("system", "kernel_forks", "count"),
}

_Row = tuple[str, str, str, str, float | None, str, int]


@dataclass(frozen=True)
class Outputs:
    """The rows, and a line for each file that could not be read."""

    table: pa.Table
    warnings: list[str]


def workload_outputs(raw: Path, file: RtApp | None, result: Result | None) -> Outputs:
    """Rows (METRIC_SCHEMA) from a cell's raw/ folder: of its rt-app file, its cgroups and its result."""
    warnings: list[str] = []
    rows: list[_Row] = []
    if file is not None:
        rows += _log_rows(raw / "workload", file, warnings)
    rows += _cgroup_rows(raw / "workload", warnings)
    rows += _counter_rows(raw / "counters.json", warnings)
    if result is not None:
        rows.append(_result_row(raw / "workload.log", result, warnings))
    columns = zip(*rows, strict=True) if rows else ([] for _ in METRIC_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, METRIC_SCHEMA, strict=True)]
    return Outputs(pa.table(arrays, METRIC_SCHEMA), warnings)


def read_log(path: Path) -> dict[str, I64]:
    """The columns of one thread's rt-app log, as written; one value a pass through a phase.

    Raises ScxvalError naming file and line for a log that is missing, cut or of another rt-app.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ScxvalError(f"cannot read rt-app log {path}: {error}") from error
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].startswith("# Policy") or tuple(lines[1].split()) != COLUMNS:
        raise ScxvalError(
            f"{path}: not a log of rt-app 1.0: its second line must be its column names"
        )
    if not text.endswith("\n"):
        raise ScxvalError(f"{path}, line {len(lines)}: cut short: the last line does not end")
    passes = np.zeros((len(lines) - 2, len(COLUMNS)), dtype=np.int64)
    for number, line in enumerate(lines[2:]):
        try:
            passes[number] = [int(word) for word in line.split()]
        except (ValueError, OverflowError) as error:
            raise ScxvalError(
                f"{path}, line {number + 3}: expected {len(COLUMNS)} integers: {line[:60]!r}"
            ) from error
    return {name: passes[:, column] for column, name in enumerate(COLUMNS)}


def log_samples(log: dict[str, I64]) -> dict[str, I64]:
    """The samples of each of LOG_METRICS in one log, in ns.

    rt-app writes 0 where a pass had no timer, and a wakeup latency of 0 where the timer had expired
    before the thread came to wait for it: neither is a sample.
    """
    timed = log["c_period"] > 0
    samples = (
        log["run"][log["c_duration"] > 0],
        log["period"],
        log["slack"][timed],
        log["wu_lat"][timed & (log["slack"] > 0)],
    )
    return {name: values * 1000 for name, values in zip(LOG_METRICS, samples, strict=True)}


def _log_rows(folder: Path, file: RtApp, warnings: list[str]) -> Iterator[_Row]:
    """Each task's rows, over all its instances, then those of the whole workload."""
    base = file.settings.get("log_basename", "rt-app")
    every: list[dict[str, I64] | None] = []
    for task in file.tasks:
        name = re.compile(re.escape(f"{base}-{task.name}-") + r"\d+\.log")
        paths = sorted(p for p in folder.glob("*.log") if name.fullmatch(p.name))
        found = [_samples(path, warnings) for path in paths]
        if len(paths) != task.instances:
            warnings.append(
                f"{folder}: {len(paths)} rt-app logs of task {task.name!r}, not {task.instances}"
            )
            found.append(None)
        every += found
        yield from _distributions("task", task.name, found)
    yield from _distributions("workload", "", every)


def _samples(path: Path, warnings: list[str]) -> dict[str, I64] | None:
    try:
        return log_samples(read_log(path))
    except ScxvalError as error:
        warnings.append(str(error))
        return None


def _distributions(scope: str, name: str, logs: list[dict[str, I64] | None]) -> Iterator[_Row]:
    """The rows of LOG_METRICS over some logs; not measured if one of them is None."""
    whole = [log for log in logs if log is not None]
    for metric in LOG_METRICS:
        if len(whole) < len(logs):
            for stat in DISTRIBUTION_STATS:
                yield scope, name, metric, stat, None, "count" if stat == "count" else "ns", 0
            continue
        values = np.concatenate([log[metric] for log in whole])
        yield scope, name, metric, "count", float(values.size), "count", values.size
        for stat, value in summarise(values).items():
            yield scope, name, metric, stat, value, "ns", values.size


def _cgroup_rows(folder: Path, warnings: list[str]) -> Iterator[_Row]:
    for path in sorted(folder.glob("cgroup-*.cpu.stat")):
        name = path.name.removeprefix("cgroup-").removesuffix(".cpu.stat")
        stat = dict(re.findall(r"^(\w+) (\d+)$", path.read_text("utf-8"), re.MULTILINE))
        if "usage_usec" not in stat:
            warnings.append(f"{path}: not a cpu.stat: no usage_usec")
        for key, (metric, unit, factor) in CGROUP_METRICS.items():
            known = key in stat
            value = float(int(stat[key]) * factor) if known else None
            yield "cgroup", name, metric, "value", value, unit, int(known)


def _counter_rows(path: Path, warnings: list[str]) -> list[_Row]:
    """What the kernel counted; nothing of a run from before there were counters."""
    if not path.exists():
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return [*_counted(data), *_cpu_times(data["cpu_ns"])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.append(f"{path}: not the counters of a run: {error!r}")
        # Whose CPU time it would have had is not known then.
        return [
            (scope, "", metric, "value", None, unit, 0) for scope, metric, unit in COUNTERS.values()
        ]


def _counted(data: Mapping[str, Mapping[str, int]]) -> Iterator[_Row]:
    for (part, key), (scope, metric, unit) in COUNTERS.items():
        yield scope, "", metric, "value", float(data[part][key]), unit, 1


def _cpu_times(cpu_ns: Mapping[str, int | None]) -> Iterator[_Row]:
    for name, used_ns in cpu_ns.items():
        who, _, tracer = name.partition(" ")
        value = None if used_ns is None else float(used_ns)
        scope = "tracer" if who == "tracer" else "system"
        yield scope, tracer, f"{who}_cpu_time", "value", value, "ns", int(value is not None)


def _result_row(path: Path, result: Result, warnings: list[str]) -> _Row:
    """The last match in the log: a command may print interim numbers before its result."""
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    found = re.findall(result.pattern, text, re.MULTILINE)
    value: float | None = None
    try:
        value = float(found[-1]) if found else None
    except ValueError:
        warnings.append(f"{path}: result {result.name}: {found[-1]!r} is not a number")
    if not found:
        warnings.append(f"{path}: result {result.name}: nothing matches {result.pattern!r}")
    metric = f"result_{result.name}"
    return "workload", "", metric, "value", value, result.unit, int(value is not None)
