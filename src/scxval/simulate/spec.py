# SPDX-License-Identifier: MIT
"""A simulation as one line of JSON: all of the configuration that decides it, and nothing else.

Snakemake holds it as a parameter, so that a simulation is run again exactly when it changes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scxval.catalog.config import Config
from scxval.catalog.model import Cgroup, Machine, Scheduler, Simulator, Workload
from scxval.catalog.rtapp import read_rtapp
from scxval.errors import ScxvalError
from scxval.simulate.base import Request
from scxval.simulate.parameters import Parameters
from scxval.simulate.plan import SimulationCell


@dataclass(frozen=True)
class SimulationSpec:
    """A simulation's names with the records that they stand for. `spare_cpus` as in Request."""

    simulator: Simulator
    scheduler: Scheduler
    workload: Workload
    machine: Machine
    seed: int
    spare_cpus: int
    limit_s: int

    def to_json(self) -> str:
        """One line, the same for the same spec; the workload's file goes by name, its content is an input."""
        record = asdict(self)
        file = self.workload.file
        record["workload"]["file"] = file.name if file else None
        record["scheduler"]["files"] = [file.name for file in self.scheduler.files]
        # Neither decides how a simulation goes.
        del record["workload"]["result"], record["scheduler"]["stats"]
        return json.dumps(record, sort_keys=True)

    def request(self, parameters: Parameters, library: Path | None) -> Request:
        """The request; a workload without a duration of its own (a command) gets 0 seconds."""
        file = self.workload.file
        seconds = int(read_rtapp(file).settings["duration"]) if file else 0
        return Request(
            simulator=self.simulator,
            scheduler=self.scheduler,
            workload=self.workload,
            machine=self.machine,
            seed=self.seed,
            seconds=seconds,
            parameters=parameters,
            library=library,
            spare_cpus=self.spare_cpus,
            limit_s=self.limit_s,
        )


def simulation_spec(cell: SimulationCell, config: Config) -> SimulationSpec:
    """Look a simulation's names up in the catalogue."""
    catalog = config.catalog
    return SimulationSpec(
        simulator=catalog.simulators[cell.simulator],
        scheduler=catalog.schedulers[cell.scheduler],
        workload=catalog.workloads[cell.workload],
        machine=catalog.machines[cell.machine],
        seed=cell.seed,
        spare_cpus=catalog.isolations[config.simulate.isolation].tracer_cpus,
        limit_s=config.simulate.limit_s,
    )


def spec_from_json(text: str, workload_file: Path | None) -> SimulationSpec:
    """Read a spec back; `workload_file` is where the workload's file lies here. Raises ScxvalError."""
    try:
        data = json.loads(text)
        groups = tuple(Cgroup(**_tuples(group)) for group in data["workload"]["cgroups"])
        workload = {**data["workload"], "file": workload_file, "cgroups": groups}
        files = tuple(Path(name) for name in data["scheduler"]["files"])
        return SimulationSpec(
            simulator=Simulator(**data["simulator"]),
            scheduler=Scheduler(**_tuples({**data["scheduler"], "files": files})),
            workload=Workload(**_tuples(workload)),
            machine=Machine(**data["machine"]),
            seed=int(data["seed"]),
            spare_cpus=int(data["spare_cpus"]),
            limit_s=int(data["limit_s"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"--spec: not a simulation: {error!r}") from error


def _tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
