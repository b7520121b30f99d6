# SPDX-License-Identifier: MIT
"""A scheduler as functions of Python's: its operations, and the kfuncs that they call.

A model is a module scxval.simulate.builtin.models.<name> (the scheduler's name, `-` and `.` as `_`) with
`attach(sim) -> Ops`. Tasks are opaque pointers, good while the task lives; a time is in ns, a slice, vtime or
flags are unsigned 64 bits.
"""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from scxval.simulate.builtin.library import Library

_MODELS = "scxval.simulate.builtin.models"

Task = Any


@dataclass(frozen=True)
class Ops:
    """`struct sched_ext_ops`: what is None is not there. `cgroup_init` is given the cgroup's id and weight,
    `set_cpumask` and `init_task` only the task, `exit` nothing. `sched_ext` is false for a model of
    another class, whose events are then only those that such a class shows.
    """

    select_cpu: Callable[[Task, int, int], int] | None = None
    enqueue: Callable[[Task, int], None] | None = None
    dequeue: Callable[[Task, int], None] | None = None
    dispatch: Callable[[int, Task | None], None] | None = None
    tick: Callable[[Task], None] | None = None
    runnable: Callable[[Task, int], None] | None = None
    running: Callable[[Task], None] | None = None
    stopping: Callable[[Task, bool], None] | None = None
    quiescent: Callable[[Task, int], None] | None = None
    yield_: Callable[[Task, Task | None], bool] | None = None
    set_weight: Callable[[Task, int], None] | None = None
    set_cpumask: Callable[[Task], None] | None = None
    update_idle: Callable[[int, bool], None] | None = None
    init_task: Callable[[Task], int] | None = None
    exit_task: Callable[[Task], None] | None = None
    enable: Callable[[Task], None] | None = None
    disable: Callable[[Task], None] | None = None
    cgroup_init: Callable[[int, int], int] | None = None
    init: Callable[[], int] | None = None
    exit: Callable[[], None] | None = None
    timer: Callable[[int], None] | None = None
    flags: int = 0
    timeout_ms: int = 0
    sched_ext: bool = True


