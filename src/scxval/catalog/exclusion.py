# SPDX-License-Identifier: MIT
"""The one place that decides that a cell cannot exist: rules with an outcome and a reason, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scxval.catalog.combination import tracer_parts
from scxval.catalog.compatibility import Compatibility
from scxval.catalog.load import Catalog
from scxval.catalog.model import (
    Cell,
    Excluded,
    Isolation,
    Machine,
    Scheduler,
    Tracer,
    Workload,
)
from scxval.catalog.outcomes import Outcome
from scxval.catalog.programs import host_program

# The kernel's own words (scx_enable, Linux 6.12 and later); dmesg of such an attempt shows them.
NO_ISOLCPUS = 'sched_ext: Not compatible with "isolcpus=" domain isolation'


@dataclass(frozen=True)
class Host:
    """What the planner may know of this host: free memory and which accelerators booted a guest.

    An accelerator that is not in `accelerators` has not been tried yet, nor a scheduler on a kernel that is
    not in `compatibility`. `cpus` are those of a machine that is this host itself.
    """

    memory_mib: int
    accelerators: Mapping[str, bool]
    compatibility: Compatibility = field(default_factory=dict)
    cpus: int = 1


@dataclass(frozen=True)
class Point:
    """A cell's records, on this host."""

    scheduler: Scheduler
    workload: Workload
    tracers: tuple[Tracer, ...]
    isolation: Isolation
    machine: Machine
    host: Host

    @property
    def vcpus(self) -> int:
        """CPUs of the machine; those of this host where it is the machine."""
        return self.machine.vcpus or self.host.cpus


Why = tuple[Outcome, str]


def why_not(cell: Cell, catalog: Catalog, host: Host) -> Excluded | None:
    """The first rule that takes the cell out; None when it can be run."""
    point = Point(
        catalog.schedulers[cell.scheduler],
        catalog.workloads[cell.workload],
        tracer_parts(cell.tracer, catalog.tracers),
        catalog.isolations[cell.isolation],
        catalog.machines[cell.machine],
        host,
    )
    for rule in RULES:
        found = rule(point)
        if found is not None:
            return Excluded(cell, *found)
    return None


def no_cpu_left(point: Point) -> Why | None:
    """The tracer's CPUs and the workload's share the machine."""
    isolation, machine = point.isolation, point.machine
    if isolation.tracer_cpus < point.vcpus:
        return None
    return (
        Outcome.INFEASIBLE,
        f"isolation {isolation.name} keeps {isolation.tracer_cpus} CPU(s) for the tracer and "
        f"machine {machine.name} has {point.vcpus}: none is left for the workload",
    )


def bound_beyond(point: Point) -> Why | None:
    """A workload may bind tasks to CPUs."""
    last = point.vcpus - point.isolation.tracer_cpus - 1
    beyond = [cpu for cpu in point.workload.cpus if cpu > last]
    if not beyond:
        return None
    return (
        Outcome.INFEASIBLE,
        f"workload {point.workload.name} binds a task to CPU {beyond[0]}; with isolation "
        f"{point.isolation.name}, machine {point.machine.name} has 0 to {last} for it",
    )


def wrong_cpu_count(point: Point) -> Why | None:
    """A scheduler may need more CPUs, or pairs of them."""
    scheduler, has = point.scheduler, f"machine {point.machine.name} has {point.vcpus}"
    if point.vcpus < scheduler.min_vcpus:
        return (
            Outcome.UNSUPPORTED,
            f"{scheduler.name} needs at least {scheduler.min_vcpus} CPUs, {has}",
        )
    if scheduler.even_vcpus and point.vcpus % 2:
        return Outcome.UNSUPPORTED, f"{scheduler.name} needs an even number of CPUs, {has}"
    return None


