# SPDX-License-Identifier: MIT
"""Compiles a loop over bytes to machine code, for records whose place only the one before tells.

What whole-column operations can do stays with numpy. A compiled function checks every index: a file
that lies about a length raises IndexError, where it would else read other memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function of numpy arrays and integers; the machine code is kept beside the source."""
    return cast("_F", numba.njit(cache=True, boundscheck=True, nogil=True)(function))