class Simulation:
    """What a model sees of the machine it runs on; each kfunc does what the kernel's of that name does."""

    def __init__(self, library: Library, nr_cpus: int, nr_llcs: int, nr_threads: int) -> None:
        """`nr_llcs` last-level caches with equally many of the CPUs each, `nr_threads` CPUs a core."""
        self.lib = library.lib
        self.ffi = library.ffi
        self.nr_cpus = nr_cpus
        self.nr_llcs = nr_llcs
        self.nr_threads = nr_threads
        self._kept: list[Any] = []

    def install(self, ops: Ops) -> None:
        """Make these the scheduler's operations."""
        for name in (field.name for field in fields(Ops)):
            value = getattr(ops, name)
            if callable(value):
                self._set(name.removesuffix("_"), value)
        self.lib.sim_model_set_flags(ops.flags)
        self.lib.sim_model_set_timeout_ms(ops.timeout_ms)

    def _set(self, op: str, function: Callable[..., Any]) -> None:
        setter = getattr(self.lib, f"sim_model_set_{op}")
        (kind,) = self.ffi.typeof(setter).args

        def call(*arguments: Any) -> Any:
            return function(*(None if self._is_null(a) else a for a in arguments))

        # The engine keeps the address only.
        callback = self.ffi.callback(kind, call, onerror=self._failed)
        self._kept.append(callback)
        setter(callback)

    def _is_null(self, argument: Any) -> bool:
        return isinstance(argument, self.ffi.CData) and argument == self.ffi.NULL

    def _failed(self, kind: Any, error: BaseException, trace: Any) -> None:
        """An exception in an operation ends the simulation: its last line, and where it was raised."""
        last = "".join(traceback.format_exception_only(kind, error)).strip().splitlines()[-1]
        frames = traceback.extract_tb(trace)
        at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        self.lib.sim_model_broken(f"{at}: {last}".encode()[:1000])

    # -- kfuncs and helpers

    def bpf_ktime_get_ns(self) -> int:
        """Now."""
        return int(self.lib.sim_model_now())

    scx_bpf_now = bpf_ktime_get_ns

    def scx_bpf_error(self, text: str) -> None:
        """End the scheduler: it is ejected with this text."""
        self.lib.sim_model_error(text.encode())

    def bpf_printk(self, text: str) -> None:
        """A line for the simulation's log."""
        self.lib.sim_model_log(text.encode())

    def scx_bpf_create_dsq(self, dsq_id: int) -> int:
        """0, or a negative error."""
        return int(self.lib.sim_model_create_dsq(dsq_id))

    def scx_bpf_destroy_dsq(self, dsq_id: int) -> None:
        """Its tasks go elsewhere."""
        self.lib.sim_model_destroy_dsq(dsq_id)

    def scx_bpf_dsq_nr_queued(self, dsq_id: int) -> int:
        """How many tasks wait there, or a negative error."""
        return int(self.lib.sim_model_dsq_nr_queued(dsq_id))

    def scx_bpf_dsq_insert(self, p: Task, dsq_id: int, slice_ns: int, enq_flags: int) -> bool:
        """Into a dispatch queue, at its end (or front: SCX_ENQ_HEAD)."""
        return bool(self.lib.sim_model_dsq_insert(p, dsq_id, slice_ns, enq_flags))

    def scx_bpf_dsq_insert_vtime(
        self, p: Task, dsq_id: int, slice_ns: int, vtime: int, enq_flags: int
    ) -> bool:
        """Into a dispatch queue by vtime."""
        return bool(self.lib.sim_model_dsq_insert_vtime(p, dsq_id, slice_ns, vtime, enq_flags))

    def scx_bpf_dsq_move_to_local(self, dsq_id: int) -> bool:
        """In dispatch: the first task of a queue to the CPU's own; false when there is none."""
        return bool(self.lib.sim_model_dsq_move_to_local(dsq_id))

    def dsq_tasks(self, dsq_id: int) -> list[Task]:
        """The tasks of a queue in its order, as bpf_for_each(scx_dsq, ...) gives them."""
        count = max(0, self.scx_bpf_dsq_nr_queued(dsq_id))
        out = self.ffi.new("struct task_struct *[]", max(1, count))
        return list(out[0 : self.lib.sim_model_dsq_tasks(dsq_id, out, count)])

    def scx_bpf_dsq_move(self, from_dsq_id: int, p: Task, dsq_id: int, enq_flags: int) -> bool:
        """A task of one queue into another."""
        return bool(self.lib.sim_model_dsq_move(from_dsq_id, p, dsq_id, enq_flags))

    def scx_bpf_kick_cpu(self, cpu: int, flags: int) -> None:
        """Make a CPU pick anew (SCX_KICK_PREEMPT), or only if it is idle (SCX_KICK_IDLE)."""
        self.lib.sim_model_kick_cpu(cpu, flags)

    def scx_bpf_select_cpu_dfl(self, p: Task, prev_cpu: int, wake_flags: int) -> tuple[int, bool]:
        """A CPU for a task that wakes, and whether it is idle and now the task's."""
        idle = self.ffi.new("bool *")
        cpu = self.lib.sim_model_select_cpu_dfl(p, prev_cpu, wake_flags, idle)
        return int(cpu), bool(idle[0])

    def scx_bpf_pick_idle_cpu(self, p: Task, flags: int) -> int:
        """An idle CPU of those that the task may use, claimed; negative when there is none."""
        return int(self.lib.sim_model_pick_idle_cpu(p, flags))

    def scx_bpf_test_and_clear_cpu_idle(self, cpu: int) -> bool:
        """Claim a CPU if it is idle."""
        return bool(self.lib.sim_model_test_and_clear_cpu_idle(cpu))

    def scx_bpf_cpu_curr(self, cpu: int) -> Task:
        """Who runs on a CPU; the idle task when nobody does."""
        return self.lib.sim_model_cpu_curr(cpu)

    def timer_arm(self, token: int, at_ns: int, cpu: int) -> None:
        """Call ops.timer(token) on `cpu` at a time, once; another call moves it."""
        if self.lib.sim_model_timer_arm(token, at_ns, cpu):
            raise ValueError(f"timer {token}: out of range, or no ops.timer")

    # -- tasks

    def __getattr__(self, name: str) -> Any:
        """`task_<field>(p)` and `task_set_<field>(p, value)`: engine/model.h's sim_model_task_*."""
        if name.startswith("task_"):
            return getattr(self.lib, f"sim_model_{name}")
        raise AttributeError(name)


def model_name(scheduler: str) -> str:
    """The module that a model of a scheduler of the catalogue would be."""
    return f"{_MODELS}.{scheduler.replace('-', '_').replace('.', '_')}"


def has_model(scheduler: str) -> bool:
    """Whether there is one."""
    return importlib.util.find_spec(model_name(scheduler)) is not None


def attach(simulation: Simulation, scheduler: str) -> Ops:
    """Load a scheduler's model and make it the simulation's scheduler."""
    ops: Ops = importlib.import_module(model_name(scheduler)).attach(simulation)
    simulation.install(ops)
    return ops
