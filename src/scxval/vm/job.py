# SPDX-License-Identifier: MIT
"""Builds the job that the in-guest agent runs for a cell: commands, limits, CPUs and files, as data.

Everything that changes a measurement is in here, so its digest decides whether a cell is run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from scxval.catalog.combination import tracer_parts
from scxval.catalog.config import Config, Limits
from scxval.catalog.model import (
    Cell,
    Cgroup,
    Isolation,
    Machine,
    Scheduler,
    Tracer,
    Workload,
)
from scxval.catalog.rtapp import read_json
from scxval.errors import ScxvalError
from scxval.tracers.base import TracerCommand

AGENT = Path(__file__).resolve().parents[1] / "agent"


@dataclass(frozen=True)
class JobFiles:
    """A job.json and what lies beside it: texts to write and host files to copy, by name."""

    spec: dict[str, Any]
    texts: dict[str, str]
    copies: dict[str, Path]


@dataclass(frozen=True)
class CellSpec:
    """A cell with the records its names stand for: all of the configuration that decides its run.

    Snakemake holds it as one parameter, so that a cell is run again exactly when it changes. `tracers` are
    started in their order; without a tracer it is the one entry that has no module.
    """

    cell: Cell
    scheduler: Scheduler
    workload: Workload
    tracers: tuple[Tracer, ...]
    isolation: Isolation
    machine: Machine
    limits: Limits
    lost_events_allowed: int

    def to_json(self) -> str:
        """One line, the same for the same spec; files go by name, their content is an input."""
        record = asdict(self)
        file = self.workload.file
        record["workload"]["file"] = file.name if file else None
        record["scheduler"] = scheduler_record(self.scheduler)
        # An estimate decides nothing of a run, nor does what is read from a log after it.
        del record["workload"]["result"]
        for tracer in record["tracers"]:
            del tracer["raw_mib"]
            tracer["binary"] = Path(tracer["binary"]).name
        return json.dumps(record, sort_keys=True)


def cell_spec(cell: Cell, config: Config) -> CellSpec:
    """Look a cell's names up in the catalogue."""
    catalog = config.catalog
    return CellSpec(
        cell=cell,
        scheduler=catalog.schedulers[cell.scheduler],
        workload=catalog.workloads[cell.workload],
        tracers=tracer_parts(cell.tracer, catalog.tracers),
        isolation=catalog.isolations[cell.isolation],
        machine=catalog.machines[cell.machine],
        limits=config.limits,
        lost_events_allowed=config.lost_events_allowed,
    )


def scheduler_record(scheduler: Scheduler) -> dict[str, Any]:
    """What of a scheduler's entry decides a run, for JSON; its files go by name."""
    record = {**asdict(scheduler), "files": [file.name for file in scheduler.files]}
    # Whether it has statistics decides which cells there are, not how one runs.
    del record["stats"]
    return record


def scheduler_from(record: dict[str, Any]) -> Scheduler:
    """Read `scheduler_record` back; where its files lie is told to `build_job`."""
    return Scheduler(**_tuples({**record, "files": ()}))


def _tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}


def spec_from_json(text: str, workload_file: Path | None) -> CellSpec:
    """Read a spec back; `workload_file` is where the workload's file lies here."""
    data = json.loads(text)
    return CellSpec(
        cell=Cell(**data["cell"]),
        scheduler=scheduler_from(data["scheduler"]),
        workload=_workload_from(data["workload"], workload_file),
        tracers=tuple(Tracer(**tracer) for tracer in data["tracers"]),
        isolation=Isolation(**data["isolation"]),
        machine=Machine(**data["machine"]),
        limits=Limits(**data["limits"]),
        lost_events_allowed=data["lost_events_allowed"],
    )


def _workload_from(record: dict[str, Any], file: Path | None) -> Workload:
    groups = tuple(Cgroup(**_tuples(group)) for group in record["cgroups"])
    return Workload(**_tuples({**record, "file": file, "cgroups": groups}))


