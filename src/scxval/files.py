# SPDX-License-Identifier: MIT
"""Digests of files, records read, and files written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scxval.errors import ScxvalError


def sha256(path: Path) -> str:
    """A file's digest in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(files: list[Path]) -> str:
    """One digest over several files' names and contents, in the order given."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + bytes.fromhex(sha256(file)))
    return digest.hexdigest()


def read_record(path: Path, what: str = "") -> dict[str, Any]:
    """Read a JSON file that holds a record; `what` is its name to a reader, such as `status.json`.

    Raises ScxvalError with one line for a file that cannot be read, is not JSON, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        said = f"{path}: not a {what}: {error}" if what else f"{path} is not JSON: {error}"
        raise ScxvalError(said) from error
    if not isinstance(data, dict):
        raise ScxvalError(f"{path}: not a {what}: {data!r}" if what else f"{path} is not a record")
    return data


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all. Raises OSError (a full disk) and leaves nothing behind."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole(*paths: Path) -> Iterator[list[Path]]:
    """Write files all whole or none: what is written to the paths yielded takes these paths at the end.

    What stood there before stays until then. Makes the folders. Raises OSError and leaves nothing behind.
    """
    parts = [path.with_name(f"{path.name}.part") for path in paths]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield parts
        for path, part in zip(paths, parts, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
