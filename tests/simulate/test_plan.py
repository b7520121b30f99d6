# SPDX-License-Identifier: MIT
"""Which simulations are planned, which cannot be, and the runs that calibrate their machines."""

from __future__ import annotations

from typing import Any

import pytest

from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.simulate.plan import plan_simulations
from scxval.simulate.spec import simulation_spec, spec_from_json

from ..conftest import ROOT

RAW = read_config_files([ROOT / "config/config.yaml"])
TCG = Host(16384, {"kvm": False, "tcg": True}, cpus=2)


def config_of(**changes: Any) -> Any:
    return parse_config({**RAW, "machine": "tcg4", "tracer": "none", **changes}, ROOT)


def test_every_combination_is_planned_or_excluded_with_a_reason() -> None:
    config = config_of(
        scheduler=["scx_simple", "scx_bpfland"], workload=["periodic_mix", "hackbench"]
    )
    made = plan_simulations(config, TCG)
    # The baseline has a model, scx_bpfland has none.
    assert sorted(cell.path for cell in made.cells) == [
        f"builtin/{name}/periodic_mix/tcg4/seed{seed}"
        for name in ("fair", "scx_simple")
        for seed in (0, 1)
    ]
    assert len(made.cells) + len(made.excluded) == 3 * 2 * 2
    assert all(e.outcome is Outcome.UNSUPPORTED and e.reason for e in made.excluded)


def test_none_turns_everything_off() -> None:
    config = config_of(scheduler="scx_simple", simulator="none")
    assert plan_simulations(config, TCG).as_dict() == {
        "simulations": [],
        "excluded_simulations": [],
    }
    assert not any(cell.workload == "calibration" for cell in plan(config, TCG).cells)


def test_a_simulated_machine_is_calibrated_once() -> None:
    config = config_of(scheduler="scx_simple", reps=1)
    cells = [cell.path for cell in plan(config, TCG).cells]
    assert cells.count("scx_simple/calibration/bpftrace/taskset/tcg4/rep0") == 1
    asked = config_of(scheduler="scx_simple", workload="calibration", tracer="bpftrace", reps=1)
    cells = [cell.path for cell in plan(asked, TCG).cells]
    assert cells.count("scx_simple/calibration/bpftrace/taskset/tcg4/rep0") == 1


def test_the_host_is_not_simulated() -> None:
    config = config_of(machine="host", scheduler="scx_simple")
    made = plan_simulations(config, TCG)
    assert made.cells == []
    assert {e.reason for e in made.excluded} == {
        "machine host is whatever host it runs on: there is nothing to simulate"
    }
    assert not any(cell.workload == "calibration" for cell in plan(config, TCG).cells)


def test_too_few_cpus_and_no_program() -> None:
    small = plan_simulations(config_of(machine="tcg1", scheduler="scx_simple"), TCG)
    assert {e.outcome for e in small.excluded} == {Outcome.INFEASIBLE}
    other = plan_simulations(config_of(simulator="scxsim", scheduler="scx_simple"), TCG)
    assert all("needs a program that nothing here provides" in e.reason for e in other.excluded)


def test_a_spec_comes_back() -> None:
    config = config_of(scheduler="scx_flatcg", workload="cgroup_weights")
    cell = plan_simulations(config, TCG).cells[-1]
    spec = simulation_spec(cell, config)
    assert spec.spare_cpus == 1
    back = spec_from_json(spec.to_json(), spec.workload.file)
    assert back == spec
    assert str(ROOT) not in spec.to_json()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"simulator": ["none", "builtin"]}, "none stands alone"),
        ({"simulator": "bultin"}, "did you mean 'builtin'"),
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"simulate": {**RAW["simulate"], "isolation": "cpu"}}, "simulate.isolation 'cpu'"),
        ({"simulate": {**RAW["simulate"], "parameters": {"x": {}}}}, "simulate.parameters 'x'"),
    ],
)
def test_a_mistake_is_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ScxvalError, match=says) as caught:
        config_of(**change)
    assert "\n" not in str(caught.value)


def test_one_seed_is_a_list_of_one() -> None:
    assert config_of(seeds=5).seeds == [5]
