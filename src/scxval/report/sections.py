# SPDX-License-Identifier: MIT
"""The page's sections as records for the template: headline, matrix, metrics, timelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

import scxval
from scxval.catalog.model import Cell, Excluded
from scxval.events.table import read_events
from scxval.report import facts, figures, spread, summary, text
from scxval.report.cell import link, style
from scxval.report.load import Inputs, Key, Run
from scxval.report.timeline import COLUMNS, Timeline, middle, timeline

# Tasks in the table of all metrics; kernel threads would make it endless.
MAX_TASKS = 12

Condition = tuple[str, str, str]


@dataclass(frozen=True)
class Badge:
    """One outcome in the matrix: words and a style, and the place in the page it leads to."""

    words: str
    style: str
    href: str
    about: str


@dataclass(frozen=True)
class Plot:
    """A figure: its element id, its JSON for a script element, and its description."""

    id: str
    data: Markup
    label: str
    height: int


@dataclass(frozen=True)
class Card:
    """A metric: its comparison, and its plot if any run has a value."""

    comparison: summary.Comparison
    plot: Plot | None


@dataclass(frozen=True)
class ByName:
    """A metric by process, queue, task or CPU, and its plot if there is anything to draw."""

    spread: spread.Spread
    plot: Plot | None


@dataclass(frozen=True)
class TableRow:
    """One line of the table of all metrics: what it is about, and the text for each scheduler."""

    key: Key
    unit: str
    entries: list[str]


@dataclass(frozen=True)
class Measured:
    """One workload under one condition."""

    condition: Condition
    machine_notes: list[str]
    schedulers: list[str]
    cards: list[Card]
    by_name: list[ByName]
    note: str
    incomplete: list[tuple[str, str]]
    quality: str
    table: list[TableRow]
    tasks_left_out: int
    why_empty: str


@dataclass(frozen=True)
class TaskTime:
    """A task in a timeline's window: slices, time on CPU within it, the longest slice whole."""

    name: str
    slices: int
    run_ns: int
    longest_ns: int


@dataclass(frozen=True)
class Drawn:
    """One scheduler's timeline, or why there is none."""

    scheduler: str
    run: Run | None
    plot: Plot | None
    notes: list[str]
    tasks: list[TaskTime]


@dataclass(frozen=True)
class WorkloadTimelines:
    """The timelines of one workload, which share colours."""

    workload: str
    colours: list[tuple[str, str]]
    drawn: list[Drawn]


class PlotIds:
    """Numbers the plots in page order: the same inputs give the same ids."""

    def __init__(self) -> None:
        self.used = 0

    def plot(self, figure: figures.Figure, label: str) -> Plot:
        """Give a figure the next id; `label` is its description for those who cannot see it."""
        self.used += 1
        # to_json leaves no character that could end the script element.
        data = Markup(figures.to_json(figure))
        return Plot(f"plot-{self.used}", data, label, figure["layout"]["height"])


def headline(inputs: Inputs) -> list[tuple[str, str]]:
    """What to know first, from the data alone: nothing of the machine that builds the page."""
    runs = inputs.runs
    return [
        ("Run", facts.when(runs) or "not recorded"),
        ("Guest kernel", _all(facts.distinct(runs, ["guest.kernel", "guest.release"]))),
        ("Accelerator", _all(facts.distinct(runs, ["accelerator"]))),
        ("Launcher", _all(facts.distinct(runs, ["vm.version"]))),
        (
            "Run by scxval",
            _all(facts.distinct(runs, ["scxval.version"])),
        ),
        ("Page by scxval", scxval.__version__),
    ]


def _all(values: list[str]) -> str:
    return "; ".join(values) or "not recorded"


def _axis_values(inputs: Inputs, axis: str) -> list[str]:
    """The values of an axis in the plan's order, excluded cells included."""
    cells = [run.cell for run in inputs.runs] + [item.cell for item in inputs.excluded]
    order = inputs.config.get(axis)
    wanted = [order] if isinstance(order, str) else order if isinstance(order, list) else []
    there = dict.fromkeys(getattr(cell, axis) for cell in cells)
    return [*(v for v in wanted if v in there), *(v for v in there if v not in wanted)]


def workloads(inputs: Inputs) -> list[str]:
    """The workloads of the plan."""
    return _axis_values(inputs, "workload")


def condition_of(cell: Cell) -> Condition:
    """How a cell was run and traced: runs are only compared under the same condition."""
    return (cell.tracer, cell.isolation, cell.machine)


def conditions(inputs: Inputs) -> list[Condition]:
    """The conditions of the plan."""
    cells = [run.cell for run in inputs.runs] + [item.cell for item in inputs.excluded]
    return list(dict.fromkeys(condition_of(cell) for cell in cells))


