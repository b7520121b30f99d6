# SPDX-License-Identifier: MIT
"""The plan of an archive: what is there is planned, whatever this host can do; the rest is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.catalog.config import Config, parse_config
from scxval.catalog.outcomes import Outcome
from scxval.planning import planned_of_archive

from ..conftest import ROOT

AXES = {
    "scheduler": ["scx_simple"],
    "workload": "periodic_mix",
    "tracer": ["none", "bpftrace"],
    "machine": "auto4",
    "reps": 2,
    "runs": "archived",
}


def config(raw: dict[str, Any], **changes: Any) -> Config:
    return parse_config({**raw, **AXES, **changes}, ROOT)


def put(results: Path, *paths: str) -> None:
    for path in paths:
        (results / path).mkdir(parents=True)
        (results / path / "status.json").write_text("{}")


def cells(*tracers: str, machine: str = "kvm4", reps: int = 2) -> list[str]:
    return [
        f"runs/{scheduler}/periodic_mix/{tracer}/taskset/{machine}/rep{rep}"
        for scheduler in ("fair", "scx_simple")
        for tracer in tracers
        for rep in range(reps)
    ]


def test_what_is_there_is_planned_on_any_host(raw_config: dict[str, Any], tmp_path: Path) -> None:
    """The runs are of a machine with KVM: this host's probe has no say, nor its memory."""
    put(tmp_path, *cells("none", "bpftrace"))
    found = planned_of_archive(config(raw_config), tmp_path)
    assert len(found.plan.cells) == 8 and {c.machine for c in found.plan.cells} == {"kvm4"}
    assert found.plan.unresolved == []
    # The calibration run is not there, nor a simulation.
    (calibration,) = found.plan.excluded
    assert calibration.cell.workload == "calibration" and calibration.outcome == Outcome.LEFT_OUT
    assert found.simulations.cells == []
    assert {e.outcome for e in found.simulations.excluded} == {Outcome.LEFT_OUT}


def test_pairs_are_of_what_is_there(raw_config: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path, *cells("none"), *cells("bpftrace", reps=1))
    put(tmp_path, "sim/builtin/scx_simple/periodic_mix/kvm4/seed0")
    families = {**raw_config["compare"], "families": ["simulator", "tracer_none"]}
    found = planned_of_archive(config(raw_config, compare=families), tmp_path)
    sides = {pair.path: (len(pair.a.runs), len(pair.b.runs)) for pair in found.pairs.values()}
    assert sides == {
        "builtin/scx_simple/periodic_mix/bpftrace/taskset/kvm4": (1, 1),
        "bpftrace/fair/periodic_mix/taskset/kvm4": (2, 1),
        "bpftrace/scx_simple/periodic_mix/taskset/kvm4": (2, 1),
    }


def test_an_empty_archive_leaves_all_out(raw_config: dict[str, Any], tmp_path: Path) -> None:
    found = planned_of_archive(config(raw_config), tmp_path)
    assert found.plan.cells == [] and len(found.plan.excluded) == 9 and not found.pairs
    assert all(str(tmp_path / "runs") in e.reason for e in found.plan.excluded)


@settings(max_examples=20)
@given(there=st.sets(st.sampled_from(cells("none", "bpftrace"))))
def test_nothing_is_lost(
    raw_config: dict[str, Any], tmp_path_factory: Any, there: set[str]
) -> None:
    results = tmp_path_factory.mktemp("archive")
    put(results, *there)
    found = planned_of_archive(config(raw_config, simulator="none"), results).plan
    assert {f"runs/{cell.path}" for cell in found.cells} == there
    assert len(found.cells) + len(found.excluded) == 8
