# SPDX-License-Identifier: MIT
"""Simulator gaps of one real capture: a copy has none, a copy with one known fault has that one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from scxval.compare.verdict import Verdict
from scxval.study.record import Inputs, Study, read_study
from scxval.study.simulator_gaps import study
from scxval.study.table import write_study

from ..compare.runs import edit
from .gap_runs import CAPABILITY, GROUP, SIMULATED, fewer_rows, hidden, inputs, without_kind
from .readings import with_column

ASPECTS = ("kinds", "transitions", "orders")


def verdicts(found: Study) -> dict[str, Verdict]:
    return {finding.what: finding.verdict for finding in found.findings}


def only(found: Study) -> list[tuple[Any, ...]]:
    """Aspect, item and side of what is in the table of gaps."""
    table = next(t for t in found.tables if t.name == "gaps")
    places = [table.columns.index(name) for name in ("aspect", "item", "which")]
    return [tuple(row[place] for place in places) for row in table.rows]


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory, raw_config: dict[str, Any]) -> Inputs:
    return inputs(tmp_path_factory.mktemp("alike"), raw_config)


def test_two_halves_of_one_run_have_no_gaps(alike: Inputs) -> None:
    found = study(alike)
    assert set(verdicts(found).values()) == {Verdict.AGREE}, found.judgement
    assert found.judgement.verdict is Verdict.AGREE
    assert len(found.findings) == 2 * len(ASPECTS)
    for finding in found.findings:
        assert (finding.n_a, finding.n_b) == (4, 4)
        assert finding.estimate is not None and finding.high is not None
        assert finding.estimate <= finding.high < 0.01 == finding.margin_high
        assert finding.power is not None and 0 <= finding.power <= 1


def test_a_kind_that_is_never_simulated_is_a_gap(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    found = study(inputs(tmp_path, raw_config, change=without_kind("TaskMigrated")))
    said = verdicts(found)
    assert said["kinds that only the kernel shows"] is Verdict.DISAGREE
    assert said["kinds that only simulations show"] is Verdict.AGREE
    assert found.judgement.verdict is Verdict.DISAGREE
    assert "TaskMigrated (" in found.findings[0].reason
    assert ("kinds", "TaskMigrated", "only the kernel") in only(found)
    assert ("transitions", "TaskMigrated > EnqueueTask", "only the kernel") in only(found)


def test_a_kind_that_the_kernel_never_shows_is_one_the_other_way(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    found = study(inputs(tmp_path, raw_config, real_change=without_kind("TaskMigrated")))
    said = verdicts(found)
    assert said["kinds that only simulations show"] is Verdict.DISAGREE
    assert said["kinds that only the kernel shows"] is Verdict.AGREE
    assert ("kinds", "TaskMigrated", "only simulated") in only(found)


def test_another_order_is_a_gap_of_orders_alone(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    """Simulations whose picks say that they found nothing: the same kinds, one after another."""

    def never_found(table: pa.Table) -> pa.Table:
        pick = pa.compute.equal(table["kind"].cast(pa.string()), "PickTask")
        return with_column(
            table,
            "success",
            pa.compute.if_else(pick, pa.scalar(False), table["success"]).combine_chunks(),
        )

    found = study(inputs(tmp_path, raw_config, change=never_found))
    said = verdicts(found)
    assert said["orders that only the kernel shows"] is Verdict.DISAGREE
    assert said["orders that only simulations show"] is Verdict.DISAGREE
    for aspect in ("kinds", "transitions"):
        assert said[f"{aspect} that only the kernel shows"] is Verdict.AGREE


def test_what_a_side_cannot_show_is_not_measured(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    """The same fault, but the simulator says that it does not show migrations."""
    change, capability = without_kind("TaskMigrated"), hidden("TaskMigrated")
    found = study(inputs(tmp_path, raw_config, change=change, capability=capability))
    assert set(verdicts(found).values()) == {Verdict.AGREE}
    assert not [row for row in only(found) if "TaskMigrated" in row[1]]
    assert found.cannot_tell[0].startswith("TaskMigrated: simulator builtin cannot show it")


def test_a_column_that_one_side_lacks_makes_no_order_another(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    def no_flags(table: pa.Table) -> pa.Table:
        return with_column(table, "flags", pa.nulls(table.num_rows, pa.uint64()))

    fields = {k: [c for c in v if c != "flags"] for k, v in CAPABILITY.fields.items()}
    found = study(inputs(tmp_path, raw_config, change=no_flags, capability={"fields": fields}))
    assert set(verdicts(found).values()) == {Verdict.AGREE}


def test_ends_are_not_held_against_simulations_that_end_before(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    capability = {"kinds": [*CAPABILITY.kinds, "SimulationEnd"]}
    given = inputs(tmp_path, raw_config, real=(6, 7, 8, 9), simulated=(1, 2, 3, 4))
    before = study(given)
    assert ("kinds", "TaskCompleted", "only the kernel") in only(before)
    for number in (1, 2, 3, 4):
        edit(given.simulations / SIMULATED / f"seed{number}/capability.json", **capability)
    after = study(given)
    assert not [row for row in only(after) if "TaskCompleted" in row[1]]
    assert any("a simulation ends before its tasks do" in line for line in after.cannot_tell)


def test_one_run_a_side_cannot_tell(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    found = study(inputs(tmp_path, raw_config, real=(2,), change=without_kind("TaskMigrated")))
    assert set(verdicts(found).values()) == {Verdict.INCONCLUSIVE}
    assert "one says nothing of the next" in found.findings[0].reason
    assert ("kinds", "TaskMigrated", "only the kernel") in only(found)
    assert any("more runs of both sides would say" in line for line in found.cannot_tell)


def test_few_rows_cannot_tell(alike: Inputs) -> None:
    found = study(fewer_rows(alike, 10**6))
    assert set(verdicts(found).values()) == {Verdict.INCONCLUSIVE}


def test_a_run_that_ended_badly_is_not_counted(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    given = inputs(tmp_path, raw_config)
    edit(given.runs / GROUP / "rep1/status.json", outcome="panic", reason="it <did>")
    shutil.rmtree(given.runs / GROUP / "rep2")
    found = study(given)
    assert found.findings[0].n_a == 2
    unused = next(t for t in found.tables if t.name == "unused")
    assert len(unused.rows) == 2
    assert any("it <did>" in str(row[-1]) for row in unused.rows)


def test_without_runs_nothing_is_measured(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    given = inputs(tmp_path, raw_config)
    shutil.rmtree(given.simulations)
    found = study(given)
    assert found.judgement.verdict is Verdict.NOT_MEASURED
    assert "no simulation with events" in found.judgement.reason
    assert ElementTree.fromstring(found.figure).tag.endswith("svg")


def test_excluded_simulations_are_unsupported(alike: Inputs) -> None:
    why = [{"simulation": f"{SIMULATED}/seed0", "outcome": "unsupported", "reason": "no <policy>"}]
    plan = {**alike.plan, "simulations": [], "excluded_simulations": why}
    found = study(replace(alike, plan=plan))
    assert [f.verdict for f in found.findings] == [Verdict.UNSUPPORTED]
    assert found.findings[0].reason == "no <policy>"
    assert found.judgement.verdict is Verdict.UNSUPPORTED
    assert "no <policy>" not in found.figure


@pytest.mark.parametrize("pairs", [{}, {"simulator": []}])
def test_a_plan_without_pairs_says_what_to_run(alike: Inputs, pairs: dict[str, Any]) -> None:
    found = study(replace(alike, plan={**alike.plan, "pairs": pairs}))
    assert found.judgement.verdict is Verdict.NOT_MEASURED
    assert "config/studies/simulator_gaps.yaml" in found.judgement.reason
    assert not found.findings


def test_its_folder_is_read_back_and_the_same_each_time(alike: Inputs, tmp_path: Path) -> None:
    found = study(alike)
    write_study(found, tmp_path / "one")
    assert read_study(tmp_path / "one") == found
    write_study(study(alike), tmp_path / "two")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name
    json.loads((tmp_path / "one/study.json").read_text(), parse_constant=pytest.fail)


def test_the_figure_names_each_kind_and_is_a_document(alike: Inputs) -> None:
    figure = study(alike).figure
    text = "".join(ElementTree.fromstring(figure).itertext())
    for kind in ("TaskScheduled", "DsqInsert", "orders: only the kernel shows"):
        assert kind in text
    assert "4 of 4 runs of the kernel" in text


def test_a_hostile_kind_is_escaped(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    hostile = "<script>alert(1)</script>"

    def change(table: pa.Table) -> pa.Table:
        names = table["kind"].cast(pa.string()).to_pylist()
        renamed = pa.array([hostile if n == "TaskMigrated" else n for n in names])
        return with_column(table, "kind", renamed.dictionary_encode())

    kinds = [hostile if kind == "TaskMigrated" else kind for kind in CAPABILITY.kinds]
    given = inputs(
        tmp_path, raw_config, change=change, real_change=change, capability={"kinds": kinds}
    )
    for number in range(1, 5):
        edit(given.runs / GROUP / f"rep{number}/capability.json", kinds=kinds)
    found = study(given)
    assert "<script" not in found.figure
    assert "&lt;script" in found.figure
