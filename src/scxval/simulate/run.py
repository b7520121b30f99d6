# SPDX-License-Identifier: MIT
"""Runs one simulation and writes its files (docs/contracts.md)."""

from __future__ import annotations

import importlib
import platform
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import scxval
from scxval.events.table import write_events
from scxval.files import sha256, write_json
from scxval.simulate.base import Request, Simulated
from scxval.simulate.parameters import parameters_record

_SIMULATORS = {
    "builtin": "scxval.simulate.builtin.simulate",
    "scxsim": "scxval.simulate.scxsim",
}


def run_simulation(request: Request, output: Path) -> Simulated:
    """Simulate, and write everything into `output`; status.json last. Raises ScxvalError.

    What an earlier simulation left there is removed.
    """
    raw = output / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    (output / "status.json").unlink(missing_ok=True)
    raw.mkdir(parents=True)
    module = importlib.import_module(_SIMULATORS[request.simulator.module])
    start = time.monotonic()
    found: Simulated = module.simulate(request, output)
    wall_s = time.monotonic() - start
    write_events(found.table, output / "events.parquet")
    found.capability.write(output / "capability.json")
    write_json(output / "provenance.json", _provenance(request, found))
    write_json(output / "status.json", _status(request, found, raw, wall_s))
    return found


def _status(request: Request, found: Simulated, raw: Path, wall_s: float) -> dict[str, Any]:
    window = found.window_ns
    return {
        "schema": 1,
        "simulation": {
            "simulator": request.simulator.name,
            "scheduler": request.scheduler.name,
            "workload": request.workload.name,
            "machine": request.machine.name,
            "seed": request.seed,
        },
        "outcome": str(found.outcome),
        "reason": found.reason,
        "policy": found.policy,
        "window_ns": list(window) if window else None,
        "exit_code": found.exit_code,
        "log": found.log,
        "log_tail": list(found.log_tail),
        "wall_s": round(wall_s, 3),
        "simulated_s": round((window[1] - window[0]) / 1e9, 6) if window else None,
        "raw": {
            str(file.relative_to(raw)): {"bytes": file.stat().st_size, "sha256": sha256(file)}
            for file in sorted(raw.rglob("*"))
            if file.is_file()
        },
    }


def _provenance(request: Request, found: Simulated) -> dict[str, Any]:
    file = request.workload.file
    return {
        "scxval": {"version": scxval.__version__},
        "host": {"kernel": platform.release(), "machine": platform.machine()},
        "simulator": asdict(request.simulator),
        "scheduler": {"name": request.scheduler.name, "args": list(request.scheduler.args)},
        "workload": {
            "name": request.workload.name,
            "sha256": sha256(file) if file else None,
            "seconds": request.seconds,
        },
        "machine": asdict(request.machine),
        "spare_cpus": request.spare_cpus,
        "seed": request.seed,
        "parameters": parameters_record(request.parameters),
        "facts": found.facts,
    }
