# SPDX-License-Identifier: MIT
"""Simulated seconds a second: the engine alone, and the whole step from rt-app file to table.

`python bench/bench_simulate.py [--seconds N]`: 8 CPUs and 16 tasks of three workloads, each of the tree's
schedulers. The libraries are those of `make provision`, or of the folder that SCXVAL_SIMULATORS names.
Time is the CPU time of all processes, in the best of three runs; nothing runs beside another, so on an idle
machine it is the wall clock. `wake-heavy` is 300,000 to 730,000 events a simulated second: its table has
no bound, nor has a model in Python there (`fair`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import measure

from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.load import Catalog
from scxval.catalog.model import Workload
from scxval.events.table import write_events
from scxval.simulate.base import Request, library_name
from scxval.simulate.builtin.api import record_dtype
from scxval.simulate.builtin.simulate import RECORDS, simulate
from scxval.simulate.parameters import Parameters

ROOT = Path(__file__).resolve().parents[1]
KERNEL = "debian-7.2"
SCHEDULERS = ("scx_simple", "scx_central", "scx_qmap", "scx_flatcg", "scx_cpu0", "fair")
MODELS = ("fair",)
AT_LEAST = 10
CPUS, TASKS = 8, 16
# What each of the tasks does; k is its place.
WORKLOADS: dict[str, Callable[[int], dict[str, Any]]] = {
    "periodic": lambda k: {
        "run": 1000 + 100 * k,
        "timer": {"ref": f"t{k}", "period": 4000 + 500 * k},
    },
    "wake-heavy": lambda k: {"run": 200 + 10 * k, "sleep": 300 + 10 * k},
    "oversubscribed": lambda k: {"run": 100_000},
}


def write_workload(folder: Path, name: str) -> Workload:
    """An rt-app file of 16 tasks."""
    settings = {"duration": 2, "calibration": 1000, "logdir": "/run/scxval/raw/workload"}
    tasks = {f"task{k}": {"loop": -1, **WORKLOADS[name](k)} for k in range(TASKS)}
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"global": settings, "tasks": tasks}))
    return Workload(name, "rt-app", "a bench's", file=file)


def request_of(catalog: Catalog, scheduler: str, workload: Workload, seconds: int) -> Request:
    """A simulation of some seconds on 8 CPUs."""
    entry = catalog.schedulers[scheduler]
    folder = Path(os.environ.get("SCXVAL_SIMULATORS", ROOT / "resources/simulators")) / KERNEL
    library = folder / f"{library_name(entry)}.so"
    if not library.exists():
        raise SystemExit(f"{library} is missing: run `make provision`")
    return Request(
        simulator=catalog.simulators["builtin"],
        scheduler=entry,
        workload=workload,
        machine=replace(catalog.machines["tcg4"], vcpus=CPUS),
        seed=1,
        seconds=seconds,
        parameters=Parameters(),
        library=library,
        limit_s=300,
    )


def least_s(work: Callable[[], object]) -> float:
    """The least CPU seconds of three runs, in this process and those that it waited for."""
    times = []
    for _ in range(3):
        start = _cpu_s()
        work()
        times.append(_cpu_s() - start)
    return min(times)


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def whole(request: Request, folder: Path) -> int:
    """The step of a workflow: simulate, make the table, write it. How many events."""
    found = simulate(request, folder)
    if found.outcome != "ok":
        raise SystemExit(f"{request.scheduler.name}: {found.outcome}: {found.reason}")
    write_events(found.table, folder / "events.parquet")
    return found.table.num_rows


def engine(request: Request, folder: Path) -> None:
    """The engine in its process, without the table."""
    from scxval.simulate.builtin import simulate as step

    choice = step.choose(request)
    program = step.compile_workload(
        request.workload, CPUS, request.spare_cpus, request.seconds, request.parameters
    )
    step._in_a_process(request, choice, program, folder)


def main() -> int:
    """Print rates; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    seconds = parser.parse_args().seconds
    bounds = measure.Bounds()
    catalog = parse_config(read_config_files([ROOT / "config/config.yaml"]), ROOT).catalog
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scheduler in SCHEDULERS:
            for workload in WORKLOADS:
                request = request_of(catalog, scheduler, write_workload(folder, workload), seconds)
                if not (events := _supported(request, folder)):
                    print(f"{scheduler:12} has no model here")
                    break
                alone = seconds / least_s(lambda r=request: engine(r, folder))
                step = seconds / least_s(lambda r=request: whole(r, folder))
                size = (folder / RECORDS).stat().st_size // record_dtype().itemsize
                print(
                    f"{scheduler:12} {workload:15} engine {alone:6.0f}, whole step {step:5.0f} s/s, "
                    f"{size:,} records, {events:,} events"
                )
                what = f"{scheduler} {workload}, simulated s/s"
                if workload != "wake-heavy" or scheduler not in MODELS:
                    bounds.at_least(f"{what} of the engine", alone, AT_LEAST)
                if workload != "wake-heavy":
                    bounds.at_least(what, step, AT_LEAST)
    return bounds.end()


def _supported(request: Request, folder: Path) -> int:
    """How many events a first run has; 0 for a scheduler without code or model."""
    if simulate(replace(request, seconds=1), folder).outcome == "unsupported":
        return 0
    return whole(request, folder)


if __name__ == "__main__":
    sys.exit(main())
