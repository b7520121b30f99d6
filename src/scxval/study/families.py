# SPDX-License-Identifier: MIT
"""A comparison family's verdicts as a study: every question that carries one, and the spread between runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.study.findings import (
    RATIO,
    judgement_of,
    not_for_timing,
    too_few,
    unmeasured,
    with_figure,
)
from scxval.study.record import Finding, Inputs, Study
from scxval.study.spread import spread_not_told, spread_table, spread_told


@dataclass(frozen=True)
class Asked:
    """What a study asks of a family whose two sides differ in `axis`."""

    name: str
    family: str
    axis: str
    title: str
    question: str
    caption: str


def study_of(asked: Asked, inputs: Inputs) -> Study:
    """The study of a family. A pair with a machine whose times are of no real CPUs is no answer."""
    try:
        record = _verdicts(inputs, asked.family)
    except ScxvalError as error:
        return _nothing(asked, str(error))
    pairs = record["pairs"]
    if not pairs:
        why = f"the matrix has no two values of {asked.axis}: name two on its axis"
        return _nothing(asked, why)
    no_answer = {pair["path"]: _no_answer(asked, inputs, pair) for pair in pairs}
    findings = [f for pair in pairs for f in _of_pair(pair, no_answer[pair["path"]])]
    spread = spread_table([pair for pair in pairs if not no_answer[pair["path"]]], inputs.how)
    made = Study(
        name=asked.name,
        title=asked.title,
        question=asked.question,
        judgement=judgement_of(findings, "nothing to compare"),
        findings=tuple(findings),
        caption=f"{asked.caption}, {_runs(pairs)} runs a side, {inputs.how.confidence:.0%} intervals over"
        " runs.",
        tables=(spread,),
        cannot_tell=(
            *too_few(findings, inputs.how, "runs a side"),
            *spread_not_told(spread, inputs.how),
        ),
        notes=(
            *spread_told(spread, inputs.how),
            *(f"{pair['path']}: {note}" for pair in pairs for note in pair["notes"]),
        ),
    )
    return with_figure(made, f"second over first {asked.axis}")


def _verdicts(inputs: Inputs, family: str) -> dict[str, Any]:
    path = inputs.compare / family / "verdicts.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["pairs"], list):
            raise TypeError("pairs")
    except OSError as error:
        raise ScxvalError(
            f"no verdicts of family {family} ({error.strerror}): add it to compare.families"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a family's verdicts: {error!r}") from error
    return record


def _nothing(asked: Asked, why: str) -> Study:
    made = Study(asked.name, asked.title, asked.question, judgement_of([], why), cannot_tell=(why,))
    return with_figure(made, "")


def _no_answer(asked: Asked, inputs: Inputs, pair: Mapping[str, Any]) -> str:
    """Why what is measured of a pair is no answer, "" if it is one."""
    refused = not_for_timing(inputs, asked.family, pair["path"])
    void = "; ".join(pair["void"])
    return refused or (f"void: {void}" if void else "")


def _of_pair(pair: Mapping[str, Any], no_answer: str) -> list[Finding]:
    where = {
        "pair": f"{pair['a']['name']} and {pair['b']['name']}",
        **{axis: str(value) for axis, value in pair["where"].items()},
    }
    carried = [q for q in pair["quantities"] if q["verdict"] is not None]
    if not carried:
        return [unmeasured("anything", where, pair["reason"], Verdict(pair["verdict"]))]
    return [_finding(quantity, where, no_answer) for quantity in carried]


def _finding(quantity: Mapping[str, Any], where: dict[str, str], why_not: str) -> Finding:
    """A quantity of verdicts.json; one whose pair is no answer cannot be told."""
    effect, mean = quantity["effect"], quantity["mean_a"]
    scale, shift = (mean, 0.0) if effect["ratio"] else (1.0, mean)
    judgement = Judgement(Verdict(quantity["verdict"]), quantity["reason"])
    if why_not:
        judgement = Judgement(Verdict.INCONCLUSIVE, why_not)
    return Finding(
        what=quantity["name"],
        where=where,
        verdict=judgement.verdict,
        reason=judgement.reason,
        unit=RATIO if effect["ratio"] else quantity["unit"],
        estimate=effect["estimate"],
        low=effect["low"],
        high=effect["high"],
        margin_low=(quantity["agree_low"] - shift) / scale,
        margin_high=(quantity["agree_high"] - shift) / scale,
        n_a=quantity["n_a"],
        n_b=quantity["n_b"],
        power=quantity["power"],
        needed=quantity["needed_runs"],
    )


def _runs(pairs: Sequence[Mapping[str, Any]]) -> str:
    used = [side["used"] for pair in pairs for side in (pair["a"], pair["b"])]
    return str(min(used)) if min(used) == max(used) else f"{min(used)} to {max(used)}"
