# SPDX-License-Identifier: MIT
"""Which runs of the kernel and which simulations of the same stand side by side, and what both can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scxval.compare.prepare import Common, common_of, prepare
from scxval.compare.source import Source, read_source
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.events.schema import TraceKind
from scxval.study.gap_counts import COMPLETED, Counts, count, of_workload, without_ends
from scxval.study.record import Inputs

FAMILY = "simulator"
AXES = (FAMILY, "scheduler", "workload", "tracer", "isolation", "machine")
_END = str(TraceKind.SIMULATION_END)
_WOKE = str(TraceKind.TASK_WOKE)


@dataclass(frozen=True)
class Group:
    """One simulator and one tracer's reading of the same scheduler, workload and machine.

    `settled` is what there is to say without counts. `unused` are runs and why they are not counted,
    `not_compared` has what one side cannot show, with the reason.
    """

    where: dict[str, str]
    real: tuple[Counts, ...] = ()
    simulated: tuple[Counts, ...] = ()
    kinds: tuple[str, ...] = ()
    settled: Judgement | None = None
    unused: tuple[tuple[str, str], ...] = ()
    not_compared: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """As the pair of the family `simulator`."""
        return "/".join(self.where.values())


def read_groups(inputs: Inputs) -> list[Group]:
    """Every pair of the family `simulator` that the plan has, in its order."""
    pairs: Sequence[str] = inputs.plan.get("pairs", {}).get(FAMILY, [])
    return [_group(dict(zip(AXES, path.split("/"), strict=True)), inputs) for path in pairs]


def _group(where: dict[str, str], inputs: Inputs) -> Group:
    refused = _refused(where, inputs.plan)
    if refused:
        return Group(where, settled=Judgement(Verdict.UNSUPPORTED, refused))
    real = [_read(inputs.runs / path, inputs) for path in _cells(where, inputs.plan)]
    simulated = [
        _read(inputs.simulations / path, inputs) for path in _simulations(where, inputs.plan)
    ]
    unused = tuple((str(run.folder), run.why) for run in (*real, *simulated) if run.why)
    real, simulated = ([run for run in side if run.has_events] for side in (real, simulated))
    for name, side in (("run of the kernel", real), ("simulation", simulated)):
        if not side:
            why = unused[0][1] if unused else "the plan has none"
            settled = Judgement(Verdict.NOT_MEASURED, f"no {name} with events to count: {why}")
            return Group(where, settled=settled, unused=unused)
    return _counted(where, real, simulated, unused)


def _read(folder: Path, inputs: Inputs) -> Source:
    return read_source(folder, inputs.how.warm_up_ns, inputs.how.clock_step_ns)


def _refused(where: Mapping[str, str], plan: Mapping[str, object]) -> str:
    """Why the plan took the simulations, or the runs, out; "" if it did not."""
    for key, name, path in (
        ("excluded_simulations", "simulation", _below(where, simulated=True)),
        ("excluded", "cell", _below(where, simulated=False)),
    ):
        items = plan.get(key, [])
        for item in items if isinstance(items, list) else []:
            if str(item[name]).rpartition("/")[0] == path:
                return str(item["reason"])
    return ""


def _below(where: Mapping[str, str], simulated: bool) -> str:
    names = (
        [axis for axis in AXES if axis not in ("tracer", "isolation")] if simulated else AXES[1:]
    )
    return "/".join(where[axis] for axis in names)


def _cells(where: Mapping[str, str], plan: Mapping[str, object]) -> list[str]:
    return _listed("cells", _below(where, simulated=False), plan)


def _simulations(where: Mapping[str, str], plan: Mapping[str, object]) -> list[str]:
    return _listed("simulations", _below(where, simulated=True), plan)


def _listed(key: str, group: str, plan: Mapping[str, object]) -> list[str]:
    items = plan.get(key, [])
    paths = [str(item) for item in items] if isinstance(items, list) else []
    return [path for path in paths if path.rpartition("/")[0] == group]


def _counted(
    where: dict[str, str],
    real: Sequence[Source],
    simulated: Sequence[Source],
    unused: tuple[tuple[str, str], ...],
) -> Group:
    common = of_workload(common_of(real, simulated, None), real, simulated)
    not_compared = [*_left_out(common, where), *_records(common, real, simulated)]
    ends_early = _END in common.seen[1] - common.seen[0] and COMPLETED in common.kinds
    if ends_early:
        not_compared.append((COMPLETED, "a simulation ends before its tasks do"))
    sides: list[tuple[Counts, ...]] = []
    lost = list(unused)
    for side in (real, simulated):
        counts = []
        for run in side:
            try:
                found = count(prepare(run, common))
                counts.append(without_ends(found) if ends_early else found)
            except ScxvalError as error:
                lost.append((str(run.folder), str(error)))
        sides.append(tuple(counts))
    if not all(sides):
        settled = Judgement(Verdict.NOT_MEASURED, f"no events can be read: {lost[0][1]}")
        return Group(where, settled=settled, unused=tuple(lost))
    gone = {str(TraceKind.CPU_IDLE), *([COMPLETED] if ends_early else [])}
    kinds = tuple(sorted(common.kinds - gone))
    return Group(where, sides[0], sides[1], kinds, None, tuple(lost), tuple(not_compared))


def _left_out(common: Common, where: Mapping[str, str]) -> list[tuple[str, str]]:
    """Kinds that one side cannot show: not measured, never a gap."""
    real, simulated = common.seen
    found = [
        (kind, f"{where['tracer']} cannot show it for {where['scheduler']}")
        for kind in sorted(simulated - real)
    ]
    found += [
        (kind, f"simulator {where[FAMILY]} cannot show it") for kind in sorted(real - simulated)
    ]
    return found + sorted(common.dropped.items())


def _records(
    common: Common, real: Sequence[Source], simulated: Sequence[Source]
) -> list[tuple[str, str]]:
    """Records of a wakeup that no table of a side has."""
    if common.reasons is None:
        return []
    sides = [frozenset().union(*(run.reasons or () for run in side)) for side in (real, simulated)]
    names = ("no run of the kernel", "no simulation")
    return [
        (f"{_WOKE} {reason}", f"{names[place]} has this record of a wakeup")
        for place in (0, 1)
        for reason in sorted(sides[1 - place] - sides[place])
    ]
