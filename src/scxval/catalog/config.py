# SPDX-License-Identifier: MIT
"""The configuration: merged from the YAML files and `--config`, checked, and turned into records.

Every error is one line that names the key, the value and what is allowed: Snakemake's own validator
prints the whole schema instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from scxval.catalog.load import Catalog, load_catalog
from scxval.catalog.model import AXES
from scxval.errors import ScxvalError, unknown_name

SCHEMA = "config/schemas/config.schema.yaml"


@dataclass(frozen=True)
class Limits:
    """Wall-clock limits in seconds; every wait in the guest and on the host has one."""

    boot_s: int
    attach_s: int
    ready_s: int
    workload_s: int
    stop_s: int
    total_s: int


@dataclass(frozen=True)
class Config:
    """A checked configuration; axis values are lists of names that exist in the catalogue."""

    axes: dict[str, list[str]]
    baseline: str
    reps: int
    limits: Limits
    lost_events_allowed: int
    max_bad_cells: int
    window_ms: int
    provision: dict[str, Any]
    catalog: Catalog


def repository() -> Path:
    """The checkout that this package is installed from (editable), where config/ lies."""
    return Path(__file__).resolve().parents[3]


def read_config_files(files: list[Path]) -> dict[str, Any]:
    """Merge YAML config files as Snakemake does: mappings deeply, lists replaced."""
    merged: dict[str, Any] = {}
    for file in files:
        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ScxvalError(f"cannot read config {file}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise ScxvalError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
        _merge(merged, data)
    return merged


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def parse_config(raw: Mapping[str, Any], root: Path | None = None) -> Config:
    """Check a raw configuration and resolve every name in it.

    `root` is the folder that relative catalogue folders are looked up in (default: the checkout).
    Raises ScxvalError with one line for the first thing that is wrong.
    """
    base = root or repository()
    data = {key: _plain(value) for key, value in raw.items()}
    for axis in AXES:
        if axis in data:
            data[axis] = _as_list(data[axis])
    schema = yaml.safe_load((repository() / SCHEMA).read_text(encoding="utf-8"))
    _validate(data, schema)
    catalog = load_catalog([base / folder for folder in _as_list(data["catalog"])])
    for axis in AXES:
        for value in data[axis]:
            if value not in catalog.names(axis):
                raise unknown_name(axis, value, catalog.names(axis))
    if data["baseline"] not in catalog.schedulers:
        raise unknown_name("baseline", data["baseline"], catalog.schedulers)
    return Config(
        axes={axis: data[axis] for axis in AXES},
        baseline=data["baseline"],
        reps=data["reps"],
        limits=Limits(**data["limits"]),
        lost_events_allowed=data["lost_events_allowed"],
        max_bad_cells=data["gate"]["max_bad_cells"],
        window_ms=data["report"]["window_ms"],
        provision=data["provision"],
        catalog=catalog,
    )


def _as_list(value: Any) -> list[str]:
    """An axis may be one name or a list; duplicates are dropped, order is kept."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return list(dict.fromkeys(str(item) for item in items))


def _plain(value: Any) -> Any:
    """`--config` hands numbers inside lists and mappings over as strings; mend the integers."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str) and value.isdigit() and len(value) < 10:
        return int(value)
    if value in ("True", "true"):
        return True
    if value in ("False", "false"):
        return False
    return value


def _validate(data: Mapping[str, Any], schema: dict[str, Any]) -> None:
    error = best_match(Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        raise _one_line(error, data)


def _one_line(error: ValidationError, data: Mapping[str, Any]) -> ScxvalError:
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = error.schema["properties"]
        bad = next(key for key in error.instance if key not in allowed)
        return unknown_name(f"config key{' in ' + where if where else ''}", bad, allowed)
    return ScxvalError(f"config {where or 'file'}: {error.message}")
