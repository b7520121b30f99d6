# SPDX-License-Identifier: MIT
"""The small configurations of the studies of gaps and of tracers plan what each needs."""

from __future__ import annotations

import pytest

from scxval.catalog.config import Config, parse_config, read_config_files
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.compare.plan import plan_pairs
from scxval.simulate.plan import plan_simulations

from ..conftest import ROOT

HOST = Host(16_000, {"kvm": False, "tcg": True, "icount": True}, cpus=4)


def configured(study: str) -> Config:
    files = [ROOT / "config/config.yaml", ROOT / f"config/studies/{study}.yaml"]
    return parse_config(read_config_files(files), ROOT)


@pytest.mark.parametrize(("study", "runs"), [("simulator_gaps", 33), ("tracer_agreement", 72)])
def test_it_plans_the_runs_that_it_says(study: str, runs: int) -> None:
    config = configured(study)
    assert config.studies == [study]
    found = plan(config, HOST)
    assert not found.excluded
    assert len(found.cells) == runs
    text = (ROOT / f"config/studies/{study}.yaml").read_text()
    assert f"{runs} runs" in text
    assert f"--configfile config/studies/{study}.yaml" in text


def test_every_scheduler_is_simulated_and_run() -> None:
    config = configured("simulator_gaps")
    simulations = plan_simulations(config, HOST)
    assert not simulations.excluded
    pairs = plan_pairs(config, plan(config, HOST), simulations)
    assert {pair.family for pair in pairs} == {"simulator"}
    assert len(pairs) == 8
    assert all(len(pair.a.runs) == len(pair.b.runs) == 4 for pair in pairs)


def test_tracers_stand_side_by_side_and_alone() -> None:
    config = configured("tracer_agreement")
    pairs = plan_pairs(config, plan(config, HOST), plan_simulations(config, HOST))
    assert {pair.family for pair in pairs} == {"tracer"}
    # Every two of four tracers, two schedulers, two workloads.
    assert len(pairs) == 6 * 2 * 2
    assert sum("+" in tracer for tracer in config.axes["tracer"]) == 2
