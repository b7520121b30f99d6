# SPDX-License-Identifier: MIT
"""The engine's interface (engine/api.h) in Python: its declarations, enumerators and record layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cffi
import numpy as np

ENGINE = Path(__file__).parent / "engine"
HEADERS = (ENGINE / "api.h", ENGINE / "model.h")


@cache
def declarations(globals: str = "") -> Any:
    """A cffi.FFI that knows everything the libraries export, and a scheduler's `globals`."""
    ffi = cffi.FFI()
    for header in HEADERS:
        ffi.cdef(header.read_text(encoding="utf-8"))
    ffi.cdef(globals)
    return ffi


@cache
def enumerators(name: str) -> dict[str, int]:
    """The names of one enum of api.h with their values, in their order."""
    values: dict[str, int] = declarations().typeof(f"enum {name}").relements
    return dict(sorted(values.items(), key=lambda item: item[1]))


@cache
def limit(name: str) -> int:
    """One of the constants without an enum of their own, such as SIM_MAX_TASKS."""
    # Constants belong to a library in cffi, any library.
    value: int = getattr(declarations().dlopen(None), name)
    return value


@cache
def record_dtype() -> np.dtype[np.void]:
    """`struct sim_record` as numpy lays it over the engine's memory."""
    ffi = declarations()
    names, formats, offsets = [], [], []
    for name, field in ffi.typeof("struct sim_record").fields:
        signed = int(ffi.cast(field.type, -1)) < 0
        names.append(name)
        formats.append(f"{'i' if signed else 'u'}{ffi.sizeof(field.type)}")
        offsets.append(field.offset)
    size = ffi.sizeof("struct sim_record")
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})
