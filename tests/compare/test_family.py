# SPDX-License-Identifier: MIT
"""Verdicts over a family: from numbers alone, with the controls that may void them."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.catalog.comparison import Margin, compare_from_json
from scxval.catalog.config import parse_config, read_config_files
from scxval.compare.family import HALVES, judge_family, main
from scxval.compare.record import Check, Distance, Group, Pair, Quantity, Run
from scxval.compare.statistics.multiple import benjamini_hochberg
from scxval.compare.table import SCHEMA, verdict_table
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError

from ..conftest import ROOT

SHIPPED = parse_config(read_config_files([ROOT / "config/config.yaml"]), ROOT).compare
HOW = replace(SHIPPED, resamples=99)
MARGIN = Margin(0.1, 0.0, "for the tests alone")
RUNS = 8


def runs(mean: float, seed: int, n: int = RUNS, sd: float = 0.01) -> tuple[float, ...]:
    """Runs around a mean; `sd` is relative."""
    values = np.random.default_rng(seed).normal(mean, mean * sd, n)
    return tuple(float(value) for value in values)


def quantity(
    name: str, a: tuple[float, ...], b: tuple[float, ...], distorted: float = 1.5, **more: Any
) -> Quantity:
    controls = {
        "dilated": tuple(value * distorted for value in a),
        "starved": tuple(value / distorted for value in a),
    }
    metric, _, stat = name.partition(" ")
    values = {"unit": "1/s", "margin": MARGIN, "controls": controls, **more}
    return Quantity(name, metric, stat, "", a=a, b=b, **values)


def group(name: str, n: int = RUNS, **more: Any) -> Group:
    return Group(name, tuple(Run(f"{name}/rep{rep}", "ok") for rep in range(n)), **more)


def pair(path: str, *quantities: Quantity, n: int = RUNS, **more: Any) -> Pair:
    values = {"a": group("a", n), "b": group("b", n), "where": {"scheduler": "fair"}, **more}
    return Pair("tracer", path, quantities=quantities, **values)


def same(path: str = "same", seed: int = 1, **more: Any) -> Pair:
    a, b = runs(100, seed), runs(100, seed + 1000)
    return pair(path, quantity("switches value", a, b), **more)


def apart(path: str = "apart", seed: int = 1) -> Pair:
    return pair(path, quantity("switches value", runs(100, seed), runs(150, seed + 1)))


def control(record: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (item for item in record["controls"] if item["name"] == name)
    return dict(found)


def test_what_is_the_same_agrees_and_what_is_not_disagrees() -> None:
    record = judge_family("tracer", [same(), apart()], HOW)
    first, second = record["pairs"]
    assert (first["verdict"], second["verdict"]) == ("agree", "disagree")
    assert first["reason"] == "of 1 quantities all agree"
    assert "1 of 1 quantities disagree: switches value: B's mean" in second["reason"]
    assert record["verdict"] == "disagree"
    assert record["reason"] == "1 of 2 pairs: apart"
    assert record["void"] == []
    assert (record["questions"], record["alpha"]) == (2, 0.05)
    assert [(c["name"], c["passed"]) for c in record["controls"]] == [
        ("dilated", True),
        ("starved", True),
        (HALVES, True),
    ]
    assert judge_family("tracer", [same()], HOW)["verdict"] == "agree"


def test_a_quantity_has_answer_verdict_and_what_its_controls_said() -> None:
    (found,) = judge_family("tracer", [same()], HOW)["pairs"][0]["quantities"]
    assert found["verdict"] == "agree"
    assert found["rejected"] == {"dilated": True, "starved": True}
    assert found["margin"]["reason"] == MARGIN.reason
    assert found["n_a"] == found["n_b"] == RUNS
    assert found["effect"]["low"] < 1 < found["effect"]["high"]
    assert found["agree_low"] < found["mean_b"] < found["agree_high"]
    assert found["p_agree_holm"] < 0.05 < found["p_beyond_holm"]
    assert len(found["a"]) == RUNS
    assert "controls" not in found


def test_more_questions_make_a_verdict_harder() -> None:
    # Alone it is within the margin by little.
    close = quantity("switches value", (100.0, 101.0, 99.0, 100.0), (104.0, 105.0, 103.5, 104.5))
    alone = judge_family("tracer", [pair("one", close, n=4)], HOW)
    (first,) = alone["pairs"][0]["quantities"]
    assert first["p_agree_holm"] == first["p_agree"]
    wide = [runs(100, seed, 4, sd=0.3) for seed in range(60)]
    others = [quantity(f"m{i} value", wide[i], wide[i + 30]) for i in range(30)]
    many = judge_family("tracer", [pair("one", close, n=4), pair("two", *others, n=4)], HOW)
    again = many["pairs"][0]["quantities"][0]
    assert again["p_agree"] == first["p_agree"]
    assert again["p_agree_holm"] == pytest.approx(min(1, 31 * first["p_agree"]))
    assert again["power"] < first["power"]
    assert many["questions"] == 31


def test_a_copy_that_is_not_told_from_the_original_voids_pair_and_family() -> None:
    blind = pair("blind", quantity("switches value", runs(100, 1), runs(100, 2), distorted=1.0))
    record = judge_family("tracer", [same(), blind, apart()], HOW)
    good, void, other = record["pairs"]
    # The others keep theirs.
    assert (good["verdict"], void["verdict"], other["verdict"]) == (
        "agree",
        "inconclusive",
        "disagree",
    )
    assert void["quantities"][0]["verdict"] == "agree"
    assert void["reason"].startswith("void: control dilated failed: none of 1 quantities rejects")
    assert record["verdict"] == "inconclusive"
    assert record["reason"].startswith("void: blind: control dilated failed")
    assert len(record["void"]) == 2
    assert control(record, "dilated")["passed"] is False
    assert control(record, "dilated")["reason"].startswith("failed in 1 of 3 pairs: blind: ")
    assert control(void, HALVES)["passed"] is True


def test_one_quantity_that_rejects_the_copy_is_enough_but_one_that_carries() -> None:
    blind = quantity("slices p50", runs(100, 1), runs(100, 2), distorted=1.0)
    seeing = quantity("switches value", runs(100, 3), runs(100, 4))
    (record,) = judge_family("tracer", [pair("x", blind, seeing)], HOW)["pairs"]
    assert record["verdict"] == "agree"
    assert (
        control(record, "dilated")["reason"] == "1 of 2 quantities reject the copy: switches value"
    )
    shown = replace(seeing, carries=False, why_not="pinned by capacity")
    (record,) = judge_family("tracer", [pair("x", blind, shown)], HOW)["pairs"]
    assert record["verdict"] == "inconclusive"
    assert control(record, "dilated")["passed"] is False


def test_numbers_without_any_distorted_copy_carry_nothing() -> None:
    bare = quantity("switches value", runs(100, 1), runs(100, 2), controls={})
    (record,) = judge_family("tracer", [pair("x", bare)], HOW)["pairs"]
    assert record["verdict"] == "inconclusive"
    assert "no distorted copy was made" in record["void"][0]
    assert control(record, "dilated")["passed"] is None
    # One of the two is enough: what has no events has no busiest task.
    once = replace(bare, controls={"dilated": tuple(v * 1.5 for v in bare.a)})
    (record,) = judge_family("tracer", [pair("x", once)], HOW)["pairs"]
    assert record["verdict"] == "agree"
    assert record["quantities"][0]["rejected"] == {"dilated": True, "starved": None}


def test_runs_that_differ_among_themselves_void_the_pair() -> None:
    # Every other run is another machine's: the halves disagree, A and B need not.
    a = tuple(v for two in zip(runs(100, 1, 6), runs(150, 2, 6), strict=True) for v in two)
    b = tuple(v for two in zip(runs(150, 3, 6), runs(100, 4, 6), strict=True) for v in two)
    (record,) = judge_family("tracer", [pair("x", quantity("switches value", a, b))], HOW)["pairs"]
    assert control(record, HALVES)["passed"] is False
    assert "even and odd runs disagree in switches value" in record["void"][-1]


def test_similarities_of_simulations_are_runs_like_any_others() -> None:
    """Two seeds of A make one A/A similarity, which says nothing of how A's seeds differ."""
    similarity = quantity("similarity value", (0.8,), (0.5, 0.51), controls={})
    (record,) = judge_family(
        "tracer", [pair("x", similarity, n=2, a=group("builtin", 2, deterministic=True))], HOW
    )["pairs"]
    (found,) = record["quantities"]
    assert found["verdict"] == "inconclusive"
    assert found["sd_a"] is None


