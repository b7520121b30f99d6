# SPDX-License-Identifier: MIT
"""Reads the catalogue folders (schedulers.yaml, workloads.yaml, ...) into records.

Several folders may be given; a later one adds entries or replaces them by name, so that a site keeps
its own schedulers and workloads beside the shipped ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from scxval.catalog.model import (
    Isolation,
    Kernel,
    Machine,
    Scheduler,
    Simulator,
    Tracer,
    Workload,
)
from scxval.catalog.schema import check, file_beside, load_schema, read_yaml
from scxval.catalog.workload import workload_values
from scxval.errors import ScxvalError, unknown_name

Entry = TypeVar("Entry", Scheduler, Workload, Tracer, Isolation, Machine, Kernel, Simulator)

# A value stands in a path, in a file name and on Snakemake's command line.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Catalog:
    """Everything that can be named in a config, by name."""

    schedulers: dict[str, Scheduler]
    workloads: dict[str, Workload]
    tracers: dict[str, Tracer]
    isolations: dict[str, Isolation]
    machines: dict[str, Machine]
    kernels: dict[str, Kernel]
    simulators: dict[str, Simulator]
    aliases: dict[str, tuple[str, ...]]

    def names(self, axis: str) -> list[str]:
        """The allowed values of an axis; machines include the aliases such as auto4."""
        if axis == "machine":
            return [*self.machines, *self.aliases]
        table: dict[str, Any] = getattr(self, f"{axis}s")
        return list(table)

    def everything(self, axis: str) -> list[str]:
        """What `all` stands for: no alias, and not the host, which is used by its own name only."""
        if axis == "machine":
            return [m.name for m in self.machines.values() if m.launcher != "host"]
        return self.names(axis)


def load_catalog(folders: Iterable[Path]) -> Catalog:
    """Read and check the catalogue; raises ScxvalError naming file, entry and key."""
    dirs = list(folders)
    missing = [str(d) for d in dirs if not d.is_dir()]
    if missing:
        raise ScxvalError(
            f"catalogue folder not found: {', '.join(missing)}; see catalog in config"
        )
    aliases: dict[str, tuple[str, ...]] = {}
    catalog = Catalog(
        schedulers=_entries(dirs, "schedulers", Scheduler),
        workloads=_entries(dirs, "workloads", Workload),
        tracers=_entries(dirs, "tracers", Tracer),
        isolations=_entries(dirs, "isolations", Isolation),
        machines=_entries(dirs, "machines", Machine, aliases),
        kernels=_entries(dirs, "kernels", Kernel),
        simulators=_entries(dirs, "simulators", Simulator),
        aliases=aliases,
    )
    for machine in catalog.machines.values():
        if machine.vcpus % (machine.llcs * machine.threads):
            raise ScxvalError(
                f"machine {machine.name}: {machine.vcpus} vcpus cannot be shared out equally among "
                f"{machine.llcs} llcs with cores of {machine.threads} threads"
            )
        if machine.kernel not in catalog.kernels:
            raise unknown_name(
                f"kernel of machine {machine.name}:", machine.kernel, catalog.kernels
            )
        if machine.boot == "snapshot" and machine.launcher != "qemu":
            raise ScxvalError(f"machine {machine.name}: boot: snapshot is for launcher qemu only")
        if machine.launcher == "vng" and machine.llcs * machine.threads > 1:
            raise ScxvalError(f"machine {machine.name}: llcs and threads are not for launcher vng")
    for alias, names in catalog.aliases.items():
        for name in names:
            if name not in catalog.machines:
                raise unknown_name(f"machine of alias {alias}:", name, catalog.machines)
            if catalog.machines[name].launcher == "host":
                raise ScxvalError(
                    f"alias {alias}: {name} runs on the host itself, only by its name"
                )
    return catalog


def _entries(
    dirs: list[Path],
    axis: str,
    record: type[Entry],
    aliases: dict[str, tuple[str, ...]] | None = None,
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    schema = load_schema("catalog")
    for folder in dirs:
        path = folder / f"{axis}.yaml"
        for name, body in (read_yaml(path) if path.exists() else {}).items():
            if not NAME.fullmatch(str(name)):
                raise ScxvalError(f"{path}: {name!r}: a name is letters, digits, '_', '-' or '.'")
            check(body, {**schema["properties"][axis], "$defs": schema["$defs"]}, f"{path}: {name}")
            if aliases is not None and "first_of" in body:
                aliases[name] = tuple(body["first_of"])
            else:
                found[name] = _entry(record, name, body, folder)
    return found


def _entry(record: type[Entry], name: str, body: dict[str, Any], folder: Path) -> Entry:
    """A checked entry as a record; lists become tuples, files absolute paths."""
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}
    if record is Workload:
        values = workload_values(name, values, folder)
    if "files" in values:
        where = f"{folder / 'schedulers.yaml'}: {name}"
        values["files"] = tuple(file_beside(folder, file, where) for file in values["files"])
    if "/" in values.get("binary", ""):
        # Of a tracer or simulator: a path is relative to the folder whose entry names it.
        values["binary"] = str((folder / Path(values["binary"]).expanduser()).resolve())
    if values.get("launcher") == "host":
        values = {**values, "accelerator": "none", "vcpus": 0, "memory_mib": 0}
    return record(name=name, **values)
