# SPDX-License-Identifier: MIT
"""The model of the kernel's own scheduler: shares, latency, placement and balance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.catalog.outcomes import Outcome
from scxval.events.schema import TraceKind
from scxval.simulate.base import Request, Simulated
from scxval.simulate.builtin.models.eevdf import Entities, base_slice_ns
from scxval.simulate.builtin.simulate import simulate

from ...rtapp_file import write_rtapp
from .cpu_time import stints

Ask = Callable[..., Request]
Simulate = Callable[..., Simulated]
HOG = {"run": 50_000}
TICK_NS = 4_000_000
# sched_prio_to_weight[] of nice 0 and 5.
WEIGHTS = {0: 1024, 5: 335}


@pytest.fixture
def fair(ask: Ask, tmp_path: Path) -> Simulate:
    """Simulate tasks of an rt-app file under fair on so many CPUs."""

    def run(
        tasks: dict[str, Any], cpus: int, seconds: int = 4, scheduler: str = "fair"
    ) -> Simulated:
        file = write_rtapp(tmp_path / "w.json", tasks, duration=seconds).file
        request = ask(scheduler, file)
        machine = replace(request.machine, vcpus=cpus, llcs=1, threads=1)
        request = replace(
            request,
            machine=machine,
            spare_cpus=0,
            seconds=seconds,
            parameters=replace(request.parameters, tick_ns=TICK_NS),
        )
        found = simulate(request, tmp_path)
        assert (found.outcome, found.reason) == (Outcome.OK, "")
        return found

    return run


def test_equal_tasks_get_equal_time(fair: Simulate) -> None:
    times = stints(fair({"a": {**HOG, "instance": 3}}, cpus=1).table).by_tid().values()
    # No two differ by more than a slice that ends at a tick.
    assert max(times) - min(times) <= 2 * TICK_NS
    assert len(times) == 3


def test_time_is_as_weights(fair: Simulate) -> None:
    found = fair({"a": HOG, "b": {**HOG, "priority": 5}}, cpus=1, seconds=8)
    total = stints(found.table).total_ns()
    ratio = total["a"] / total["b"]
    assert ratio == pytest.approx(WEIGHTS[0] / WEIGHTS[5], rel=0.03)


def test_slices_end_at_the_tick_after_the_base_slice(fair: Simulate) -> None:
    """On one CPU the base slice is 0.7 ms, so that every tick ends one."""
    ns = stints(fair({"a": {**HOG, "instance": 2}}, cpus=1).table).ns
    assert np.median(ns) == pytest.approx(TICK_NS, rel=0.01)


def test_a_sleeper_preempts_a_hog_at_once(fair: Simulate) -> None:
    """It wakes with lag of its own, so it is eligible and its deadline comes first; the hog is protected only
    while it is eligible."""
    table = fair({"hog": HOG, "s": {"run": 500, "sleep": 9500}}, cpus=1).table
    kind = np.array(table["kind"].cast("string").to_pylist())
    comm = np.array(table["comm"].cast("string").to_pylist())
    reason = np.array(table["reason"].cast("string").to_pylist())
    time = table["time_ns"].to_numpy()
    woke = time[(kind == "TaskWoke") & (comm == "s") & (reason == "wakeup")]
    on = time[(kind == "TaskScheduled") & (comm == "s")]
    delays = on[np.searchsorted(on, woke[:-1])] - woke[:-1]
    assert len(delays) > 300
    assert np.median(delays) < 100_000
    assert delays.max() <= TICK_NS + 1_000_000


def test_no_cpu_idles_while_a_task_waits(fair: Simulate) -> None:
    """Six hogs and four CPUs: nobody sleeps, so all CPU time is used but for the start."""
    found = fair({"a": {**HOG, "instance": 6}}, cpus=4)
    assert sum(stints(found.table).by_tid().values()) > 0.99 * 4 * 4e9


def test_balance_moves_tasks_of_equal_weight_around(fair: Simulate) -> None:
    """Five hogs and four CPUs: without balance three would have a CPU each, twice the two others' time."""
    found = fair({"a": {**HOG, "instance": 5}}, cpus=4, seconds=8)
    times = sorted(stints(found.table).by_tid().values())
    assert str(TraceKind.TASK_MIGRATED) in set(found.table["kind"].cast("string").to_pylist())
    assert times[-1] / times[0] < 1.5


def test_affinity_holds(fair: Simulate) -> None:
    found = fair({"a": {**HOG, "cpus": [1], "instance": 2}, "b": {**HOG, "instance": 3}}, cpus=3)
    ran = stints(found.table)
    # The first stint of a thread is before it has set its mask.
    late = ran.start_ns > 100_000_000
    assert set(ran.cpu[late & (ran.comm == "a")].tolist()) == {1}


def test_a_task_that_yields_gives_the_cpu_away(fair: Simulate) -> None:
    found = fair({"y": {"run": 200, "yield": ""}, "hog": HOG}, cpus=1)
    ran = stints(found.table)
    yielded = ran.end[ran.comm == "y"] == "TaskYielded"
    assert yielded.sum() > 100
    # It forfeits what is left of each request: never more than its half.
    total = ran.total_ns()
    assert total["y"] < total["hog"]


def test_only_kinds_that_any_class_shows(fair: Simulate) -> None:
    found = fair({"a": {**HOG, "instance": 3}}, cpus=2, seconds=1)
    assert found.policy == "model"
    assert found.facts["model"].startswith("a model: EEVDF")
    assert "DsqInsert" not in found.capability.kinds
    assert set(found.table["kind"].cast("string").to_pylist()) <= set(found.capability.kinds)


def test_same_seed_same_events(fair: Simulate) -> None:
    tasks = {"a": {**HOG, "instance": 5}, "s": {"run": 700, "sleep": 1500, "instance": 4}}
    one, two = (fair(tasks, cpus=3, seconds=1).table for _ in range(2))
    assert one.equals(two)
    assert one.num_rows > 1000


def test_base_slice_grows_with_cpus() -> None:
    """get_update_sysctl_factor(): 1 + ilog2(CPUs), of at most 8."""
    assert [base_slice_ns(n) // 700_000 for n in (1, 2, 3, 4, 7, 8, 64)] == [1, 2, 2, 3, 3, 4, 4]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from([15, 335, 1024, 88761]), st.integers(1, 50)),
        min_size=1,
        max_size=8,
    )
)
def test_lags_cancel_and_somebody_is_eligible(steps: list[tuple[int, int]]) -> None:
    """The sum of w * (V - v) is 0 but for rounding (EEVDF's invariant); the pick is eligible."""
    se = Entities(1, TICK_NS)
    now = 0
    for p, (weight, _) in enumerate(steps):
        se.add(p, weight)
        se.enqueue(0, p, 0)
    for _, run_ms in steps * 3:
        picked = se.pick_eevdf(0)
        assert se.eligible(0, picked)
        se.set_next(0, picked, now)
        now += run_ms * 100_000
        se.update_curr(0, now)
        average = se.avg_vruntime(0)
        total = sum(se.weight[p] * (average - se.vruntime[p]) for p in range(len(steps)))
        assert -sum(se.weight) < total <= 0
        se.put_prev(0, picked)