def test_a_pair_is_void_for_its_own_questions_alone() -> None:
    """What is only shown has the runs for a test, what carries has not: no control could be run."""
    alike = quantity("switches value", (100.0,) * 4, (100.0,) * 4)
    shown = quantity(
        "utilisation value", runs(1, 1, 4), runs(1, 2, 4), carries=False, why_not="pinned"
    )
    record = judge_family("tracer", [pair("x", alike, shown, n=4), same()], HOW)
    (found, _) = record["pairs"]
    assert found["void"] == record["void"] == []
    assert found["verdict"] == "inconclusive"
    assert "all of a side alike" in found["reason"]
    assert control(found, HALVES)["reason"] == "not run: no quantity has the runs for it"


def test_what_is_not_measured_is_said_beside_the_verdict() -> None:
    missing = {"migrations value": "A has no events", "slices p50": "A has no events"}
    (record,) = judge_family("tracer", [same(not_measured=missing)], HOW)["pairs"]
    assert record["verdict"] == "agree"
    assert record["reason"] == (
        "of 1 quantities all agree; not measured: migrations value; slices p50"
    )


def test_the_same_counts_over_unlike_windows_are_no_spread() -> None:
    """Of a quantity with two values two runs are alike by chance, whatever their windows make of it."""
    counted = quantity("switches value", (20.0, 19.98), (23.976, 24.0), blur_a=0.03, blur_b=0.03)
    (record,) = judge_family("tracer", [pair("x", counted, n=2)], HOW)["pairs"]
    assert record["quantities"][0]["p_beyond"] is None
    assert record["verdict"] == "inconclusive"
    without = replace(counted, blur_a=0.0, blur_b=0.0)
    (record,) = judge_family("tracer", [pair("x", without, n=2)], HOW)["pairs"]
    assert record["quantities"][0]["p_beyond"] < HOW.alpha


