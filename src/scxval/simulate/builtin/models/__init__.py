# SPDX-License-Identifier: MIT
"""Policies in Python in place of schedulers whose own code cannot be compiled for the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scxval.catalog.model import Scheduler
from scxval.simulate.builtin.models.fair import Fair
from scxval.simulate.builtin.models.policy import Kernel, Policy, attach
from scxval.simulate.builtin.models.rusty_task import parse_options
from scxval.simulate.builtin.models.scx_rusty import ScxRusty

__all__ = ["Kernel", "Model", "Policy", "attach", "model_for"]


@dataclass(frozen=True)
class Model:
    """A policy that stands in for a scheduler. `about` is for provenance.json; `sched_ext` is false for one
    of another class, of which only events that any class shows count."""

    about: str
    sched_ext: bool
    make: Callable[[Kernel], Policy]


def model_for(scheduler: Scheduler) -> Model | None:
    """The model of a scheduler of the catalogue, by what it is and not by its name there; None without one.

    Raises ScxvalError for options of the scheduler that its model does not have.
    """
    if scheduler.source == "kernel":
        return Model(Fair.about, Fair.sched_ext, Fair)
    if scheduler.source == "crate" and scheduler.binary == "scx_rusty":
        options = parse_options(scheduler.args)
        return Model(ScxRusty.about, ScxRusty.sched_ext, lambda kernel: ScxRusty(kernel, options))
    return None
