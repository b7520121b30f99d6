# SPDX-License-Identifier: MIT
"""`scxval cells`: the plan of a sweep, its time and its budget's choice, without a graph of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.config import Config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.planning import Planned, planned, planned_of_archive
from scxval.planning.budget import Choice, choice_made, choose, question
from scxval.planning.timing import Timing, known_timing, lines, to_run


@dataclass(frozen=True)
class Sweep:
    """What a configuration plans here, what its budget chose, and what is known of the time it takes."""

    config: Config
    planned: Planned
    choice: Choice | None
    known: Timing
    runs: Path

    def listing(self) -> Iterator[str]:
        """A line for every cell and simulation, with the reason of those left out."""
        plan, simulations = self.planned.plan, self.planned.simulations
        for cell in plan.cells:
            yield cell.path
        for excluded in plan.excluded:
            yield f"{excluded.cell.path}  {excluded.outcome}: {excluded.reason}"
        for simulation in simulations.cells:
            yield f"sim/{simulation.path}"
        for absent in simulations.excluded:
            yield f"sim/{absent.cell.path}  {absent.outcome}: {absent.reason}"
        for alias in plan.unresolved:
            yield f"machine {alias}: decided by the probe, which has not run yet (make provision)"

    def summary(self) -> Iterator[str]:
        """Counts, the budget's choice, and the estimate."""
        plan, simulations = self.planned.plan, self.planned.simulations
        yield f"{len(plan.cells)} cells planned, {len(plan.excluded)} excluded"
        if self.config.simulators:
            yield (
                f"{len(simulations.cells)} simulations planned, "
                f"{len(simulations.excluded)} excluded"
            )
        yield f"{len(self.planned.pairs)} pairs to compare"
        if self.choice is not None:
            yield from self.choice.lines()
        if not self.config.archived:
            missing = to_run(plan.cells, self.runs)
            yield f"{len(plan.cells) - len(missing)} cells have a record in {self.runs} already"
            yield from lines(missing, self.known)


def sweep(config: Config, host: Host, results: Path) -> Sweep:
    """What a configuration plans with these results. Raises ScxvalError for a history that cannot be read."""
    runs = results / "runs"
    known = known_timing(Path(config.history.store), runs)
    if config.archived:
        return Sweep(config, planned_of_archive(config, results), None, known, runs)
    choice = None
    if config.budget_s is not None:
        asked = question(config, plan(config, host))
        choice = choice_made(asked, results / "budget.json") or choose(asked, known)
    return Sweep(config, planned(config, host, choice), choice, known, runs)
