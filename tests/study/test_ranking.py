# SPDX-License-Identifier: MIT
"""The study of ranking: which records count, and what is said of orders whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scxval.catalog.comparison import Margin
from scxval.compare.record import Check, Group, Pair, Quantity, Run
from scxval.compare.verdict import Judgement, Verdict
from scxval.study.ranking import study
from scxval.study.record import Inputs, Study

from ..compare.runs import settings
from .gap_runs import SETTINGS

WHAT = "wakeup_latency p50"
NAMES = ("a", "b", "c", "d", "e")
Sides = Mapping[str, Sequence[float]]


def quantity(a: Sequence[float], b: Sequence[float], **more: Any) -> Quantity:
    metric, stat = WHAT.split()
    margin = Margin(0.1, 0.0, "for tests")
    made = Quantity(WHAT, metric, stat, "", "ns", margin, tuple(a), tuple(b))
    return replace(made, **more)


def pair(name: str, *quantities: Quantity, **more: Any) -> Pair:
    made = Pair(
        family="simulator",
        path=f"builtin/{name}/w/bpftrace/taskset/tcg4",
        where={"scheduler": name, "workload": "w", "isolation": "taskset", "machine": "tcg4"},
        a=Group("kernel, bpftrace", (Run(f"results/runs/{name}/rep0", "ok"),)),
        b=Group("builtin", (), deterministic=True),
        quantities=quantities,
    )
    return replace(made, **more)


def inputs(root: Path, raw_config: Mapping[str, Any], *pairs: Pair) -> Inputs:
    for made in pairs:
        (root / "simulator" / made.path).mkdir(parents=True)
        made.write(root / "simulator" / made.path / "pair.json")
    plan = {"cells": [], "pairs": {"simulator": [made.path for made in pairs]}}
    how = settings(raw_config)
    return Inputs(plan, root / "runs", root / "sim", root, root / "agreement", how, SETTINGS)


def studied(root: Path, raw_config: Mapping[str, Any], real: Sides, simulated: Sides) -> Study:
    """A study of one quantity."""
    pairs = [pair(name, quantity(real[name], simulated[name])) for name in real]
    return study(inputs(root, raw_config, *pairs))


def around(mean: float, runs: int = 6, spread: float = 0.02) -> list[float]:
    return [float(mean * (1 + spread * step)) for step in np.linspace(-1, 1, runs)]


REAL = {name: around(100 * 2**place) for place, name in enumerate(NAMES)}
SIMULATED = {name: [7.0 * 3**place] for place, name in enumerate(NAMES)}


def rows_of(made: Study, name: str) -> list[dict[str, Any]]:
    table = next(table for table in made.tables if table.name == name)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_the_same_order_at_another_scale(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = studied(tmp_path, raw_config, REAL, SIMULATED)
    (found,) = made.findings
    assert (found.verdict, found.estimate, found.low, found.high) == (Verdict.AGREE, 1.0, 1.0, 1.0)
    assert "10 of 10 pairs apart, of these 10 right" in found.reason
    assert (found.n_a, found.power, found.needed) == (5, 1.0, None)
    # p of a tau of 0.8 or more: 1 + 4 of 120 orders; of 0.6: 1 + 4 + 9.
    assert (found.margin_low, found.margin_high) == (pytest.approx(0.8), 1.0)
    ranks = [(row["kernel_rank"], row["simulated_rank"]) for row in rows_of(made, "schedulers")]
    assert ranks == [(n, n) for n in range(1, 6)]


def test_a_simulator_of_small_differences_is_right_all_the_same(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    near = {name: [100.0 + place] for place, name in enumerate(NAMES)}
    (found,) = studied(tmp_path, raw_config, REAL, near).findings
    assert found.verdict is Verdict.AGREE


def test_a_pair_reversed_is_a_disagreement(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    swapped = {**SIMULATED, "a": SIMULATED["b"], "b": SIMULATED["a"]}
    made = studied(tmp_path, raw_config, REAL, swapped)
    (found,) = made.findings
    assert found.verdict is Verdict.DISAGREE and "wrong: a and b" in found.reason
    assert found.estimate == pytest.approx(0.8)
    assert [row["order"] for row in rows_of(made, "orders")].count("wrong") == 1


def test_seeds_that_cannot_tell_a_reversed_pair(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    seeds = {name: [v[0], 1.01 * v[0], 0.99 * v[0]] for name, v in SIMULATED.items()}
    unsure = {**seeds, "a": [20.0, 40.0, 24.0], "b": [19.0, 23.0, 39.0]}
    (found,) = studied(tmp_path, raw_config, REAL, unsure).findings
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the simulator's runs cannot tell of a and b: more seeds" in found.reason


def test_what_the_kernel_cannot_tell_is_not_held_against_anyone(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    near = {name: around(100 + place) for place, name in enumerate(NAMES)}
    backwards = {name: [100.0 * 3**-place] for place, name in enumerate(NAMES)}
    made = studied(tmp_path, raw_config, near, backwards)
    (found,) = made.findings
    assert found.verdict is Verdict.INCONCLUSIVE and found.power == 0.0
    assert "tell 0 of 10 pairs apart" in found.reason and "more runs" in found.reason
    assert {row["p_simulated"] for row in rows_of(made, "orders")} == {None}
    assert any("in 1 of 1 quantities not one pair" in line for line in made.cannot_tell)


@pytest.mark.parametrize("seeds", [[5.0], [5.0, 6.0, 7.0]])
def test_a_simulator_that_knows_no_difference(
    tmp_path: Path, raw_config: dict[str, Any], seeds: list[float]
) -> None:
    """The same numbers seed by seed: no more runs will change that."""
    made = studied(tmp_path, raw_config, REAL, dict.fromkeys(NAMES, seeds))
    (found,) = made.findings
    assert found.verdict is Verdict.DISAGREE and found.estimate is None
    assert "the simulator has all 5 alike" in found.reason
    assert "alike in the simulator: a and b" in found.reason
    assert made.figure.count('class="st-disagree"') == 2


def test_a_kernel_that_knows_no_difference(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    (found,) = studied(tmp_path, raw_config, dict.fromkeys(NAMES, [5.0] * 6), SIMULATED).findings
    assert found.verdict is Verdict.INCONCLUSIVE and "the kernel has all 5 alike" in found.reason


@pytest.mark.parametrize("count", [2, 3])
def test_few_schedulers_have_no_order(
    tmp_path: Path, raw_config: dict[str, Any], count: int
) -> None:
    some = dict(list(REAL.items())[:count])
    made = studied(tmp_path, raw_config, some, some)
    (found,) = made.findings
    assert found.verdict is Verdict.INCONCLUSIVE and found.power == 0.0 and found.needed == 4
    assert any("it takes 4 schedulers" in line for line in made.cannot_tell)


def test_two_schedulers_may_be_wrong(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    some = dict(list(REAL.items())[:2])
    (found,) = studied(tmp_path, raw_config, some, {"a": [2.0], "b": [1.0]}).findings
    assert found.verdict is Verdict.DISAGREE


def test_a_perfect_order_among_many_quantities_is_chance(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    """1 of 120 orders, asked 6 times, is 0.05; similarity is no property of a scheduler and not asked."""
    pairs = [
        pair(
            name,
            *(quantity(REAL[name], SIMULATED[name], name=f"q{n}") for n in range(6)),
            quantity(REAL[name], SIMULATED[name], metric="similarity", name="similarity value"),
            quantity(REAL[name], SIMULATED[name], carries=False, name="not carried"),
        )
        for name in NAMES
    ]
    made = study(inputs(tmp_path, raw_config, *pairs))
    assert [found.what for found in made.findings] == [f"q{n}" for n in range(6)]
    for found in made.findings:
        assert found.verdict is Verdict.INCONCLUSIVE and "it takes 6 schedulers" in found.reason
        assert (found.needed, found.power, found.margin_low) == (6, 0.0, None)
    assert any("even a perfect one of 5" in line for line in made.cannot_tell)


def test_one_scheduler_is_said(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = studied(tmp_path, raw_config, {"a": [1.0, 2.0]}, {"a": [1.0]})
    assert made.judgement.verdict is Verdict.NOT_MEASURED
    assert "no quantity has numbers of two schedulers" in made.judgement.reason
    assert made.judgement.reason.split(":")[0] in made.figure


def test_a_quantity_of_some_schedulers_has_their_number(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    pairs = [
        pair(
            name,
            quantity(REAL[name], SIMULATED[name]),
            *([quantity(REAL[name], SIMULATED[name], name="dsq")] if name != "a" else []),
            *([quantity([1.0], [1.0], name="alone")] if name == "e" else []),
        )
        for name in NAMES
    ]
    made = study(inputs(tmp_path, raw_config, *pairs))
    assert [(found.what, found.n_a) for found in made.findings] == [(WHAT, 5), ("dsq", 4)]


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (None, "pair.json: not a pair.json"),
        ({"settled": Judgement(Verdict.NOT_MEASURED, "no run is ok")}, "no run is ok"),
        ({"checks": (Check("simulated again", False, "differs"),)}, "simulated again: differs"),
        ({"where": {"workload": "w"}}, "names no scheduler"),
    ],
)
def test_a_record_that_does_not_count_is_said(
    tmp_path: Path, raw_config: dict[str, Any], spoiled: dict[str, Any] | None, said: str
) -> None:
    asked = inputs(tmp_path, raw_config, *(pair(n, quantity(REAL[n], SIMULATED[n])) for n in NAMES))
    first = pair("a", quantity(REAL["a"], SIMULATED["a"]))
    file = tmp_path / "simulator" / first.path / "pair.json"
    if spoiled is None:
        file.write_text("{")
    else:
        replace(first, **spoiled).write(file)
    made = study(asked)
    assert made.findings[0].n_a == 4
    (note,) = made.notes
    assert said in note and first.path in note


def test_a_machine_whose_cpus_take_turns_has_no_order(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    asked = inputs(tmp_path, raw_config, *(pair(n, quantity(REAL[n], SIMULATED[n])) for n in NAMES))
    run = tmp_path / "runs/c/rep0"
    run.mkdir(parents=True)
    why = "its CPUs take turns"
    (run / "provenance.json").write_text(json.dumps({"machine": {"not_for_smp_timing": why}}))
    (found,) = study(asked).findings
    assert found.verdict is Verdict.INCONCLUSIVE and why in found.reason
    assert found.estimate == 1.0 and found.power == 0.0


def test_tracers_stand_apart(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    """The same simulations against the kernel as each tracer saw it."""
    one = [pair(n, quantity(REAL[n], SIMULATED[n])) for n in NAMES]
    other = [
        replace(
            made, path=made.path.replace("bpftrace", "ftrace"), a=replace(made.a, name="kernel, f")
        )
        for made in one
    ]
    mixed = [made for two in zip(one, other, strict=True) for made in two]
    made = study(inputs(tmp_path, raw_config, *mixed))
    kernels = [found.where["kernel"] for found in made.findings]
    assert kernels == ["kernel, bpftrace", "kernel, f"]
