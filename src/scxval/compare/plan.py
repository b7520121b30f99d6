# SPDX-License-Identifier: MIT
"""Which groups of runs a plan lets one compare, by family, and where the answer of each is written.

The two groups of a pair differ in one thing. A group that cannot exist (an excluded cell) has a place in its
pair, with the reason, as long as the other group is planned. Cells that only calibrate a simulated machine
are in no pair, unless the configuration asks for them.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scxval.catalog.combination import is_none, tracer_parts
from scxval.catalog.comparison import Compare
from scxval.catalog.config import Config
from scxval.catalog.matrix import Plan
from scxval.catalog.model import AXES, Cell, Machine, Scheduler
from scxval.catalog.outcomes import Outcome
from scxval.compare.verdict import Judgement, Verdict
from scxval.simulate.plan import SimulationCell, SimulationPlan
from scxval.tracers.base import makes_events

ROOT = "results/compare"
RUNS = "results/runs"
SIMULATIONS = "results/sim"
# Simulations that are made a second time, by the path of the first.
AGAIN = f"{ROOT}/again"
# Between the two values of an axis in the name of a folder.
VERSUS = "_vs_"
# What is read of a run or simulation.
FILES = (
    "status.json",
    "provenance.json",
    "capability.json",
    "events.parquet",
    "metrics.parquet",
)

# Cell.group: the values of AXES.
Group = tuple[str, ...]


@dataclass(frozen=True)
class PlannedSide:
    """A group of runs: its folders, or `settled` when there are none. `deterministic` as record.Group."""

    name: str
    runs: tuple[str, ...] = ()
    deterministic: bool = False
    settled: Judgement | None = None

    def at(self, place: Callable[[str], str]) -> dict[str, Any]:
        """This side with its folders where they lie."""
        return {**asdict(self), "runs": tuple(map(place, self.runs))}


@dataclass(frozen=True)
class PlannedPair:
    """Two groups, what they share (`where`, by axis) and the workload's name in the catalogue.

    `again` are folders of simulations, each with that of the same simulation made once more.
    """

    family: str
    path: str
    where: dict[str, str]
    a: PlannedSide
    b: PlannedSide
    workload: str
    again: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """Where its pair.json is written."""
        return f"{ROOT}/{self.family}/{self.path}"

    def spec(
        self, workload: str | None, how: Compare, place: Callable[[str], str] = str
    ) -> dict[str, Any]:
        """What scxval.compare.pair is asked; `workload` is the workload's file, if it has one.

        `place` says where a folder of runs lies, from the working directory.
        """
        return {
            "family": self.family,
            "path": self.path,
            "where": self.where,
            "a": self.a.at(place),
            "b": self.b.at(place),
            "workload": workload,
            "again": [list(map(place, two)) for two in self.again],
            "compare": decides(how),
        }


@functools.lru_cache(maxsize=8)
def decides(how: Compare) -> dict[str, Any]:
    """The settings of a comparison, without which others there are: those make no pair another."""
    return asdict(replace(how, families=(), against=()))


# The runs of a group below a folder of other results, in the order of their repetitions.
RunsBelow = Callable[[str, Group], Sequence[str]]


def runs_below(folder: str, group: Group) -> list[str]:
    """Those that are there."""
    found = Path(folder, "runs", *group).glob("rep*/status.json")
    names = [file.parent for file in found if file.parent.name[3:].isdigit()]
    return [str(name) for name in sorted(names, key=lambda name: int(name.name[3:]))]


def files_of(run: str) -> list[str]:
    """The files of a run, simulation or repeated simulation that a comparison reads.

    All of those that the workflow makes; of results from elsewhere, those that are there.
    """
    files = [f"{run}/{name}" for name in FILES]
    if run.startswith(f"{AGAIN}/"):
        return [file for file in files if not file.endswith("metrics.parquet")]
    if run.startswith((f"{RUNS}/", f"{SIMULATIONS}/")):
        return files
    return [file for file in files if Path(file).is_file()]


def plan_pairs(
    config: Config,
    plan: Plan,
    simulations: SimulationPlan,
    below: RunsBelow = runs_below,
) -> list[PlannedPair]:
    """Every pair of the configured families, in the order of the families."""
    known = _Known(config, *_groups(config, plan), simulations, below)
    return [pair for family in config.compare.families for pair in _FAMILIES[family](known)]


@dataclass(frozen=True)
class _Known:
    """The plan's groups: repetitions of those that are run, the reason of those that cannot be."""

    config: Config
    planned: Mapping[Group, Sequence[Cell]]
    excluded: Mapping[Group, str]
    simulations: SimulationPlan
    below: RunsBelow

    @property
    def groups(self) -> Iterator[Group]:
        return itertools.chain(self.planned, self.excluded)

    def side(self, group: Group, name: str) -> PlannedSide:
        """A group of the plan as a side."""
        if group in self.planned:
            return PlannedSide(name, tuple(f"{RUNS}/{c.path}" for c in self.planned[group]))
        why = Judgement(Verdict.UNSUPPORTED, self.excluded[group])
        return PlannedSide(name, settled=why)

    def event_parts(self, tracer: str) -> list[str]:
        """Those of a value of the tracer axis whose traces hold events."""
        parts = tracer_parts(tracer, self.config.catalog.tracers)
        return [part.name for part in parts if makes_events(part.module)]

    def is_none(self, tracer: str) -> bool:
        """Whether a value of the tracer axis stands for no tracer."""
        return is_none(tracer, self.config.catalog.tracers)

    def rank(self, axis: str, name: str) -> tuple[int, str]:
        """The catalogue's order, so that which side is A does not depend on the configuration."""
        names = list(getattr(self.config.catalog, f"{axis}s"))
        return (names.index(name) if name in names else len(names), name)


