# SPDX-License-Identifier: MIT
"""Whether a simulator puts schedulers in the order in which the kernel has them, quantity by quantity.

Absolute numbers of a simulator may be off and its order right, which is what a developer who chooses between
schedulers needs (Schatzoff and Tillman 1975 compared effects for that reason). The numbers are those of the
family `simulator`: one a run, over what both sides can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from scxval.catalog.comparison import Compare
from scxval.compare.record import SIMILARITY, Pair, Quantity, read_pair
from scxval.compare.statistics.multiple import holm
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.study.figure import Interval, intervals, nothing
from scxval.study.findings import judgement_of, not_for_timing, place_of
from scxval.study.order import F64, Order, means_of, order_of, power_of, smallest_tau, things_needed
from scxval.study.order_pairs import Ranked, Said, Told, told_of
from scxval.study.record import Finding, Inputs, Study, Table, Value

TITLE = "Ranking fidelity"
QUESTION = "Does the simulator put schedulers in the order in which the kernel has them?"
FAMILY = "simulator"


@dataclass(frozen=True)
class Answer:
    """What there is to say of one quantity: `p` is the order's after Holm, `told` every two schedulers."""

    item: Ranked
    order: Order
    p: float
    told: Sequence[Told]

    @property
    def count(self) -> int:
        """How many schedulers there are."""
        return len(self.item.schedulers)

    def said(self, said: Said) -> list[str]:
        """The pairs of which that was said."""
        return [f"{two.first} and {two.second}" for two in self.told if two.said is said]

    @property
    def apart(self) -> int:
        """How many pairs the kernel's runs tell apart."""
        return len(self.told) - len(self.said(Said.TOO_NEAR))


def study(inputs: Inputs) -> Study:
    """Order by order; Holm over all quantities."""
    ranked, notes = _ranked(inputs)
    if not ranked:
        why = (
            "no quantity has numbers of two schedulers from kernel and simulator: an order needs"
            f" {inputs.settings.fewest_ranked} or more on the axis, and compare.families with {FAMILY}"
        )
        made = Study("ranking", TITLE, QUESTION, judgement_of([], why), cannot_tell=(why,))
        return replace(made, figure=nothing(TITLE, why), notes=tuple(notes))
    fewest, how = inputs.settings.fewest_ranked, inputs.how
    answers = answers_of(ranked, how, fewest)
    asked = sum(_asks(item, fewest) for item in ranked)
    findings = [_finding(answer, how, fewest, asked) for answer in answers]
    caption = (
        "Kendall's tau between the kernel's and the simulator's order of n schedulers: 1 is the same, -1"
        f" reversed; {how.confidence:.0%} intervals by drawing runs anew within each scheduler. In the band"
        " it is more than chance. Behind a quantity: how many of the pairs that the kernel's runs tell apart"
        " the simulator has the same way round. Power: the chance to be told so if it were the kernel."
    )
    return Study(
        name="ranking",
        title=TITLE,
        question=QUESTION,
        judgement=judgement_of(findings, "nothing to rank"),
        findings=tuple(findings),
        figure=_figure(findings, answers, caption),
        caption=caption,
        tables=(_orders(answers), _schedulers(answers)),
        cannot_tell=tuple(_cannot_tell(answers, asked, fewest, how)),
        notes=tuple(notes),
    )


def _ranked(inputs: Inputs) -> tuple[list[Ranked], list[str]]:
    """Every quantity of several schedulers by place, from the family's pair records; and what is left out."""
    found: dict[tuple[str, ...], dict[str, tuple[Pair, Quantity]]] = {}
    refused: dict[tuple[str, ...], str] = {}
    notes: list[str] = []
    for path in inputs.plan.get("pairs", {}).get(FAMILY, []):
        try:
            pair = read_pair(inputs.compare / FAMILY / path / "pair.json")
            scheduler = pair.where["scheduler"]
        except ScxvalError as error:
            notes.append(str(error))
            continue
        except KeyError:
            notes.append(f"{path}: its record names no scheduler")
            continue
        why = _why_left_out(pair)
        if why:
            notes.append(f"{path} is left out: {why}")
            continue
        place = (pair.b.name, pair.a.name, *_where(pair).values())
        refused.setdefault(place, "")
        refused[place] = refused[place] or not_for_timing(inputs, FAMILY, path)
        for quantity in pair.quantities:
            if quantity.carries and quantity.metric != SIMILARITY and quantity.a and quantity.b:
                found.setdefault((*place, quantity.name), {})[scheduler] = (pair, quantity)
    # Quantities that only later schedulers have stand with the others of their place.
    keys = [key for place in refused for key in found if key[:-1] == place]
    return [_one(key, found[key], refused[key[:-1]]) for key in keys if len(found[key]) > 1], notes


