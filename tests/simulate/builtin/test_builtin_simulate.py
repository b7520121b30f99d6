# SPDX-License-Identifier: MIT
"""Real schedulers' code, compiled, in simulated machines: what comes out of one request."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from scxval.catalog.outcomes import Outcome
from scxval.events.columns import KINDS
from scxval.events.schema import DSQ_GLOBAL, TraceKind
from scxval.events.table import read_events
from scxval.simulate.base import Request
from scxval.simulate.builtin import model
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


# -- policies in Python


@pytest.fixture
def as_model(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., model.Ops]], None]:
    """Make a function the model of scx_rusty."""

    def install(attach: Callable[..., model.Ops]) -> None:
        module = types.ModuleType("scx_rusty")
        module.attach = attach
        monkeypatch.setitem(sys.modules, model.model_name("scx_rusty"), module)
        monkeypatch.setattr(
            "scxval.simulate.builtin.simulate.has_model", lambda name: name == "scx_rusty"
        )

    return install


def test_a_model_decides(as_model: Any, ask: Ask, tmp_path: Path) -> None:
    def attach(sim: model.Simulation) -> model.Ops:
        def init() -> int:
            return sim.scx_bpf_create_dsq(7)

        def enqueue(p: Any, flags: int) -> None:
            assert sim.task_allows(p, 0)
            sim.scx_bpf_dsq_insert_vtime(p, 7, 3_000_000, sim.task_vtime(p), flags)

        def dispatch(cpu: int, prev: Any) -> None:
            waiting = sim.dsq_tasks(7)
            assert len(waiting) == sim.scx_bpf_dsq_nr_queued(7)
            sim.scx_bpf_dsq_move_to_local(7)

        def stopping(p: Any, runnable: bool) -> None:
            sim.task_set_vtime(p, sim.task_runtime(p))

        return model.Ops(init=init, enqueue=enqueue, dispatch=dispatch, stopping=stopping)

    as_model(attach)
    found = simulate(ask("scx_rusty", "oversub_mix"), tmp_path)
    assert (found.outcome, found.reason, found.policy) == (Outcome.OK, "", "model")
    inserts = found.table.filter(pc.equal(found.table["kind"].cast("string"), "DsqInsertVtime"))
    assert set(inserts["dsq_id"].to_pylist()) == {7}
    assert set(inserts["slice_ns"].to_pylist()) == {3_000_000}


def test_a_model_of_another_class_shows_no_sched_ext(
    as_model: Any, ask: Ask, tmp_path: Path
) -> None:
    def attach(sim: model.Simulation) -> model.Ops:
        def enqueue(p: Any, flags: int) -> None:
            sim.scx_bpf_dsq_insert(p, DSQ_GLOBAL, 1_000_000, flags)

        return model.Ops(enqueue=enqueue, sched_ext=False)

    as_model(attach)
    found = simulate(ask("scx_rusty", "oversub_mix"), tmp_path)
    assert found.outcome is Outcome.OK
    assert kinds_of(found.table) <= set(found.capability.kinds)
    assert str(TraceKind.DSQ_INSERT) not in found.capability.kinds
    assert found.table.num_rows > 100


def test_an_exception_in_an_operation_ends_the_simulation(
    as_model: Any, ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def attach(sim: model.Simulation) -> model.Ops:
        def enqueue(p: Any, flags: int) -> None:
            raise KeyError("no such domain")

        return model.Ops(enqueue=enqueue)

    as_model(attach)
    found = simulate(ask("scx_rusty", "oversub_mix"), tmp_path)
    assert found.outcome is Outcome.SIMULATOR_FAILED
    assert "KeyError: 'no such domain'" in found.reason
    assert "test_builtin_simulate.py:" in found.reason
    assert "Traceback" not in capfd.readouterr().err


def test_a_model_that_gives_up_is_ejected(as_model: Any, ask: Ask, tmp_path: Path) -> None:
    def attach(sim: model.Simulation) -> model.Ops:
        return model.Ops(tick=lambda p: sim.scx_bpf_error("enough"))

    as_model(attach)
    found = simulate(ask("scx_rusty", "cpu_bound"), tmp_path)
    assert found.outcome is Outcome.SCHEDULER_EJECTED
    assert "enough" in found.reason


def test_a_model_that_refuses_to_attach(as_model: Any, ask: Ask, tmp_path: Path) -> None:
    as_model(lambda sim: model.Ops(init=lambda: -22))
    found = simulate(ask("scx_rusty", "cpu_bound"), tmp_path)
    assert found.outcome is Outcome.SCHEDULER_REJECTED
    assert "ops.init() failed (-22)" in found.reason
    assert found.table.num_rows == 0


def test_a_crash_takes_nothing_else_with_it(as_model: Any, ask: Ask, tmp_path: Path) -> None:
    def attach(sim: model.Simulation) -> model.Ops:
        return model.Ops(init=lambda: sim.task_pid(sim.ffi.NULL))

    as_model(attach)
    found = simulate(ask("scx_rusty", "cpu_bound"), tmp_path)
    assert found.outcome is Outcome.SIMULATOR_FAILED
    assert "was ended by SIGSEGV" in found.reason
