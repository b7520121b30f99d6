# SPDX-License-Identifier: MIT
"""Orders of schedulers: Kendall's tau, its chance, and which pairs may be right or wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scxval.compare.verdict import Verdict
from scxval.files import write_json
from scxval.study.ranking import chance_of, kendall, schedulers_needed, study
from scxval.study.record import Inputs

from ..compare.runs import settings
from .gap_runs import SETTINGS

lists = st.integers(2, 6).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 9), min_size=n, max_size=n)] * 2)
)


@given(lists)
def test_tau_is_scipys(two: tuple[list[int], list[int]]) -> None:
    a, b = (np.asarray(side, dtype=np.float64) for side in two)
    found, expected = kendall(a, b), float(stats.kendalltau(a, b).statistic)
    assert (found is None) == math.isnan(expected)
    assert found is None or found == pytest.approx(expected)


@given(st.permutations(range(6)))
def test_chance_is_the_exact_distribution(order: list[int]) -> None:
    a, b = np.arange(6.0), np.asarray(order, dtype=np.float64)
    exact = stats.kendalltau(a, b, method="exact", alternative="greater").pvalue
    assert chance_of(a, b) == pytest.approx(exact)


def test_beyond_eight_the_chance_is_scipys_and_goes_on_smoothly() -> None:
    assert chance_of(np.arange(8.0), np.arange(8.0)) == pytest.approx(1 / math.factorial(8))
    assert chance_of(np.arange(9.0), np.arange(9.0)) == pytest.approx(1 / math.factorial(9))


def test_schedulers_needed() -> None:
    # 4! = 24 orders, of which one in 20 is allowed; 5 questions need 120.
    assert [schedulers_needed(m, 0.05) for m in (1, 2, 5, 6, 7)] == [4, 5, 5, 6, 6]


def inputs(
    root: Path,
    raw_config: Mapping[str, Any],
    real: Mapping[str, Sequence[float]],
    simulated: Mapping[str, Sequence[float]],
) -> Inputs:
    """A family of simulator pairs with one quantity, of these numbers."""
    pairs = []
    for name in real:
        path = f"builtin/{name}/w/bpftrace/taskset/tcg4"
        pairs.append(path)
        quantity = {
            "name": "wakeup_latency p50",
            "unit": "ns",
            "carries": True,
            "margin": {"ratio": 0.1, "absolute": 0.0, "reason": "for tests"},
            "a": list(real[name]),
            "b": list(simulated[name]),
        }
        where = {"scheduler": name, "workload": "w", "isolation": "taskset", "machine": "tcg4"}
        (root / "simulator" / path).mkdir(parents=True)
        write_json(
            root / "simulator" / path / "pair.json",
            {
                "where": where,
                "a": {"name": "kernel, bpftrace"},
                "b": {"name": "builtin"},
                "quantities": [quantity],
            },
        )
    how = settings(raw_config)
    plan = {"cells": [], "pairs": {"simulator": pairs}}
    return Inputs(plan, root / "runs", root / "sim", root, root / "agreement", how, SETTINGS)


def around(mean: float, runs: int = 6, spread: float = 0.02) -> list[float]:
    steps = np.linspace(-1, 1, runs)
    return [float(mean * (1 + spread * step)) for step in steps]


NAMES = ("a", "b", "c", "d", "e")
REAL = {name: around(100 * 2**place) for place, name in enumerate(NAMES)}


def test_the_same_order_at_another_scale(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    simulated = {name: [7 * 3**place] for place, name in enumerate(NAMES)}
    (found,) = study(inputs(tmp_path, raw_config, REAL, simulated)).findings
    assert (found.verdict, found.estimate, found.low, found.high) == (Verdict.AGREE, 1.0, 1.0, 1.0)
    assert "10 of 10 pairs" in found.reason and "10 right" in found.reason
    assert found.n_a == 5 and found.power == 1.0


def test_a_pair_reversed_is_a_disagreement(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    simulated = {name: [7.0 * 3**place] for place, name in enumerate(NAMES)}
    simulated["a"], simulated["b"] = simulated["b"], simulated["a"]
    made = study(inputs(tmp_path, raw_config, REAL, simulated))
    (found,) = made.findings
    assert found.verdict is Verdict.DISAGREE and "reversed: a and b" in found.reason
    assert found.estimate == pytest.approx(0.8)
    rows = [dict(zip(made.tables[0].columns, row, strict=True)) for row in made.tables[0].rows]
    assert [row["order"] for row in rows].count("wrong") == 1


def test_what_the_kernel_cannot_tell_is_not_held_against_anyone(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    near = {name: around(100 + place) for place, name in enumerate(NAMES)}
    backwards = {name: [100.0 * 3**-place] for place, name in enumerate(NAMES)}
    (found,) = study(inputs(tmp_path, raw_config, near, backwards)).findings
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "0 of 10 pairs that the kernel's runs tell apart" in found.reason


def test_a_simulator_that_knows_no_difference(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config, REAL, {name: [5.0] for name in NAMES}))
    (found,) = made.findings
    assert found.verdict is Verdict.INCONCLUSIVE and found.estimate is None
    assert "one side has all 5 schedulers alike" in found.reason


@pytest.mark.parametrize("count", [2, 3])
def test_few_schedulers_have_no_order(
    tmp_path: Path, raw_config: dict[str, Any], count: int
) -> None:
    some = dict(list(REAL.items())[:count])
    made = study(inputs(tmp_path, raw_config, some, some))
    (found,) = made.findings
    assert found.verdict is Verdict.INCONCLUSIVE and found.power == 0.0 and found.needed == 4
    assert any("it takes 4 schedulers" in line for line in made.cannot_tell)


def test_one_scheduler_is_said(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config, {"a": [1.0, 2.0]}, {"a": [1.0]}))
    assert made.judgement.verdict is Verdict.NOT_MEASURED
    assert "1 scheduler with numbers" in made.judgement.reason and "1 scheduler" in made.figure


def test_a_record_that_is_broken_is_said(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    asked = inputs(tmp_path, raw_config, REAL, REAL)
    path = asked.plan["pairs"]["simulator"][0]
    (tmp_path / "simulator" / path / "pair.json").write_text("{")
    made = study(asked)
    assert made.findings[0].n_a == 4
    assert any(path in note for note in made.notes)


def test_the_verdict_is_seldom_wrong(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    """Simulations without any relation to the kernel: `agree` in at most alpha of cases."""
    rng = np.random.default_rng(2)
    wrong = 0
    trials = 200
    for trial in range(trials):
        real = {name: list(100 * (1 + rng.random()) * rng.normal(1, 0.02, 5)) for name in NAMES}
        simulated = {
            name: list(100 * (1 + rng.random()) * rng.normal(1, 0.02, 3)) for name in NAMES
        }
        made = study(inputs(tmp_path / str(trial), raw_config, real, simulated))
        wrong += made.judgement.verdict is Verdict.AGREE
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
