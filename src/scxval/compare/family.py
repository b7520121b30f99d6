# SPDX-License-Identifier: MIT
"""Verdicts over a family: every quantity of every pair asked together, and the controls in the same way.

`python -m scxval.compare.family`: the pairs that a plan names in; verdicts.json, verdicts.parquet and
verdicts.csv out (docs/contracts.md, docs/compare.md). Holm's correction needs all questions of a family, so
nothing is judged before all pairs are there. Each control goes through the same test with the same number
of questions: a distorted copy of A must be told from A, half of A's runs must not be from the other half.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import FAMILIES, Compare, compare_from_json
from scxval.compare.record import SIMILARITY, Group, Pair, Quantity, read_pair
from scxval.compare.statistics.judge import Judged, judge, why_untested
from scxval.compare.statistics.multiple import benjamini_hochberg, holm
from scxval.compare.statistics.power import MOST_RUNS
from scxval.compare.statistics.question import Answer, ask, p_values
from scxval.compare.statistics.side import Side, enough_for_a_test
from scxval.compare.table import write_tables
from scxval.compare.verdict import Judgement, Verdict, overall, together, with_words
from scxval.errors import ScxvalError, answer
from scxval.files import write_json

SCHEMA = 1
# Copies of A's runs that are wrong on purpose (record.Quantity.controls).
DISTORTED = ("dilated", "starved")
HALVES = "real against real"
# Runs of A that make two halves with a spread each.
FEWEST_FOR_HALVES = 4

# A quantity's place in its family: the pair's path and its own name.
Key = tuple[str, str]


@dataclass(frozen=True)
class Control:
    """What a control said: `passed` is None where it could not be run."""

    name: str
    passed: bool | None
    reason: str


@dataclass(frozen=True)
class _Asked:
    """A quantity with both its sides as statistics take them."""

    quantity: Quantity
    a: Side
    b: Side

    @property
    def tested(self) -> bool:
        """Whether it is one of the family's questions: it carries a verdict, and has the runs for one."""
        return self.quantity.carries and enough_for_a_test(self.a, self.b)


def judge_family(family: str, pairs: Sequence[Pair], how: Compare) -> dict[str, Any]:
    """The content of verdicts.json. Raises ScxvalError for pairs that are no family, or hold no numbers."""
    _check(family, pairs)
    asked = {
        (pair.path, quantity.name): _asked(pair, quantity)
        for pair in pairs
        if pair.settled is None
        for quantity in pair.quantities
    }
    questions = sum(item.tested for item in asked.values())
    answers = {
        key: ask(item.a, item.b, item.quantity.margin, how, max(1, questions))
        for key, item in asked.items()
    }
    judged = _judge({k: a for k, a in answers.items() if asked[k].quantity.carries}, how)
    told = {name: _distorted(name, asked, how) for name in DISTORTED}
    halves = _halves(asked, how)
    q = _distances_q(pairs)
    records = [_pair_record(pair, answers, judged, told, halves, q) for pair in pairs]
    whole, void = _whole(family, records)
    return {
        "schema": SCHEMA,
        "family": family,
        **asdict(whole),
        "void": void,
        "alpha": how.alpha,
        "questions": questions,
        "controls": [asdict(control) for control in _over_pairs(records)],
        "pairs": records,
    }


