# SPDX-License-Identifier: MIT
"""Claims are what was decided, and new answers to them are judged as docs/published.md says."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.files import write_json
from scxval.published.claims import (
    DECIDED,
    Claim,
    Outcome,
    claims,
    judge,
    judge_all,
    line,
    read_claims,
    side_of,
    summary,
    write_claims,
    write_table,
)
from scxval.study.record import Finding, Study, record_of

CLAIM = Claim(
    source="study/tracer_overhead",
    what="rtapp_period count task hog",
    where="scheduler=fair/tracer=bpftrace",
    verdict=Verdict.DISAGREE,
    unit="ratio",
    estimate=0.56,
    low=0.5,
    high=0.6,
    margin_low=0.95,
    margin_high=1.05,
    n_a=4,
    n_b=4,
    reason="much less",
)


def anew(**fields: Any) -> Claim:
    return replace(CLAIM, **fields)


@pytest.mark.parametrize(
    ("claim", "answer", "outcome", "words"),
    [
        (CLAIM, CLAIM, Outcome.REPRODUCED, "the new runs disagree, too"),
        (CLAIM, anew(estimate=0.9), Outcome.REPRODUCED, "too"),
        (CLAIM, anew(verdict=Verdict.AGREE), Outcome.NOT_REPRODUCED, "the new runs agree"),
        (CLAIM, anew(estimate=1.8), Outcome.NOT_REPRODUCED, "below the margin and now above it"),
        (CLAIM, anew(verdict=Verdict.INCONCLUSIVE), Outcome.INCONCLUSIVE, "inconclusive: much"),
        (CLAIM, anew(verdict=Verdict.NOT_MEASURED), Outcome.INCONCLUSIVE, "not measured: much"),
        (CLAIM, None, Outcome.INCONCLUSIVE, "no answer"),
        (anew(verdict=Verdict.AGREE), anew(verdict=Verdict.AGREE), Outcome.REPRODUCED, "agree"),
        (anew(verdict=Verdict.AGREE), CLAIM, Outcome.NOT_REPRODUCED, "disagree"),
        # A margin that is not there has no sides.
        (CLAIM, anew(estimate=1.8, margin_low=None), Outcome.REPRODUCED, "too"),
    ],
)
def test_judged(claim: Claim, answer: Claim | None, outcome: Outcome, words: str) -> None:
    judged = judge(claim, answer)
    assert judged.outcome is outcome
    assert words in judged.reason
    assert judged.anew is answer


@given(st.sampled_from(DECIDED), st.sampled_from(list(Verdict)), st.floats(0, 3), st.floats(0, 3))
def test_reproduced_only_by_the_same_verdict(old, new, was: float, now: float) -> None:
    judged = judge(anew(verdict=old, estimate=was), anew(verdict=new, estimate=now))
    if judged.outcome is Outcome.REPRODUCED:
        assert old is new
    if judged.outcome is Outcome.NOT_REPRODUCED:
        assert new in DECIDED
        assert old is not new or side_of(anew(estimate=was)) != side_of(anew(estimate=now))
    assert (judged.outcome is Outcome.INCONCLUSIVE) == (new not in DECIDED)


def quantity(name: str, verdict: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": "1/s",
        "verdict": verdict,
        "reason": "why",
        "mean_a": 200.0,
        "agree_low": 190.0,
        "agree_high": 210.0,
        "n_a": 4,
        "n_b": 3,
        "effect": {"ratio": True, "estimate": 0.5, "low": 0.4, "high": 0.6},
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One study with two findings, one family with a sound pair and a void one."""
    findings = tuple(
        Finding(what, {"machine": "tcg4", "a": "x"}, verdict, "why", n_a=4)
        for what, verdict in (("one", Verdict.AGREE), ("two", Verdict.INCONCLUSIVE))
    )
    study = Study("tracer_overhead", "", "", Judgement(Verdict.AGREE, ""), findings)
    folder = tmp_path / "study/tracer_overhead"
    folder.mkdir(parents=True)
    write_json(folder / "study.json", record_of(study))
    (folder / "figure.svg").write_text("<svg/>")
    plain = {**quantity("difference", "agree")}
    plain["effect"] = {"ratio": False, "estimate": 5.0, "low": 1.0, "high": 9.0}
    pairs = [
        {
            "path": "sound",
            "void": [],
            "quantities": [quantity("ratio", "disagree"), plain, quantity("shown", None)],
        },
        {"path": "void", "void": ["control failed"], "quantities": [quantity("q", "agree")]},
    ]
    (tmp_path / "compare/tracer").mkdir(parents=True)
    write_json(tmp_path / "compare/tracer/verdicts.json", {"family": "tracer", "pairs": pairs})
    return tmp_path


