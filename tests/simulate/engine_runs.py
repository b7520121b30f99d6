# SPDX-License-Identifier: MIT
"""One simulation of a program of the engine's own: all that is known of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.catalog.model import Machine
from scxval.simulate.builtin.api import enumerators, record_dtype
from scxval.simulate.builtin.library import Ending, Library
from scxval.simulate.builtin.program import Insn, Program
from scxval.simulate.builtin.records import to_events
from scxval.simulate.builtin.simulate import with_settings
from scxval.simulate.parameters import Parameters


@dataclass(frozen=True)
class Run:
    """`runtime_ns` is what the engine counted for each task, by tid."""

    records: npt.NDArray[np.void]
    ending: Ending
    program: Program
    runtime_ns: dict[int, int]
    vcpus: int

    def table(self) -> pa.Table:
        """The event table."""
        return to_events([self.records], self.program.tasks, True, self.vcpus)[0]


def machine_of(vcpus: int) -> Machine:
    """A machine with so many CPUs."""
    return Machine("m", "none", "a test's", "k", vcpus, 256)


def insn(op: str, object: int = 0, value: int = 0, arg: int = 0) -> Insn:
    """An instruction by its name without SIM_OP_."""
    return Insn(enumerators("sim_op")[f"SIM_OP_{op}"], object, value, arg)


def set_up(path: Path, vcpus: int) -> Library:
    """A library as the scheduler's user-space half would set it up; `models` and `checked` have none."""
    if path.stem in ("models", "checked"):
        return Library(path)
    return with_settings(path, path.stem, (), vcpus)[0]


def run(
    path: Path,
    vcpus: int,
    program: Program,
    parameters: Parameters,
    seed: int,
    before: Any = None,
) -> Run:
    """Run it to its end; `before` is given the library when it is set up."""
    library = set_up(path, vcpus)
    library.configure(machine_of(vcpus), program, parameters, seed)
    if before is not None:
        before(library)
    parts = list(library.run())
    records = np.concatenate(parts) if parts else np.zeros(0, record_dtype())
    runtime = {t.tid: library.lib.sim_task_runtime(i) for i, t in enumerate(program.tasks)}
    return Run(records, library.ending(), program, runtime, vcpus)