def isolcpus_refused(point: Point) -> Why | None:
    """isolcpus= belongs to a boot, and excludes sched_ext."""
    if point.isolation.kind != "isolcpus":
        return None
    name = point.machine.name
    if point.scheduler.is_sched_ext:
        return (
            Outcome.UNSUPPORTED,
            f"the kernel refuses every sched_ext scheduler beside isolcpus= ({NO_ISOLCPUS}); "
            "isolation of kind cpuset works with sched_ext",
        )
    if point.machine.launcher == "host":
        return (
            Outcome.UNSUPPORTED,
            f"isolcpus= is set when a kernel boots, and machine {name} is already running",
        )
    if point.machine.boot == "snapshot":
        return (
            Outcome.UNSUPPORTED,
            f"isolation {point.isolation.name} is an argument of the kernel's, and machine {name} goes on "
            "from a guest that has booted without it; take a machine with boot: cold",
        )
    return None


def cgroups_on_the_host(point: Point) -> Why | None:
    """Nothing may stay on a machine that is not thrown away."""
    if point.machine.launcher != "host" or not point.workload.cgroups:
        return None
    return (
        Outcome.UNSUPPORTED,
        f"workload {point.workload.name} makes cgroups, which would stay on machine "
        f"{point.machine.name}",
    )


def tracers_exclude_each_other(point: Point) -> Why | None:
    """wprof looks for the one BPF map of that name."""
    modules = {tracer.module for tracer in point.tracers}
    if not modules >= {"scxtop", "wprof"}:
        return None
    return (
        Outcome.UNSUPPORTED,
        "scxtop has a BPF map named task_ctxs, and wprof, which reads the scheduler's map of that name, "
        "ends when there are two",
    )


def no_program(point: Point) -> Why | None:
    """A tracer's program may be one that only the user can bring."""
    for tracer in point.tracers:
        if tracer.source == "host" and host_program(tracer) is None:
            return (
                Outcome.UNSUPPORTED,
                f"tracer {tracer.name} needs a program that nothing here provides: {tracer.binary!r} "
                "cannot be executed on this host; put it on PATH, or name its path as `binary` of the "
                "tracer's entry in a catalogue folder of your own",
            )
    return None


def no_stats(point: Point) -> Why | None:
    """scx_stats is a library that schedulers use, and not every one does."""
    if point.scheduler.stats or not any(t.module == "scx_stats" for t in point.tracers):
        return None
    return (
        Outcome.UNSUPPORTED,
        f"{point.scheduler.name} has no scx_stats to sample (`stats` of its catalogue entry)",
    )


def too_little_memory(point: Point) -> Why | None:
    """The guest's memory is this host's."""
    machine, there = point.machine, point.host.memory_mib
    if machine.memory_mib <= there:
        return None
    return (
        Outcome.INFEASIBLE,
        f"machine {machine.name} needs {machine.memory_mib} MiB of memory, this host has {there} MiB",
    )


def accelerator_fails(point: Point) -> Why | None:
    """What the probe of accelerators found."""
    accelerator = point.machine.accelerator
    if point.host.accelerators.get(accelerator) is not False:
        return None
    return (
        Outcome.UNSUPPORTED,
        f"accelerator {accelerator} did not boot a guest where it was probed "
        "(see resources/probe/accelerator.json)",
    )


def does_not_attach(point: Point) -> Why | None:
    """What the probe of schedulers found."""
    key = (point.machine.kernel, point.scheduler.name, point.machine.vcpus)
    found = point.host.compatibility.get(key)
    if found is None or not found.refused:
        return None
    return (
        Outcome.UNSUPPORTED,
        f"{found.scheduler} does not attach to {found.release} with {found.vcpus} CPUs, as probed: "
        f"{found.reason}",
    )


RULES: tuple[Callable[[Point], Why | None], ...] = (
    no_cpu_left,
    bound_beyond,
    wrong_cpu_count,
    isolcpus_refused,
    cgroups_on_the_host,
    tracers_exclude_each_other,
    no_program,
    no_stats,
    too_little_memory,
    accelerator_fails,
    does_not_attach,
)