def _groups(config: Config, plan: Plan) -> tuple[dict[Group, list[Cell]], dict[Group, str]]:
    planned: dict[Group, list[Cell]] = {}
    excluded: dict[Group, str] = {}
    for cell in plan.cells:
        if _asked(config, cell):
            planned.setdefault(cell.group, []).append(cell)
    for item in plan.excluded:
        # What could be run is no side of a pair: the plan lists it.
        if _asked(config, item.cell) and item.outcome != Outcome.LEFT_OUT:
            excluded.setdefault(item.cell.group, item.reason)
    return planned, excluded


def _asked(config: Config, cell: Cell) -> bool:
    """Whether the axes ask for a cell; machines by alias cannot be told, and need not be."""
    axes = config.axes
    return (
        cell.scheduler in (config.baseline, *axes["scheduler"])
        and cell.workload in axes["workload"]
        and cell.tracer in axes["tracer"]
        and cell.isolation in axes["isolation"]
    )


def _some(pair: PlannedPair) -> bool:
    """Whether there is something to compare, or at least one side of it."""
    return pair.a.settled is None or pair.b.settled is None


def _simulator(known: _Known) -> Iterator[PlannedPair]:
    """The kernel as each tracer saw it, with the isolation that the simulator imitates."""
    sides = _simulated(known.simulations)
    for group in known.groups:
        scheduler, workload, tracer, isolation, machine = group
        if isolation != known.config.simulate.isolation or not known.event_parts(tracer):
            continue
        for simulator in known.config.simulators:
            found = sides.get((simulator, scheduler, workload, machine))
            if found is None:
                continue
            first = found.runs[:1]
            pair = PlannedPair(
                "simulator",
                "/".join([simulator, *group]),
                _where(group, without="tracer"),
                known.side(group, f"kernel, {tracer}"),
                found,
                workload,
                tuple((folder, again_folder(folder)) for folder in first),
            )
            if _some(pair):
                yield pair


def again_folder(folder: str) -> str:
    """Where a simulation below results/sim is made once more."""
    return f"{AGAIN}/{folder.removeprefix(f'{SIMULATIONS}/')}"


def _simulated(simulations: SimulationPlan) -> dict[Group, PlannedSide]:
    cells: dict[Group, list[str]] = {}
    for cell in simulations.cells:
        cells.setdefault(_simulation_group(cell), []).append(f"{SIMULATIONS}/{cell.path}")
    found = {
        group: PlannedSide(group[0], tuple(runs), deterministic=True)
        for group, runs in cells.items()
    }
    for item in simulations.excluded:
        if item.outcome == Outcome.LEFT_OUT:
            continue
        group = _simulation_group(item.cell)
        why = Judgement(Verdict.UNSUPPORTED, item.reason)
        found.setdefault(group, PlannedSide(group[0], deterministic=True, settled=why))
    return found


def _simulation_group(cell: SimulationCell) -> Group:
    return (cell.simulator, cell.scheduler, cell.workload, cell.machine)


def _tracer_none(known: _Known) -> Iterator[PlannedPair]:
    """A run without a tracer, and with each one."""
    for rest, tracers in _by_rest(known.groups, "tracer").items():
        for none, tracer in itertools.product(tracers, tracers):
            if known.is_none(none) and not known.is_none(tracer):
                yield from _differing(known, "tracer_none", "tracer", rest, (none, tracer), tracer)


def _tracer(known: _Known) -> Iterator[PlannedPair]:
    """Two tracers that make events; beside another one a tracer's run is not its own."""
    for rest, names in _by_rest(known.groups, "tracer").items():
        alone = [name for name in names if known.event_parts(name) == [name]]
        for two in _twos(known, "tracer", alone):
            yield from _differing(known, "tracer", "tracer", rest, two)


def _isolation(known: _Known) -> Iterator[PlannedPair]:
    for rest, names in _by_rest(known.groups, "isolation").items():
        for two in _twos(known, "isolation", names):
            yield from _differing(known, "isolation", "isolation", rest, two)


