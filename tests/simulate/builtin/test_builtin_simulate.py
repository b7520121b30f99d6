# SPDX-License-Identifier: MIT
"""Real schedulers' code, compiled, in simulated machines: what comes out of one request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from scxval.catalog.outcomes import Outcome
from scxval.events.columns import KINDS
from scxval.events.metrics import measure
from scxval.events.table import read_events
from scxval.simulate.base import Request
from scxval.simulate.builtin.api import enumerators
from scxval.simulate.builtin.records import PROBES
from scxval.simulate.builtin.simulate import simulate
from scxval.simulate.run import run_simulation

from ..rtapp_file import write_rtapp

Ask = Callable[..., Request]


def kinds_of(table: Any) -> set[str]:
    return set(pc.unique(table["kind"].cast("string")).to_pylist())


def test_kinds_and_reasons_are_the_tables_own() -> None:
    kinds = [name for name in enumerators("sim_kind") if name != "SIM_NR_KINDS"]
    spelled = [name.removeprefix("SIM_").replace("_", "").lower() for name in kinds]
    assert spelled == [str(kind).lower() for kind in KINDS[: len(kinds)]]
    assert list(PROBES) == KINDS[: len(kinds)]


def test_scx_simple_is_its_own_code(ask: Ask, tmp_path: Path) -> None:
    found = simulate(ask("scx_simple", "periodic_mix"), tmp_path)
    assert (found.outcome, found.reason, found.policy) == (Outcome.OK, "", "code")
    assert found.facts["library"]["scheduler"] == "scx_simple"
    assert found.facts["library"]["library_sha256"]
    kinds = kinds_of(found.table)
    assert kinds <= set(found.capability.kinds)
    assert {"DsqInsert", "PickTask", "Tick", "SimulationEnd", "TaskSlept"} <= kinds
    assert set(pc.unique(found.table["comm"].cast("string")).drop_null().to_pylist()) == {
        *("hog", "per8", "per20"),
    }
    # The workload keeps off the tracer's CPU.
    on = found.table.filter(pc.equal(found.table["kind"].cast("string"), "TaskScheduled"))
    assert set(on["cpu"].to_pylist()) <= {0, 1, 2}


def test_a_cpu_that_nothing_runs_on_is_idle_not_unknown(ask: Ask, tmp_path: Path) -> None:
    found = simulate(ask("scx_simple", "periodic_mix"), tmp_path)
    assert found.window_ns is not None
    metrics = measure(found.table, found.capability, found.window_ns, [0, 1, 2, 3]).to_pylist()
    idle = {
        row["name"]: row["value"]
        for row in metrics
        if (row["scope"], row["metric"], row["stat"]) == ("cpu", "utilisation", "value")
    }
    assert idle["3"] == 0
    assert all(0 < idle[cpu] <= 1 for cpu in "012")


@pytest.mark.parametrize("scheduler", ["scx_simple", "scx_central", "scx_qmap", "scx_flatcg"])
def test_columns_that_are_filled_are_those_named(ask: Ask, tmp_path: Path, scheduler: str) -> None:
    found = simulate(ask(scheduler, "yielding"), tmp_path)
    assert found.outcome is Outcome.OK
    for kind in kinds_of(found.table):
        rows = found.table.filter(pc.equal(found.table["kind"].cast("string"), kind))
        filled = {
            name
            for name in rows.schema.names
            if rows[name].null_count < rows.num_rows
            and name not in ("time_ns", "cpu", "kind", "probe", "seq")
        }
        assert filled <= set(found.capability.fields[kind]), kind


def test_the_same_seed_gives_the_same_bytes(ask: Ask, tmp_path: Path) -> None:
    digests = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_simulation(ask("scx_simple", "oversub_mix", seed=seed), tmp_path / folder)
        content = (tmp_path / folder / "events.parquet").read_bytes()
        digests.append(hashlib.sha256(content).hexdigest())
    assert digests[0] == digests[1] != digests[2]
    assert read_events(tmp_path / "a/events.parquet").num_rows > 1000


@pytest.mark.parametrize(
    ("scheduler", "workload", "reason"),
    [
        ("scx_userland", "periodic_mix", "its policy is in user space"),
        ("scx_pair", "periodic_mix", "scx_pair.bpf.c:"),
        ("scx_bpfland", "periodic_mix", "has no model here"),
        ("scx_simple", "hackbench", "only rt-app files say what their tasks do"),
        ("scx_simple", "cgroup_max", "cpu.max: bandwidth"),
    ],
)
def test_what_cannot_be_simulated_is_unsupported_with_the_reason(
    ask: Ask, tmp_path: Path, scheduler: str, workload: str, reason: str
) -> None:
    found = simulate(ask(scheduler, workload), tmp_path)
    assert found.outcome is Outcome.UNSUPPORTED
    assert reason in found.reason
    assert found.table.num_rows == 0
    assert found.capability.kinds == []


def test_a_library_that_was_not_built(ask: Ask, tmp_path: Path) -> None:
    request = ask("scx_simple", "periodic_mix", library=tmp_path / "scx_simple.so")
    found = simulate(request, tmp_path)
    assert found.outcome is Outcome.UNSUPPORTED
    assert "run `snakemake provision`" in found.reason


def test_sixteen_tasks_that_never_sleep_end_at_the_limit(ask: Ask, tmp_path: Path) -> None:
    """Wall clock that is not enough is an outcome, and nothing of the process is left."""
    file = write_rtapp(tmp_path / "w.json", {"a": {"instance": 64, "run": 1, "yield": ""}}).file
    assert file is not None
    request = replace(ask("scx_simple", file), seconds=100_000, limit_s=1)
    found = simulate(request, tmp_path)
    assert found.outcome is Outcome.TIMEOUT
    assert "not done after 1 s" in found.reason