class Matrix:
    """Outcomes: rows scheduler and workload, columns tracer, isolation and machine."""

    def __init__(self, inputs: Inputs) -> None:
        self.conditions = conditions(inputs)
        self.rows = [
            (
                scheduler,
                workload,
                [self._entry(inputs, scheduler, workload, c) for c in self.conditions],
            )
            for scheduler in _axis_values(inputs, "scheduler")
            for workload in workloads(inputs)
        ]

    def _entry(
        self, inputs: Inputs, scheduler: str, workload: str, condition: Condition
    ) -> list[Badge]:
        group = (scheduler, workload, *condition)
        badges = [
            Badge(
                f"{run.cell.rep}: {run.state}",
                style(run.state),
                link(run.cell),
                f"repetition {run.cell.rep}: {run.state}",
            )
            for run in inputs.runs
            if run.cell.group == group
        ]
        badges += [
            Badge(
                f"{item.cell.rep}: excluded ({item.outcome})",
                "excluded",
                "#excluded",
                f"repetition {item.cell.rep}: excluded, {item.reason}",
            )
            for item in inputs.excluded
            if item.cell.group == group
        ]
        return badges


def excluded_reasons(excluded: Sequence[Excluded]) -> list[tuple[str, str, list[str]]]:
    """Outcome and reason once, with the cells (repetitions together) that it keeps out."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for item in excluded:
        groups = found.setdefault((str(item.outcome), item.reason), {})
        path = "/".join(item.cell.group)
        groups[path] = groups.get(path, 0) + 1
    return [
        (outcome, reason, [f"{path} (\u00d7{count})" for path, count in groups.items()])
        for (outcome, reason), groups in found.items()
    ]


def measured(inputs: Inputs, workload: str, ids: PlotIds) -> list[Measured]:
    """One workload's metrics, by condition."""
    return [
        found
        for condition in conditions(inputs)
        if (found := _measure(inputs, workload, condition, ids)) is not None
    ]


def _measure(inputs: Inputs, workload: str, condition: Condition, ids: PlotIds) -> Measured | None:
    def here(cell: Cell) -> bool:
        return cell.workload == workload and condition_of(cell) == condition

    runs = [run for run in inputs.runs if here(run.cell)]
    excluded = [item for item in inputs.excluded if here(item.cell)]
    if not runs:
        return None
    schedulers = [
        name
        for name in _axis_values(inputs, "scheduler")
        if any(run.cell.scheduler == name for run in runs)
        or any(item.cell.scheduler == name for item in excluded)
    ]
    found = summary.comparisons(runs, excluded, schedulers)
    where = f"{workload}, {' / '.join(condition)}"
    counts = [len(row.good) for compared in found for row in compared.rows]
    keys, left_out = summary.all_keys(runs, MAX_TASKS)
    if not found:
        # Without a tracer there is still what the workload says of itself.
        usable = [summary.measured_keys(run) for run in runs if run.has_events]
        keys = [key for key in keys if any(key in measured for measured in usable)]
    return Measured(
        condition=condition,
        machine_notes=facts.machine_notes(runs),
        schedulers=schedulers,
        cards=[_card(compared, where, ids) for compared in found],
        by_name=[_by_name(answer, where, ids) for answer in spread.spreads(runs, schedulers)],
        note=summary.replication_note(counts),
        incomplete=summary.incomplete(runs, excluded, schedulers),
        quality=summary.quality(runs),
        table=[_table_row(key, runs, excluded, schedulers) for key in keys],
        tasks_left_out=left_out,
        why_empty="" if found else _why_empty(runs),
    )


def _why_empty(runs: Sequence[Run]) -> str:
    """Why a condition has no metrics at all."""
    if all(run.cell.tracer == "none" for run in runs):
        ended = summary.reasons(run.state for run in runs)
        return f"Not measured: no tracer ran, so there are no events ({ended})."
    words = [run.state if not run.has_events else "without metrics" for run in runs]
    return f"Not measured: {summary.reasons(words)}."


def _card(compared: summary.Comparison, where: str, ids: PlotIds) -> Card:
    shown = [row for row in compared.rows if row.points]
    if not shown:
        return Card(compared, None)
    scale = compared.scale
    medians = ", ".join(
        f"{row.scheduler} {scale.show(row.median)} {scale.unit} (n = {len(row.good)})"
        for row in shown
        if row.good
    )
    label = f"{compared.title}, {where}: one point per run. Medians: {medians or 'none'}."
    return Card(compared, ids.plot(figures.run_points(compared), text.visible(label)))