def build_job(
    spec: CellSpec,
    functions: frozenset[str],
    scheduler_binary: Path | None,
    scheduler_files: tuple[Path, ...] = (),
    tracer_binaries: tuple[Path, ...] = (),
) -> JobFiles:
    """The job of a cell.

    `functions` are the guest kernel's function names, from its own BTF; a tracer picks its probes by
    them. `scheduler_binary` is None for the kernel's own scheduler; `scheduler_files` are what it reads.
    `tracer_binaries` are the programs of those tracers that the image lacks, in the tracers' order.
    """
    parts = tracer_commands(spec.tracers, functions)
    texts = {
        f"{part.folder}{name}": text for part in parts for name, text in part.command.files.items()
    }
    copies: dict[str, Path] = {}
    if scheduler_binary is not None:
        copies[spec.scheduler.binary] = scheduler_binary
    copies |= {file.name: file for file in scheduler_files}
    copies |= tracer_programs(parts, tracer_binaries)
    if spec.workload.file is not None:
        copies["workload.json"] = spec.workload.file
        texts |= cgroup_files(spec.workload)
    job = {
        "cell": asdict(spec.cell),
        "limits": asdict(spec.limits),
        "isolation": cpu_split(spec.isolation, machine_cpus(spec.machine)),
        "topology": topology(spec.machine),
        "scheduler": scheduler_spec(spec.scheduler),
        "tracers": [tracer_spec(part) for part in parts],
        "workload": workload_spec(spec.workload),
        "versions": version_commands(spec.scheduler, spec.workload, parts),
    }
    return JobFiles(job, texts, copies)


@dataclass(frozen=True)
class TracerPart:
    """A tracer of the job by its catalogue name; `folder` is put before its files' names.

    It is "" for a tracer alone. Each of several has folders of its own below {in}, {out} and {raw}, so
    that it finds and leaves the same files as alone.
    """

    name: str
    folder: str
    command: TracerCommand


def tracer_commands(tracers: Sequence[Tracer], functions: frozenset[str]) -> list[TracerPart]:
    """Ask the tracers' own modules how they are run, in the order of start; [] for no tracer."""
    return [
        TracerPart(
            tracer.name,
            f"parts/{tracer.name}/" if len(tracers) > 1 else "",
            import_module(f"scxval.tracers.{tracer.module}").command(tracer.options, functions),
        )
        for tracer in tracers
        if tracer.module
    ]


def tracer_programs(parts: Sequence[TracerPart], binaries: Sequence[Path]) -> dict[str, Path]:
    """The programs of tracers that the image lacks, by their names in the job's folder.

    Raises ScxvalError when there are not as many as the tracers need.
    """
    names = [f"{part.folder}{part.command.binary}" for part in parts if part.command.binary]
    if len(names) != len(binaries):
        raise ScxvalError(
            f"{len(binaries)} tracer binaries for {len(names)} ({', '.join(names) or 'none'})"
        )
    return dict(zip(names, binaries, strict=True))


def machine_cpus(machine: Machine) -> list[int]:
    """The CPUs of a machine; of this one where it is the machine."""
    if machine.launcher == "host":
        return sorted(os.sched_getaffinity(0))
    return list(range(machine.vcpus))


def cpu_split(isolation: Isolation, cpus: Sequence[int]) -> dict[str, Any]:
    """How the tracer is kept apart, and which CPUs are its own and the workload's; None: no binding.

    Raises ScxvalError when the workload would have none.
    """
    if isolation.kind == "none":
        return {"kind": isolation.kind, "tracer_cpus": None, "workload_cpus": None}
    first = len(cpus) - isolation.tracer_cpus
    if first < 1:
        raise ScxvalError(f"isolation {isolation.name} leaves the workload none of CPUs {cpus}")
    return {
        "kind": isolation.kind,
        "tracer_cpus": list(cpus[first:]),
        "workload_cpus": list(cpus[:first]),
    }


def topology(machine: Machine) -> dict[str, int] | None:
    """What the guest must find where the machine says more than how many CPUs; None: anything."""
    if machine.llcs == machine.threads == 1:
        return None
    return {"llcs": machine.llcs, "threads": machine.threads}