def _why_left_out(pair: Pair) -> str:
    if pair.settled:
        return pair.settled.reason
    return "; ".join(f"{check.name}: {check.reason}" for check in pair.checks if not check.passed)


def _where(pair: Pair) -> dict[str, str]:
    return {axis: value for axis, value in pair.where.items() if axis != "scheduler"}


def _one(key: tuple[str, ...], found: Mapping[str, tuple[Pair, Quantity]], why_not: str) -> Ranked:
    pair, quantity = next(iter(found.values()))
    return Ranked(
        what=key[-1],
        where={"simulator": pair.b.name, "kernel": pair.a.name, **_where(pair)},
        unit=quantity.unit,
        margin=quantity.margin,
        real={name: of.a for name, (_, of) in found.items()},
        simulated={name: of.b for name, (_, of) in found.items()},
        deterministic=pair.b.deterministic,
        why_not=why_not,
    )


def answers_of(ranked: Sequence[Ranked], how: Compare, fewest: int) -> list[Answer]:
    """Every quantity's answer. Holm over those that have `fewest` schedulers and may be judged.

    The others could not be said to agree whatever their numbers were, so that they are no chance of a false
    verdict.
    """
    orders = [order_of(*_sides(item), how) for item in ranked]
    asked = [place for place, item in enumerate(ranked) if _asks(item, fewest)]
    p = dict(zip(asked, holm([orders[place].p for place in asked]), strict=True))
    told = told_of(ranked, how.alpha)
    return [
        Answer(item, orders[place], p.get(place, 1.0), told[place])
        for place, item in enumerate(ranked)
    ]


def _asks(item: Ranked, fewest: int) -> bool:
    return len(item.schedulers) >= fewest and not item.why_not


def _sides(item: Ranked) -> tuple[list[F64], list[F64]]:
    """Runs and simulations, an array a scheduler."""
    real, simulated = (
        [np.asarray(side[name], dtype=np.float64) for name in item.schedulers]
        for side in (item.real, item.simulated)
    )
    return real, simulated


def judge(answer: Answer, how: Compare, fewest: int, asked: int) -> Judgement:
    """One quantity's verdict.

    Disagree: two schedulers that the kernel's runs tell apart are the other way round in the simulator, or
    alike. Agree: all of these are the right way round, and so like an order comes by chance with less than
    alpha. A perfect order of few schedulers does come by chance.
    """
    count, tau = answer.count, answer.order.tau
    pairs = f"the kernel's runs tell {answer.apart} of {len(answer.told)} pairs apart"
    if answer.apart:
        pairs += f", of these {len(answer.said(Said.RIGHT))} right"
    words = f"tau {tau:.2f}; {pairs}" if tau is not None else f"{_alike(answer.item)}; {pairs}"
    if answer.item.why_not:
        return Judgement(Verdict.INCONCLUSIVE, f"{answer.item.why_not}; {words}")
    bad = [
        f"{said.lower()}: {', '.join(found)}"
        for said in (Said.WRONG, Said.ALIKE)
        if (found := answer.said(said))
    ]
    if bad:
        return Judgement(Verdict.DISAGREE, f"{words}, {'; '.join(bad)}")
    return Judgement(*_agrees(answer, how, fewest, asked, words, count))


def _agrees(
    answer: Answer, how: Compare, fewest: int, asked: int, words: str, count: int
) -> tuple[Verdict, str]:
    """Agree, or what is missing for it."""
    if count < fewest:
        return Verdict.INCONCLUSIVE, f"{count} schedulers, an order needs {fewest}; {words}"
    if not answer.apart:
        return Verdict.INCONCLUSIVE, f"{words}: it takes more runs, or schedulers that differ more"
    unsure = answer.said(Said.UNSURE)
    if unsure:
        return Verdict.INCONCLUSIVE, f"{words}, {Said.UNSURE} of {', '.join(unsure)}: more seeds"
    if answer.p < how.alpha:
        return Verdict.AGREE, f"{words}; p {answer.p:.2g} over {asked} quantities"
    needed = things_needed(asked, how.alpha)
    more = f": it takes {needed} schedulers" if count < needed else ""
    return (
        Verdict.INCONCLUSIVE,
        f"{words}; such an order comes by chance, p {answer.p:.2g} over {asked} quantities{more}",
    )


def _alike(item: Ranked) -> str:
    """Why there is no tau."""
    real = len({*means_of(_sides(item)[0])}) > 1
    return f"{'the simulator' if real else 'the kernel'} has all {len(item.schedulers)} alike"


