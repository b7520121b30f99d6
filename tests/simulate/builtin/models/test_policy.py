# SPDX-License-Identifier: MIT
"""Policies of a test's own on the engine: what they are given, and what becomes of their faults."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from scxval.catalog.outcomes import Outcome
from scxval.simulate.base import Request
from scxval.simulate.builtin import models
from scxval.simulate.builtin.models.policy import SCX_DSQ_LOCAL, Policy
from scxval.simulate.builtin.simulate import simulate

Ask = Callable[..., Request]
Install = Callable[[type[Policy]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a class the model of every scheduler."""

    def as_model(policy: type[Policy]) -> None:
        model = models.Model("a model: a test's", policy.sched_ext, policy)
        monkeypatch.setattr("scxval.simulate.builtin.simulate.model_for", lambda scheduler: model)

    return as_model


class Shared(Policy):
    """One queue by CPU time so far, slices of 3 ms."""

    about = "a test's"

    def init(self) -> int:
        return self.kernel.scx_bpf_create_dsq(7)

    def enqueue(self, p: int, enq_flags: int) -> None:
        assert self.kernel.allowed(p, 0) and self.kernel.weight(p) == 100
        vtime = self.kernel.runtime_ns(p)
        self.kernel.scx_bpf_dsq_insert_vtime(p, 7, 3_000_000, vtime, enq_flags)

    def dispatch(self, cpu: int, prev: int) -> None:
        waiting = self.kernel.scx_bpf_dsq_nr_queued(7)
        assert self.kernel.scx_bpf_dsq_move_to_local(7) == (waiting > 0)


class Other(Policy):
    """Of no sched_ext class."""

    about = "a test's"
    sched_ext = False

    def enqueue(self, p: int, enq_flags: int) -> None:
        self.kernel.scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, 1_000_000, enq_flags)


class Raises(Other):
    def running(self, p: int) -> None:
        raise KeyError("no such\ndomain")


class GivesUp(Other):
    def tick(self, p: int) -> None:
        self.kernel.scx_bpf_error("enough")


class Refuses(Other):
    def init(self) -> int:
        return -22


class Crashes(Other):
    def running(self, p: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class NoSuchTask(Other):
    def running(self, p: int) -> None:
        self.kernel.set_slice_ns(4000, 1)


class NoSuchQueue(Other):
    def enqueue(self, p: int, enq_flags: int) -> None:
        self.kernel.scx_bpf_dsq_insert(p, 99, 1_000_000, enq_flags)


def test_a_policy_decides(install: Install, ask: Ask, tmp_path: Path) -> None:
    install(Shared)
    found = simulate(ask("scx_rusty", "oversub"), tmp_path)
    assert (found.outcome, found.reason, found.policy) == (Outcome.OK, "", "model")
    assert found.facts["model"] == "a model: a test's"
    inserts = found.table.filter(pc.equal(found.table["kind"].cast("string"), "DsqInsertVtime"))
    assert inserts.num_rows > 100
    assert set(inserts["dsq_id"].to_pylist()) == {7}
    assert set(inserts["slice_ns"].to_pylist()) == {3_000_000}


def test_another_class_shows_no_sched_ext(install: Install, ask: Ask, tmp_path: Path) -> None:
    install(Other)
    found = simulate(ask("scx_rusty", "oversub"), tmp_path)
    assert found.outcome is Outcome.OK
    kinds = set(pc.unique(found.table["kind"].cast("string")).to_pylist())
    assert kinds <= set(found.capability.kinds)
    assert "DsqInsert" not in found.capability.kinds
    assert found.table.num_rows > 100


@pytest.mark.parametrize(
    ("policy", "outcome", "reason"),
    [
        (Raises, Outcome.SIMULATOR_FAILED, "KeyError: 'no such\\ndomain'"),
        (Raises, Outcome.SIMULATOR_FAILED, "the model failed at test_policy.py:"),
        (NoSuchTask, Outcome.SIMULATOR_FAILED, "task 4000, which does not exist"),
        (Crashes, Outcome.SIMULATOR_FAILED, "was ended by SIGKILL"),
        (GivesUp, Outcome.SCHEDULER_EJECTED, "enough"),
        (NoSuchQueue, Outcome.SCHEDULER_EJECTED, "non-existent DSQ 0x63"),
        (Refuses, Outcome.SCHEDULER_REJECTED, "ops.init() failed (-22)"),
    ],
)
def test_faults_are_outcomes_with_a_reason(
    install: Install,
    ask: Ask,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    policy: type[Policy],
    outcome: Outcome,
    reason: str,
) -> None:
    install(policy)
    found = simulate(ask("scx_rusty", "oversub"), tmp_path)
    assert found.outcome is outcome
    assert reason in found.reason
    assert "\n" not in found.reason
    assert "Traceback" not in capfd.readouterr().err