def test_claims_are_what_was_decided(results: Path) -> None:
    found = {claim.key: claim for claim in claims(results)}
    assert set(found) == {
        ("study/tracer_overhead", "one", "a=x/machine=tcg4"),
        ("compare/tracer", "ratio", "sound"),
        ("compare/tracer", "difference", "sound"),
    }
    ratio = found["compare/tracer", "ratio", "sound"]
    assert (ratio.unit, ratio.margin_low, ratio.margin_high) == ("ratio", 0.95, 1.05)
    difference = found["compare/tracer", "difference", "sound"]
    assert (difference.unit, difference.margin_low, difference.margin_high) == ("1/s", -10, 10)


def test_written_and_read(results: Path) -> None:
    write_claims(results, results / "claims.json")
    assert read_claims(results / "claims.json") == claims(results)
    judged = judge_all(read_claims(results / "claims.json"), results)
    assert summary(judged) == "of 3 claims 3 reproduced, 0 not reproduced, 0 inconclusive"


def test_a_pair_whose_controls_fail_anew_decides_nothing(results: Path) -> None:
    before = claims(results)
    file = results / "compare/tracer/verdicts.json"
    record = json.loads(file.read_text())
    record["pairs"][0]["void"] = ["control dilated failed"]
    write_json(file, record)
    judged = judge_all(before, results)
    assert summary(judged) == "of 3 claims 1 reproduced, 0 not reproduced, 2 inconclusive"
    assert judged[0].reason == "inconclusive: control dilated failed"


def test_the_table_has_both_sides(results: Path) -> None:
    judged = [judge(CLAIM, anew(verdict=Verdict.AGREE, estimate=1.0)), judge(CLAIM, None)]
    write_table(judged, results / "claims.csv")
    with (results / "claims.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["outcome"] == "not_reproduced"
    assert (first["published_estimate"], first["anew_estimate"]) == ("0.56", "1.0")
    assert (first["published_n_a"], first["anew_n_b"], first["anew_margin_high"]) == (
        "4",
        "4",
        "1.05",
    )
    assert (second["outcome"], second["anew_verdict"], second["anew_n_a"]) == (
        "inconclusive",
        "",
        "",
    )
    text = line(judged[0])
    assert "published disagree 0.56 [0.5, 0.6] n 4+4" in text
    assert "anew 1 [0.5, 0.6] n 4+4, margin [0.95, 1.05] ratio" in text


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema": 2, "claims": []}', "no JSON",
                                  '{"schema": 1, "claims": [{"what": "x"}]}',
                                  '{"schema": 1, "claims": [{"verdict": "perhaps"}]}'])  # fmt: skip
def test_claims_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(ScxvalError, match=r"claims\.json"):
        read_claims(tmp_path / "claims.json")


def test_two_answers_to_one_question(results: Path) -> None:
    record = json.loads((results / "compare/tracer/verdicts.json").read_text())
    record["pairs"].append(record["pairs"][0])
    write_json(results / "compare/tracer/verdicts.json", record)
    with pytest.raises(ScxvalError, match="two answers to one question: compare/tracer, ratio"):
        claims(results)


def test_a_family_that_cannot_be_read(results: Path) -> None:
    write_json(results / "compare/tracer/verdicts.json", {"family": "tracer", "pairs": [{}]})
    with pytest.raises(ScxvalError, match=r"not a verdicts\.json"):
        claims(results)
