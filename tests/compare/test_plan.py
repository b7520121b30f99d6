# SPDX-License-Identifier: MIT
"""Which groups of runs are compared: every pair differs in one thing, and none is there twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.catalog.config import Config, parse_config, read_config_files
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.compare.plan import (
    FILES,
    PlannedPair,
    PlannedSide,
    files_of,
    plan_pairs,
    runs_below,
)
from scxval.compare.verdict import Verdict
from scxval.simulate.plan import plan_simulations

from ..conftest import ROOT

RAW = read_config_files([ROOT / "config/config.yaml"])
TCG = Host(16384, {"kvm": False, "tcg": True}, cpus=2)
SMALL = {"scheduler": ["fair"], "machine": ["tcg4"], "simulator": ["none"], "tracer": ["none"]}


def config_of(**changes: Any) -> Config:
    compare = {**RAW["compare"], **changes.pop("compare", {})}
    return parse_config({**RAW, **SMALL, "compare": compare, **changes}, ROOT)


def pairs_of(
    config: Config, there: Sequence[str] = (), family: str | None = None
) -> list[PlannedPair]:
    made = plan_pairs(
        config, plan(config, TCG), plan_simulations(config, TCG), lambda *_: list(there)
    )
    return [pair for pair in made if family in (None, pair.family)]


def said(pairs: Sequence[PlannedPair]) -> list[tuple[str, str, str]]:
    return [(pair.path, pair.a.name, pair.b.name) for pair in pairs]


def test_one_cell_is_compared_with_nothing() -> None:
    assert pairs_of(config_of()) == []


def test_a_tracer_is_compared_with_none_a_combination_too() -> None:
    found = pairs_of(config_of(tracer=["bpftrace", "none", "perf-sched+bpftrace"]))
    where = "fair/periodic_mix/taskset/tcg4"
    assert said(found) == [
        (f"{tracer}/{where}", "none", tracer) for tracer in ("bpftrace", "perf-sched+bpftrace")
    ]
    assert found[0].a.runs == tuple(
        f"results/runs/fair/periodic_mix/none/taskset/tcg4/rep{rep}" for rep in (0, 1)
    )
    assert found[0].where == {
        "scheduler": "fair",
        "workload": "periodic_mix",
        "isolation": "taskset",
        "machine": "tcg4",
    }


def test_two_tracers_that_make_events_are_compared_once() -> None:
    tracers = ["bpftrace", "trace-cmd", "perf-sched+bpftrace", "scx-stats"]
    for axis in (tracers, tracers[::-1]):
        config = config_of(tracer=axis, scheduler=["scx_rusty"], baseline="scx_rusty")
        found = pairs_of(config, family="tracer")
        # The catalogue says which one is A.
        assert said(found) == [
            (
                "bpftrace_vs_trace-cmd/scx_rusty/periodic_mix/taskset/tcg4",
                "bpftrace",
                "trace-cmd",
            )
        ]


def test_isolations_and_machines_with_one_kernel() -> None:
    config = config_of(isolation=["none", "taskset"], machine=["tcg4", "tcg2", "tcg4-7.3"])
    assert {(p.a.name, p.b.name) for p in pairs_of(config, family="isolation")} == {
        ("none", "taskset")
    }
    assert {(p.a.name, p.b.name) for p in pairs_of(config, family="machine")} == {("tcg2", "tcg4")}


def test_machines_that_differ_in_the_kernel_alone_are_versions_the_older_is_a() -> None:
    found = pairs_of(config_of(machine=["tcg4-7.3", "tcg4", "tcg2"]))
    versions = [pair for pair in found if pair.family == "version"]
    assert said(versions) == [
        (
            "tcg4_vs_tcg4-7.3/fair/periodic_mix/none/taskset",
            "debian-7.2 on tcg4",
            "debian-7.3 on tcg4-7.3",
        )
    ]


def test_a_simulator_is_compared_with_what_each_tracer_saw() -> None:
    config = config_of(
        simulator=["builtin"],
        tracer=["none", "bpftrace", "perf-sched"],
        isolation=["none", "taskset"],
    )
    found = pairs_of(config, family="simulator")
    where = "taskset/tcg4"
    assert said(found) == [
        (f"builtin/fair/periodic_mix/{tracer}/{where}", f"kernel, {tracer}", "builtin")
        for tracer in ("bpftrace", "perf-sched")
    ]
    first = "results/sim/builtin/fair/periodic_mix/tcg4/seed0"
    for pair in found:
        assert pair.b.runs == (first, first.replace("seed0", "seed1"))
        assert pair.b.deterministic and not pair.a.deterministic
        assert pair.again == ((first, first.replace("results/sim", "results/compare/again")),)


def test_cells_that_only_calibrate_are_in_no_pair() -> None:
    config = config_of(simulator=["builtin"], machine=["tcg2", "tcg4"], compare={"against": ["x"]})
    cells = [cell.workload for cell in plan(config, TCG).cells]
    assert "calibration" in cells
    assert not any("calibration" in pair.path for pair in pairs_of(config))


def test_what_cannot_exist_is_there_with_its_reason_unless_both_cannot() -> None:
    config = config_of(
        scheduler=["fair", "scx_bpfland"],
        simulator=["builtin"],
        tracer=["bpftrace"],
        isolation=["none", "taskset", "isolcpus"],
    )
    found = pairs_of(config)
    unsupported = [p for p in found if p.a.settled or p.b.settled]
    assert unsupported
    for pair in unsupported:
        (side,) = (side for side in (pair.a, pair.b) if side.settled)
        assert side.runs == ()
        assert side.settled is not None
        assert side.settled.verdict is Verdict.UNSUPPORTED
        assert side.settled.reason
    # sched_ext beside isolcpus, and a simulator that does not know the scheduler.
    paths = {pair.path for pair in unsupported}
    assert "none_vs_isolcpus/scx_bpfland/periodic_mix/bpftrace/tcg4" in paths
    assert "builtin/scx_bpfland/periodic_mix/bpftrace/taskset/tcg4" in paths
    assert "none_vs_isolcpus/fair/periodic_mix/bpftrace/tcg4" not in paths
    # A workload that no CPU is left for, on either side.
    one = config_of(machine=["tcg1"], isolation=["taskset", "cpuset"])
    assert plan(one, TCG).cells == []
    assert pairs_of(one) == []


def two_versions(folder: Path) -> Path:
    """A catalogue with a scheduler in three versions, and one like them with another argument."""
    entry = {
        "source": "crate",
        "about": "for the test",
        "binary": "scx_rusty",
        "ops": "rusty_.*",
        "stats": True,
    }
    schedulers = {
        "rusty-10": {**entry, "crate_version": "1.10.0"},
        "rusty-9": {**entry, "crate_version": "1.9.2"},
        "rusty-9-fifo": {**entry, "crate_version": "1.9.2", "args": ["--fifo-sched"]},
        "rusty-10-fifo": {**entry, "crate_version": "1.10.0", "args": ["--fifo-sched"]},
        "rusty-same": {**entry, "crate_version": "1.10.0"},
    }
    (folder / "schedulers.yaml").write_text(yaml.safe_dump(schedulers))
    return folder


def test_schedulers_alike_but_for_their_version(tmp_path: Path) -> None:
    config = config_of(
        catalog=["config/catalog", str(two_versions(tmp_path))],
        scheduler=[
            "rusty-10",
            "rusty-9",
            "rusty-9-fifo",
            "rusty-10-fifo",
            "rusty-same",
            "scx_lavd",
        ],
    )
    rest = "periodic_mix/none/taskset/tcg4"
    assert said(pairs_of(config)) == [
        (f"rusty-9_vs_rusty-10/{rest}", "rusty-9 1.9.2", "rusty-10 1.10.0"),
        (f"rusty-9_vs_rusty-same/{rest}", "rusty-9 1.9.2", "rusty-same 1.10.0"),
        (f"rusty-9-fifo_vs_rusty-10-fifo/{rest}", "rusty-9-fifo 1.9.2", "rusty-10-fifo 1.10.0"),
    ]


def test_the_same_cell_of_other_results_is_a_version(tmp_path: Path) -> None:
    group = "fair/periodic_mix/none/taskset/tcg4"
    for rep in (0, 10, 9):
        run = tmp_path / f"night 1/runs/{group}/rep{rep}"
        run.mkdir(parents=True)
        (run / "status.json").touch()
    (tmp_path / f"night 1/runs/{group}/rep2").mkdir()
    here, other = str(tmp_path / "night 1"), str(tmp_path / "b/night 1")
    config = config_of(compare={"against": [here, other]})
    there, missing = plan_pairs(
        config, plan(config, TCG), plan_simulations(config, TCG), runs_below
    )
    assert [run.rpartition("/")[2] for run in there.a.runs] == ["rep0", "rep9", "rep10"]
    assert there.a.name == here and there.b.name == "here"
    assert there.b.runs[0] == f"results/runs/{group}/rep0"
    assert there.where["tracer"] == "none"
    assert missing.a.settled is not None
    assert missing.a.settled.verdict is Verdict.NOT_MEASURED
    assert f"no run of {group} below {other}/runs" == missing.a.settled.reason
    # Folders of one name are told apart, and a path is plain.
    assert there.path != missing.path
    assert " " not in there.path and there.path.endswith(group)


def test_files_are_all_of_ours_and_those_that_are_there_of_others(tmp_path: Path) -> None:
    ours = files_of("results/runs/a/b/c/d/e/rep0")
    assert [Path(file).name for file in ours] == list(FILES)
    again = files_of("results/compare/again/builtin/a/b/c/seed0")
    assert {Path(file).name for file in again} == set(FILES) - {"metrics.parquet"}
    (tmp_path / "status.json").touch()
    assert files_of(str(tmp_path)) == [f"{tmp_path}/status.json"]


def test_a_spec_does_not_change_with_what_else_is_compared() -> None:
    one = config_of(tracer=["none", "bpftrace"])
    more = config_of(tracer=["none", "bpftrace"], compare={"against": ["before"]})
    (first,) = pairs_of(one)
    again = next(pair for pair in pairs_of(more) if pair.family == "tracer_none")
    assert first.spec(None, one.compare) == again.spec(None, more.compare)
    tighter = replace(one.compare, alpha=0.01)
    assert first.spec(None, one.compare) != first.spec(None, tighter)


def test_a_spec_names_runs_where_they_lie() -> None:
    pair = PlannedPair(
        "version",
        "p",
        {},
        PlannedSide("a", ("/old/runs/x",)),
        PlannedSide("b", ("results/runs/x",)),
        "w",
        (("results/sim/x", "results/compare/again/x"),),
    )
    how = config_of().compare
    spec = pair.spec(None, how, lambda folder: str(Path("below", folder)))
    assert list(spec["a"]["runs"]) == ["/old/runs/x"]
    assert list(spec["b"]["runs"]) == ["below/results/runs/x"]
    assert spec["again"] == [["below/results/sim/x", "below/results/compare/again/x"]]
    moved = {"a": 0, "b": 0, "again": 0}
    assert {**spec, **moved} == {**pair.spec(None, how), **moved}


AXES: dict[str, list[str]] = {
    "scheduler": ["fair", "scx_simple", "scx_rusty", "scx_simple-fifo", "scx_pair"],
    "workload": ["periodic_mix", "hackbench"],
    "tracer": ["none", "bpftrace", "perf-sched", "scx-stats+bpftrace", "scx-stats"],
    "isolation": ["none", "taskset", "isolcpus"],
    "machine": ["tcg1", "tcg4", "tcg4-7.3", "kvm4", "auto4"],
    "simulator": ["builtin", "scxsim"],
}


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {axis: st.lists(st.sampled_from(v), min_size=1, unique=True) for axis, v in AXES.items()}
    )
)
def test_any_plan(axes: dict[str, list[str]]) -> None:
    config = config_of(**axes, compare={"against": ["before"]})
    planned = {f"results/runs/{cell.path}" for cell in plan(config, TCG).cells}
    planned |= {f"results/sim/{cell.path}" for cell in plan_simulations(config, TCG).cells}
    found = pairs_of(config, there=["before/runs/x/rep0"])
    assert len({pair.folder for pair in found}) == len(found)
    assert len(
        {frozenset((pair.a.runs, pair.b.runs)) for pair in found if not settled(pair)}
    ) == len([pair for pair in found if not settled(pair)])
    for pair in found:
        assert not (pair.a.settled and pair.b.settled)
        for side in (pair.a, pair.b):
            assert bool(side.runs) == (side.settled is None)
            assert {run for run in side.runs if run.startswith("results/")} <= planned
        assert pair.a.runs != pair.b.runs
        assert pair.where["workload"] == pair.workload
        # All runs of a side are of one group.
        assert len({run.rpartition("/")[0] for run in pair.b.runs}) <= 1


def settled(pair: PlannedPair) -> bool:
    return bool(pair.a.settled or pair.b.settled or "against" in pair.path)


@pytest.mark.parametrize("family", ["tracer", "isolation"])
def test_only_the_families_asked_for(family: str) -> None:
    config = config_of(
        tracer=["bpftrace", "ftrace"],
        isolation=["none", "taskset"],
        compare={"families": [family]},
    )
    assert {pair.family for pair in pairs_of(config)} == {family}
