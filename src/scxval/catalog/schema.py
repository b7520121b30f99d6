# SPDX-License-Identifier: MIT
"""Checks YAML data against config/schemas/, with errors of one line that name key, value and choices.

Snakemake's own `validate` prints the whole schema instead.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from scxval.errors import ScxvalError, unknown_name


def repository() -> Path:
    """The checkout that this package is installed from (editable), where config/ lies."""
    return Path(__file__).resolve().parents[3]


@cache
def load_schema(name: str) -> dict[str, Any]:
    """A schema of config/schemas/ by the first part of its file name."""
    path = repository() / "config" / "schemas" / f"{name}.schema.yaml"
    schema: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return schema


def check(data: Any, schema: dict[str, Any], where: str) -> None:
    """Raise ScxvalError for the most telling violation; `where` says what is being checked."""
    error = best_match(Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        raise _one_line(error, where)


def _one_line(error: ValidationError, where: str) -> ScxvalError:
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        allowed = error.schema["properties"]
        bad = next(name for name in _names(error.instance) if name not in allowed)
        return unknown_name(f"key in {where}{'.' + key if key else ''}:", bad, allowed)
    return ScxvalError(f"{where}{'.' + key if key else ''}: {error.message}")


def _names(mapping: Any) -> list[str]:
    return list(mapping)


def file_beside(folder: Path, file: str, where: str) -> Path:
    """A file that an entry names relative to its catalogue folder. Raises ScxvalError without it."""
    path = (folder / file).resolve()
    if not path.is_file():
        raise ScxvalError(f"{where}: no file {path}")
    return path


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; {} for an empty one. Raises ScxvalError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ScxvalError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict | None):
        raise ScxvalError(f"{path}: expected names with entries below them")
    return data or {}
