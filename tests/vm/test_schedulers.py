# SPDX-License-Identifier: MIT
"""Every scheduler of the kernel's tree attaches, schedules a workload and detaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.catalog.load import load_catalog
from scxval.vm.launch import Guest

from ..conftest import ROOT
from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm

CATALOG = load_catalog([ROOT / "config/catalog"])
TREE = sorted(s.name for s in CATALOG.schedulers.values() if s.source == "tree" and not s.args)


@pytest.mark.parametrize("name", TREE)
def test_attaches_runs_detaches(
    fault_config: Config, saved: Guest, tmp_path: Path, name: str
) -> None:
    spec = spec_of(fault_config, scheduler=name, machine="restored2")
    status = run(spec, saved, tmp_path / "cell")
    assert status["outcome"] == "ok", (status["reason"], status["log_tail"])
    assert status["scheduler"]["before"] == status["scheduler"]["after"]
    assert status["exit_codes"]["scheduler"] == 0
    dmesg = (tmp_path / "cell/raw/dmesg.log").read_text()
    assert "disabled (unregistered from user space)" in dmesg


def test_a_stalling_scheduler_is_ejected_by_the_watchdog(
    fault_config: Config, guest: Guest, tmp_path: Path
) -> None:
    spec = spec_of(fault_config, scheduler="stall", workload="oversub_mix")
    status = run(spec, guest, tmp_path / "cell")
    assert status["outcome"] == "scheduler_ejected", status
    dmesg = (tmp_path / "cell/raw/dmesg.log").read_text()
    assert "runnable task stall" in dmesg
