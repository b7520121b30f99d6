# SPDX-License-Identifier: MIT
"""A compiled simulation: a private copy of a library, set up, started and run until it ends.

A library's globals are one machine's state, so each simulation maps a copy of its own: a file in memory
(memfd_create). The dynamic loader gives the same mapping again for a name that it has loaded, and a closed
descriptor's number is soon another file's, so no two libraries are opened by one name.
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.catalog.model import Machine
from scxval.errors import ScxvalError
from scxval.simulate.builtin.api import declarations, enumerators, record_dtype
from scxval.simulate.builtin.program import Program
from scxval.simulate.parameters import Parameters

# Zeroed pages that are only there once they are touched; a library says when it needs more.
POOL_BYTES = 1 << 30
# One call of sim_run; more than the engine ever writes of one instant (records.c).
CHUNK_RECORDS = 1 << 17


class End(IntEnum):
    """enum sim_end."""

    RUNNING = 0
    DONE = 1
    EJECTED = 2
    REFUSED = 3
    BROKEN = 4


@dataclass(frozen=True)
class Ending:
    """How a simulation ended; counters by their names of api.h, in lower case without SIM_."""

    end: End
    text: str
    log: str
    simulated_ns: int
    dropped: dict[str, int]
    events: dict[str, int]


class Library:
    """One instance of a compiled simulation. Raises ScxvalError for a file that is none."""

    def __init__(self, path: Path, globals: str = "") -> None:
        """`globals` declares those of the scheduler's variables that are to be written."""
        self.ffi = declarations(globals)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ScxvalError(f"no simulator library {path}: {error.strerror}") from error
        file = os.memfd_create(path.stem)
        try:
            with os.fdopen(file, "wb", closefd=False) as copy:
                copy.write(content)
            self.lib = self.ffi.dlopen(_unique_name(file))
            self.lib.sim_configure  # noqa: B018 - looks the symbol up
        except (OSError, AttributeError) as error:
            raise ScxvalError(f"{path}: not a simulator library: {error}") from error
        finally:
            os.close(file)
        self._memory = mmap.mmap(-1, POOL_BYTES)
        self._pool = self.ffi.from_buffer(self._memory, require_writable=True)

    def configure(
        self,
        machine: Machine,
        program: Program,
        parameters: Parameters,
        seed: int,
    ) -> None:
        """Build the machine and give it its tasks. Raises ScxvalError for what the engine cannot take."""
        names = {name for name, _ in self.ffi.typeof("struct sim_params").fields}
        values = {name: value for name, value in asdict(parameters).items() if name in names}
        values |= {"seed": seed, "end_ns": program.end_ns, "nr_cpus": machine.vcpus}
        params = self.ffi.new("struct sim_params *", values)
        self._good(self.lib.sim_configure(params, self._pool, POOL_BYTES))
        # As QEMU numbers them (-smp): threads of a core together, cores of a cache together.
        per_llc = machine.vcpus // machine.llcs
        for cpu in range(machine.vcpus):
            self._good(self.lib.sim_set_topology(cpu, cpu // per_llc, cpu // machine.threads))
        for mask in program.masks[1:]:
            words = _words(mask)
            self._good(self.lib.sim_add_mask(words, len(words)))
        for cgroup in program.cgroups:
            self._good(self.lib.sim_add_cgroup(0, cgroup.weight))
        for task in program.tasks:
            insns = self.ffi.new("struct sim_insn[]", [(*insn, 0) for insn in task.program])
            self._good(
                self.lib.sim_add_task(
                    task.name.encode(),
                    task.tid,
                    task.pid,
                    task.nice,
                    task.mask,
                    task.cgroup,
                    task.start_ns,
                    insns,
                    len(insns),
                )
            )

    def run(self) -> Iterator[npt.NDArray[np.void]]:
        """Start and run to the end, one array of records after another (api.record_dtype)."""
        if self.lib.sim_start() < 0:
            return
        while True:
            records = np.zeros(CHUNK_RECORDS, dtype=record_dtype())
            buffer = self.ffi.from_buffer("struct sim_record[]", records, require_writable=True)
            count = self.lib.sim_run(buffer, CHUNK_RECORDS)
            if count <= 0:
                return
            yield records[:count]

    def ending(self) -> Ending:
        """How it ended."""
        lib, text = self.lib, self.ffi.string
        return Ending(
            end=End(lib.sim_ended()),
            text=text(lib.sim_text()).decode("utf-8", "replace"),
            log=text(lib.sim_log_text()).decode("utf-8", "replace"),
            simulated_ns=lib.sim_time(),
            dropped=_counters("sim_drop", lib.sim_dropped),
            events=_counters("sim_event", lib.sim_event_count),
        )

    def _good(self, result: int) -> None:
        if result < 0:
            raise ScxvalError(self.ffi.string(self.lib.sim_text()).decode("utf-8", "replace"))


_opened = itertools.count()


def _unique_name(file: int) -> str:
    """A path to the descriptor that was never used: the number of libraries so far, in `/` and `./`."""
    digits = f"{next(_opened):b}".replace("0", "/").replace("1", "./")
    return f"/proc/self/fd/{digits}{file}"


def _words(mask: frozenset[int]) -> list[int]:
    words = [0] * (max(mask) // 64 + 1)
    for cpu in mask:
        words[cpu // 64] |= 1 << cpu % 64
    return words


def _counters(enum: str, count: Any) -> dict[str, int]:
    names = {n: v for n, v in enumerators(enum).items() if not n.startswith("SIM_NR_")}
    return {name.removeprefix("SIM_").lower(): count(value) for name, value in names.items()}
