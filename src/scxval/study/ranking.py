# SPDX-License-Identifier: MIT
"""Whether a simulator puts schedulers in the order in which the kernel has them, quantity by quantity.

Absolute numbers of a simulator may be off and its order right, which is what a developer who chooses between
schedulers needs (Schatzoff and Tillman 1975 compared effects for that reason). The numbers are those of the
family `simulator`: one a run, over what both sides can show.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from scxval.catalog.comparison import Compare, Margin
from scxval.compare.statistics.multiple import holm
from scxval.compare.statistics.question import p_values
from scxval.compare.statistics.side import Side
from scxval.compare.verdict import Judgement, Verdict
from scxval.study.figure import Interval, intervals, nothing
from scxval.study.findings import judgement_of, place_of
from scxval.study.record import Finding, Inputs, Study, Table, Value

TITLE = "Ranking fidelity"
QUESTION = "Does the simulator put schedulers in the order in which the kernel has them?"
FAMILY = "simulator"
# All orders of so many schedulers are tried (8! = 40,320); beyond, scipy's exact distribution is taken.
MOST_TRIED = 8

F64 = npt.NDArray[np.float64]
RIGHT, WRONG, TOO_NEAR = "right", "wrong", "the kernel's runs cannot tell"
UNSURE = "the simulator's runs cannot tell"


@dataclass(frozen=True)
class Ranked:
    """One quantity of several schedulers: a number a run on the kernel, and one a simulation."""

    what: str
    where: dict[str, str]
    unit: str
    margin: Margin
    real: Mapping[str, tuple[float, ...]]
    simulated: Mapping[str, tuple[float, ...]]

    @property
    def schedulers(self) -> list[str]:
        """Those with numbers on both sides, by name."""
        return sorted(self.real)


@dataclass(frozen=True)
class Order:
    """Kendall's tau-b between two lists of means, its interval over runs, and the one-sided exact p."""

    tau: float | None
    low: float | None
    high: float | None
    p: float


def study(inputs: Inputs) -> Study:
    """Order by order; Holm over all quantities."""
    ranked, problems = _ranked(inputs)
    most = max((len(item.schedulers) for item in ranked), default=0)
    if most < 2:
        why = (
            f"{most} scheduler with numbers from kernel and simulator: an order needs"
            f" {inputs.settings.fewest_ranked} or more on the axis, and compare.families with {FAMILY}"
        )
        made = Study("ranking", TITLE, QUESTION, judgement_of([], why), cannot_tell=(why,))
        return replace(made, figure=nothing(TITLE, why), notes=tuple(problems))
    orders = [order_of(item, inputs.how) for item in ranked]
    adjusted = holm([order.p for order in orders])
    told = _pairs(ranked, inputs.how)
    fewest = inputs.settings.fewest_ranked
    findings = [
        _finding(item, order, p, told[place], inputs.how, fewest, len(ranked))
        for place, (item, order, p) in enumerate(zip(ranked, orders, adjusted, strict=True))
    ]
    caption = (
        f"Kendall's tau between the kernel's and the simulator's order of {most} schedulers, 1: the same, -1:"
        f" reversed; {inputs.how.confidence:.0%} intervals by drawing runs anew within each scheduler."
    )
    return Study(
        name="ranking",
        title=TITLE,
        question=QUESTION,
        judgement=judgement_of(findings, "nothing to rank"),
        findings=tuple(findings),
        figure=_figure(findings, caption, told),
        caption=caption,
        tables=(_table(ranked, told),),
        cannot_tell=tuple(_cannot_tell(most, len(ranked), fewest, inputs.how)),
        notes=tuple(problems),
    )


def _ranked(inputs: Inputs) -> tuple[list[Ranked], list[str]]:
    """Every quantity by place, from the family's pair records; and what cannot be read."""
    found: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    problems: list[str] = []
    for path in inputs.plan.get("pairs", {}).get(FAMILY, []):
        file = inputs.compare / FAMILY / path / "pair.json"
        try:
            pair = json.loads(file.read_text(encoding="utf-8"))
            where = dict(pair["where"])
            scheduler = where.pop("scheduler")
            place = (pair["b"]["name"], pair["a"]["name"], *where.values())
            for quantity in pair["quantities"]:
                if quantity["carries"]:
                    key = (*place, quantity["name"])
                    found.setdefault(key, {})[scheduler] = {**quantity, "where": where}
        except OSError as error:
            problems.append(f"{path}: cannot read pair.json: {error.strerror}")
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{path}: pair.json is not a pair: {error!r}")
    return [_one(key, by_scheduler) for key, by_scheduler in found.items()], problems


