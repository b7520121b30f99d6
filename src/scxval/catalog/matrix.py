# SPDX-License-Identifier: MIT
"""The matrix: which cells a configuration asks for, and which of them cannot exist, with the reason.

One function decides (`why_not`); everything it excludes is listed in the plan and in the report.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scxval.catalog.compatibility import Compatibility, read_compatibility
from scxval.catalog.config import Config
from scxval.catalog.load import Catalog
from scxval.catalog.model import AXES, Cell, Excluded
from scxval.catalog.outcomes import Outcome

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
class Plan:
    """Cells to run, cells that cannot exist, and the aliases (auto4) not resolved yet."""

    cells: list[Cell]
    excluded: list[Excluded]
    unresolved: list[str]

    def as_dict(self) -> dict[str, Any]:
        """results/plan.json (docs/contracts.md)."""
        return {
            "cells": [cell.path for cell in self.cells],
            "excluded": [
                {"cell": e.cell.path, "outcome": str(e.outcome), "reason": e.reason}
                for e in self.excluded
            ],
        }


def memory_mib() -> int:
    """Memory of this host in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def this_host(probe: Path) -> Host:
    """This host, and what the probes left in their folder (resources/probe), if they ran."""
    path = probe / "accelerator.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    accelerators = {name: bool(entry["works"]) for name, entry in record.items()}
    compatibility = read_compatibility(probe / "compatibility.json")
    return Host(memory_mib(), accelerators, compatibility, len(os.sched_getaffinity(0)))


def plan(config: Config, host: Host) -> Plan:
    """Expand the axes, union the baseline in, and take out what cannot exist.

    The baseline scheduler is always there, so that a narrowed run still has something to be
    compared with.
    """
    catalog = config.catalog
    axes = {axis: list(values) for axis, values in config.axes.items()}
    if config.baseline not in axes["scheduler"]:
        axes["scheduler"].insert(0, config.baseline)
    machines, unresolved = resolve_machines(axes["machine"], catalog, host)
    axes["machine"] = machines
    cells: list[Cell] = []
    excluded: list[Excluded] = []
    for scheduler, workload, tracer, isolation, machine in itertools.product(
        *(axes[axis] for axis in AXES)
    ):
        for rep in range(config.reps):
            cell = Cell(scheduler, workload, tracer, isolation, machine, rep)
            refusal = why_not(cell, catalog, host)
            if refusal is None:
                cells.append(cell)
            else:
                excluded.append(refusal)
    return Plan(cells, excluded, unresolved)


def probes(config: Config, host: Host) -> list[tuple[str, str, int]]:
    """(kernel, scheduler, vCPUs) to try before the matrix is planned: what the cells need, and what
    `compatibility` asks for besides.
    """
    catalog = config.catalog
    names, _ = resolve_machines(config.axes["machine"], catalog, host)
    machines = [catalog.machines[name] for name in names]
    # A scheduler is tried in guests only: never on the host before a cell asks for it.
    wanted = {(m.kernel, m.vcpus) for m in machines if m.launcher != "host"}
    kernels = config.probed_kernels or sorted({kernel for kernel, _ in wanted})
    vcpus = config.probed_vcpus or sorted({count for _, count in wanted})
    if config.probed_kernels or config.probed_vcpus:
        wanted |= set(itertools.product(kernels, vcpus))
    schedulers = [s for s in config.axes["scheduler"] if catalog.schedulers[s].is_sched_ext]
    return [(kernel, name, count) for kernel, count in sorted(wanted) for name in schedulers]


def resolve_machines(names: list[str], catalog: Catalog, host: Host) -> tuple[list[str], list[str]]:
    """Replace an alias by its first machine whose accelerator has booted a guest.

    Returns the machines and the aliases that cannot be decided before the probe has run.
    """
    resolved: list[str] = []
    unresolved: list[str] = []
    for name in names:
        if name in catalog.machines:
            resolved.append(name)
            continue
        for candidate in catalog.aliases[name]:
            verdict = host.accelerators.get(catalog.machines[candidate].accelerator)
            if verdict is None:
                unresolved.append(name)
                break
            if verdict:
                resolved.append(candidate)
                break
        else:
            # None of them boots: keep the last, so that the report says why.
            resolved.append(catalog.aliases[name][-1])
    return list(dict.fromkeys(resolved)), unresolved


def why_not(cell: Cell, catalog: Catalog, host: Host) -> Excluded | None:
    """The one place that decides that a cell cannot exist; None when it can be run."""
    scheduler = catalog.schedulers[cell.scheduler]
    isolation = catalog.isolations[cell.isolation]
    machine = catalog.machines[cell.machine]
    vcpus = machine.vcpus or host.cpus
    if isolation.tracer_cpus >= vcpus:
        return Excluded(
            cell,
            Outcome.INFEASIBLE,
            f"isolation {isolation.name} keeps {isolation.tracer_cpus} CPU(s) for the tracer and "
            f"machine {machine.name} has {vcpus}: none is left for the workload",
        )
    workload_cpus = vcpus - isolation.tracer_cpus
    beyond = [c for c in catalog.workloads[cell.workload].cpus if c >= workload_cpus]
    if beyond:
        return Excluded(
            cell,
            Outcome.INFEASIBLE,
            f"workload {cell.workload} binds a task to CPU {beyond[0]}; with isolation "
            f"{isolation.name}, machine {machine.name} has 0 to {workload_cpus - 1} for it",
        )
    if vcpus < scheduler.min_vcpus:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"{scheduler.name} needs at least {scheduler.min_vcpus} CPUs, "
            f"machine {machine.name} has {vcpus}",
        )
    if scheduler.even_vcpus and vcpus % 2:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"{scheduler.name} needs an even number of CPUs, machine {machine.name} has {vcpus}",
        )
    if isolation.kind == "isolcpus" and scheduler.is_sched_ext:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"the kernel refuses every sched_ext scheduler beside isolcpus= ({NO_ISOLCPUS}); "
            "isolation of kind cpuset works with sched_ext",
        )
    if isolation.kind == "isolcpus" and machine.launcher == "host":
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"isolcpus= is set when a kernel boots, and machine {machine.name} is already running",
        )
    if machine.launcher == "host" and catalog.workloads[cell.workload].cgroups:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"workload {cell.workload} makes cgroups, which would stay on machine {machine.name}",
        )
    if machine.memory_mib > host.memory_mib:
        return Excluded(
            cell,
            Outcome.INFEASIBLE,
            f"machine {machine.name} needs {machine.memory_mib} MiB of memory, "
            f"this host has {host.memory_mib} MiB",
        )
    if host.accelerators.get(machine.accelerator) is False:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"accelerator {machine.accelerator} did not boot a guest on this host "
            "(see resources/probe/accelerator.json)",
        )
    if machine.boot == "snapshot" and isolation.kind == "isolcpus":
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"isolation {isolation.name} is an argument of the kernel's, and machine {machine.name} goes "
            "on from a guest that has booted without it; take a machine with boot: cold",
        )
    found = host.compatibility.get((machine.kernel, scheduler.name, machine.vcpus))
    if found is not None and found.refused:
        return Excluded(
            cell,
            Outcome.UNSUPPORTED,
            f"{scheduler.name} does not attach to {found.release} with {found.vcpus} CPUs, as probed: "
            f"{found.reason}",
        )
    return None
