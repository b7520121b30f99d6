# SPDX-License-Identifier: MIT
"""The study of tracers: of one run that both saw, of runs of their own, and what is said without any."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from scipy import stats

from scxval.compare.family import judge_family
from scxval.compare.record import Pair
from scxval.compare.verdict import Judgement, Verdict
from scxval.events.table import read_events, write_events
from scxval.files import write_json
from scxval.study.record import Finding, Inputs, Study, read_study
from scxval.study.table import write_study
from scxval.study.tracer_agreement import GIVES, study
from scxval.study.tracer_pairs import MADE_OF, OWN, OneRun

from ..compare.runs import edit, settings
from ..compare.test_family import HOW, apart, pair, quantity, runs, same
from .gap_runs import SETTINGS
from .two_tracers import CELL, CELLS, TRACERS, make_agreement, make_run

PAIR = "bpftrace_vs_perf-sched/scx_simple/calibration/taskset/tcg4"


@pytest.fixture
def given(tmp_path: Path, raw_config: dict[str, Any]) -> Inputs:
    """Three runs that two tracers saw, compared."""
    root, agreements = tmp_path / "runs", tmp_path / "study/agreement"
    for cell in CELLS:
        make_run(root, cell)
        make_agreement(agreements, root, cell)
    return Inputs(
        plan={"cells": [cell.path for cell in CELLS], "pairs": {"tracer": []}},
        runs=root,
        simulations=tmp_path / "sim",
        compare=tmp_path / "compare",
        agreement=agreements,
        how=settings(raw_config),
        settings=SETTINGS,
    )


def of(found: Study, what: str) -> list[Finding]:
    return [finding for finding in found.findings if finding.what == what]


def test_two_tracers_that_agree_in_every_run(given: Inputs) -> None:
    found = study(given)
    (both,) = of(found, MADE_OF)
    assert both.verdict is Verdict.AGREE
    assert both.reason.startswith("3 of 3 runs agree")
    assert (both.where["a"], both.where["b"]) == TRACERS
    assert both.n_a == 3 and both.margin_high == 0.001
    assert both.estimate is not None and both.high is not None
    assert both.estimate <= both.high < both.margin_high
    # Clopper and Pearson's bound of 0 in 3: 1 - 0.05^(1/3).
    assert any("up to 63% of runs" in line for line in found.cannot_tell)
    gives = {f.where["tracer"]: f.verdict for f in of(found, GIVES)}
    assert gives == dict.fromkeys(sorted(TRACERS), Verdict.AGREE)
    assert found.judgement.verdict is Verdict.AGREE


def test_what_runs_cannot_rule_out_is_clopper_and_pearsons() -> None:
    for n in (1, 4, 29):
        agree = {str(k): Judgement(Verdict.AGREE, "") for k in range(n)}
        where = dict.fromkeys(("scheduler", "workload", "tracer", "isolation", "machine"), "x")
        one = OneRun({**where, "a": "p", "b": "q"}, agree)
        high = stats.beta.ppf(0.95, 1, n)
        assert f"up to {high:.0%} of runs" in one.unseen


def test_one_run_that_disagrees_is_enough(given: Inputs) -> None:
    part = given.runs / CELLS[1].path / "parts/bpftrace/events.parquet"
    table = read_events(part)
    kind = table["kind"].cast(pa.string()).to_pylist()
    woke = [n for n, name in enumerate(kind) if name == "TaskScheduled"]
    kept = sorted(set(range(len(kind))) - set(woke[100:150]))
    write_events(table.take(kept), part)
    make_agreement(given.agreement, given.runs, CELLS[1])
    found = study(given)
    (both,) = of(found, MADE_OF)
    assert both.verdict is Verdict.DISAGREE
    assert both.reason.startswith("2 of 3 runs agree; rep1:")
    assert found.judgement.verdict is Verdict.DISAGREE
    table_of_runs = next(t for t in found.tables if t.name == "runs")
    assert [row[-2] for row in table_of_runs.rows] == ["agree", "disagree", "agree"]


def test_a_run_that_was_not_compared_is_not_measured(given: Inputs) -> None:
    shutil.rmtree(given.agreement / "same_run" / CELLS[0].path)
    (both,) = of(study(given), MADE_OF)
    assert (both.verdict, both.n_a) == (Verdict.AGREE, 2)
    shutil.rmtree(given.agreement)
    (both,) = of(study(given), MADE_OF)
    assert both.verdict is Verdict.NOT_MEASURED
    assert "not compared: No such file" in both.reason


def test_a_record_that_is_none_is_named_and_nothing_is_raised(given: Inputs) -> None:
    path = given.agreement / "same_run" / CELLS[0].path / "_vs_".join(TRACERS)
    (path / "agreement.json").write_text("[]")
    found = study(given)
    rows = next(t for t in found.tables if t.name == "runs").rows
    assert "not an agreement.json" in str(rows[0][-1])


def test_a_promise_that_is_not_kept_disagrees(given: Inputs) -> None:
    for cell in CELLS:
        path = given.runs / cell.path / "parts/perf-sched/capability.json"
        fields = json.loads(path.read_text())["fields"]
        edit(path, fields={**fields, "TaskSlept": [*fields["TaskSlept"], "vtime"]})
    found = study(given)
    gives = {f.where["tracer"]: f for f in of(found, GIVES)}
    assert gives["perf-sched"].verdict is Verdict.DISAGREE
    assert "TaskSlept.vtime: promised, and empty in all" in gives["perf-sched"].reason
    fields_table = next(t for t in found.tables if t.name == "fields")
    wrong = [row for row in fields_table.rows if row[-2] == "disagree"]
    assert [row[:3] for row in wrong] == [("perf-sched", "TaskSlept", "vtime")]


def test_the_granularity_tables_hold_every_kind_and_column(given: Inputs) -> None:
    found = {table.name: table for table in study(given).tables}
    kinds = {(row[0], row[1]): row for row in found["kinds"].rows}
    rows = found["kinds"].columns.index("rows")
    for tracer in TRACERS:
        folder = given.runs / CELL.path / "parts" / tracer
        table = read_events(folder / "events.parquet")
        names = table["kind"].cast(pa.string()).to_pylist()
        for kind in json.loads((folder / "capability.json").read_text())["kinds"]:
            assert kinds[tracer, kind][rows] == 3 * names.count(kind)
    assert ("perf-sched", "DsqInsert") not in kinds


def own_runs(given: Inputs, *pairs: Pair) -> Inputs:
    """The same with the verdicts of runs of their own."""
    record = judge_family("tracer", pairs, HOW)
    (given.compare / "tracer").mkdir(parents=True)
    write_json(given.compare / "tracer/verdicts.json", record)
    return replace(given, plan={**given.plan, "pairs": {"tracer": [PAIR]}})


@pytest.mark.parametrize(
    ("made", "verdict"), [(same, Verdict.AGREE), (apart, Verdict.DISAGREE)], ids=["same", "apart"]
)
def test_runs_of_their_own_are_the_familys(
    given: Inputs, made: Callable[[str], Pair], verdict: Verdict
) -> None:
    found = study(own_runs(given, made(PAIR)))
    (own,) = of(found, OWN)
    assert own.verdict is verdict
    assert (own.where["a"], own.where["b"]) == ("bpftrace", "perf-sched")
    assert own.where["scheduler"] == "scx_simple" and own.where["machine"] == "tcg4"
    assert own.n_a == own.n_b == 8
    assert own.estimate == (1.0 if verdict is Verdict.AGREE else 0.0)
    assert own.power is not None and own.power > 0.9
    assert own.needed is not None and own.needed < 8
    assert found.judgement.verdict is verdict
    assert "own runs: with perf-sched" in found.figure


def test_undecided_runs_of_their_own_say_what_it_takes(given: Inputs) -> None:
    few = pair(PAIR, quantity("switches value", runs(100, 1, 3, 0.2), runs(100, 2, 3, 0.2)), n=3)
    found = study(own_runs(given, few))
    assert of(found, OWN)[0].verdict is Verdict.INCONCLUSIVE
    assert any("runs a side are needed" in line for line in found.cannot_tell)


def test_a_family_that_was_judged_without_a_pair_is_not_measured(given: Inputs) -> None:
    (own,) = of(study(own_runs(given, same("another"))), OWN)
    assert own.verdict is Verdict.NOT_MEASURED
    (given.compare / "tracer/verdicts.json").write_text("{}")
    planned = replace(given, plan={**given.plan, "pairs": {"tracer": [PAIR]}})
    (own,) = of(study(planned), OWN)
    assert own.verdict is Verdict.NOT_MEASURED
    assert "not a family's verdicts" in own.reason
    (given.compare / "tracer/verdicts.json").unlink()
    (own,) = of(study(planned), OWN)
    assert "cannot read" in own.reason


def test_without_runs_it_says_what_to_run(given: Inputs) -> None:
    found = study(replace(given, plan={"cells": []}))
    assert found.judgement.verdict is Verdict.NOT_MEASURED
    assert "config/studies/tracer_agreement.yaml" in found.judgement.reason
    assert "no run of any tracer" in found.figure
    missing = study(replace(given, runs=given.runs / "nowhere", agreement=given.runs / "no"))
    assert missing.judgement.verdict is Verdict.NOT_MEASURED
    assert any("3 planned runs have no table" in line for line in missing.cannot_tell)


def test_its_folder_is_read_back_and_the_same_each_time(given: Inputs, tmp_path: Path) -> None:
    full = own_runs(given, same(PAIR))
    found = study(full)
    write_study(found, tmp_path / "one")
    assert read_study(tmp_path / "one") == found
    write_study(study(full), tmp_path / "two")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_the_figure_shows_pairs_and_kinds(given: Inputs) -> None:
    text = "".join(ElementTree.fromstring(study(given).figure).itertext())
    for words in (
        "one run: with perf-sched",
        "3/3",
        "DsqInsert",
        "bpftrace and perf-sched over one",
    ):
        assert words in text


def test_hostile_names_are_escaped(given: Inputs) -> None:
    path = given.runs / CELLS[0].path / "parts/perf-sched/capability.json"
    kinds = json.loads(path.read_text())["kinds"]
    edit(path, kinds=[*kinds, "<img src=x onerror=alert(1)>"])
    figure = study(given).figure
    assert "<img" not in figure and "&lt;img" in figure
    ElementTree.fromstring(figure)
