# SPDX-License-Identifier: MIT
"""The five verdicts that everything is judged by, and how several make one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

# Reasons in one verdict; every part keeps its own.
MOST_REASONS = 5


class Verdict(StrEnum):
    """What two sides say of each other."""

    AGREE = "agree"
    DISAGREE = "disagree"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not_measured"
    # One side cannot exist: a simulator that does not know the scheduler, an excluded cell.
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason, one sentence with the numbers."""

    verdict: Verdict
    reason: str


def with_words(judgement: Judgement, words: str) -> Judgement:
    """The same verdict with more said of it, if there is more."""
    return replace(judgement, reason=f"{judgement.reason}; {words}") if words else judgement


def overall(parts: Mapping[str, Judgement]) -> Judgement:
    """The worst of several: disagree, else inconclusive, else agree; with the reasons of the worst.

    What was not measured, or is unsupported, counts only where nothing else is there.
    """
    order = (Verdict.DISAGREE, Verdict.INCONCLUSIVE, Verdict.AGREE, Verdict.NOT_MEASURED)
    for verdict in order:
        found = [(name, part.reason) for name, part in parts.items() if part.verdict is verdict]
        if found:
            return Judgement(verdict, together(found))
    if not parts:
        return Judgement(Verdict.NOT_MEASURED, "nothing to compare")
    return Judgement(Verdict.UNSUPPORTED, together((n, p.reason) for n, p in parts.items()))


def together(found: Iterable[tuple[str, str]]) -> str:
    """Names with their reasons in one line, the first MOST_REASONS of them."""
    said = [f"{name}: {reason}" if reason else name for name, reason in found]
    more = [f"and {len(said) - MOST_REASONS} more"] if len(said) > MOST_REASONS else []
    return "; ".join([*said[:MOST_REASONS], *more])
