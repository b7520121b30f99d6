# SPDX-License-Identifier: MIT
"""Studies that are a family's verdicts: isolation and machines, over records of made groups."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scxval.catalog.comparison import Margin
from scxval.compare.family import judge_family
from scxval.compare.record import Group, Pair, Quantity, Run
from scxval.compare.verdict import Verdict
from scxval.files import write_json
from scxval.study import isolation, vm_overhead
from scxval.study.record import Inputs, Study

from ..compare.runs import settings
from .gap_runs import SETTINGS

PATH = "one_vs_two/scx_simple/w"


def pair(family: str, a: list[float], b: list[float]) -> Pair:
    quantity = Quantity(
        name="slice_length p50",
        metric="slice_length",
        stat="p50",
        task="",
        unit="ns",
        margin=Margin(0.1, 0.0, "for tests"),
        a=tuple(a),
        b=tuple(b),
        carries=True,
        why_not="",
        controls={"dilated": tuple(3 * v for v in a), "starved": tuple(3 * v for v in a)},
    )
    groups = [
        Group(name, tuple(Run(f"results/runs/{name}/rep{k}", "ok") for k in range(len(side))))
        for name, side in (("one", a), ("two", b))
    ]
    return Pair(
        family=family,
        path=PATH,
        where={"scheduler": "scx_simple", "workload": "w"},
        a=groups[0],
        b=groups[1],
        quantities=(quantity,),
    )


def inputs(root: Path, raw_config: Mapping[str, Any], *pairs: Pair) -> Inputs:
    how = settings(raw_config)
    for made in pairs:
        folder = root / "compare" / made.family
        (folder / made.path).mkdir(parents=True)
        write_json(folder / "verdicts.json", judge_family(made.family, [made], how))
        runs = {
            side: {"runs": [{"path": run.path} for run in group.runs]}
            for side, group in (("a", made.a), ("b", made.b))
        }
        write_json(folder / made.path / "pair.json", runs)
    plan = {"cells": [], "pairs": {made.family: [made.path] for made in pairs}}
    folders = [root / name for name in ("runs", "sim", "compare", "agreement")]
    return Inputs(plan, *folders, how, SETTINGS)


def around(mean: float, spread: float, runs: int = 8) -> list[float]:
    return [float(mean * (1 + spread * step)) for step in np.linspace(-1, 1, runs)]


def test_isolation_changes_a_slice(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = isolation.study(
        inputs(tmp_path, raw_config, pair("isolation", around(100, 0.02), around(150, 0.02)))
    )
    (found,) = made.findings
    assert found.verdict is Verdict.DISAGREE and made.judgement.verdict is Verdict.DISAGREE
    assert found.estimate == pytest.approx(1.5) and found.unit == "ratio"
    assert found.margin_low == pytest.approx(1 / 1.1) and found.margin_high == pytest.approx(1.1)
    assert (found.n_a, found.n_b) == (8, 8)
    assert "slice_length p50" in made.figure


def test_isolation_makes_runs_alike(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = isolation.study(
        inputs(tmp_path, raw_config, pair("isolation", around(100, 0.05), around(100, 0.005)))
    )
    assert made.judgement.verdict is Verdict.AGREE
    spread = dict(zip(made.tables[0].columns, made.tables[0].rows[0], strict=True))
    assert spread["spread_a"] == pytest.approx(10 * spread["spread_b"]) and spread["p_holm"] < 0.01
    (note,) = made.notes
    assert "runs vary by 3.50% of the mean on one side and by 0.35% on the other" in note
    assert "(n 8+8, p " in note and made.cannot_tell == ()


def test_spreads_that_are_not_told_apart(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = isolation.study(
        inputs(tmp_path, raw_config, pair("isolation", around(100, 0.02), around(100, 0.015)))
    )
    assert made.notes == ()
    (line,) = made.cannot_tell
    assert "which is not to say that both vary alike. 8 and 8 runs show a spread " in line


def test_two_runs_say_nothing_of_the_spread(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    few = pair("isolation", [100.0, 101.0], [100.0, 102.0])
    made = isolation.study(inputs(tmp_path, raw_config, few))
    assert made.tables[0].rows == ()
    assert any("at least 6 a side" in line for line in made.cannot_tell)


def test_without_the_family_it_says_what_to_do(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = isolation.study(inputs(tmp_path, raw_config))
    assert made.judgement.verdict is Verdict.NOT_MEASURED
    assert "add it to compare.families" in made.judgement.reason
    broken = tmp_path / "compare/isolation/verdicts.json"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"pairs": 3}')
    assert (
        "not a family's verdicts" in isolation.study(inputs(tmp_path, raw_config)).judgement.reason
    )


def test_one_value_on_the_axis(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    asked = inputs(tmp_path, raw_config)
    (tmp_path / "compare/isolation").mkdir(parents=True)
    write_json(tmp_path / "compare/isolation/verdicts.json", {"pairs": []})
    assert "no two values of isolation" in isolation.study(asked).judgement.reason


@pytest.mark.parametrize(
    ("family", "study"), [("machine", vm_overhead.study), ("isolation", isolation.study)]
)
def test_times_of_a_machine_without_real_cpus_are_no_answer(
    family: str, study: Callable[[Inputs], Study], tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    asked = inputs(tmp_path, raw_config, pair(family, around(100, 0.02), around(150, 0.02)))
    assert study(asked).findings[0].verdict is Verdict.DISAGREE
    assert len(study(asked).tables[0].rows) == 2
    run = tmp_path / "runs/two/rep3"
    run.mkdir(parents=True)
    why = "its CPUs take turns"
    (run / "provenance.json").write_text(json.dumps({"machine": {"not_for_smp_timing": why}}))
    made = study(asked)
    (found,) = made.findings
    assert found.verdict is Verdict.INCONCLUSIVE and why in found.reason
    assert made.tables[0].rows == ()
    # The numbers are there to be read all the same.
    assert found.estimate == pytest.approx(1.5)


def test_void_pairs_are_not_verdicts(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    asked = inputs(tmp_path, raw_config, pair("isolation", around(100, 0.02), around(150, 0.02)))
    path = tmp_path / "compare/isolation/verdicts.json"
    record = json.loads(path.read_text())
    record["pairs"][0]["void"] = ["control dilated failed"]
    path.write_text(json.dumps(record))
    (found,) = isolation.study(asked).findings
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "void: control dilated failed")


def test_a_figure_that_leaves_lines_out_says_so(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    asked = inputs(tmp_path, raw_config, pair("isolation", around(100, 0.02), around(100, 0.02)))
    path = tmp_path / "compare/isolation/verdicts.json"
    record = json.loads(path.read_text())
    (quantity,) = record["pairs"][0]["quantities"]
    names = [f"q{k}" for k in range(100)]
    record["pairs"][0]["quantities"] = [
        {**quantity, "name": name, "verdict": "disagree" if name == "q99" else "agree"}
        for name in names
    ]
    path.write_text(json.dumps(record))
    made = isolation.study(asked)
    assert len(made.findings) == 100
    assert "60 of 100 findings are drawn; the table has all." in made.caption
    # What disagrees is drawn, however late it comes.
    assert ">q99<" in made.figure and ">q58<" in made.figure and ">q59<" not in made.figure