def _one(key: tuple[str, ...], found: Mapping[str, dict[str, Any]]) -> Ranked:
    first = next(iter(found.values()))
    return Ranked(
        what=key[-1],
        where={"simulator": key[0], "kernel": key[1], **first["where"]},
        unit=first["unit"],
        margin=Margin(**first["margin"]),
        real={name: tuple(item["a"]) for name, item in found.items()},
        simulated={name: tuple(item["b"]) for name, item in found.items()},
    )


def order_of(item: Ranked, how: Compare) -> Order:
    """The two orders of a quantity held against each other.

    tau-b (Kendall 1945) of the means over runs; no tau where one side has all schedulers alike. The p is of a
    tau as large as this by chance, all orders being equally likely. The interval is the percentile
    bootstrap's over runs within schedulers, on both sides.
    """
    names = item.schedulers
    real, simulated = ([np.asarray(side[n]) for n in names] for side in (item.real, item.simulated))
    means = np.array([x.mean() for x in real]), np.array([x.mean() for x in simulated])
    tau = kendall(*means)
    if tau is None:
        return Order(None, None, None, 1.0)
    rng = np.random.default_rng(how.random_seed)
    drawn = _drawn(real, how.resamples, rng), _drawn(simulated, how.resamples, rng)
    taus = _taus(*drawn)
    taus = taus[np.isfinite(taus)]
    ends = [(1 - how.confidence) / 2, (1 + how.confidence) / 2]
    low, high = np.quantile(taus, ends) if len(taus) else (math.nan, math.nan)
    if not math.isfinite(float(low)):
        return Order(tau, None, None, chance_of(*means))
    return Order(tau, float(low), float(high), chance_of(*means))


def _drawn(side: Sequence[F64], times: int, rng: np.random.Generator) -> F64:
    """Means of runs drawn anew, a row a time, a column a scheduler."""
    columns = [
        runs[rng.integers(0, len(runs), size=(times, len(runs)))].mean(axis=1) for runs in side
    ]
    return np.stack(columns, axis=1)


def _taus(a: F64, b: F64) -> F64:
    """tau-b of each row; NaN where a side has no order."""
    first, second = np.triu_indices(a.shape[1], 1)
    sign_a, sign_b = (np.sign(x[:, first] - x[:, second]) for x in (a, b))
    below = np.sqrt((sign_a**2).sum(axis=1) * (sign_b**2).sum(axis=1))
    taus: F64 = (sign_a * sign_b).sum(axis=1) / np.where(below > 0, below, np.nan)
    return taus


def kendall(a: F64, b: F64) -> float | None:
    """tau-b of two lists of one length; None where one has no order."""
    if len(a) < 2:
        return None
    tau = float(_taus(a[None, :], b[None, :])[0])
    return tau if math.isfinite(tau) else None


def chance_of(a: F64, b: F64) -> float:
    """One-sided exact p of a tau as large as that of a and b: the part of all orders of b with one."""
    if len(a) > MOST_TRIED:
        return float(stats.kendalltau(a, b, alternative="greater").pvalue)
    orders = np.array(list(itertools.permutations(b)))
    taus = _taus(np.broadcast_to(a, orders.shape), orders)
    tau = kendall(a, b)
    # A little less, for rounding.
    return 1.0 if tau is None else float((taus >= tau - 1e-9).mean())


@dataclass(frozen=True)
class _Pair:
    """Two schedulers in one quantity: p of no difference beyond the margin on either side, adjusted."""

    first: str
    second: str
    p: float
    p_simulated: float
    said: str


def _pairs(ranked: Sequence[Ranked], how: Compare) -> list[list[_Pair]]:
    """Every two schedulers of every quantity; Holm over all of them on either side.

    Only what the kernel's runs tell apart, beyond the margin, can be right or wrong; and wrong is only what
    the simulations, too, tell apart.
    """
    every = [(item, two) for item in ranked for two in itertools.combinations(item.schedulers, 2)]
    real = holm([_beyond(item.real, two, item.margin, False) for item, two in every])
    simulated = holm([_beyond(item.simulated, two, item.margin, True) for item, two in every])
    told = iter(
        _Pair(*two, p, q, _said(item, two, p < how.alpha, q < how.alpha))
        for (item, two), p, q in zip(every, real, simulated, strict=True)
    )
    return [list(itertools.islice(told, math.comb(len(item.schedulers), 2))) for item in ranked]


def _beyond(
    runs: Mapping[str, tuple[float, ...]], two: tuple[str, str], margin: Margin, known: bool
) -> float:
    first, second = (Side(runs[name], deterministic=known) for name in two)
    found = p_values(first, second, margin)
    return 1.0 if found is None else found[1]