def _by_name(answer: spread.Spread, where: str, ids: PlotIds) -> ByName:
    if not answer.bars:
        return ByName(answer, None)
    label = (
        f"{answer.question.title}, {where}: {text.plural(len(answer.members), 'name')}, "
        f"{' to '.join(answer.question.stats)}. The table below has the numbers."
    )
    return ByName(answer, ids.plot(figures.member_spread(answer), text.visible(label)))


def _table_row(
    key: Key, runs: Sequence[Run], excluded: Sequence[Excluded], schedulers: Sequence[str]
) -> TableRow:
    compared = summary.compare("", key, runs, excluded, schedulers)
    show = compared.scale.show
    entries = [
        f"{show(row.median)} ({show(min(row.values))}\u2013{show(max(row.values))}; "
        f"{len(row.good)})"
        if row.good
        else row.absent.partition(":")[0]
        for row in compared.rows
    ]
    return TableRow(key, compared.scale.unit, entries)


def workload_timelines(
    inputs: Inputs, workload: str, length_ns: int, ids: PlotIds
) -> WorkloadTimelines:
    """One workload's timelines: the middle `length_ns` of a run for each scheduler with events."""
    schedulers = [
        name
        for name in _axis_values(inputs, "scheduler")
        if any((r.cell.scheduler, r.cell.workload) == (name, workload) for r in inputs.runs)
    ]
    found = [(name, _with_events(inputs, workload, name)) for name in schedulers]
    shown = {name: _window(run, length_ns) for name, run in found if run is not None}
    colours = figures.task_colours([window for window, _ in shown.values()])
    drawn = []
    for name, run in found:
        if run is None:
            drawn.append(Drawn(name, None, None, ["No run has events."], []))
            continue
        window, notes = shown[name]
        figure = figures.cpu_timeline(window, colours)
        drawn.append(
            Drawn(name, run, ids.plot(figure, _timeline_label(run, window)), notes, _tasks(window))
        )
    return WorkloadTimelines(workload, list(colours.items()), drawn)


def _with_events(inputs: Inputs, workload: str, scheduler: str) -> Run | None:
    """The first run that ended ok and has events, else one that lost some."""
    usable = [
        run
        for run in inputs.runs
        if (run.cell.scheduler, run.cell.workload) == (scheduler, workload)
        and run.has_events
        and run.kinds
    ]
    return min(usable, key=lambda run: not run.ok, default=None)


def _window(run: Run, length_ns: int) -> tuple[Timeline, list[str]]:
    """The timeline in the middle of the run's workload window, and what to know about it."""
    table = read_events(run.events_path, columns=COLUMNS)
    times = table["time_ns"].to_numpy()
    span = (run.status or {}).get("window_ns")
    notes = []
    if facts.is_window(span):
        span_ns = (span[0], span[1])
    else:
        span_ns = (int(times[0]), int(times[-1]))
        notes.append("The status has no workload window: this is the middle of the whole trace.")
    shown = timeline(table, middle(span_ns, length_ns))
    asked = shown.wanted_ns[1] - shown.wanted_ns[0]
    length = shown.window_ns[1] - shown.window_ns[0]
    if length < asked:
        notes.append(
            f"Shortened from {text.duration_text(asked)} to {text.duration_text(length)}: the "
            "longer window holds more slices than a browser draws well."
        )
    elif asked < length_ns:
        notes.append(f"The workload window is only {text.duration_text(asked)} long.")
    if not run.ok:
        notes.append("The tracer lost events: slices may be missing or too long.")
    if not shown.slices:
        notes.append("No slice in this window: the source records none, or every CPU was idle.")
    return shown, notes


def _timeline_label(run: Run, shown: Timeline) -> str:
    length = text.duration_text(shown.window_ns[1] - shown.window_ns[0])
    return text.visible(
        f"Timeline of {run.cell.path}: {length}, {text.plural(len(shown.cpus), 'CPU')}, "
        f"{text.plural(len(shown.slices), 'slice')}. The table below has the tasks' times."
    )


def _tasks(shown: Timeline) -> list[TaskTime]:
    """By task name in the window, those with the most time first."""
    start, end = shown.window_ns
    totals: dict[str, list[int]] = {}
    for piece in shown.slices:
        entry = totals.setdefault(figures.task_name(piece), [0, 0, 0])
        entry[0] += 1
        entry[1] += min(piece.end_ns, end) - max(piece.start_ns, start)
        entry[2] = max(entry[2], piece.end_ns - piece.start_ns)
    ordered = sorted(totals.items(), key=lambda item: (-item[1][1], item[0]))
    return [TaskTime(name, *numbers) for name, numbers in ordered]
