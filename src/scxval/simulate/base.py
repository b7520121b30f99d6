# SPDX-License-Identifier: MIT
"""What every simulator is given and gives back. One module a simulator has `simulate(request, folder)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.catalog.model import Machine, Scheduler, Simulator, Workload
from scxval.catalog.outcomes import Outcome
from scxval.events.capability import VIRTUAL_CLOCK, Capability
from scxval.simulate.parameters import Parameters

__all__ = ["VIRTUAL_CLOCK", "Request", "Simulated", "library_name"]


@dataclass(frozen=True)
class Request:
    """One simulation. `seconds` is the workload's own duration, `library` what was compiled of the
    scheduler for the machine's kernel (None: nothing)."""

    simulator: Simulator
    scheduler: Scheduler
    workload: Workload
    machine: Machine
    seed: int
    seconds: int
    parameters: Parameters
    library: Path | None = None
    # CPUs at the end that the workload keeps off, as the tracer's in a run; the scheduler sees them.
    spare_cpus: int = 0
    # Wall clock.
    limit_s: int = 300


@dataclass(frozen=True)
class Simulated:
    """What came of it. `policy` says whose decisions they are: `code` (the scheduler's own), `model` (a
    stand-in), or "" when nothing ran. `facts` go into provenance.json as they are (versions, argv,
    digests, clock mode, keys of the workload that were tagged)."""

    outcome: Outcome
    reason: str
    policy: str
    table: pa.Table
    capability: Capability
    window_ns: tuple[int, int] | None = None
    exit_code: int | None = None
    log: str = ""
    log_tail: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def library_name(scheduler: Scheduler) -> str:
    """The library of the embedded simulator that a scheduler needs, without its suffix
    (scxval.provision.simulators): that of its own code, or the one that models run in.
    """
    return scheduler.binary if scheduler.source == "tree" else "models"