def test_halves_take_four_runs() -> None:
    few = quantity("switches value", runs(100, 1, 3, 1e-4), runs(100, 2, 3, 1e-4))
    (record,) = judge_family("tracer", [pair("x", few, n=3)], HOW)["pairs"]
    assert control(record, HALVES) == {
        "name": HALVES,
        "passed": None,
        "reason": "not run: it takes 4 runs of A, there are 3",
    }
    assert record["verdict"] == "agree"


def test_one_run_a_side_decides_nothing_and_says_so() -> None:
    single = quantity("switches value", (100.0,), (100.0,))
    record = judge_family("tracer", [pair("x", single, n=1)], HOW)
    (found,) = record["pairs"]
    assert found["verdict"] == record["verdict"] == "inconclusive"
    assert "one run has no spread" in found["reason"]
    assert found["void"] == record["void"] == []
    assert record["questions"] == 0
    assert [c["passed"] for c in record["controls"]] == [None] * 3


def test_undecided_says_how_many_runs_would_do() -> None:
    noisy = quantity("switches value", runs(100, 1, sd=0.2), runs(100, 5, sd=0.2), distorted=20.0)
    (record,) = judge_family("tracer", [pair("x", noisy)], HOW)["pairs"]
    assert record["verdict"] == "inconclusive"
    needed = record["quantities"][0]["needed_runs"]
    assert needed > RUNS
    assert f"up to {needed} runs a side are needed" in record["reason"]


def test_a_deterministic_side_is_one_value() -> None:
    value = quantity("switches value", runs(100, 1), (100.0,))
    simulator = pair("x", value, b=group("builtin", 1, deterministic=True))
    (record,) = judge_family("tracer", [simulator], HOW)["pairs"]
    assert record["verdict"] == "agree"
    (undetermined,) = judge_family("tracer", [pair("x", value)], HOW)["pairs"]
    assert undetermined["verdict"] == "inconclusive"


def test_one_seed_that_is_left_of_several_is_a_run() -> None:
    """Where seeds differ, what one of them says is not known of the others."""
    value = quantity("switches value", runs(100, 1), (100.0,))
    simulator = pair("x", value, b=group("builtin", 3, deterministic=True))
    (record,) = judge_family("tracer", [simulator], HOW)["pairs"]
    assert record["verdict"] == "inconclusive"
    assert record["quantities"][0]["sd_b"] is None


def test_a_check_that_failed_voids_whatever_the_numbers_say() -> None:
    failed = Check("simulated again", False, "row 7 differs")
    record = judge_family("tracer", [same(checks=(failed,)), same("other", 7)], HOW)
    assert [p["verdict"] for p in record["pairs"]] == ["inconclusive", "agree"]
    assert record["pairs"][0]["void"] == ["control simulated again failed: row 7 differs"]
    assert record["verdict"] == "inconclusive"
    passed = Check("simulated again", True, "identical")
    record = judge_family("tracer", [same(checks=(passed,)), same("other", 7)], HOW)
    assert record["verdict"] == "agree"
    assert control(record, "simulated again")["reason"] == "passed in 1 pairs"


