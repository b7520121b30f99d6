# SPDX-License-Identifier: MIT
"""Compiles a loop over bytes to machine code, for records whose place only the one before tells.

What whole-column operations can do stays with numpy. A compiled function checks every index: a file
that lies about a length raises IndexError, where it would else read other memory.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., object])
_PACKAGE = Path(__file__).resolve().parents[1]


def sources_digest(package: Path) -> str:
    """A digest of all source files that have to do with compiled functions."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        text = file.read_bytes()
        if b"formats.compiled" in text or file.name == Path(__file__).name:
            digest.update(str(file.relative_to(package)).encode() + b"\0" + text + b"\0")
    return digest.hexdigest()[:16]


def _keep_code_with_its_sources() -> None:
    """Have numba keep machine code in a folder of these sources' own, and remove that of others.

    By itself it compares a function's own file only: of a function that was changed in another file the
    old code would go on being called, as it is part of the caller's.
    """
    # numba makes its settings when it is imported.
    settings: Any = numba.config
    if settings.CACHE_DIR:
        # The user's choice, such as a container's.
        return
    folder = _PACKAGE / "__pycache__" / f"compiled-{sources_digest(_PACKAGE)}"
    for old in folder.parent.glob("compiled-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    # Where this cannot be written, numba falls back to its own places.
    settings.CACHE_DIR = str(folder)


_keep_code_with_its_sources()


def compiled(function: _F) -> _F:
    """Compile a function of numpy arrays and integers; the machine code is kept for the next process."""
    return cast("_F", numba.njit(cache=True, boundscheck=True, nogil=True)(function))
