# SPDX-License-Identifier: MIT
"""Several tracers over one run: `a+b` on the tracer axis names entries of the catalogue side by side."""

from __future__ import annotations

from collections.abc import Mapping

from scxval.catalog.model import Tracer
from scxval.errors import ScxvalError, unknown_name

# No entry's name has it (scxval.catalog.load.NAME), and it may stand in a path.
TOGETHER = "+"


def part_names(value: str) -> tuple[str, ...]:
    """The entries that a value of the tracer axis names, in the order in which they are started."""
    return tuple(value.split(TOGETHER))


def tracer_parts(value: str, tracers: Mapping[str, Tracer]) -> tuple[Tracer, ...]:
    """The tracers that a value of the tracer axis stands for; one unless it is a combination.

    Raises ScxvalError for a name that does not exist, and for parts that cannot be told apart.
    """
    names = part_names(value)
    if len(names) == 1:
        if value not in tracers:
            raise unknown_name("tracer", value, tracers)
        return (tracers[value],)
    real = [name for name, tracer in tracers.items() if tracer.module]
    for name in names:
        if name in tracers and not tracers[name].module:
            raise ScxvalError(f"tracer {value!r}: {name} is no tracer, so it runs beside no other")
        if name not in tracers:
            raise unknown_name(f"part of tracer {value!r}:", name, real)
    parts = tuple(tracers[name] for name in names)
    modules = [part.module for part in parts]
    for part in parts:
        if modules.count(part.module) > 1:
            raise ScxvalError(
                f"tracer {value!r}: {part.module} would run twice; run each in a cell of its own"
            )
    return parts


def is_none(value: str, tracers: Mapping[str, Tracer]) -> bool:
    """Whether a value of the tracer axis stands for no tracer. Raises ScxvalError as `tracer_parts`."""
    return not any(part.module for part in tracer_parts(value, tracers))