def _check(family: str, pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        if pair.family != family:
            raise ScxvalError(f"pair {pair.path} is of family {pair.family}, not of {family}")
    for path, count in Counter(pair.path for pair in pairs).items():
        if count > 1:
            raise ScxvalError(f"pair {path} is there {count} times")


def _asked(pair: Pair, quantity: Quantity) -> _Asked:
    def side(group: Group, values: tuple[float, ...], blur: float) -> Side:
        # One value of several seeds says nothing of the others; a similarity is of two runs.
        left = len(values) == 1 < len(group.runs) or quantity.metric == SIMILARITY
        return Side(values, group.deterministic and not left, blur)

    try:
        a = side(pair.a, quantity.a, quantity.blur_a)
        return _Asked(quantity, a, side(pair.b, quantity.b, quantity.blur_b))
    except ScxvalError as error:
        raise ScxvalError(f"pair {pair.path}, {quantity.name}: {error}") from error


def _judge(answers: Mapping[Key, Answer], how: Compare) -> dict[Key, Judged]:
    keys = {"\n".join(key): key for key in answers}
    named = {name: answers[key] for name, key in keys.items()}
    return {keys[name]: found for name, found in judge(named, how).items()}


def _distorted(name: str, asked: Mapping[Key, _Asked], how: Compare) -> dict[Key, bool]:
    """Of each question with such a copy of A, whether it tells the copy from A."""
    sides = {
        key: (item.a, replace(item.a, values=item.quantity.controls[name]))
        for key, item in asked.items()
        if item.tested and item.quantity.controls.get(name)
    }
    return _disagreeing(sides, asked, how)


def _halves(asked: Mapping[Key, _Asked], how: Compare) -> dict[Key, bool]:
    """Of each question with enough runs of A, whether it tells every other run from the rest."""
    sides = {
        key: (
            Side(item.a.values[::2], blur=item.a.blur),
            Side(item.a.values[1::2], blur=item.a.blur),
        )
        for key, item in asked.items()
        if item.tested and item.a.n >= FEWEST_FOR_HALVES
    }
    return _disagreeing(sides, asked, how)


def _disagreeing(
    sides: Mapping[Key, tuple[Side, Side]],
    asked: Mapping[Key, _Asked],
    how: Compare,
) -> dict[Key, bool]:
    """Which of them disagree, judged among as many questions as the family has.

    A question that has no such sides counts, and disagrees with nothing.
    """
    tested = [key for key, item in asked.items() if item.tested]
    found = {key: p_values(*two, asked[key].quantity.margin) for key, two in sides.items()}
    p = [both[1] if (both := found.get(key)) else 1.0 for key in tested]
    adjusted = dict(zip(tested, holm(p), strict=True))
    return {key: adjusted[key] < how.alpha for key in sides}


def _distances_q(pairs: Iterable[Pair]) -> dict[Key, float]:
    """Benjamini and Hochberg's q of the distances that have a p."""
    p = {(pair.path, d.metric): d.p for pair in pairs for d in pair.distances if d.p is not None}
    return dict(zip(p, benjamini_hochberg(list(p.values())), strict=True))


def _pair_record(
    pair: Pair,
    answers: Mapping[Key, Answer],
    judged: Mapping[Key, Judged],
    told: Mapping[str, Mapping[Key, bool]],
    halves: Mapping[Key, bool],
    q: Mapping[Key, float],
) -> dict[str, Any]:
    own = [(quantity, (pair.path, quantity.name)) for quantity in pair.quantities]
    carried = {x.name: judged[key] for x, key in own if x.carries and key in judged}
    numbers = {x.name: answers[key] for x, key in own if key in answers}
    controls = _controls(pair, numbers, told, halves)
    void = _void(controls, carried)
    verdict = _pair_verdict(pair, carried, numbers, void)
    return {
        "path": pair.path,
        "where": pair.where,
        "a": _group(pair.a),
        "b": _group(pair.b),
        **asdict(verdict),
        "void": void,
        "controls": [asdict(control) for control in controls],
        "quantities": [
            _quantity_record(
                x, numbers[x.name], carried.get(x.name), {n: told[n].get(key) for n in DISTORTED}
            )
            for x, key in own
            if x.name in numbers
        ],
        "distances": [{**asdict(d), "q": q.get((pair.path, d.metric))} for d in pair.distances],
        "alignments": list(pair.alignments),
        "not_measured": pair.not_measured,
        "notes": list(pair.notes),
        "checks": [asdict(check) for check in pair.checks],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "deterministic": group.deterministic,
        "used": sum(run.used for run in group.runs),
        "runs": [asdict(run) for run in group.runs],
    }


def _quantity_record(
    quantity: Quantity, found: Answer, judged: Judged | None, rejected: dict[str, bool | None]
) -> dict[str, Any]:
    record = asdict(quantity)
    del record["controls"]
    verdict = (
        asdict(judged)
        if judged
        else {
            "verdict": None,
            "reason": quantity.why_not,
            "p_agree_holm": None,
            "p_beyond_holm": None,
            "q_difference": None,
        }
    )
    return {**record, **asdict(found), **verdict, "rejected": rejected}


def _controls(
    pair: Pair,
    numbers: Mapping[str, Answer],
    told: Mapping[str, Mapping[Key, bool]],
    halves: Mapping[Key, bool],
) -> list[Control]:
    """The controls of a pair with numbers, and what was seen without them."""
    checks = [Control(check.name, check.passed, check.reason) for check in pair.checks]
    if not numbers:
        return checks
    distorted = [_told(name, _of(pair, told[name]), numbers) for name in DISTORTED]
    return [*distorted, _same(pair, _of(pair, halves)), *checks]


def _of(pair: Pair, found: Mapping[Key, bool]) -> dict[str, bool]:
    keys = {x.name: (pair.path, x.name) for x in pair.quantities}
    return {name: found[key] for name, key in keys.items() if key in found}


def _told(name: str, found: Mapping[str, bool], numbers: Mapping[str, Answer]) -> Control:
    if not found:
        return Control(name, None, "not run: no quantity has both a distorted copy and enough runs")
    told = [quantity for quantity, rejected in found.items() if rejected]
    if told:
        names = together((quantity, "") for quantity in told)
        return Control(
            name, True, f"{len(told)} of {len(found)} quantities reject the copy: {names}"
        )
    runs = min(numbers[quantity].n_a for quantity in found)
    return Control(
        name,
        False,
        f"none of {len(found)} quantities rejects the copy: {runs} runs of A cannot tell it from A",
    )


def _same(pair: Pair, found: Mapping[str, bool]) -> Control:
    if not found:
        used = sum(run.used for run in pair.a.runs)
        few = f"it takes {FEWEST_FOR_HALVES} runs of A, there are {used}"
        why = few if used < FEWEST_FOR_HALVES else "no quantity has the runs for it"
        return Control(HALVES, None, f"not run: {why}")
    apart = [quantity for quantity, disagrees in found.items() if disagrees]
    if apart:
        names = together((quantity, "") for quantity in apart)
        return Control(HALVES, False, f"A's even and odd runs disagree in {names}")
    return Control(
        HALVES, True, f"none of {len(found)} quantities tells A's even from its odd runs"
    )


def _void(controls: Iterable[Control], carried: Mapping[str, Judged]) -> list[str]:
    """Why a pair's numbers carry no verdict: a control that failed, or no distorted copy at all."""
    controls = list(controls)
    void = [f"control {c.name} failed: {c.reason}" for c in controls if c.passed is False]
    distorted = [c for c in controls if c.name in DISTORTED]
    if any(c.passed is not None for c in distorted):
        return void
    if all(judged.p_agree_holm is None for judged in carried.values()):
        # Too few runs for any test: inconclusive without a control.
        return void
    return [*void, "no distorted copy was made that the numbers could have failed to reject"]


def _pair_verdict(
    pair: Pair, carried: Mapping[str, Judged], numbers: Mapping[str, Answer], void: list[str]
) -> Judgement:
    if pair.settled is not None:
        return pair.settled
    if not numbers:
        why = together(pair.not_measured.items())
        return Judgement(Verdict.NOT_MEASURED, f"nothing is measured on both sides; {why}")
    if not carried:
        why = together((x.name, x.why_not) for x in pair.quantities)
        return Judgement(Verdict.INCONCLUSIVE, f"no quantity carries a verdict: {why}")
    if void:
        return Judgement(Verdict.INCONCLUSIVE, f"void: {'; '.join(void)}")
    found = _of_quantities(carried, numbers)
    if found.verdict is not Verdict.AGREE or not pair.not_measured:
        return found
    # Who reads `agree` must see of how much.
    return with_words(found, f"not measured: {together((n, '') for n in pair.not_measured)}")


def _of_quantities(carried: Mapping[str, Judged], numbers: Mapping[str, Answer]) -> Judgement:
    count = len(carried)
    apart = {n: j for n, j in carried.items() if j.verdict is Verdict.DISAGREE}
    if apart:
        said = together((name, judged.reason) for name, judged in apart.items())
        reason = f"{len(apart)} of {count} quantities disagree: {said}"
        return Judgement(Verdict.DISAGREE, reason)
    undecided = [n for n, j in carried.items() if j.verdict is not Verdict.AGREE]
    if undecided:
        names = together((name, "") for name in undecided)
        rest = ", the others agree" if len(undecided) < count else ""
        reason = f"{len(undecided)} of {count} quantities are undecided{rest}: {names}"
        return Judgement(Verdict.INCONCLUSIVE, f"{reason}; {_needed(undecided, numbers)}")
    return Judgement(Verdict.AGREE, f"of {count} quantities all agree")


def _needed(undecided: Iterable[str], numbers: Mapping[str, Answer]) -> str:
    """How many runs would do, if the means are the same."""
    found = [numbers[name] for name in undecided]
    said = []
    needed = [answer.needed_runs for answer in found if answer.power is not None]
    if needed:
        counts = [count for count in needed if count is not None]
        most = f"up to {max(counts)}" if len(counts) == len(needed) else f"more than {MOST_RUNS}"
        said.append(f"{most} runs a side are needed to confirm equal means")
    said += dict.fromkeys(why_untested(answer) for answer in found if answer.power is None)
    return "; ".join(said)


def _over_pairs(records: Sequence[Mapping[str, Any]]) -> list[Control]:
    """Each control over all pairs: failed if it failed in one."""
    names = dict.fromkeys(c["name"] for record in records for c in record["controls"])
    return [_over(name, records) for name in names]


def _over(name: str, records: Sequence[Mapping[str, Any]]) -> Control:
    found = [
        (record["path"], control)
        for record in records
        for control in record["controls"]
        if control["name"] == name
    ]
    run = [(path, c) for path, c in found if c["passed"] is not None]
    if not run:
        return Control(name, None, f"in none of {len(found)} pairs: {found[0][1]['reason']}")
    failed = [(path, c["reason"]) for path, c in run if not c["passed"]]
    if failed:
        return Control(
            name, False, f"failed in {len(failed)} of {len(run)} pairs: {together(failed)}"
        )
    without = len(found) - len(run)
    rest = f", not run in {without}" if without else ""
    return Control(name, True, f"passed in {len(run)} pairs{rest}")


_DIFFER = {
    "simulator": "of a tracer's runs and a simulator's",
    "tracer_none": "that differ in having a tracer",
    "tracer": "that differ in the tracer",
    "isolation": "that differ in the isolation",
    "machine": "that differ in the machine, with one kernel",
    "version": "that differ in a version, and compare.against names no folder",
}


def _whole(family: str, records: Sequence[Mapping[str, Any]]) -> tuple[Judgement, list[str]]:
    """The family's verdict, and why it is void."""
    if not records:
        nothing = f"nothing to compare: the plan has no two groups {_DIFFER[family]} only"
        if family in ("simulator", "version"):
            nothing = nothing.removesuffix(" only")
        return Judgement(Verdict.NOT_MEASURED, nothing), []
    void = [f"{record['path']}: {why}" for record in records for why in record["void"]]
    if void:
        said = "; ".join(void[:3]) + (f"; and {len(void) - 3} more" if len(void) > 3 else "")
        return Judgement(Verdict.INCONCLUSIVE, f"void: {said}"), void
    parts = {r["path"]: Judgement(Verdict(r["verdict"]), r["reason"]) for r in records}
    whole = overall(parts)
    if whole.verdict in (Verdict.NOT_MEASURED, Verdict.UNSUPPORTED):
        return whole, []
    # The pairs have their reasons themselves.
    same = [path for path, part in parts.items() if part.verdict is whole.verdict]
    count = sum(
        part.verdict in (Verdict.AGREE, Verdict.DISAGREE, Verdict.INCONCLUSIVE)
        for part in parts.values()
    )
    names = together((path, "") for path in same)
    without = len(parts) - count
    rest = f"; {without} more have no numbers" if without else ""
    return replace(whole, reason=f"{len(same)} of {count} pairs: {names}{rest}"), []


def finite(value: Any) -> Any:
    """The same for JSON, which has no infinite number: None in its place."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Judge a family; 0, or 2 when a file is at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.compare.family", description=__doc__)
    parser.add_argument("--family", required=True, choices=FAMILIES)
    parser.add_argument(
        "--plan", required=True, type=Path, help="results/plan.json, which names the family's pairs"
    )
    parser.add_argument(
        "--compare", required=True, help="scxval.catalog.comparison.Compare as JSON"
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        help="the family's folder: pairs lie in it, verdicts go there",
    )
    return answer("scxval compare", partial(_judge_files, parser.parse_args(argv)))


def _judge_files(args: argparse.Namespace) -> None:
    how = compare_from_json(args.compare)
    pairs = [read_pair(args.output / path / "pair.json") for path in _paths(args.plan, args.family)]
    record = finite(judge_family(args.family, pairs, how))
    args.output.mkdir(parents=True, exist_ok=True)
    write_tables(record, args.output)
    write_json(args.output / "verdicts.json", record)


def _paths(plan: Path, family: str) -> list[str]:
    """The pairs of a family that a plan names: too many for the arguments of a command."""
    try:
        return [str(path) for path in json.loads(plan.read_text(encoding="utf-8"))["pairs"][family]]
    except OSError as error:
        raise ScxvalError(f"cannot read the plan {plan}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{plan}: no plan with pairs of family {family}: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