def test_what_does_not_carry_is_shown_without_a_verdict() -> None:
    pinned = quantity(
        "utilisation value", runs(1, 1), runs(2, 2), carries=False, why_not="pinned by capacity"
    )
    carrying = quantity("switches value", runs(100, 3), runs(100, 4))
    record = judge_family("tracer", [pair("x", pinned, carrying)], HOW)
    (found,) = record["pairs"]
    assert found["verdict"] == "agree"
    assert found["quantities"][0]["verdict"] is None
    assert found["quantities"][0]["reason"] == "pinned by capacity"
    assert found["quantities"][0]["effect"]["estimate"] == pytest.approx(2, rel=0.05)
    assert record["questions"] == 1
    (alone,) = judge_family("tracer", [pair("x", pinned)], HOW)["pairs"]
    assert alone["verdict"] == "inconclusive"
    assert alone["reason"] == (
        "no quantity carries a verdict: utilisation value: pinned by capacity"
    )


def test_settled_and_unmeasured_pairs_count_only_where_nothing_else_is() -> None:
    unsupported = pair("u", settled=Judgement(Verdict.UNSUPPORTED, "no such cell"))
    unmeasured = pair("n", not_measured={"switches value": "no kind in common"})
    record = judge_family("tracer", [unsupported, unmeasured, same()], HOW)
    assert [p["verdict"] for p in record["pairs"]] == ["unsupported", "not_measured", "agree"]
    assert record["pairs"][0]["reason"] == "no such cell"
    assert "switches value: no kind in common" in record["pairs"][1]["reason"]
    assert (record["verdict"], record["reason"]) == (
        "agree",
        "1 of 1 pairs: same; 2 more have no numbers",
    )
    record = judge_family("tracer", [unsupported, unmeasured], HOW)
    assert record["verdict"] == "not_measured"
    assert judge_family("tracer", [unsupported], HOW)["verdict"] == "unsupported"


@pytest.mark.parametrize("family", ["simulator", "tracer", "version"])
def test_a_family_without_pairs_says_what_the_plan_lacks(family: str) -> None:
    record = judge_family(family, [], HOW)
    assert record["verdict"] == "not_measured"
    assert "nothing to compare: the plan has no two groups" in record["reason"]


def test_distances_are_adjusted_over_the_family() -> None:
    p = (0.01, None, 0.04, 0.03)
    distances = [
        Distance("wakeup_latency", "ns", (5,), (5,), 0.1, 2.0, None, None, value, 1.0)
        for value in p
    ]
    pairs = [same(f"p{i}", seed=i, distances=(d,)) for i, d in enumerate(distances)]
    record = judge_family("tracer", pairs, HOW)
    q = [item["distances"][0]["q"] for item in record["pairs"]]
    assert q[1] is None
    assert [q[0], q[2], q[3]] == benjamini_hochberg([0.01, 0.04, 0.03])


def test_pairs_of_another_family_or_twice_or_without_numbers_are_refused() -> None:
    with pytest.raises(ScxvalError, match="same is of family tracer, not of isolation"):
        judge_family("isolation", [same()], HOW)
    with pytest.raises(ScxvalError, match="same is there 2 times"):
        judge_family("tracer", [same(), same()], HOW)
    with pytest.raises(ScxvalError, match="pair x, switches value: a side"):
        judge_family("tracer", [pair("x", quantity("switches value", (), (1.0,)))], HOW)


def test_false_alarms_of_a_family_stay_below_alpha() -> None:
    """60 families of 4 quantities, nothing differing: `disagree` anywhere in few, and void in few."""
    alarms = voids = 0
    how = replace(HOW, alpha=0.1)
    exact = Margin(0.0, 0.0, "no difference at all is within")
    for seed in range(60):
        sides = [
            [runs(100, 10 * seed + j + offset, sd=0.1) for offset in (0, 5000)] for j in range(4)
        ]
        found = [
            quantity(f"m{j} value", a, b, distorted=3.0, margin=exact)
            for j, (a, b) in enumerate(sides)
        ]
        (record,) = judge_family("tracer", [pair("x", *found)], how)["pairs"]
        alarms += any(item["verdict"] == "disagree" for item in record["quantities"])
        voids += bool(record["void"])
    # 6 are expected at most; 14 is 3.4 standard deviations above.
    assert alarms <= 14
    assert voids <= 14


