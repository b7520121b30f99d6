# SPDX-License-Identifier: MIT
"""Which simulations a configuration asks for, and which of them cannot exist, with the reason."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from scxval.catalog.config import Config
from scxval.catalog.exclusion import Host, Point, Why, bound_beyond, no_cpu_left, wrong_cpu_count
from scxval.catalog.matrix import resolve_machines
from scxval.catalog.model import Scheduler, Simulator, Workload
from scxval.catalog.outcomes import Outcome
from scxval.catalog.programs import host_program
from scxval.simulate.builtin.simulate import no_policy
from scxval.simulate.builtin.subset import builtin_refusal


@dataclass(frozen=True, order=True)
class SimulationCell:
    """One simulation; its path holds every value."""

    simulator: str
    scheduler: str
    workload: str
    machine: str
    seed: int

    @property
    def path(self) -> str:
        """simulator/scheduler/workload/machine/seed<k>, as under results/sim/."""
        names = (self.simulator, self.scheduler, self.workload, self.machine)
        return "/".join([*names, f"seed{self.seed}"])


@dataclass(frozen=True)
class ExcludedSimulation:
    """A simulation that cannot exist, decided before anything ran, and why."""

    cell: SimulationCell
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class SimulationPlan:
    """What to simulate, and what not."""

    cells: list[SimulationCell]
    excluded: list[ExcludedSimulation]

    def as_dict(self) -> dict[str, Any]:
        """Its part of results/plan.json (docs/contracts.md)."""
        return {
            "simulations": [cell.path for cell in self.cells],
            "excluded_simulations": [
                {"simulation": e.cell.path, "outcome": str(e.outcome), "reason": e.reason}
                for e in self.excluded
            ],
        }


def plan_simulations(config: Config, host: Host) -> SimulationPlan:
    """Simulators x schedulers (the baseline too) x workloads x machines x seeds of a configuration."""
    schedulers = list(config.axes["scheduler"])
    if config.baseline not in schedulers:
        schedulers.insert(0, config.baseline)
    machines, _ = resolve_machines(config.axes["machine"], config.catalog, host)
    cells: list[SimulationCell] = []
    excluded: list[ExcludedSimulation] = []
    names = itertools.product(config.simulators, schedulers, config.axes["workload"], machines)
    for simulator, scheduler, workload, machine in names:
        why = why_not(config, host, simulator, scheduler, workload, machine)
        for seed in config.seeds:
            cell = SimulationCell(simulator, scheduler, workload, machine, seed)
            if why is None:
                cells.append(cell)
            else:
                excluded.append(ExcludedSimulation(cell, *why))
    return SimulationPlan(cells, excluded)


def why_not(
    config: Config, host: Host, simulator: str, scheduler: str, workload: str, machine: str
) -> Why | None:
    """The first rule that takes such simulations out; None when they can be run."""
    catalog = config.catalog
    entry = catalog.simulators[simulator]
    if catalog.machines[machine].launcher == "host":
        return (
            Outcome.UNSUPPORTED,
            f"machine {machine} is whatever host it runs on: there is nothing to simulate",
        )
    point = Point(
        catalog.schedulers[scheduler],
        catalog.workloads[workload],
        (),
        catalog.isolations[config.simulate.isolation],
        catalog.machines[machine],
        host,
    )
    for rule in (no_cpu_left, bound_beyond, wrong_cpu_count):
        found = rule(point)
        if found is not None:
            return found
    reason = _cannot(entry, point.scheduler, point.workload)
    return (Outcome.UNSUPPORTED, reason) if reason else None


def _cannot(simulator: Simulator, scheduler: Scheduler, workload: Workload) -> str:
    """What a simulator says no to before it is asked: an external one decides when it is run."""
    if simulator.module == "builtin":
        refusal = builtin_refusal(workload)
        if refusal:
            return f"workload {workload.name} is not simulated: {'; '.join(refusal)}"
        return no_policy(scheduler)
    if host_program(simulator) is None:
        return (
            f"simulator {simulator.name} needs a program that nothing here provides: {simulator.binary!r} "
            "cannot be executed on this host; put it on PATH, or name its path as `binary` of the "
            "simulator's entry in a catalogue folder of your own"
        )
    return ""
