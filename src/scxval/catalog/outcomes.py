# SPDX-License-Identifier: MIT
"""Every way a cell can end. Nothing else may stand in the `outcome` field of a status.json."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a cell ended; the reason and the log tail stand beside it in status.json."""

    OK = "ok"
    UNSUPPORTED = "unsupported"
    INFEASIBLE = "infeasible"
    BOOT_FAILED = "boot_failed"
    SCHEDULER_REJECTED = "scheduler_rejected"
    SCHEDULER_EJECTED = "scheduler_ejected"
    WORKLOAD_FAILED = "workload_failed"
    TRACER_FAILED = "tracer_failed"
    TRACER_LOST_EVENTS = "tracer_lost_events"
    TIMEOUT = "timeout"
    PANIC = "panic"
    # It could be run, and this sweep does not: beyond its budget, or not in the archive.
    LEFT_OUT = "left_out"
    # Of simulations: the simulator itself crashed or gave what cannot be read.
    SIMULATOR_FAILED = "simulator_failed"

    @property
    def planned(self) -> bool:
        """Decided before anything ran: the cell was never started."""
        return self in (Outcome.UNSUPPORTED, Outcome.INFEASIBLE, Outcome.LEFT_OUT)

    @property
    def has_events(self) -> bool:
        """Whether the run's trace may be read as a record of the named scheduler and workload."""
        return self in (Outcome.OK, Outcome.TRACER_LOST_EVENTS)
