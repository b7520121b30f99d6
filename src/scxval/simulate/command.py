# SPDX-License-Identifier: MIT
"""`scxval simulate`: one simulation of what a user names, without Snakemake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from scxval.catalog.config import Config
from scxval.catalog.load import Catalog
from scxval.catalog.model import Machine, Workload
from scxval.catalog.rtapp import read_rtapp
from scxval.errors import ScxvalError, unknown_name
from scxval.simulate.base import Simulated, library_name
from scxval.simulate.parameters import read_parameters
from scxval.simulate.run import run_simulation
from scxval.simulate.spec import SimulationSpec

DEFAULT_CPUS = 4


@dataclass(frozen=True)
class Asked:
    """What a user named. `workload` is one of the catalogue or an rt-app file; of `machine` and `cpus`
    at most one is given, and with neither the machine has DEFAULT_CPUS.
    """

    workload: str
    scheduler: str
    machine: str | None
    cpus: int | None
    seed: int
    simulator: str
    parameters: Path | None


def simulate_asked(asked: Asked, config: Config, simulators: Path, output: Path) -> Simulated:
    """Simulate into `output`; `simulators` is the folder of libraries. All CPUs are the workload's.

    Raises ScxvalError for what cannot be meant.
    """
    catalog = config.catalog
    for what, name, known in (
        ("scheduler", asked.scheduler, catalog.schedulers),
        ("simulator", asked.simulator, catalog.simulators),
    ):
        if name not in known:
            raise unknown_name(what, name, known)
    if not 0 <= asked.seed < 1 << 32:
        raise ScxvalError(f"--seed {asked.seed}: a seed is 0 to {(1 << 32) - 1}")
    workload = workload_of(asked.workload, catalog)
    machine = machine_of(asked, catalog)
    scheduler = catalog.schedulers[asked.scheduler]
    spec = SimulationSpec(
        simulator=catalog.simulators[asked.simulator],
        scheduler=scheduler,
        workload=workload,
        machine=machine,
        seed=asked.seed,
        spare_cpus=0,
        limit_s=config.simulate.limit_s,
    )
    library = simulators / machine.kernel / f"{library_name(scheduler)}.so"
    return run_simulation(spec.request(read_parameters(asked.parameters), library), output)


def workload_of(name: str, catalog: Catalog) -> Workload:
    """A workload of the catalogue, or an rt-app file by its path. Raises ScxvalError."""
    if name in catalog.workloads:
        return catalog.workloads[name]
    path = Path(name)
    if not path.exists():
        raise unknown_name("workload (nor is it a file)", name, catalog.workloads)
    cpus = tuple(sorted(read_rtapp(path).cpus))
    return Workload(path.stem, "rt-app", f"the file {path.name}", file=path, cpus=cpus)


def machine_of(asked: Asked, catalog: Catalog) -> Machine:
    """The machine to simulate. Raises ScxvalError."""
    if asked.machine is not None:
        if asked.cpus is not None:
            raise ScxvalError("--cpus and --machine: name one of them")
        if asked.machine not in catalog.machines:
            raise unknown_name("machine", asked.machine, catalog.machines)
        return catalog.machines[asked.machine]
    cpus = DEFAULT_CPUS if asked.cpus is None else asked.cpus
    if cpus < 1:
        raise ScxvalError(f"--cpus {cpus}: a machine has at least one")
    # Its kernel is the one whose schedulers were compiled.
    like = next(m for m in catalog.machines.values() if m.launcher != "host")
    name = f"cpus{cpus}"
    about = "as --cpus says"
    return replace(like, name=name, about=about, vcpus=cpus, llcs=1, threads=1)