def kernel_arguments(spec: CellSpec) -> str:
    """What the machine and the isolation add to the kernel's command line."""
    arguments = [spec.machine.cmdline]
    if spec.isolation.kind == "isolcpus":
        cpus = cpu_split(spec.isolation, machine_cpus(spec.machine))["tracer_cpus"]
        arguments.append("isolcpus=" + ",".join(map(str, cpus)))
    return " ".join(filter(None, arguments))


def scheduler_spec(scheduler: Scheduler) -> dict[str, Any] | None:
    """The scheduler's part of the job; None for the kernel's own."""
    if not scheduler.is_sched_ext:
        return None
    return {"argv": [f"{{in}}/{scheduler.binary}", *scheduler.args], "ops": scheduler.ops}


def tracer_spec(part: TracerPart) -> dict[str, Any]:
    """A tracer's part of the job: everything but the files, which are written beside it."""
    spec = asdict(part.command)
    del spec["files"], spec["version_argv"], spec["binary"]
    return {"name": part.name, "folder": part.folder, **spec}


def workload_spec(workload: Workload) -> dict[str, Any]:
    """The workload's part of the job: one command, or a command for each of its cgroups."""
    if not workload.cgroups:
        return {"argv": workload_argv(workload)}
    return {
        "cgroups": [
            {
                "name": group.name,
                "settings": group.settings,
                "argv": list(group.argv) or ["rt-app", f"{{in}}/{_part(group)}"],
            }
            for group in workload.cgroups
        ]
    }


def cgroup_files(workload: Workload) -> dict[str, str]:
    """For each cgroup an rt-app file with its tasks alone, by name; {} without cgroups.

    rt-app 1.0 knows no cgroups, so that each is an rt-app of its own.
    """
    if workload.file is None or not workload.cgroups:
        return {}
    data = read_json(workload.file)
    return {
        _part(group): json.dumps({**data, "tasks": {t: data["tasks"][t] for t in group.tasks}})
        for group in workload.cgroups
    }


def _part(group: Cgroup) -> str:
    return f"workload.{group.name}.json"


def workload_argv(workload: Workload) -> list[str]:
    """The workload's command in the guest."""
    return ["rt-app", "{in}/workload.json"] if workload.kind == "rt-app" else list(workload.argv)


def version_commands(
    scheduler: Scheduler, workload: Workload, tracers: Sequence[TracerPart]
) -> dict[str, list[str]]:
    """Commands whose first line of output is a version worth recording.

    rt-app 1.0 has no version option, so the package's version is asked for.
    """
    commands = {"python": ["python3", "--version"]}
    if workload.kind == "rt-app":
        commands["rt-app"] = ["dpkg-query", "-W", "-f", "${Version}", "rt-app"]
    if scheduler.source == "crate":
        commands["scheduler"] = [f"{{in}}/{scheduler.binary}", "--version"]
    for part in tracers:
        name = f"tracer.{part.name}" if part.folder else "tracer"
        commands[name] = [
            arg.replace("{in}/", f"{{in}}/{part.folder}") for arg in part.command.version_argv
        ]
    return commands


def idle_job() -> JobFiles:
    """A job that does nothing: for a guest whose boot is all that matters."""
    limits = Limits(boot_s=90, attach_s=1, ready_s=1, workload_s=60, stop_s=10, total_s=150)
    spec: dict[str, Any] = {
        "cell": None,
        "limits": asdict(limits),
        "isolation": {"tracer_cpus": None, "workload_cpus": None},
        "scheduler": None,
        "tracers": [],
        "workload": {"argv": ["true"]},
        "versions": {},
    }
    return JobFiles(spec, texts={}, copies={})


def write_job(job: JobFiles, folder: Path) -> None:
    """Lay a job out: job.json, its files, and the agent as an importable tree."""
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(job.spec, indent=1) + "\n", encoding="utf-8")
    for name, text in job.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, source in job.copies.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(0o755)
    package = folder / "scxval"
    (package / "agent").mkdir(parents=True)
    (package / "__init__.py").touch()
    for source in agent_files():
        (package / "agent" / source.name).write_bytes(source.read_bytes())


def agent_files() -> list[Path]:
    """The agent's source files, in a fixed order."""
    return sorted([*AGENT.glob("*.py"), *AGENT.glob("*.sh")])
