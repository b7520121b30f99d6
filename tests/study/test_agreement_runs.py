# SPDX-License-Identifier: MIT
"""Different runs: the run is the unit, one run says nothing, and the interval decides."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from scxval.catalog.config import Agreement, agreement_limits
from scxval.events.metrics import measure, write_metrics
from scxval.study.agreement_runs import (
    JUDGED,
    Repetition,
    compare_runs,
    effect,
    main,
    read_repetition,
)

from .readings import captured, without

NAMES = ("first", "second")
JUDGED_KEYS = (
    "context_switches",
    "voluntary_switches",
    "involuntary_switches",
    "migrations",
)


@pytest.fixture(scope="module")
def limits() -> Agreement:
    return agreement_limits({})


def runs(values: list[float], outcome: str = "ok", **more: float | None) -> list[Repetition]:
    return [
        Repetition(
            rep,
            outcome,
            {
                **{("system", name, "value"): value for name in JUDGED_KEYS},
                ("system", "run_time", "value"): 1e9,
                **{("system", name, "value"): other for name, other in more.items()},
            },
        )
        for rep, value in enumerate(values)
    ]


def around(centre: float, spread: float, count: int, seed: int) -> list[float]:
    return list(centre * (1 + spread * np.random.default_rng(seed).standard_normal(count)))


def test_one_run_a_side_says_nothing(limits: Agreement) -> None:
    record = compare_runs(NAMES, (runs([100]), runs([300])), limits)
    assert record["verdict"] == "inconclusive"
    assert "with one run nothing can be said" in record["reason"]
    # What was measured is there all the same.
    assert record["metrics"][0]["effect"]["estimate"] == pytest.approx(3)


def test_many_like_runs_agree_and_unlike_ones_disagree(limits: Agreement) -> None:
    a, same = around(1000, 0.02, 10, 1), around(1000, 0.02, 10, 2)
    assert compare_runs(NAMES, (runs(a), runs(same)), limits)["verdict"] == "agree"
    twice = compare_runs(NAMES, (runs(a), runs([2 * value for value in same])), limits)
    assert twice["verdict"] == "disagree"
    assert "context_switches" in twice["reason"]


def test_noise_as_wide_as_the_margin_is_inconclusive(limits: Agreement) -> None:
    record = compare_runs(
        NAMES, (runs(around(1000, 0.1, 3, 1)), runs(around(1000, 0.1, 3, 2))), limits
    )
    assert record["verdict"] == "inconclusive"


def test_a_run_that_lost_events_is_left_out(limits: Agreement) -> None:
    a = runs(around(1000, 0.01, 10, 1))
    lossy = runs(around(500, 0.01, 3, 2), "tracer_lost_events")
    with_loss = compare_runs(NAMES, (a, runs(around(1000, 0.01, 10, 3)) + lossy), limits)
    assert with_loss["verdict"] == "agree"
    assert len(with_loss["metrics"][0]["b"]) == 10
    only = compare_runs(NAMES, (a, lossy), limits)
    assert only["verdict"] == "not_measured"
    assert only["reason"].startswith("no good run with second: tracer_lost_events")


def test_what_capacity_pins_is_shown_and_judges_nothing(limits: Agreement) -> None:
    record = compare_runs(
        NAMES, (runs([1000, 1001], run_time=1e9), runs([1000, 1002], run_time=3e9)), limits
    )
    shown = next(some for some in record["metrics"] if some["metric"] == "run_time")
    assert not shown["judged"]
    assert not any("run_time" in name for name in record["parts"])


def test_a_metric_that_one_tracer_cannot_see_is_not_measured(limits: Agreement) -> None:
    blind = runs([1000, 1001, 1002], migrations=None)
    record = compare_runs(NAMES, (runs([1000, 1001, 1002]), blind), limits)
    assert "migrations value" in record["not_measured"]
    assert not any("migrations" in name for name in record["parts"])
    nothing = compare_runs(
        NAMES, (runs([1, 2]), runs([1, 2], **dict.fromkeys(JUDGED_KEYS))), limits
    )
    assert nothing["verdict"] == "not_measured"


def test_reasons_are_a_few_and_every_part_keeps_its_own(limits: Agreement) -> None:
    values = {("workload", metric, stat): 100.0 for metric, stat in JUDGED}
    a, b = (
        [
            Repetition(rep, "ok", {k: v * factor + rep for k, v in values.items()})
            for rep in range(4)
        ]
        for factor in (1, 3)
    )
    record = compare_runs(NAMES, (a, b), limits)
    assert record["verdict"] == "disagree"
    assert len(record["parts"]) == len(JUDGED) == 9
    assert record["reason"].count("B/A") == 5
    assert record["reason"].endswith("and 4 more")


def test_zero_has_no_ratio(limits: Agreement) -> None:
    record = compare_runs(NAMES, (runs([0, 1, 2]), runs([1, 2, 3])), limits)
    assert record["metrics"][0]["effect"]["ratio"] is False
    assert record["verdict"] == "inconclusive"


positive = st.lists(st.floats(1, 1e9), min_size=2, max_size=8)


@given(positive, positive)
@settings(deadline=None)
def test_interval_is_welchs(a: list[float], b: list[float]) -> None:
    """scipy's own, of logarithms."""
    found = effect(a, b, 0.95)
    logs = [np.log(side) for side in (a, b)]
    if min(np.var(side) for side in logs) < 1e-12:
        return
    interval = ttest_ind(logs[1], logs[0], equal_var=False).confidence_interval(0.95)
    assert found.low is not None and found.high is not None
    assert math.log(found.low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
    assert math.log(found.high) == pytest.approx(min(700, interval.high), rel=1e-6, abs=1e-9)


@given(positive, positive)
@settings(deadline=None)
def test_sides_exchanged_invert_the_ratio(a: list[float], b: list[float]) -> None:
    one, other = effect(a, b, 0.95), effect(b, a, 0.95)
    assert one.estimate * other.estimate == pytest.approx(1)


def cell(folder: Path, rep: int, source: Any, outcome: str = "ok") -> Path:
    folder.mkdir(parents=True)
    span = source.capability.window_ns
    (folder / "status.json").write_text(json.dumps({"cell": {"rep": rep}, "outcome": outcome}))
    write_metrics(
        measure(source.table, source.capability, span, [0, 1, 2, 3]), folder / "metrics.parquet"
    )
    return folder


def test_command_reads_runs_and_writes_the_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = captured()
    folders = [cell(tmp_path / "a/rep0", 0, first)]
    folders += [cell(tmp_path / "b/rep0", 0, without(first, slice(0, 9000)))]
    found = read_repetition(folders[0])
    assert found.values["system", "context_switches", "value"] == 2386
    out = tmp_path / "out" / "agreement.json"
    arguments = ["--names", *NAMES, "--a", str(folders[0]), "--b", str(folders[1])]
    assert main([*arguments, "--output", str(out)]) == 0
    record = json.loads(out.read_text())
    assert (record["same_run"], record["verdict"]) == (False, "inconclusive")
    assert record["metrics"][0]["a"] == [2386]
    (folders[1] / "metrics.parquet").write_text("no table")
    assert main([*arguments, "--output", str(out)]) == 2
    (folders[1] / "status.json").write_text("[]")
    assert main([*arguments, "--output", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 2
