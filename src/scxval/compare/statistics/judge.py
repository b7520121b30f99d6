# SPDX-License-Identifier: MIT
"""Verdicts over the questions of a family, all together, so that more questions make no more false ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scxval.catalog.comparison import Compare
from scxval.compare.statistics.multiple import benjamini_hochberg, holm
from scxval.compare.statistics.power import MOST_RUNS
from scxval.compare.statistics.question import Answer
from scxval.compare.statistics.side import FEWEST_ALIKE
from scxval.compare.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """The verdict of one question with its reason; p-values adjusted over the family.

    None where there are too few runs for a test. `q_difference` is Benjamini and Hochberg's of Welch's
    p: for looking through what differs at all, margin or not. No verdict is made of it.
    """

    verdict: Verdict
    reason: str
    p_agree_holm: float | None
    p_beyond_holm: float | None
    q_difference: float | None


def judge(answers: Mapping[str, Answer], how: Compare) -> dict[str, Judged]:
    """Judge the questions that carry a verdict, by name, all of one family.

    `agree` where Holm's p of `p_agree` is below alpha, `disagree` where that of `p_beyond` is, else
    `inconclusive`. Each of the two is wrong anywhere in the family with a chance of at most alpha.
    """
    asked = [name for name, answer in answers.items() if answer.p_agree is not None]
    agree = dict(zip(asked, holm([answers[n].p_agree or 0.0 for n in asked]), strict=True))
    beyond = dict(zip(asked, holm([answers[n].p_beyond or 0.0 for n in asked]), strict=True))
    welch = [answers[name].p_welch or 0.0 for name in asked]
    q = dict(zip(asked, benjamini_hochberg(welch), strict=True))
    return {
        name: _judged(
            answer, agree.get(name), beyond.get(name), q.get(name), how, questions=len(asked)
        )
        for name, answer in answers.items()
    }


def _judged(
    answer: Answer,
    agree: float | None,
    beyond: float | None,
    q: float | None,
    how: Compare,
    questions: int,
) -> Judged:
    if agree is None or beyond is None:
        reason = f"{_runs(answer)}: {why_untested(answer)}"
        return Judged(Verdict.INCONCLUSIVE, reason, None, None, None)
    where = (
        f"B's mean {number(answer.mean_b)} against {number(answer.mean_a)} of A, which agrees from"
        f" {number(answer.agree_low)} to {number(answer.agree_high)}"
    )
    over = f" over {questions} questions" if questions > 1 else ""
    if answer.sd_a == answer.sd_b == 0:
        # Said because no variance stands behind it.
        where += "; no run differs from another of its side"
    if agree < how.alpha:
        reason = f"{where}; that it is beyond has p {agree:.2g}{over} ({_runs(answer)})"
        return Judged(Verdict.AGREE, reason, agree, beyond, q)
    if beyond < how.alpha:
        reason = f"{where}; that it is within has p {beyond:.2g}{over} ({_runs(answer)})"
        return Judged(Verdict.DISAGREE, reason, agree, beyond, q)
    reason = (
        f"{where}; neither that it is beyond (p {agree:.2g}) nor that it is within (p {beyond:.2g})"
        f" can be ruled out{over}; {cannot_decide(answer, how)}"
    )
    return Judged(Verdict.INCONCLUSIVE, reason, agree, beyond, q)


def why_untested(answer: Answer) -> str:
    """Why the runs of an answer without p-values are too few for a test."""
    if answer.sd_a is None or answer.sd_b is None:
        return "one run has no spread, nothing can be said of others"
    return f"all of a side alike, which fewer than {FEWEST_ALIKE} runs of few levels are by chance"


def cannot_decide(answer: Answer, how: Compare) -> str:
    """What so many runs cannot decide, and how many could; "" with one run on a side."""
    if answer.power is None:
        return ""
    said = [f"{_runs(answer)} would confirm equal means with a chance of {answer.power:.0%}"]
    if answer.power < how.power:
        unit = "pairs" if answer.paired else "a side"
        more = (
            f"{answer.needed_runs} {unit}"
            if answer.needed_runs is not None
            else f"more than {MOST_RUNS} {unit}"
        )
        said.append(f"{more} are needed for {how.power:.0%}")
        if answer.smallest_ratio is not None:
            said.append(f"these can confirm no ratio below {answer.smallest_ratio:.1%}")
        else:
            said.append("these can confirm no ratio at all")
    return ", ".join(said)


def number(value: float) -> str:
    """Four digits, and whole numbers with separators from 1000 on."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _runs(answer: Answer) -> str:
    if answer.paired:
        return f"{answer.n_a} pairs of runs"
    return f"{answer.n_a} and {answer.n_b} runs"
