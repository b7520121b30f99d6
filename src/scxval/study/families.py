# SPDX-License-Identifier: MIT
"""A comparison family's verdicts as a study: every question that carries one, and the spread between runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from scxval.compare.statistics.multiple import benjamini_hochberg
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.study.findings import RATIO, judgement_of, ratios_figure, too_few, unmeasured
from scxval.study.record import Finding, Inputs, Study, Table, Value

# With fewer runs a side a spread twice as large is told from chance in less than a fifth of cases.
FEWEST_FOR_SPREAD = 6


@dataclass(frozen=True)
class Asked:
    """What a study asks of a family whose two sides differ in `axis`."""

    name: str
    family: str
    axis: str
    title: str
    question: str
    caption: str


def study_of(asked: Asked, inputs: Inputs, refused: Mapping[str, str]) -> Study:
    """The study of a family; `refused` is, by a pair's path, why its numbers are no answer."""
    try:
        record = _verdicts(inputs, asked.family)
    except ScxvalError as error:
        return _nothing(asked, str(error))
    pairs = record["pairs"]
    if not pairs:
        why = f"the matrix has no two values of {asked.axis}: name two on its axis"
        return _nothing(asked, why)
    findings = [f for pair in pairs for f in _of_pair(pair, refused.get(pair["path"], ""))]
    spread = _spread(pairs)
    made = Study(
        name=asked.name,
        title=asked.title,
        question=asked.question,
        judgement=judgement_of(findings, "nothing to compare"),
        findings=tuple(findings),
        caption=f"{asked.caption}, {_runs(pairs)} runs a side, {inputs.how.confidence:.0%} intervals over"
        " runs.",
        tables=(spread,),
        cannot_tell=(*too_few(findings, inputs.how, "runs a side"), *_spread_words(spread)),
        notes=tuple(f"{pair['path']}: {note}" for pair in pairs for note in pair["notes"]),
    )
    return replace(made, figure=ratios_figure(made, f"second over first {asked.axis}"))


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
    return replace(made, figure=ratios_figure(made, ""))


def _of_pair(pair: Mapping[str, Any], refused: str) -> list[Finding]:
    where = {
        "pair": f"{pair['a']['name']} and {pair['b']['name']}",
        **{axis: str(value) for axis, value in pair["where"].items()},
    }
    carried = [q for q in pair["quantities"] if q["verdict"] is not None]
    if not carried:
        return [unmeasured("anything", where, pair["reason"], Verdict(pair["verdict"]))]
    void = "; ".join(pair["void"])
    return [
        _finding(quantity, where, refused or (f"void: {void}" if void else ""))
        for quantity in carried
    ]


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


def _spread(pairs: Sequence[Mapping[str, Any]]) -> Table:
    """Standard deviations over means of both sides, and whether they differ.

    Brown and Forsythe's test (1974): Levene's on distances from the median, which needs no normal runs;
    Benjamini and Hochberg's q over the table.
    """
    rows: list[list[Value]] = []
    p: list[float] = []
    for pair in pairs:
        for quantity in pair["quantities"]:
            a, b = (np.asarray(quantity[side], dtype=np.float64) for side in ("a", "b"))
            if min(len(a), len(b)) < FEWEST_FOR_SPREAD or a.mean() <= 0 or b.mean() <= 0:
                continue
            relative = a / a.mean(), b / b.mean()
            if np.ptp(relative[0]) == np.ptp(relative[1]) == 0:
                continue
            p.append(float(stats.levene(*relative, center="median").pvalue))
            spreads = [float(side.std(ddof=1)) for side in relative]
            rows.append([pair["path"], quantity["name"], len(a), len(b), *spreads, p[-1]])
    q = benjamini_hochberg(p)
    return Table(
        "spread",
        "Spread between runs, as a part of the mean",
        ("pair", "what", "n_a", "n_b", "spread_a", "spread_b", "p", "q"),
        tuple((*row, value) for row, value in zip(rows, q, strict=True)),
    )


def _spread_words(spread: Table) -> list[str]:
    if spread.rows:
        return []
    return [
        f"Whether one side varies less between runs: that takes {FEWEST_FOR_SPREAD} runs a side"
        " (`reps`)."
    ]