def _finding(answer: Answer, how: Compare, fewest: int, asked: int) -> Finding:
    judgement = judge(answer, how, fewest, asked)
    asks = _asks(answer.item, fewest)
    needed = things_needed(max(asked, 1), how.alpha)
    band = smallest_tau(answer.count, how.alpha / asked) if asks else None
    return Finding(
        what=answer.item.what,
        where=answer.item.where,
        verdict=judgement.verdict,
        reason=judgement.reason,
        unit="tau",
        estimate=answer.order.tau,
        low=answer.order.low,
        high=answer.order.high,
        margin_low=band,
        margin_high=None if band is None else 1.0,
        n_a=answer.count,
        power=power_shown(answer, how, asked) if asks else 0.0,
        needed=max(needed, fewest) if answer.count < max(needed, fewest) else None,
    )


def power_shown(answer: Answer, how: Compare, asked: int) -> float:
    """The chance to be told `agree`, were the simulator the kernel (`scxval.study.order.power_of`)."""
    real, simulated = _sides(answer.item)
    few = min(len(runs) for runs in simulated)
    names = answer.item.schedulers
    told = [
        (names.index(two.first), names.index(two.second))
        for two in answer.told
        if two.said is not Said.TOO_NEAR
    ]
    return power_of(real, 0 if few == 1 else few, told, asked, how)


def _cannot_tell(answers: Sequence[Answer], asked: int, fewest: int, how: Compare) -> Iterator[str]:
    most = max(answer.count for answer in answers)
    if most < fewest:
        yield f"Any order: it takes {fewest} schedulers, {most} were run and simulated."
    needed = things_needed(max(asked, 1), how.alpha)
    if fewest <= most < needed:
        yield (
            f"That an order is more than chance: even a perfect one of {most} schedulers is not, among"
            f" {asked} quantities; {needed} schedulers would do, or fewer quantities."
        )
    blind = [answer.item.what for answer in answers if not answer.apart]
    if blind:
        yield (
            f"Any order of what the kernel's runs do not tell apart, in {len(blind)} of {len(answers)}"
            " quantities not one pair: more runs (`reps`), or schedulers that differ more."
        )
    yield "Whether other schedulers would be in order: these are no sample of any."
    yield "How far apart schedulers are: an order has no distances. The family `simulator` has them."


def _figure(findings: Sequence[Finding], answers: Sequence[Answer], caption: str) -> str:
    lines = [
        Interval(
            label=f"{finding.what}, {_right(answer)}",
            estimate=finding.estimate,
            low=finding.low,
            high=finding.high,
            verdict=finding.verdict,
            n=f"n {finding.n_a}",
            power=f"power {finding.power or 0:.2f}",
            margin_low=finding.margin_low,
            margin_high=finding.margin_high,
            group=place_of(finding),
        )
        for finding, answer in zip(findings, answers, strict=True)
    ]
    return intervals(
        TITLE,
        caption,
        lines,
        "Kendall's tau, kernel and simulator",
        reference=0.0,
        whole=(-1.0, 1.0),
    )


def _right(answer: Answer) -> str:
    if not answer.apart:
        return "none told apart"
    return f"{len(answer.said(Said.RIGHT))} of {answer.apart} right"


def _orders(answers: Sequence[Answer]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for answer in answers:
        item = answer.item
        means = _means(item)
        for two in answer.told:
            found = [side[name] for side in means for name in (two.first, two.second)]
            names = ("/".join(item.where.values()), item.what, item.unit, two.first, two.second)
            rows.append((*names, *found, two.p, two.p_simulated, str(two.said)))
    columns = (
        *("where", "what", "unit", "first", "second"),
        *("kernel_first", "kernel_second", "simulated_first", "simulated_second"),
        *("p", "p_simulated", "order"),
    )
    return Table(
        "orders", "Every two schedulers, on the kernel and simulated", columns, tuple(rows)
    )


def _means(item: Ranked) -> tuple[dict[str, float], ...]:
    return tuple(
        dict(zip(item.schedulers, means_of(side).tolist(), strict=True)) for side in _sides(item)
    )


def _schedulers(answers: Sequence[Answer]) -> Table:
    """Means and ranks, 1 for the smallest mean, alike means share one."""
    rows: list[tuple[Value, ...]] = []
    for answer in answers:
        item = answer.item
        means = _means(item)
        ranks = [
            dict(zip(side, stats.rankdata(list(side.values()), "average").tolist(), strict=True))
            for side in means
        ]
        for name in sorted(item.schedulers, key=means[0].__getitem__):
            place = ("/".join(item.where.values()), item.what, item.unit, name)
            runs = (len(item.real[name]), len(item.simulated[name]))
            found = ((means[side][name], ranks[side][name], runs[side]) for side in (0, 1))
            rows.append((*place, *(value for three in found for value in three)))
    columns = (
        *("where", "what", "unit", "scheduler", "kernel", "kernel_rank", "runs"),
        *("simulated", "simulated_rank", "simulations"),
    )
    return Table("schedulers", "Means over runs, and their ranks", columns, tuple(rows))