def _said(item: Ranked, two: tuple[str, str], real: bool, simulated: bool) -> str:
    if not real:
        return TOO_NEAR
    signs = [
        np.sign(
            math.fsum(side[two[1]]) / len(side[two[1]])
            - math.fsum(side[two[0]]) / len(side[two[0]])
        )
        for side in (item.real, item.simulated)
    ]
    if signs[0] == signs[1]:
        return RIGHT
    return WRONG if simulated else UNSURE


def _finding(
    item: Ranked,
    order: Order,
    p: float,
    pairs: Sequence[_Pair],
    how: Compare,
    fewest: int,
    questions: int,
) -> Finding:
    count = len(item.schedulers)
    judgement = _judge(count, order, p, pairs, how, fewest)
    # What a perfect order of so many would get.
    possible = questions / math.factorial(count) < how.alpha
    return Finding(
        what=item.what,
        where=item.where,
        verdict=judgement.verdict,
        reason=judgement.reason,
        unit="tau",
        estimate=order.tau,
        low=order.low,
        high=order.high,
        n_a=count,
        power=1.0 if possible else 0.0,
        needed=None if possible else schedulers_needed(questions, how.alpha),
    )


def schedulers_needed(questions: int, alpha: float) -> int:
    """The fewest schedulers whose perfect order is told from chance among so many questions."""
    return next(k for k in itertools.count(2) if questions / math.factorial(k) < alpha)


def _judge(
    count: int, order: Order, p: float, pairs: Sequence[_Pair], how: Compare, fewest: int
) -> Judgement:
    counts = {
        said: sum(pair.said == said for pair in pairs) for said in (RIGHT, WRONG, TOO_NEAR, UNSURE)
    }
    told = len(pairs) - counts[TOO_NEAR]
    words = (
        f"of {told} of {len(pairs)} pairs that the kernel's runs tell apart {counts[RIGHT]} right"
    )
    if order.tau is None:
        return Judgement(
            Verdict.INCONCLUSIVE, f"one side has all {count} schedulers alike; {words}"
        )
    said = f"tau {order.tau:.2f}, p {p:.2g} over all quantities; {words}"
    wrong = [f"{pair.first} and {pair.second}" for pair in pairs if pair.said == WRONG]
    if wrong:
        return Judgement(Verdict.DISAGREE, f"{said}, reversed: {', '.join(wrong)}")
    if count < fewest:
        return Judgement(
            Verdict.INCONCLUSIVE,
            f"an order of {count} schedulers says nothing, {fewest} do; {said}",
        )
    sure = all(pair.said == RIGHT and pair.p_simulated < how.alpha for pair in pairs)
    if sure or (p < how.alpha and told):
        return Judgement(Verdict.AGREE, said)
    return Judgement(Verdict.INCONCLUSIVE, said)


def _cannot_tell(most: int, questions: int, fewest: int, how: Compare) -> Iterator[str]:
    if most < fewest:
        yield f"Any order: it takes {fewest} schedulers, {most} were run and simulated."
    needed = schedulers_needed(questions, how.alpha)
    if most < needed:
        yield (
            f"That an order is more than chance: even a perfect one of {most} schedulers is not, among"
            f" {questions} quantities; {needed} schedulers would do, or fewer quantities."
        )
    yield "How far apart schedulers are: an order has no distances. The family `simulator` has them."


def _figure(findings: Sequence[Finding], caption: str, told: Sequence[Sequence[_Pair]]) -> str:
    lines = [
        Interval(
            label=finding.what,
            estimate=finding.estimate,
            low=finding.low,
            high=finding.high,
            verdict=finding.verdict,
            n=f"{finding.n_a} schedulers",
            power=f"{sum(p.said == RIGHT for p in pairs)} right, {sum(p.said == WRONG for p in pairs)} wrong",
            group=place_of(finding),
        )
        for finding, pairs in zip(findings, told, strict=True)
    ]
    return intervals(TITLE, caption, lines, "Kendall's tau", reference=0.0)


def _table(ranked: Sequence[Ranked], told: Sequence[Sequence[_Pair]]) -> Table:
    rows: list[tuple[Value, ...]] = []
    for item, pairs in zip(ranked, told, strict=True):
        for pair in pairs:
            means = [
                math.fsum(side[name]) / len(side[name])
                for side in (item.real, item.simulated)
                for name in (pair.first, pair.second)
            ]
            place = "/".join(item.where.values())
            names: list[Value] = [place, item.what, item.unit, pair.first, pair.second]
            rows.append((*names, *means, pair.p, pair.p_simulated, pair.said))
    columns = (
        *("where", "what", "unit", "first", "second"),
        *("kernel_first", "kernel_second", "simulated_first", "simulated_second"),
        *("p", "p_simulated", "order"),
    )
    return Table(
        "orders", "Every two schedulers, on the kernel and simulated", columns, tuple(rows)
    )
