# SPDX-License-Identifier: MIT
"""The matrix: which cells a configuration asks for, and which of them cannot exist, with the reason.

What scxval.catalog.exclusion takes out is listed in the plan and in the report.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.catalog.compatibility import merge
from scxval.catalog.config import Config
from scxval.catalog.exclusion import Host, why_not
from scxval.catalog.load import Catalog
from scxval.catalog.model import AXES, Cell, Excluded


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
    """The host that cells run on: what the probes left in their folder (resources/probe), if they ran.

    Its memory and CPUs are those of the node that was probed, so that head and nodes of a cluster make the
    same plan; without a record, those of this machine.
    """
    path = probe / "accelerator.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    node = record.pop("node", {})
    accelerators = {name: bool(entry["works"]) for name, entry in record.items()}
    compatibility = merge(sorted((probe / "schedulers").glob("*/*/*.json")))
    return Host(
        node.get("memory_mib") or memory_mib(),
        accelerators,
        compatibility,
        node.get("cpus") or len(os.sched_getaffinity(0)),
    )


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
    for cell in calibration_cells(config, machines):
        if cell in cells or any(cell == other.cell for other in excluded):
            continue
        refusal = why_not(cell, catalog, host)
        if refusal is None:
            cells.append(cell)
        else:
            excluded.append(refusal)
    return Plan(cells, excluded, unresolved)


def calibration_cell(config: Config, machine: str) -> Cell:
    """The run that a simulated machine's parameters come from."""
    simulate = config.simulate
    return Cell(
        simulate.scheduler, simulate.workload, simulate.tracer, simulate.isolation, machine, 0
    )


def calibration_cells(config: Config, machines: list[str]) -> list[Cell]:
    """Those of all machines that are simulated; the host is not."""
    guests = [m for m in machines if config.catalog.machines[m].launcher != "host"]
    return [calibration_cell(config, machine) for machine in guests if config.simulators]


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
