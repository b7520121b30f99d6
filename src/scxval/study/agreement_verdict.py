# SPDX-License-Identifier: MIT
"""Turns what two sources share and do not share into verdicts, with thresholds fixed before data.

Lost events speak for a source: a record that a tracer says it dropped, or that its converter could not
read, explains up to two rows (a switch makes two) that only the other source has. What its loss explains
is inconclusive; only what is beyond it is a disagreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scxval.catalog.config import Agreement
from scxval.compare.clock import Clock, Residuals
from scxval.compare.verdict import Judgement, Verdict, together

ROWS_PER_RECORD = 2


@dataclass(frozen=True)
class Missing:
    """Rows of one class: how many there are, and those that only one source has, window edges apart."""

    what: str
    rows: int
    only_a: int
    only_b: int


def judge_presence(
    classes: Sequence[Missing], lost: tuple[int, int], names: tuple[str, str], limits: Agreement
) -> Judgement:
    """Whether both sources have the same rows, class by class."""
    explained = (ROWS_PER_RECORD * lost[1], ROWS_PER_RECORD * lost[0])
    total = sum(some.rows for some in classes)
    worst: Judgement | None = None
    for some in classes:
        allowed = _allowed(some.rows, limits.unmatched_share, limits)
        beyond = max(0, some.only_a - explained[0]) + max(0, some.only_b - explained[1])
        text = (
            f"{some.what}: of {some.rows} rows {some.only_a} are only in {names[0]}, "
            f"{some.only_b} only in {names[1]} (allowed {allowed})"
        )
        if beyond > allowed:
            return Judgement(Verdict.DISAGREE, text + _loss(lost, names, "not explained by"))
        if some.only_a + some.only_b > allowed and worst is None:
            worst = Judgement(Verdict.INCONCLUSIVE, text + _loss(lost, names, "explained by"))
    if worst is not None:
        return worst
    if total < limits.min_rows:
        return Judgement(
            Verdict.INCONCLUSIVE, f"only {total} rows to compare, at least {limits.min_rows} needed"
        )
    single = sum(some.only_a + some.only_b for some in classes)
    return Judgement(Verdict.AGREE, f"of {total} rows {single} are in one source only")


def judge_counts(
    classes: Sequence[tuple[str, int, int]],
    lost: tuple[int, int],
    names: tuple[str, str],
    limits: Agreement,
) -> Judgement:
    """Whether both sources count the same number of rows (in the whole window), class by class."""
    worst: Judgement | None = None
    for what, in_a, in_b in classes:
        allowed = _allowed(max(in_a, in_b), limits.unmatched_share, limits)
        text = f"{what}: {in_a} in {names[0]}, {in_b} in {names[1]} (allowed difference {allowed})"
        fewer = lost[0] if in_a < in_b else lost[1]
        if abs(in_a - in_b) > allowed + ROWS_PER_RECORD * fewer:
            return Judgement(Verdict.DISAGREE, text + _loss(lost, names, "not explained by"))
        if abs(in_a - in_b) > allowed and worst is None:
            worst = Judgement(Verdict.INCONCLUSIVE, text + _loss(lost, names, "explained by"))
    total = sum(max(in_a, in_b) for _, in_a, in_b in classes)
    if worst is not None:
        return worst
    if total < limits.min_rows:
        return Judgement(
            Verdict.INCONCLUSIVE, f"only {total} rows to count, at least {limits.min_rows} needed"
        )
    return Judgement(Verdict.AGREE, f"every kind counted alike, {total} rows in all")


def judge_fields(fields: Sequence[tuple[str, int, int]], limits: Agreement) -> Judgement:
    """Whether paired rows say the same; `fields` are class and name, pairs compared, pairs that differ."""
    wrong = []
    for name, compared, differing in fields:
        allowed = _allowed(compared, limits.differing_share, limits)
        if differing > allowed:
            wrong.append((name, f"{differing} of {compared} pairs differ (allowed {allowed})"))
    if wrong:
        return Judgement(Verdict.DISAGREE, together(wrong))
    if not fields:
        return Judgement(Verdict.NOT_MEASURED, "no field that both sources fill")
    differing = sum(found for _, _, found in fields)
    compared = sum(found for _, found, _ in fields)
    return Judgement(Verdict.AGREE, f"{differing} of {compared} values differ")


def judge_order(pairs: int, wrong: int, limits: Agreement) -> Judgement:
    """Whether paired rows stand in the same order on each CPU."""
    allowed = _allowed(pairs, limits.unmatched_share, limits)
    text = f"{wrong} of {pairs} pairs stand in another order on their CPU (allowed {allowed})"
    if not pairs:
        return Judgement(Verdict.NOT_MEASURED, "no pairs")
    return Judgement(Verdict.DISAGREE if wrong > allowed else Verdict.AGREE, text)


def judge_times(apart: Residuals | None, line: Clock | None, limits: Agreement) -> Judgement:
    """Whether both sources' times of the same events may be mixed."""
    if apart is None or line is None:
        return Judgement(Verdict.NOT_MEASURED, "no pairs")
    wrong = []
    spread = apart.p99 - apart.p1
    if abs(apart.median) > limits.offset_ns:
        wrong.append(f"offset {apart.median:.0f} ns (allowed {limits.offset_ns})")
    if spread > limits.spread_ns:
        wrong.append(
            f"residuals spread over {spread:.0f} ns, p1 to p99 (allowed {limits.spread_ns})"
        )
    if _drifts(line, limits):
        wrong.append(
            f"drift {line.drift_ppm:.1f} ppm, 95 % {line.drift_low_ppm:.1f} to "
            f"{line.drift_high_ppm:.1f} (allowed {limits.drift_ppm})"
        )
    if wrong:
        return Judgement(Verdict.DISAGREE, "; ".join(wrong))
    return Judgement(
        Verdict.AGREE,
        f"t_B - t_A: median {apart.median:.0f} ns, p1 {apart.p1:.0f}, p99 {apart.p99:.0f}",
    )


def _drifts(line: Clock, limits: Agreement) -> bool:
    """Whether the whole confidence interval of the drift lies beyond what is allowed."""
    if line.drift_low_ppm is None or line.drift_high_ppm is None:
        return False
    return line.drift_low_ppm > limits.drift_ppm or line.drift_high_ppm < -limits.drift_ppm


def _allowed(rows: int, share: float, limits: Agreement) -> int:
    return max(limits.unmatched_rows, int(share * rows))


def _loss(lost: tuple[int, int], names: tuple[str, str], word: str) -> str:
    said = [
        f"{count} records that {name} lost"
        for name, count in zip(names, lost, strict=True)
        if count
    ]
    return f", {word} {' and '.join(said)}" if said else ""