# No quantity is smaller than a thousandth of a nanosecond and not 0.
NUMBERS = st.just(0.0) | st.floats(1e-3, 1e9)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.lists(NUMBERS, min_size=1, max_size=5),
            st.lists(NUMBERS, min_size=1, max_size=5),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_any_numbers_make_a_whole_record(
    sides: list[tuple[list[float], list[float], bool]],
) -> None:
    found = [
        quantity(f"m{i} value", tuple(a), tuple(b), carries=carries, why_not="" if carries else "?")
        for i, (a, b, carries) in enumerate(sides)
    ]
    record = judge_family("tracer", [pair("x", *found), same()], HOW)
    (first, _) = record["pairs"]
    assert len(first["quantities"]) == len(sides)
    for item, (a, b, carries) in zip(first["quantities"], sides, strict=True):
        assert (item["verdict"] is None) == (not carries)
        if min(len(a), len(b)) == 1:
            assert item["verdict"] in (None, "inconclusive")
    verdicts = {item["verdict"] for item in first["quantities"] if item["carries"]}
    if first["verdict"] == "agree":
        assert verdicts == {"agree"}
    if first["verdict"] == "disagree":
        assert "disagree" in verdicts
    if first["void"]:
        assert first["verdict"] == "inconclusive" == record["verdict"]
    assert verdict_table(record).num_rows == max(1, len(sides)) + 1


def run_main(folder: Path, pairs: list[Pair], how: str | None = None) -> int:
    for item in pairs:
        (folder / "out" / item.path).mkdir(parents=True)
        item.write(folder / "out" / item.path / "pair.json")
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"pairs": {"tracer": [item.path for item in pairs]}}))
    settings_json = json.dumps(asdict(HOW)) if how is None else how
    names = ["--family", "tracer", "--plan", str(plan), "--compare", settings_json]
    return main([*names, "--output", str(folder / "out")])


def test_files_say_what_was_judged(tmp_path: Path) -> None:
    pairs = [same(), apart(), pair("u", settled=Judgement(Verdict.UNSUPPORTED, "no, such cell"))]
    assert run_main(tmp_path, pairs) == 0
    record = json.loads((tmp_path / "out/verdicts.json").read_text())
    assert record == json.loads(json.dumps(judge_family("tracer", pairs, HOW)))
    table = pq.read_table(tmp_path / "out/verdicts.parquet")
    assert table.schema.equals(SCHEMA)
    assert table["verdict"].to_pylist() == ["agree", "disagree", None]
    assert table["pair_verdict"].to_pylist() == ["agree", "disagree", "unsupported"]
    assert table["reason"].to_pylist()[2] == "no, such cell"
    rows = list(csv.DictReader((tmp_path / "out/verdicts.csv").open()))
    assert [row["path"] for row in rows] == ["same", "apart", "u"]
    assert rows[1]["effect_estimate"] == str(
        record["pairs"][1]["quantities"][0]["effect"]["estimate"]
    )


def test_no_pair_leaves_whole_files(tmp_path: Path) -> None:
    assert run_main(tmp_path, []) == 0
    assert json.loads((tmp_path / "out/verdicts.json").read_text())["pairs"] == []
    assert pq.read_table(tmp_path / "out/verdicts.parquet").num_rows == 0


def test_what_cannot_be_read_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, how in enumerate(("{", "[]", '{"alpha": 1}')):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run_main(folder, [same()], how) == 2
        said = capsys.readouterr().err
        assert said.startswith("scxval compare: ") and said.count("\n") == 1
        assert not (folder / "out/verdicts.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"pairs": {"machine": []}}', None])
def test_a_plan_without_the_family_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_text(content)
    names = ["--family", "tracer", "--plan", str(plan), "--output", str(tmp_path / "out")]
    assert main([*names, "--compare", json.dumps(asdict(HOW))]) == 2
    said = capsys.readouterr().err
    assert said.startswith("scxval compare: ") and said.count("\n") == 1
    assert str(plan) in said


def test_a_pair_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(tmp_path, [same()]) == 0
    (tmp_path / "out/same/pair.json").write_text('{"schema": 1}')
    names = ["--family", "tracer", "--plan", str(tmp_path / "plan.json")]
    names += ["--output", str(tmp_path / "out"), "--compare", json.dumps(asdict(HOW))]
    assert main(names) == 2
    assert "same/pair.json: not a pair.json" in capsys.readouterr().err


def test_settings_are_read_back() -> None:
    assert compare_from_json(json.dumps(asdict(SHIPPED))) == SHIPPED
