# SPDX-License-Identifier: MIT
"""Reads the catalogue folders (schedulers.yaml, workloads.yaml, ...) into records.

Several folders may be given; a later one adds entries or replaces them by name, so that a site keeps
its own schedulers and workloads beside the shipped ones.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from scxval.catalog.model import Isolation, Machine, Scheduler, Tracer, Workload
from scxval.errors import ScxvalError, unknown_name

Entry = TypeVar("Entry", Scheduler, Workload, Tracer, Isolation, Machine)

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
    aliases: dict[str, tuple[str, ...]]

    def names(self, axis: str) -> list[str]:
        """The allowed values of an axis; machines include the aliases such as auto4."""
        if axis == "machine":
            return [*self.machines, *self.aliases]
        table: dict[str, Any] = getattr(self, f"{axis}s")
        return list(table)

    @cached_property
    def ops_patterns(self) -> dict[str, re.Pattern[str]]:
        """Compiled `ops` expression of every sched_ext scheduler."""
        return {s.name: re.compile(s.ops) for s in self.schedulers.values() if s.is_sched_ext}


def load_catalog(folders: Iterable[Path]) -> Catalog:
    """Read and check the catalogue; raises ScxvalError naming file, entry and key."""
    dirs = list(folders)
    missing = [str(d) for d in dirs if not d.is_dir()]
    if missing:
        raise ScxvalError(f"catalogue folder not found: {', '.join(missing)}; see catalog in config")
    aliases: dict[str, tuple[str, ...]] = {}
    return Catalog(
        schedulers=_entries(dirs, "schedulers.yaml", Scheduler),
        workloads=_entries(dirs, "workloads.yaml", Workload),
        tracers=_entries(dirs, "tracers.yaml", Tracer),
        isolations=_entries(dirs, "isolation.yaml", Isolation),
        machines=_entries(dirs, "machines.yaml", Machine, aliases),
        aliases=aliases,
    )


def _entries(
    dirs: list[Path],
    file: str,
    record: type[Entry],
    aliases: dict[str, tuple[str, ...]] | None = None,
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for folder in dirs:
        path = folder / file
        for name, body in _read(path).items():
            where = f"{path}: {name}"
            if not NAME.fullmatch(str(name)):
                raise ScxvalError(f"{where}: a name is letters, digits, '_', '-' or '.'")
            if not isinstance(body, dict):
                raise ScxvalError(f"{where}: expected keys below the name")
            if aliases is not None and "first_of" in body:
                aliases[name] = tuple(body["first_of"])
            else:
                found[name] = _entry(record, name, body, where, folder)
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ScxvalError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ScxvalError(f"{path}: expected a mapping of names to entries")
    return data


def _entry(
    record: type[Entry], name: str, body: dict[str, Any], where: str, folder: Path
) -> Entry:
    fields = {f.name for f in dataclasses.fields(record)} - {"name"}
    for key in body:
        if key not in fields:
            raise ScxvalError(f"{where}: {unknown_name('key', key, fields)}")
    values = {k: tuple(map(str, v)) if isinstance(v, list) else v for k, v in body.items()}
    if values.get("file"):
        values["file"] = _workload_file(folder, str(values["file"]), where)
    try:
        return record(name=name, **values)
    except TypeError as error:
        raise ScxvalError(f"{where}: {str(error).replace('__init__() ', '')}") from error


def _workload_file(folder: Path, file: str, where: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_file():
        raise ScxvalError(f"{where}: no file {path}")
    return path
