# SPDX-License-Identifier: MIT
"""The matrix: every combination is planned or excluded with a reason, the baseline always included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.exclusion import NO_ISOLCPUS, Host
from scxval.catalog.matrix import plan, this_host
from scxval.catalog.model import AXES, Cell, cell_from_path
from scxval.catalog.outcomes import Outcome

from ..conftest import ROOT

RAW = read_config_files([ROOT / "config/config.yaml"])
# Calibration cells have tests of their own.
RAW["simulator"] = ["none"]
RAW["catalog"] = ["config/catalog", "tests/faults"]
CATALOG = parse_config(RAW, ROOT).catalog
TCG_ONLY = Host(16384, {"kvm": False, "tcg": True})


def planned(**changes: Any) -> Any:
    host = changes.pop("host", TCG_ONLY)
    return plan(parse_config({**RAW, **changes}, ROOT), host)


def test_a_narrowed_scheduler_keeps_the_baseline() -> None:
    result = planned(scheduler="scx_rusty", tracer="none", reps=1)
    assert [cell.scheduler for cell in result.cells] == ["fair", "scx_rusty"]


def test_auto_takes_the_first_accelerator_that_booted() -> None:
    for works, machine in ((True, "kvm4"), (False, "tcg4")):
        result = planned(host=Host(16384, {"kvm": works, "tcg": True}))
        assert {cell.machine for cell in result.cells} == {machine}
        assert not result.unresolved


def test_auto_is_undecided_before_the_probe() -> None:
    result = planned(host=Host(16384, {}))
    assert result.cells == []
    assert result.unresolved == ["auto4"]


def test_an_accelerator_that_did_not_boot_is_unsupported() -> None:
    result = planned(machine="kvm4")
    assert result.cells == []
    assert {e.outcome for e in result.excluded} == {Outcome.UNSUPPORTED}
    assert "did not boot" in result.excluded[0].reason


def test_a_cpu_that_the_workload_does_not_have_is_infeasible(tmp_path: Path) -> None:
    data = json.loads((ROOT / "config/workloads/affinity.json").read_text())
    data["tasks"]["pinned1"]["cpus"] = [3]
    (tmp_path / "w.json").write_text(json.dumps(data))
    (tmp_path / "workloads.yaml").write_text('bound: {kind: rt-app, about: "x?", file: w.json}\n')
    result = planned(
        catalog=["config/catalog", str(tmp_path)],
        workload="bound",
        isolation=["none", "taskset"],
        tracer="none",
        reps=1,
    )
    assert {cell.isolation for cell in result.cells} == {"none"}
    assert {(e.cell.isolation, e.outcome) for e in result.excluded} == {
        ("taskset", Outcome.INFEASIBLE)
    }
    assert "binds a task to CPU 3; with isolation taskset" in result.excluded[0].reason


def test_no_cpu_left_for_the_workload_is_infeasible() -> None:
    result = planned(
        machine="tcg1",
        isolation=["none", "taskset"],
        scheduler=["fair", "scx_central"],
        tracer="none",
        reps=1,
    )
    reasons = {(e.cell.scheduler, e.cell.isolation): e for e in result.excluded}
    assert [cell.path for cell in result.cells] == ["fair/periodic_mix/none/none/tcg1/rep0"]
    assert reasons["fair", "taskset"].outcome is Outcome.INFEASIBLE
    assert reasons["scx_central", "none"].outcome is Outcome.UNSUPPORTED
    assert "2 CPUs" in reasons["scx_central", "none"].reason


def test_an_odd_number_of_cpus_is_unsupported_for_pairs(tmp_path: Path) -> None:
    (tmp_path / "machines.yaml").write_text(
        "tcg3: {accelerator: tcg, about: odd, kernel: debian-7.2, vcpus: 3, memory_mib: 512}\n"
    )
    catalog = ["config/catalog", str(tmp_path)]
    result = planned(catalog=catalog, machine="tcg3", scheduler="scx_pair", tracer="none", reps=1)
    assert [cell.scheduler for cell in result.cells] == ["fair"]
    assert "even number of CPUs, machine tcg3 has 3" in result.excluded[0].reason


def test_isolcpus_is_for_the_kernels_own_scheduler() -> None:
    result = planned(isolation="isolcpus", scheduler="scx_simple", tracer="none", reps=1)
    assert [cell.scheduler for cell in result.cells] == ["fair"]
    assert result.excluded[0].outcome is Outcome.UNSUPPORTED
    assert NO_ISOLCPUS in result.excluded[0].reason


def test_the_host_has_the_cpus_it_has() -> None:
    axes = {"machine": "host", "isolation": ["taskset", "isolcpus"], "tracer": "none", "reps": 1}
    two = planned(**axes, scheduler="fair", host=Host(1, {}, cpus=2))
    assert [cell.isolation for cell in two.cells] == ["taskset"]
    assert "already running" in two.excluded[0].reason
    one = planned(**axes, scheduler="fair", host=Host(1, {}, cpus=1))
    assert {e.outcome for e in one.excluded} == {Outcome.INFEASIBLE}


def test_too_little_memory_is_infeasible() -> None:
    result = planned(host=Host(1024, {"kvm": False, "tcg": True}))
    assert {e.outcome for e in result.excluded} == {Outcome.INFEASIBLE}


# Each example reads the catalogue: on a busy machine that may take longer than Hypothesis waits.
@settings(deadline=None)
@given(
    axes=st.fixed_dictionaries(
        {axis: st.lists(st.sampled_from(CATALOG.names(axis)), min_size=1) for axis in AXES}
    ),
    reps=st.integers(1, 3),
    kvm=st.booleans(),
)
def test_nothing_is_lost(axes: dict[str, list[str]], reps: int, kvm: bool) -> None:
    host = Host(16384, {"kvm": kvm, "tcg": True})
    result = planned(**axes, reps=reps, host=host)
    cells = [*result.cells, *(e.cell for e in result.excluded)]
    assert len(set(cells)) == len(cells)
    schedulers = {*axes["scheduler"], "fair"}
    # Every alias names a KVM machine first and an emulated one second.
    machines = {CATALOG.aliases.get(m, (m, m))[0 if kvm else 1] for m in axes["machine"]}
    expected = reps * len(schedulers) * len(machines)
    for axis in ("workload", "tracer", "isolation"):
        expected *= len(set(axes[axis]))
    assert len(cells) == expected
    assert all(e.reason for e in result.excluded)


@settings(deadline=None)
@given(
    st.builds(
        Cell,
        *(st.sampled_from(CATALOG.names(axis)) for axis in AXES),
        rep=st.integers(0, 10**6),
    )
)
def test_a_path_reads_back(cell: Cell) -> None:
    assert cell_from_path(cell.path) == cell
    assert cell_from_path(f"results/runs/{cell.path}/") == cell


@pytest.mark.parametrize("path", ["", "a/b", "a/b/c/d/e/f", "a/b/c/d/e/rep-1", "a/b/c/d/e/repx"])
def test_other_paths_are_no_cells(path: str) -> None:
    with pytest.raises(ValueError, match="not a cell"):
        cell_from_path(path)


def test_host_reads_the_probe(tmp_path: Path) -> None:
    file = tmp_path / "accelerator.json"
    assert this_host(tmp_path).accelerators == {}
    file.write_text(json.dumps({"kvm": {"works": False}, "tcg": {"works": True}}))
    assert this_host(tmp_path).accelerators == {"kvm": False, "tcg": True}
    assert this_host(tmp_path).memory_mib > 256


def test_a_plan_is_for_the_node_that_was_probed(tmp_path: Path) -> None:
    node = {"name": "n1", "memory_mib": 123, "cpus": 77}
    record = {"node": node, "kvm": {"works": True}, "tcg": {"works": True}}
    (tmp_path / "accelerator.json").write_text(json.dumps(record))
    host = this_host(tmp_path)
    assert (host.memory_mib, host.cpus) == (123, 77)
    assert host.accelerators == {"kvm": True, "tcg": True}


def test_isolcpus_is_not_for_a_guest_that_has_booted(raw_config: dict[str, Any]) -> None:
    config = parse_config(
        {
            **raw_config,
            "simulator": "none",
            "scheduler": "fair",
            "isolation": "isolcpus",
            "machine": ["tcg4", "tcg4-restored"],
        },
        ROOT,
    )
    made = plan(config, Host(16384, {"tcg": True, "kvm": False}))
    assert {cell.machine for cell in made.cells} == {"tcg4"}
    assert {e.cell.machine for e in made.excluded} == {"tcg4-restored"}
    assert "take a machine with boot: cold" in made.excluded[0].reason
