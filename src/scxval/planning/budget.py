# SPDX-License-Identifier: MIT
"""Which part of a matrix a budget of time pays for, and why: results/budget.json.

A group (all repetitions of a cell) is taken whole, since a part of it can be judged of nothing, and with the
groups that it is compared with: the same without a tracer, and both under the baseline scheduler. Groups
that were never measured go first, then those whose last measurement is the oldest: over some nights every
group has its turn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scxval.catalog.combination import is_none
from scxval.catalog.config import Config
from scxval.catalog.matrix import Plan, calibration_cells
from scxval.catalog.model import AXES, Cell, Excluded
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.files import read_record, write_json
from scxval.planning.timing import Timing, known_timing
from scxval.planning.words import duration

SCHEMA = 1
_SCHEDULER, _TRACER = AXES.index("scheduler"), AXES.index("tracer")

Group = tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What is to be chosen from: cells by group, groups that all others need, and each one's companions."""

    budget_s: float
    groups: dict[str, int]
    always: list[str]
    companions: dict[str, list[str]]


@dataclass(frozen=True)
class Judged:
    """A group with its cost: the cells, the seconds of all of them, where that number comes from, and why it
    was taken or left out.
    """

    group: str
    cells: int
    seconds: float
    source: str
    why: str


@dataclass(frozen=True)
class Choice:
    """What was taken of a matrix within a budget (seconds), and what was left out."""

    budget_s: float
    taken: tuple[Judged, ...]
    left_out: tuple[Judged, ...]

    @property
    def seconds(self) -> float:
        """Estimate of all that was taken."""
        return sum(one.seconds for one in self.taken)

    def lines(self) -> list[str]:
        """The choice in words."""
        cells = sum(one.cells for one in self.taken)
        total = cells + sum(one.cells for one in self.left_out)
        found = [
            f"budget {duration(self.budget_s)}: {cells} of {total} cells ({len(self.taken)} of "
            f"{len(self.taken) + len(self.left_out)} groups), about {duration(self.seconds)}"
        ]
        whys: dict[str, list[Judged]] = {}
        for one in (*self.taken, *self.left_out):
            whys.setdefault(one.why, []).append(one)
        found += [
            f"  {sum(o.cells for o in some)} cells, {duration(sum(o.seconds for o in some))}: {why}"
            for why, some in whys.items()
        ]
        return found


def question(config: Config, plan: Plan) -> Question:
    """What a plan asks of a budget. Raises ScxvalError for a configuration without one."""
    if config.budget_s is None:
        raise ScxvalError("the configuration has no budget: --config budget=8h")
    groups: dict[str, int] = {}
    for cell in plan.cells:
        name = "/".join(cell.group)
        groups[name] = groups.get(name, 0) + 1
    machines = list(dict.fromkeys(cell.machine for cell in plan.cells))
    always = {"/".join(cell.group) for cell in calibration_cells(config, machines)}
    none = [name for name in config.axes["tracer"] if is_none(name, config.catalog.tracers)]
    return Question(
        config.budget_s,
        groups,
        sorted(always & groups.keys()),
        {
            name: [c for c in _companions(name, config.baseline, none) if c in groups]
            for name in groups
        },
    )


def _companions(name: str, baseline: str, none: Iterable[str]) -> Iterator[str]:
    axes = name.split("/")
    for scheduler in dict.fromkeys([axes[_SCHEDULER], baseline]):
        for tracer in dict.fromkeys([axes[_TRACER], *none]):
            other = list(axes)
            other[_SCHEDULER], other[_TRACER] = scheduler, tracer
            if other != axes:
                yield "/".join(other)


def choose(asked: Question, known: Timing) -> Choice:
    """Take groups in their order while they fit; a smaller one may still fit after one that does not."""
    cost = {name: _cost(name, cells, known) for name, cells in asked.groups.items()}
    taken: dict[str, Judged] = {}
    left_s = asked.budget_s
    for name in asked.always:
        taken[name] = replace(cost[name], why="simulations of its machine are calibrated by it")
        left_s -= cost[name].seconds
    for name in sorted(asked.groups, key=lambda name: _turn(name, known)):
        if name in taken:
            continue
        wanted = [n for n in (name, *asked.companions[name]) if n not in taken]
        need_s = sum(cost[n].seconds for n in wanted)
        if need_s > left_s:
            continue
        left_s -= need_s
        for one in wanted:
            why = _why(name, known) if one == name else "what a chosen group is compared with"
            taken[one] = replace(cost[one], why=why)
    left_out = (
        replace(cost[name], why="does not fit into what is left of the budget; its turn comes")
        for name in asked.groups
        if name not in taken
    )
    return Choice(asked.budget_s, tuple(taken.values()), tuple(left_out))


def _cost(name: str, cells: int, known: Timing) -> Judged:
    estimate = known.of(tuple(name.split("/")))
    source = f"{estimate.source} ({estimate.runs} runs)"
    return Judged(name, cells, cells * estimate.seconds, source, "")


def _turn(name: str, known: Timing) -> tuple[float, str]:
    """When it was measured last, 0 for never. Between equals a digest decides: what is taken is spread
    over all axes.
    """
    return _last(name, known), hashlib.sha256(name.encode()).hexdigest()


def _last(name: str, known: Timing) -> float:
    return known.last.get(tuple(name.split("/")), 0.0)


def _why(name: str, known: Timing) -> str:
    return "measured longest ago" if _last(name, known) else "never measured"


def choice_made(asked: Question, file: Path) -> Choice | None:
    """The choice that a sweep here has made of the same question, if it has."""
    if not file.exists():
        return None
    there = read_choice(file)
    groups = {one.group: one.cells for one in (*there.taken, *there.left_out)}
    return there if (there.budget_s, groups) == (asked.budget_s, asked.groups) else None


def within(plan: Plan, choice: Choice) -> Plan:
    """The plan with what was left out among the excluded cells."""
    taken = {one.group for one in choice.taken}
    why = {one.group: one.why for one in choice.left_out}
    cells: list[Cell] = []
    excluded = list(plan.excluded)
    for cell in plan.cells:
        name = "/".join(cell.group)
        if name in taken:
            cells.append(cell)
        else:
            reason = f"budget {duration(choice.budget_s)}: {why.get(name, 'not chosen')}"
            excluded.append(Excluded(cell, Outcome.LEFT_OUT, reason))
    return Plan(cells, excluded, plan.unresolved)


def write_choice(asked: str, store: Path, runs: Path, output: Path) -> None:
    """Choose by a question in JSON and by what history and results tell; results/budget.json.

    What stands in the file stays when it answers the same question.
    """
    wanted = Question(**json.loads(asked))
    choice = choice_made(wanted, output) or choose(wanted, known_timing(store, runs))
    record = {
        "schema": SCHEMA,
        "budget_s": choice.budget_s,
        "seconds": choice.seconds,
        "taken": [asdict(one) for one in choice.taken],
        "left_out": [asdict(one) for one in choice.left_out],
    }
    write_json(output, record)


def read_choice(path: Path) -> Choice:
    """Raises ScxvalError for a file that is no choice."""
    record: Mapping[str, Any] = read_record(path, "choice within a budget")
    try:
        return Choice(
            float(record["budget_s"]),
            tuple(Judged(**one) for one in record["taken"]),
            tuple(Judged(**one) for one in record["left_out"]),
        )
    except (KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a choice within a budget: {error!r}") from error
