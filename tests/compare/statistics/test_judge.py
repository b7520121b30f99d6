# SPDX-License-Identifier: MIT
import dataclasses

import numpy as np
import pytest

from scxval.compare.statistics.judge import judge
from scxval.compare.statistics.multiple import holm
from scxval.compare.statistics.question import Answer, ask
from scxval.compare.statistics.side import Side
from scxval.compare.verdict import Verdict
from tests.compare.statistics.asked import HOW, margin

A = Side((102.0, 97.0, 110.0, 95.0, 101.0, 99.0))
NEAR = Side((103.0, 101.0, 98.0, 107.0, 96.0))
FAR = Side(tuple(v * 1.5 for v in A.values))


def asked(a: Side, b: Side, ratio: float = 0.1) -> Answer:
    return ask(a, b, margin(ratio), HOW)


def test_each_verdict_with_its_numbers() -> None:
    found = judge(
        {"near": asked(A, NEAR), "far": asked(A, FAR), "unclear": asked(A, NEAR, 0.02)}, HOW
    )
    assert [found[name].verdict for name in ("near", "far", "unclear")] == [
        Verdict.AGREE,
        Verdict.DISAGREE,
        Verdict.INCONCLUSIVE,
    ]
    assert found["near"].reason.startswith(
        "B's mean 101 against 100.7 of A, which agrees from 91.52 to 110.7; that it is beyond has p "
    )
    assert "over 3 questions (6 and 5 runs)" in found["near"].reason
    assert "a side are needed for 80%" in found["unclear"].reason
    assert "these can confirm no ratio below" in found["unclear"].reason


def test_one_run_is_inconclusive_and_no_question_of_the_family() -> None:
    single = asked(A, Side((100.0,)))
    alone = judge({"near": asked(A, NEAR)}, HOW)["near"]
    found = judge({"single": single, "near": asked(A, NEAR)}, HOW)
    assert found["single"].verdict is Verdict.INCONCLUSIVE
    assert (
        found["single"].reason
        == "6 and 1 runs: one run has no spread, nothing can be said of others"
    )
    assert found["single"].p_agree_holm is None
    assert found["near"] == alone


def test_more_questions_make_a_verdict_harder() -> None:
    borderline = asked(A, NEAR, 0.075)
    assert borderline.p_agree is not None and 0.05 / 40 < borderline.p_agree < 0.05
    assert judge({"one": borderline}, HOW)["one"].verdict is Verdict.AGREE
    many = judge({f"q{k}": borderline for k in range(40)}, HOW)
    assert {judged.verdict for judged in many.values()} == {Verdict.INCONCLUSIVE}


def test_the_adjusted_numbers_are_holms_of_the_family() -> None:
    rng = np.random.default_rng(1)
    answers = {f"q{k}": asked(A, Side(tuple(rng.normal(100 + k, 5, 5)))) for k in range(6)}
    found = judge(answers, HOW)
    for raw, adjusted in (("p_agree", "p_agree_holm"), ("p_beyond", "p_beyond_holm")):
        expected = holm([getattr(answer, raw) for answer in answers.values()])
        assert [getattr(judged, adjusted) for judged in found.values()] == pytest.approx(expected)


def test_what_rests_on_runs_without_spread_says_so() -> None:
    found = judge({"same": asked(Side((4.0,) * 5), Side((4.0,) * 5))}, HOW)["same"]
    assert found.verdict is Verdict.AGREE
    assert "no run differs from another of its side" in found.reason


@pytest.mark.parametrize("b", [4.0, 9.0])
def test_few_runs_without_spread_are_no_test(b: float) -> None:
    """Two levels that are equally likely are all alike in 2 and 2 runs in one of four cases."""
    found = judge({"same": asked(Side((4.0,) * 4), Side((b,) * 5))}, HOW)["same"]
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "fewer than 5 runs" in found.reason
    assert "one run" not in found.reason


def test_never_agree_and_disagree_at_once() -> None:
    """Even where p is made up to be both, as no test would have it."""
    strange = dataclasses.replace(asked(A, NEAR), p_agree=0.001, p_beyond=0.9)
    assert judge({"x": strange}, HOW)["x"].verdict is Verdict.AGREE


def test_an_empty_family() -> None:
    assert judge({}, HOW) == {}
