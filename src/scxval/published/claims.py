# SPDX-License-Identifier: MIT
"""What a study decided, and whether runs that were made anew decide the same.

A claim is a finding of a study, or a quantity of a pair whose own controls passed, with the verdict agree or
disagree. New runs go through the same method with the same margins and give a verdict of their own.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from scxval.compare.verdict import Verdict
from scxval.errors import ScxvalError
from scxval.files import read_record, whole, write_json
from scxval.study.record import read_study

SCHEMA = 1
# What a claim may have been decided as.
DECIDED = (Verdict.AGREE, Verdict.DISAGREE)


@dataclass(frozen=True)
class Claim:
    """One question with its answer; a claim when the verdict is one of DECIDED.

    `source` is study/<name> or compare/<family>; `what` and `where` (axis values, or the pair's folder) name
    the question in it. `estimate` with its interval and the margin are in `unit` ("ratio": B over A). `n_a`
    and `n_b` are runs; None is what does not apply. `reason` has the numbers in words.
    """

    source: str
    what: str
    where: str
    verdict: Verdict
    unit: str
    estimate: float | None
    low: float | None
    high: float | None
    margin_low: float | None
    margin_high: float | None
    n_a: int | None
    n_b: int | None
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What question it is."""
        return (self.source, self.what, self.where)


class Outcome(StrEnum):
    """What new runs say of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not_reproduced"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Judged:
    """A claim, what new runs say of it, and their own answer (None: they have none)."""

    claim: Claim
    outcome: Outcome
    reason: str
    anew: Claim | None


def answers(results: Path) -> dict[tuple[str, str, str], Claim]:
    """Every question of a folder of results by its key. Raises ScxvalError for what cannot be
    read, or has two answers.
    """
    found = [*_of_studies(results), *_of_families(results)]
    by_key = {answer.key: answer for answer in found}
    if len(by_key) < len(found):
        twice = next(a for a in found if by_key[a.key] is not a)
        raise ScxvalError(f"{results}: two answers to one question: {', '.join(twice.key)}")
    return by_key


def claims(results: Path) -> list[Claim]:
    """What was decided, in the order of keys."""
    found = answers(results)
    return [found[key] for key in sorted(found) if found[key].verdict in DECIDED]


def _of_studies(results: Path) -> Iterator[Claim]:
    for record in sorted((results / "study").glob("*/study.json")):
        study = read_study(record.parent)
        for f in study.findings:
            where = "/".join(f"{axis}={value}" for axis, value in sorted(f.where.items()))
            yield Claim(
                source=f"study/{study.name}",
                where=where,
                **{name: getattr(f, name) for name in _NUMBERS},
            )


# Of a finding, under the same names.
_NUMBERS = tuple(f.name for f in fields(Claim) if f.name not in ("source", "where"))


def _of_families(results: Path) -> Iterator[Claim]:
    for file in sorted((results / "compare").glob("*/verdicts.json")):
        record = read_record(file, "verdicts.json")
        try:
            for pair in record["pairs"]:
                yield from _of_pair(record["family"], pair)
        except (KeyError, TypeError) as error:
            raise ScxvalError(f"{file}: not a verdicts.json: {error!r}") from error


def _of_pair(family: str, pair: Mapping[str, Any]) -> Iterator[Claim]:
    # Of a pair whose controls failed nothing can be told, whatever its numbers are.
    void = "; ".join(pair["void"])
    for q in pair["quantities"]:
        if q["verdict"] is None:
            continue
        effect = q["effect"]
        ratio = effect["ratio"]
        scale, shift = (q["mean_a"], 0.0) if ratio else (1.0, q["mean_a"])
        yield Claim(
            source=f"compare/{family}",
            what=q["name"],
            where=pair["path"],
            verdict=Verdict.INCONCLUSIVE if void else Verdict(q["verdict"]),
            unit="ratio" if ratio else q["unit"],
            estimate=effect["estimate"],
            low=effect["low"],
            high=effect["high"],
            margin_low=(q["agree_low"] - shift) / scale,
            margin_high=(q["agree_high"] - shift) / scale,
            n_a=q["n_a"],
            n_b=q["n_b"],
            reason=void or q["reason"],
        )


def write_claims(results: Path, output: Path) -> None:
    """claims.json of a folder of results; the same results give the same bytes."""
    write_json(output, {"schema": SCHEMA, "claims": [asdict(claim) for claim in claims(results)]})


def read_claims(path: Path) -> list[Claim]:
    """Read a claims.json. Raises ScxvalError."""
    record = read_record(path, "claims.json")
    try:
        if record["schema"] != SCHEMA:
            raise ScxvalError(f"{path}: written by another version of scxval; publish it again")
        return [Claim(**{**item, "verdict": Verdict(item["verdict"])}) for item in record["claims"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ScxvalError(f"{path}: not a claims.json: {error!r}") from error


def judge(claim: Claim, anew: Claim | None) -> Judged:
    """What an answer of new runs to the same question says of a claim.

    The same verdict reproduces it, unless both disagree in opposite directions; the opposite one does not; of
    runs that decide nothing nothing can be told.
    """
    if anew is None:
        return Judged(claim, Outcome.INCONCLUSIVE, "the new runs have no answer to it", None)
    if anew.verdict not in DECIDED:
        words = anew.verdict.replace("_", " ")
        return Judged(claim, Outcome.INCONCLUSIVE, f"{words}: {anew.reason}", anew)
    if anew.verdict is not claim.verdict:
        return Judged(claim, Outcome.NOT_REPRODUCED, f"the new runs {anew.verdict}", anew)
    sides = {side_of(claim), side_of(anew)} - {""}
    if claim.verdict is Verdict.DISAGREE and len(sides) == 2:
        why = f"both disagree, {side_of(claim)} the margin and now {side_of(anew)} it"
        return Judged(claim, Outcome.NOT_REPRODUCED, why, anew)
    return Judged(claim, Outcome.REPRODUCED, f"the new runs {anew.verdict}, too", anew)


def side_of(answer: Claim) -> str:
    """On which side of its margin an effect lies: below, above, or "" within or without numbers."""
    if answer.estimate is None or answer.margin_low is None or answer.margin_high is None:
        return ""
    if answer.estimate < answer.margin_low:
        return "below"
    return "above" if answer.estimate > answer.margin_high else ""


def judge_all(published: list[Claim], results: Path) -> list[Judged]:
    """Every claim against the answers of a folder of results."""
    anew = answers(results)
    return [judge(claim, anew.get(claim.key)) for claim in published]


def summary(judged: list[Judged]) -> str:
    """How many claims were reproduced, in one line."""
    counts = Counter(one.outcome for one in judged)
    words = ", ".join(f"{counts[o]} {o.replace('_', ' ')}" for o in Outcome)
    return f"of {len(judged)} claims {words}"


# Of both sides, in the table.
_SIDE = ("verdict", "estimate", "low", "high", "margin_low", "margin_high", "n_a", "n_b")


def write_table(judged: list[Judged], output: Path) -> None:
    """A row a claim as CSV, with the numbers of both sides; what is not there is empty."""
    head = ["source", "what", "where", "outcome", "reason", "unit"]
    sides = [f"{side}_{name}" for side in ("published", "anew") for name in _SIDE]
    with whole(output) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*head, *sides])
        for one in judged:
            claim = one.claim
            about = [claim.source, claim.what, claim.where, one.outcome, one.reason, claim.unit]
            writer.writerow([*about, *_numbers(claim), *_numbers(one.anew)])


def _numbers(answer: Claim | None) -> list[object]:
    values = [None if answer is None else getattr(answer, name) for name in _SIDE]
    return ["" if value is None else value for value in values]


def line(one: Judged) -> str:
    """A claim with both answers for a reader."""
    claim = one.claim
    margin = _interval(claim.margin_low, claim.margin_high)
    return (
        f"{one.outcome}: {claim.source} {claim.what} ({claim.where}): published {claim.verdict}"
        f" {_shown(claim)}, anew {_shown(one.anew) or '-'}, margin {margin} {claim.unit}: {one.reason}"
    )


def _shown(answer: Claim | None) -> str:
    if answer is None:
        return ""
    n = "+".join(str(n) for n in (answer.n_a, answer.n_b) if n is not None)
    estimate = "-" if answer.estimate is None else f"{answer.estimate:.4g}"
    return f"{estimate} {_interval(answer.low, answer.high)} n {n or '-'}"


def _interval(low: float | None, high: float | None) -> str:
    return "[-]" if low is None or high is None else f"[{low:.4g}, {high:.4g}]"