def _machine(known: _Known) -> Iterator[PlannedPair]:
    """Machines with the same kernel; the host is taken at the word of its entry."""
    machines = known.config.catalog.machines
    for rest, names in _by_rest(known.groups, "machine").items():
        for two in _twos(known, "machine", names):
            if machines[two[0]].kernel == machines[two[1]].kernel:
                yield from _differing(known, "machine", "machine", rest, two)


def _version(known: _Known) -> Iterator[PlannedPair]:
    """Versions of the kernel, of schedulers, and results from elsewhere; the older one is A."""
    yield from _kernel_versions(known)
    yield from _scheduler_versions(known)
    for folder in known.config.compare.against:
        for group in known.planned:
            yield _against(known, folder, group)


def _kernel_versions(known: _Known) -> Iterator[PlannedPair]:
    catalog = known.config.catalog

    def age(machine: Machine) -> tuple[list[int], tuple[int, str]]:
        version = _numbers(catalog.kernels[machine.kernel].version)
        return version, known.rank("machine", machine.name)

    for rest, names in _by_rest(known.groups, "machine").items():
        machines = sorted((catalog.machines[name] for name in names), key=age)
        for one, other in itertools.combinations(machines, 2):
            if one.kernel != other.kernel and _but_for_kernel(one) == _but_for_kernel(other):
                two = (one.name, other.name)
                called = tuple(f"{m.kernel} on {m.name}" for m in (one, other))
                yield from _differing(known, "version", "machine", rest, two, names=called)


def _but_for_kernel(machine: Machine) -> Machine:
    return replace(machine, name="", about="", kernel="")


def _scheduler_versions(known: _Known) -> Iterator[PlannedPair]:
    schedulers = known.config.catalog.schedulers

    def age(scheduler: Scheduler) -> tuple[list[int], tuple[int, str]]:
        return _numbers(scheduler.crate_version), known.rank("scheduler", scheduler.name)

    for rest, names in _by_rest(known.groups, "scheduler").items():
        crates = [schedulers[name] for name in names if schedulers[name].source == "crate"]
        for one, other in itertools.combinations(sorted(crates, key=age), 2):
            if one.crate_version != other.crate_version and _program(one) == _program(other):
                two = (one.name, other.name)
                called = tuple(f"{s.name} {s.crate_version}" for s in (one, other))
                yield from _differing(known, "version", "scheduler", rest, two, names=called)


def _program(scheduler: Scheduler) -> tuple[object, ...]:
    """What two versions of a scheduler have in common."""
    return (scheduler.binary, scheduler.args, scheduler.files)


def _numbers(version: str) -> list[int]:
    """A version for sorting: 7.10 is after 7.9."""
    return [int(digits) for digits in re.findall(r"\d+", version)]


def _against(known: _Known, folder: str, group: Group) -> PlannedPair:
    runs = tuple(known.below(folder, group))
    missing = f"no run of {'/'.join(group)} below {folder}/runs"
    there = PlannedSide(
        folder, runs, settled=None if runs else Judgement(Verdict.NOT_MEASURED, missing)
    )
    return PlannedPair(
        "version",
        "/".join([_slug(folder), *group]),
        dict(zip(AXES, group, strict=True)),
        there,
        known.side(group, "here"),
        group[AXES.index("workload")],
    )


def _slug(folder: str) -> str:
    """A folder's name for a path: readable, and another one for another folder."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(folder).name)
    return f"against-{name}-{hashlib.sha256(folder.encode()).hexdigest()[:8]}"


def _by_rest(groups: Iterable[Group], axis: str) -> dict[Group, list[str]]:
    """The values of an axis that there are with each choice of all others."""
    place = AXES.index(axis)
    found: dict[Group, list[str]] = {}
    for group in groups:
        found.setdefault((*group[:place], *group[place + 1 :]), []).append(group[place])
    return found


def _twos(known: _Known, axis: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every two of them, in the catalogue's order."""
    return itertools.combinations(sorted(names, key=lambda name: known.rank(axis, name)), 2)


def _differing(
    known: _Known,
    family: str,
    axis: str,
    rest: Group,
    two: tuple[str, str],
    folder: str = "",
    names: Sequence[str] = (),
) -> Iterator[PlannedPair]:
    """The pair of two values of an axis, if one of them is planned."""
    place = AXES.index(axis)
    groups = [(*rest[:place], value, *rest[place:]) for value in two]
    a, b = map(known.side, groups, names or two)
    pair = PlannedPair(
        family,
        "/".join([folder or VERSUS.join(two), *rest]),
        _where(groups[0], without=axis),
        a,
        b,
        groups[0][AXES.index("workload")],
    )
    if _some(pair):
        yield pair


def _where(group: Group, without: str) -> dict[str, str]:
    return {axis: v for axis, v in zip(AXES, group, strict=True) if axis != without}


_FAMILIES: dict[str, Callable[[_Known], Iterator[PlannedPair]]] = {
    "simulator": _simulator,
    "tracer_none": _tracer_none,
    "tracer": _tracer,
    "isolation": _isolation,
    "machine": _machine,
    "version": _version,
}
