# SPDX-License-Identifier: MIT
"""Digests of files, and files written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


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


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all. Raises OSError (a full disk) and leaves nothing behind."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
