# SPDX-License-Identifier: MIT
"""Study: what the kernel does and no simulation shows, and the other way round.

Kinds of rows, transitions of a task from one to the next, and orders within an episode, by scheduler and
by the tracer that saw the kernel (scxval.study.gap_counts), judged over runs (scxval.study.gap_judge).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scxval.compare.verdict import Judgement, Verdict, overall
from scxval.study.figure import Square, matrix, nothing
from scxval.study.gap_counts import ALL_EPISODES, Aspect
from scxval.study.gap_groups import FAMILY, Group, read_groups
from scxval.study.gap_judge import (
    KERNEL,
    SIMULATION,
    Answer,
    Compared,
    Limits,
    Part,
    Status,
    answers,
    compared,
    interval,
    part,
)
from scxval.study.gap_tables import gap_tables
from scxval.study.record import Finding, Inputs, Study

NAME = "simulator_gaps"
TITLE = "What simulations leave out"
QUESTION = (
    "Which kinds of events, transitions of a task and orders does the kernel show and the simulator "
    "never, and the other way round?"
)
_SAYS = {KERNEL: "only the kernel shows", SIMULATION: "only simulations show"}
_ONLY = {KERNEL: Status.KERNEL, SIMULATION: Status.SIMULATION}
_UNITS = {
    Aspect.KIND: "rows a switch-in",
    Aspect.TRANSITION: "part of transitions",
    Aspect.ORDER: "part of episodes",
}
# Named in a reason; the table has all.
_MOST_NAMED = 4


@dataclass(frozen=True)
class _Question:
    """What `side` shows of one aspect in a group that the other side does not."""

    group: Group
    aspect: Aspect
    side: str

    @property
    def key(self) -> str:
        return f"{self.group.path} {self.aspect} {self.side}"

    @property
    def what(self) -> str:
        return f"{self.aspect} that {_SAYS[self.side]}"

    def part(self) -> Part:
        sides = (self.group.real, self.group.simulated)
        has, lacks = sides if self.side == KERNEL else sides[::-1]
        return part(self.aspect, has, lacks)


@dataclass(frozen=True)
class _Read:
    """A group with everything that either side shows, and the answers to its questions."""

    group: Group
    label: str
    items: tuple[Compared, ...]
    answers: Mapping[tuple[Aspect, str], Answer]

    def only(self, aspect: Aspect, side: str) -> list[Compared]:
        """What only this side has, the most frequent first."""
        found = [
            one
            for one in self.items
            if one.item.base.aspect is aspect
            and one.status is _ONLY[side]
            and one.item.base.name != ALL_EPISODES
        ]
        return sorted(found, key=_frequent)


def study(inputs: Inputs) -> Study:
    """Make the study. What is not there is not measured; nothing is raised for it."""
    limits = Limits(
        inputs.settings.gap_share,
        inputs.settings.gap_rows,
        inputs.how.alpha,
        inputs.how.confidence,
        inputs.how.power,
    )
    groups = read_groups(inputs)
    read = _answered(groups, limits)
    findings = tuple(finding for one in read for finding in _findings(one, limits))
    tested = sum(a.p_above is not None for one in read for a in one.answers.values())
    return Study(
        name=NAME,
        title=TITLE,
        question=QUESTION,
        judgement=_judgement(read),
        findings=findings,
        figure=_figure(read, limits),
        caption=_caption(read, limits),
        tables=gap_tables(groups, limits.confidence),
        cannot_tell=_cannot_tell(read, limits.share),
        notes=_notes(tested),
    )


def _answered(groups: Sequence[Group], limits: Limits) -> list[_Read]:
    questions = [
        _Question(group, aspect, side)
        for group in groups
        if group.settled is None
        for aspect in Aspect
        for side in (KERNEL, SIMULATION)
    ]
    found = answers({one.key: one.part() for one in questions}, limits)
    return [
        _Read(
            group,
            _label(group, groups),
            tuple(compared(group.real, group.simulated)),
            {(q.aspect, q.side): found[q.key] for q in questions if q.group is group},
        )
        for group in groups
    ]


def _label(group: Group, groups: Sequence[Group]) -> str:
    """Scheduler and tracer, and the axes in which the groups differ."""
    others = [
        axis
        for axis in ("workload", "isolation", "machine", FAMILY)
        if len({other.where[axis] for other in groups}) > 1
    ]
    return ", ".join(group.where[axis] for axis in ("scheduler", *others, "tracer"))


def _findings(one: _Read, limits: Limits) -> list[Finding]:
    group = one.group
    if group.settled is not None:
        what = "kinds, transitions and orders"
        return [Finding(what, group.where, group.settled.verdict, group.settled.reason)]
    return [_finding(one, aspect, side, limits) for aspect, side in one.answers]


def _finding(one: _Read, aspect: Aspect, side: str, limits: Limits) -> Finding:
    answer = one.answers[aspect, side]
    low, high = interval(answer.part.shares, limits.confidence)
    return Finding(
        what=f"{aspect} that {_SAYS[side]}",
        where=one.group.where,
        verdict=answer.verdict,
        reason=_reason(one, aspect, side),
        unit=_UNITS[aspect],
        estimate=answer.part.mean,
        low=low,
        high=high,
        margin_low=0.0,
        margin_high=limits.share,
        n_a=len(one.group.real),
        n_b=len(one.group.simulated),
        power=answer.power,
        needed=answer.needed,
    )


def _reason(one: _Read, aspect: Aspect, side: str) -> str:
    answer = one.answers[aspect, side]
    found = answer.part
    if found.mean is None:
        kinds = ", ".join(one.group.kinds)
        return f"no {aspect} can be told of the kinds that both sides show: {kinds or 'none'}"
    floor = (
        "" if found.floor is None else f" (its own runs among each other: {found.mean_floor:.2%})"
    )
    text = f"{found.mean:.2%} of {found.base}{floor}; {answer.why}"
    only = one.only(aspect, side)
    if not only:
        return f"nothing is missing: {text}"
    named = ", ".join(_words(item) for item in only[:_MOST_NAMED])
    more = f" and {len(only) - _MOST_NAMED} more" if len(only) > _MOST_NAMED else ""
    return f"{text}: {named}{more}"


def _frequent(one: Compared) -> tuple[float, str]:
    return (-one.has.rows, one.item.name)


def _words(one: Compared) -> str:
    """An item with how often it came, an order with its kind of episode."""
    name = one.item.name
    if one.item.base.aspect is Aspect.ORDER:
        name = f"{one.item.base.name} [{name}]"
    has = one.has
    return f"{name} ({has.rows} in {has.runs_with} of {len(has.counts)} runs)"


def _judgement(read: Sequence[_Read]) -> Judgement:
    if not read:
        return Judgement(
            Verdict.NOT_MEASURED,
            "the plan compares no simulation with the kernel: name a simulator, a tracer that makes events "
            "and the family `simulator`, as config/studies/simulator_gaps.yaml does",
        )
    return overall({one.label: _of_group(one) for one in read})


def _of_group(one: _Read) -> Judgement:
    if one.group.settled is not None:
        return one.group.settled
    parts = {
        f"{aspect} that {_SAYS[side]}": Judgement(answer.verdict, _short(answer))
        for (aspect, side), answer in one.answers.items()
    }
    return overall(parts)


def _short(answer: Answer) -> str:
    return "" if answer.part.mean is None else f"{answer.part.mean:.1%}"


def _figure(read: Sequence[_Read], limits: Limits) -> str:
    counted = [one for one in read if one.group.settled is None]
    if not counted:
        return nothing(TITLE, _judgement(read).reason)
    squares = {
        (row, one.label): square for one in counted for row, square in _squares(one, limits).items()
    }
    names = {row for row, _ in squares}
    aspects = [f"{aspect}: {_SAYS[side]}" for aspect in Aspect for side in (KERNEL, SIMULATION)]
    kinds = sorted(names - set(aspects))
    description = (
        "A column is a scheduler as a tracer saw the kernel. Above: which part only one side shows, with its "
        "verdict. Below: which side has each kind of event, both, real (the kernel only) or sim. Hatched: "
        "none was seen, or not measured."
    )
    rows, columns = [*aspects, *kinds], list(dict.fromkeys(one.label for one in counted))
    return matrix(TITLE, description, rows, columns, _hatched(rows, columns) | squares)


def _hatched(rows: Iterable[str], columns: Sequence[str]) -> dict[tuple[str, str], Square]:
    """What one side cannot show is seen to be so."""
    why = "one side cannot show it"
    return {(row, column): Square("", None, None, why) for row in rows for column in columns}


def _squares(one: _Read, limits: Limits) -> dict[str, Square]:
    squares = {}
    for (aspect, side), answer in one.answers.items():
        mean = answer.part.mean
        text = "" if mean is None else f"{mean:.1%}" if mean < 1 else f"{mean:.0%}"
        share = None if mean is None else min(1.0, mean)
        tip = f"{one.label}: {aspect} that {_SAYS[side]}: {_reason(one, aspect, side)}"
        verdict = None if mean is None else answer.verdict
        squares[f"{aspect}: {_SAYS[side]}"] = Square(text, share, verdict, tip)
    kinds = {c.item.name: c for c in one.items if c.item.base.aspect is Aspect.KIND}
    for kind in one.group.kinds:
        squares[kind] = _kind(kind, kinds.get(kind), one, limits)
    return squares


def _kind(kind: str, found: Compared | None, one: _Read, limits: Limits) -> Square:
    """Which side has a kind; a frequent one that one side lacks bears the verdict of all kinds."""
    runs = f"{len(one.group.real)} runs of the kernel and {len(one.group.simulated)} simulations"
    if found is None:
        return Square("none", None, None, f"{one.label}: no {kind} in {runs}")
    tip = (
        f"{one.label}: {kind} {found.real.rows} times in {found.real.runs_with} of "
        f"{len(found.real.counts)} runs of the kernel, {found.simulated.rows} times in "
        f"{found.simulated.runs_with} of {len(found.simulated.counts)} simulations"
    )
    if found.status is Status.BOTH:
        return Square("both", 1.0, Verdict.AGREE, tip)
    side = KERNEL if found.status is Status.KERNEL else SIMULATION
    text = {KERNEL: "real", SIMULATION: "sim"}[side]
    if found.has.share < limits.share:
        return Square(text, 0.5, Verdict.AGREE, f"{tip}; rarer than {limits.share:.0%}")
    whole = one.answers[Aspect.KIND, side].verdict
    verdict = Verdict.DISAGREE if whole is Verdict.DISAGREE else Verdict.INCONCLUSIVE
    return Square(text, 0.0, verdict, tip)


def _caption(read: Sequence[_Read], limits: Limits) -> str:
    counted = [one.group for one in read if one.group.settled is None]
    if not counted:
        return ""
    return (
        f"{len(counted)} readings of a scheduler, each of {_span(len(g.real) for g in counted)} runs of the "
        f"kernel and {_span(len(g.simulated) for g in counted)} simulations. Above {limits.share:.0%} "
        "that only one side shows is a gap."
    )


def _span(numbers: Iterable[int]) -> str:
    found = list(numbers)
    least, most = min(found), max(found)
    return str(least) if least == most else f"{least} to {most}"


def _cannot_tell(read: Sequence[_Read], share: float) -> tuple[str, ...]:
    """Each thing once, with the readings that it is about."""
    lines: dict[str, list[str]] = {}
    for one in read:
        if one.group.settled is not None:
            lines.setdefault(one.group.settled.reason, []).append(one.label)
        by_reason: dict[str, list[str]] = {}
        for what, why in one.group.not_compared:
            by_reason.setdefault(why, []).append(what)
        for why, names in by_reason.items():
            lines.setdefault(f"{', '.join(names)}: {why}", []).append(one.label)
        for (aspect, side), answer in one.answers.items():
            if answer.verdict is Verdict.INCONCLUSIVE:
                lines.setdefault(
                    f"whether {aspect} that {_SAYS[side]} are a gap: {_more(answer, share)}", []
                ).append(one.label)
    return tuple(f"{line} ({'; '.join(where)})" for line, where in lines.items())


def _more(answer: Answer, share: float) -> str:
    """What would decide it."""
    if answer.p_above is None:
        return f"{answer.why}; more runs of both sides would say"
    if (answer.part.mean or 0.0) > share:
        return f"more than {share:.1%} is missing, but runs differ too much; more of them would say"
    if answer.needed is None:
        return "what differs between runs of one side hides it; a longer workload would say"
    return f"{answer.needed} runs would say if no more is missing than between runs of one side"


def _notes(questions: int) -> tuple[str, ...]:
    if not questions:
        return ()
    return (
        f"Holm's correction is over {questions} questions: every aspect and side of every reading.",
        "A machine has other tasks than the workload's. What they bring about, such as preemptions and "
        "migrations, is missing from a simulation without them, which says nothing of its model of the "
        "scheduler.",
        "An order is one CPU's rows from a wakeup's first to its last, or from a pick to its switch; passes "
        "of a loop count once, episodes with other tasks in them not at all. Transitions leave out ticks.",
    )
