# SPDX-License-Identifier: MIT
"""Simulations of what the real runs under tests/fixtures/sequences ran, and the shapes of both.

A real machine has more on it than the workload. What bears on the workload's calls most is the tracer: it
keeps the last CPU busy and sleeps now and then, and scx_central and scx_qmap see it in their queues. So a
task that does the same is simulated beside the workload, on that CPU, and is left out as the tracer is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scxval.catalog.load import Catalog
from scxval.catalog.rtapp import read_rtapp
from scxval.events.table import read_events
from scxval.simulate.builtin.library import End
from scxval.simulate.builtin.program import SimTask, compile_workload
from scxval.simulate.parameters import Parameters
from scxval.simulate.sequences import Episode, Shapes, shapes

from .engine_runs import insn, run

FIXTURES = Path(__file__).parents[1] / "fixtures/sequences"
WORKLOADS = ("yielding", "periodic_mix", "oversub", "producer_consumer")
# The bpftrace tracer's kinds on 7.2 that an episode can hold.
KINDS = (
    *("TaskScheduled", "TaskPreempted", "TaskYielded", "TaskSlept", "TaskWoke", "TaskCompleted"),
    *("CpuIdle", "PutPrevTask", "SelectTaskRq", "EnqueueTask", "PickTask", "SetNextTask"),
    *("DsqInsert", "DsqInsertVtime", "DsqMoveToLocal", "KickCpu", "DequeueTask", "TaskMigrated"),
    "Tick",
)
# Its run and sleep: bpftrace in those runs slept 20 to 120 times a second, some us or until its next poll.
TRACERS_NS = ((8_000_000, 5_000), (5_000_000, 1_000_000))

Counts = dict[Episode, Counter[tuple[str, ...]]]


def names_of(catalog: Catalog, workload: str) -> set[str]:
    """The workload's tasks."""
    file = catalog.workloads[workload].file
    assert file is not None
    return {task.name for task in read_rtapp(file).tasks}


def simulated(
    libraries: Path, catalog: Catalog, scheduler: str, workload: str, seed: int
) -> Shapes:
    """The shapes of 2 s of the workload on CPUs 0 to 2, beside a tracer on CPU 3."""
    # CONFIG_HZ=250, as in the guest.
    parameters = Parameters(tick_ns=4_000_000)
    program = compile_workload(catalog.workloads[workload], 4, 1, 2, parameters)
    masks = (*program.masks, frozenset({3}))
    busy_ns, sleep_ns = TRACERS_NS[seed % len(TRACERS_NS)]
    insns = (
        insn("LOOP", value=-1, arg=4),
        insn("RUN", value=busy_ns),
        insn("SLEEP", value=sleep_ns),
        insn("AGAIN", arg=0),
        insn("EXIT"),
    )
    tracer = SimTask("tracer", 900, 900, 0, len(masks) - 1, 0, 0, insns)
    program = replace(program, masks=masks, tasks=(*program.tasks, tracer))
    found = run(libraries / f"{scheduler}.so", 4, program, parameters, seed)
    assert found.ending.end is End.DONE, found.ending
    return shapes(found.table(), names_of(catalog, workload), KINDS)


def real(catalog: Catalog, scheduler: str) -> Counts:
    """The shapes of all fixtures of a scheduler."""
    files = sorted(FIXTURES.glob(f"{scheduler}.*.parquet"))
    assert files
    return total(
        shapes(read_events(file), names_of(catalog, file.stem.split(".")[1]), KINDS)
        for file in files
    )


def total(several: Iterable[Shapes]) -> Counts:
    """The counts of several tables."""
    counts: Counts = {}
    for some in several:
        for episode, counter in some.counts.items():
            counts[episode] = counts.get(episode, Counter()) + counter
    return counts
