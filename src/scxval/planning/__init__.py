# SPDX-License-Identifier: MIT
"""All that a configuration plans: cells, simulations and pairs, from this host's probes, within a budget, or
from what an archive holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scxval.catalog.config import Config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import Plan, plan
from scxval.compare.plan import PlannedPair, plan_pairs
from scxval.planning.archived import archived_plan, archived_simulations
from scxval.planning.budget import Choice, within
from scxval.simulate.plan import SimulationPlan, plan_simulations


@dataclass(frozen=True)
class Planned:
    """Cells and simulations with those left out, and the pairs to compare by their folders."""

    plan: Plan
    simulations: SimulationPlan
    pairs: Mapping[str, PlannedPair]

    def to_json(self, config: Config) -> str:
        """results/plan.json (docs/contracts.md)."""
        pairs: dict[str, list[str]] = {family: [] for family in config.compare.families}
        for pair in self.pairs.values():
            pairs[pair.family].append(pair.path)
        both = {**self.plan.as_dict(), **self.simulations.as_dict()}
        return json.dumps({**both, "pairs": pairs}, sort_keys=True)


def planned(config: Config, host: Host, choice: Choice | None = None) -> Planned:
    """What is to be measured on this host; with a choice, only the groups that it took."""
    cells = plan(config, host)
    if choice is not None:
        cells = within(cells, choice)
    return _with_pairs(config, cells, plan_simulations(config, host))


def planned_of_archive(config: Config, results: Path) -> Planned:
    """What there is of a configuration below a folder of results; nothing else can be had."""
    cells = archived_plan(config, results / "runs")
    return _with_pairs(config, cells, archived_simulations(config, results, cells))


def _with_pairs(config: Config, cells: Plan, simulations: SimulationPlan) -> Planned:
    pairs = plan_pairs(config, cells, simulations)
    return Planned(cells, simulations, {pair.folder: pair for pair in pairs})
