# SPDX-License-Identifier: MIT
"""The plan of an archive: those cells and simulations of a configuration whose records lie under results/.

Nothing of this host decides: not its memory, its programs or its probes. What is asked for and not there is
listed as left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from scxval.catalog.config import Config
from scxval.catalog.matrix import Plan, calibration_cells
from scxval.catalog.model import AXES, Cell, Excluded
from scxval.catalog.outcomes import Outcome
from scxval.simulate.plan import ExcludedSimulation, SimulationCell, SimulationPlan

# Of a cell or simulation that is there.
RECORD = "status.json"


def archived_plan(config: Config, runs: Path) -> Plan:
    """The configuration's cells below `runs` (results/runs); an alias is its first with any."""
    machines = list(_machines(config, runs))
    wanted = [*_product(config, machines), *calibration_cells(config, machines)]
    cells: list[Cell] = []
    excluded: list[Excluded] = []
    for cell in dict.fromkeys(wanted):
        if (runs / cell.path / RECORD).is_file():
            cells.append(cell)
        else:
            excluded.append(Excluded(cell, Outcome.LEFT_OUT, f"{_MISSING} {runs}"))
    return Plan(cells, excluded, [])


_MISSING = "runs: archived makes nothing new, and there is none below"


def _product(config: Config, machines: list[str]) -> Iterator[Cell]:
    axes = {**config.axes, "machine": machines}
    axes["scheduler"] = list(dict.fromkeys([config.baseline, *axes["scheduler"]]))
    for scheduler, workload, tracer, isolation, machine in itertools.product(
        *(axes[axis] for axis in AXES)
    ):
        for rep in range(config.reps):
            yield Cell(scheduler, workload, tracer, isolation, machine, rep)


def _machines(config: Config, runs: Path) -> Iterator[str]:
    """The machines of the configuration, none twice."""
    there = {file.parent.parent.name for file in runs.glob(f"{'*/' * (len(AXES) + 1)}{RECORD}")}
    seen: set[str] = set()
    for name in config.axes["machine"]:
        candidates = config.catalog.aliases.get(name, (name,))
        machine = next((one for one in candidates if one in there), candidates[-1])
        if machine not in seen:
            seen.add(machine)
            yield machine


def archived_simulations(config: Config, results: Path, cells: Plan) -> SimulationPlan:
    """The configuration's simulations below `results`/sim, of the machines of its cells."""
    machines = dict.fromkeys(
        cell.machine for cell in [*cells.cells, *(e.cell for e in cells.excluded)]
    )
    schedulers = dict.fromkeys([config.baseline, *config.axes["scheduler"]])
    found = SimulationPlan([], [])
    for names in itertools.product(
        config.simulators, schedulers, config.axes["workload"], machines, config.seeds
    ):
        cell = SimulationCell(*names)
        if (results / "sim" / cell.path / RECORD).is_file():
            found.cells.append(cell)
        else:
            why = f"{_MISSING} {results / 'sim'}"
            found.excluded.append(ExcludedSimulation(cell, Outcome.LEFT_OUT, why))
    return found
