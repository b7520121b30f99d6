# SPDX-License-Identifier: MIT
"""Parameters out of a real run of the calibration workload, and what happens without one."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from scxval.catalog.load import Catalog
from scxval.errors import ScxvalError
from scxval.simulate.builtin.simulate import simulate
from scxval.simulate.calibrate import (
    Measured,
    calibrate,
    defaults,
    parameters_of,
    write_parameters,
)
from scxval.simulate.parameters import Parameters, parameter_names, read_parameters

from ..conftest import ROOT

RUN = ROOT / "tests/fixtures/calibration"
WORKLOAD = ROOT / "config/workloads/calibration.json"
CELL = "scx_simple/calibration/bpftrace/taskset/tcg4/rep0"


def test_a_real_run(tmp_path: Path) -> None:
    found = parameters_of(CELL, RUN, WORKLOAD, {})
    # Debian's kernel has CONFIG_HZ=250.
    assert found.tick_ns == 4_000_000
    # Read off this trace by eye: wakings some 60 to 100 us before the switch, sleeps 60 to 150 us late.
    assert 40_000 < found.wake_ns < 150_000
    assert 3_000 < found.switch_ns < 30_000 < found.wake_ns
    assert found.ipi_ns < found.wake_ns
    assert 50_000 < found.sleep_late_ns < 200_000
    assert 300_000 < found.run_scale_ppm < 700_000
    assert found.rtapp_calibration == 1000
    assert sorted(found.sources) == sorted(parameter_names())
    assert found.sources["wake_ns"].startswith(f"calibration cell {CELL}: ")
    write_parameters(tmp_path / "deep/tcg4.json", "tcg4", CELL, found)
    assert read_parameters(tmp_path / "deep/tcg4.json") == found


def test_what_is_simulated_with_them_is_measured_as_them(ask, tmp_path: Path) -> None:
    """The engine's own table gives back the parameters that it ran with."""
    given = Parameters(
        tick_ns=4_000_000,
        wake_ns=20_000,
        wake_cv_ppm=100_000,
        sleep_late_ns=80_000,
        sleep_late_cv_ppm=50_000,
        run_scale_ppm=1_500_000,
        rtapp_calibration=1000,
        spawn_ns=300_000,
    )
    request = replace(ask("scx_simple", WORKLOAD), seconds=2, parameters=given)
    found = simulate(request, tmp_path)
    assert found.window_ns is not None
    from scxval.catalog.rtapp import read_rtapp

    back = calibrate(found.table, found.window_ns, read_rtapp(WORKLOAD), "sim")
    assert back.tick_ns == given.tick_ns
    assert back.spawn_ns == given.spawn_ns
    for name, within in (
        ("wake_ns", 0.05),
        ("sleep_late_ns", 0.05),
        ("run_scale_ppm", 0.02),
        ("wake_cv_ppm", 0.3),
        ("sleep_late_cv_ppm", 0.3),
    ):
        wanted = getattr(given, name)
        assert abs(getattr(back, name) - wanted) <= within * wanted, name


def test_a_run_that_failed_leaves_the_defaults_with_the_reason(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    status = tmp_path / "run/status.json"
    record = {**json.loads(status.read_text()), "outcome": "panic", "reason": "it burnt"}
    status.write_text(json.dumps(record))
    found = parameters_of(CELL, tmp_path / "run", WORKLOAD, {"tick_ns": 1_234_567})
    assert found.tick_ns == 1_234_567
    assert found.sources["tick_ns"].startswith("given: ")
    assert found.wake_ns == Parameters().wake_ns
    assert found.sources["wake_ns"] == f"default: calibration cell {CELL} ended panic: it burnt"


def test_few_samples_are_none() -> None:
    from scxval.catalog.rtapp import read_rtapp
    from scxval.events.table import read_events

    start = json.loads((RUN / "status.json").read_text())["window_ns"][0]
    table = read_events(RUN / "events.parquet")
    found = calibrate(table, (start, start + 15_000_000), read_rtapp(WORKLOAD), "c")
    assert found.wake_ns == Parameters().wake_ns
    assert "20 are needed" in found.sources["wake_ns"]


def test_spread_is_robust() -> None:
    samples = np.random.default_rng(1).normal(1000, 100, 5000).astype(np.int64)
    samples[:100] = 10**9
    measured = Measured(samples, "")
    assert abs(measured.median - 1000) < 20
    assert abs(measured.cv_ppm - 100_000) < 10_000


def test_an_unknown_parameter_is_named(catalog: Catalog) -> None:
    with pytest.raises(ScxvalError, match="'tik_ns'; did you mean 'tick_ns'"):
        defaults("none", {"tik_ns": 1})
    assert set(asdict(defaults("why", {}))["sources"].values()) == {"default: why"}
