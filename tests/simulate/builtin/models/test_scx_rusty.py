# SPDX-License-Identifier: MIT
"""The model of scx_rusty: its options, its slices by utilisation, domains and their balance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.simulate.base import Request, Simulated
from scxval.simulate.builtin.models import model_for
from scxval.simulate.builtin.models.rusty_task import Options, parse_options
from scxval.simulate.builtin.simulate import simulate

from ...rtapp_file import write_rtapp
from .cpu_time import stints

Ask = Callable[..., Request]
Simulate = Callable[..., Simulated]
HOG = {"run": 50_000}


@pytest.fixture
def rusty(ask: Ask, tmp_path: Path) -> Simulate:
    """Simulate tasks of an rt-app file under scx_rusty on so many CPUs."""

    def run(
        tasks: dict[str, Any], cpus: int, llcs: int = 1, scheduler: str = "scx_rusty"
    ) -> Simulated:
        file = write_rtapp(tmp_path / "w.json", tasks, duration=4).file
        request = ask(scheduler, file)
        machine = replace(request.machine, vcpus=cpus, llcs=llcs, threads=1)
        found = simulate(replace(request, machine=machine, spare_cpus=0, seconds=4), tmp_path)
        assert (found.outcome, found.reason) == (Outcome.OK, "")
        return found

    return run


def _column(found: Simulated, kind: str, name: str) -> list[int]:
    rows = found.table["kind"].cast("string").to_numpy(zero_copy_only=False) == kind
    return found.table[name].to_numpy()[rows].tolist()


def test_slices_are_short_once_all_cpus_are_busy(rusty: Simulate) -> None:
    """20 ms until the tuner has seen two full CPUs (100 ms), then 1 ms."""
    found = rusty({"a": {**HOG, "instance": 4}}, cpus=2)
    time = np.array(_column(found, "DsqInsertVtime", "time_ns"))
    slices = np.array(_column(found, "DsqInsertVtime", "slice_ns"))
    assert set(slices[time < 100_000_000].tolist()) == {20_000_000}
    assert set(slices[time > 300_000_000].tolist()) == {1_000_000}


def test_an_idle_cpu_is_used_at_once(rusty: Simulate) -> None:
    """With a CPU for each, no task is ever put in a domain's queue: direct dispatch."""
    found = rusty({"s": {"run": 500, "sleep": 1500, "instance": 2}}, cpus=4)
    assert _column(found, "DsqInsertVtime", "dsq_id") == []
    assert len(_column(found, "DsqInsert", "dsq_id")) > 1000


def _delays_ns(found: Simulated, comm: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """From each wakeup of a task to its next run."""
    kind, name = (
        np.array(found.table[column].cast("string").to_pylist()) for column in ("kind", "comm")
    )
    reason = np.array(found.table["reason"].cast("string").to_pylist())
    time = found.table["time_ns"].to_numpy()
    woke = time[(kind == "TaskWoke") & (name == comm) & (reason == "wakeup")][:-1]
    on = time[(kind == "TaskScheduled") & (name == comm)]
    return on[np.searchsorted(on, woke)] - woke


def test_a_task_of_short_runs_goes_before_hogs(rusty: Simulate) -> None:
    """Its mean runtime makes its deadline the first, so that it waits for one hog; in order of arrival it
    waits for all six."""
    tasks = {"a": {**HOG, "instance": 6}, "s": {"run": 500, "sleep": 20_000}}
    by_deadline = np.median(_delays_ns(rusty(tasks, cpus=1), "s"))
    in_order = np.median(_delays_ns(rusty(tasks, cpus=1, scheduler="scx_rusty-fifo"), "s"))
    assert in_order > 3 * by_deadline


def test_fifo_is_without_vtime(rusty: Simulate) -> None:
    found = rusty({"a": {**HOG, "instance": 4}}, cpus=2, scheduler="scx_rusty-fifo")
    assert _column(found, "DsqInsertVtime", "vtime") == []
    times = list(stints(found.table).by_tid().values())
    assert max(times) < 1.05 * min(times)


def test_domains_steal_from_each_other(rusty: Simulate) -> None:
    """Two LLCs of two CPUs and six hogs: all CPU time is used, and tasks have run in both."""
    ran = stints(rusty({"a": {**HOG, "instance": 6}}, cpus=4, llcs=2).table)
    assert ran.ns.sum() > 0.99 * 4 * 4e9
    times = list(ran.by_tid().values())
    assert max(times) < 1.6 * min(times)


def test_affinity_holds(rusty: Simulate) -> None:
    found = rusty(
        {"a": {**HOG, "cpus": [3], "instance": 2}, "b": {**HOG, "instance": 3}}, 4, llcs=2
    )
    ran = stints(found.table)
    late = ran.start_ns > 100_000_000
    assert set(ran.cpu[late & (ran.comm == "a")].tolist()) == {3}


def test_options() -> None:
    assert parse_options(["--fifo-sched", "-o", "500"]) == Options(
        fifo_sched=True, slice_us_overutil=500
    )
    with pytest.raises(ScxvalError, match=r"unrecognized arguments: --perf 1024"):
        parse_options(["--perf", "1024"])


def test_an_option_without_a_model_is_unsupported(ask: Ask, tmp_path: Path) -> None:
    request = ask("scx_rusty", "oversub")
    request = replace(request, scheduler=replace(request.scheduler, args=("-k",)))
    found = simulate(request, tmp_path)
    assert found.outcome is Outcome.UNSUPPORTED
    assert "does not take these arguments: unrecognized arguments: -k" in found.reason


def test_who_has_a_model(ask: Ask) -> None:
    for name, has in (("fair", True), ("scx_rusty", True), ("scx_rusty-fifo", True)):
        assert (model_for(ask(name, "oversub").scheduler) is not None) is has
    for name in ("scx_bpfland", "scx_simple"):
        assert model_for(ask(name, "oversub").scheduler) is None
