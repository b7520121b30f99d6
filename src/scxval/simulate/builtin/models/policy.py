# SPDX-License-Identifier: MIT
"""What a scheduler in Python is: operations with the names of sched_ext's, and the kfuncs that they call.

A task is its index, from 0 in the order of the workload; the idle task, and no task, is NONE. Times and
slices are in ns. Models use integers only, so that a table has the same bytes on any host.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

NONE = -1

# enum scx_dsq_id_flags, scx_enq_flags, scx_kick_flags and so on of include/linux/sched/ext.h and
# kernel/sched/ext/internal.h, kernel 7.2.
SCX_SLICE_INF = (1 << 64) - 1
SCX_DSQ_LOCAL = (1 << 63) | 2
SCX_DSQ_LOCAL_ON = (1 << 63) | (1 << 62)
SCX_ENQ_WAKEUP = 1 << 0
SCX_ENQ_PREEMPT = 1 << 32
SCX_ENQ_LAST = 1 << 41
SCX_DEQ_SLEEP = 1 << 0
SCX_WAKE_FORK = 1 << 2
SCX_WAKE_TTWU = 1 << 3
SCX_WAKE_SYNC = 1 << 4
SCX_KICK_IDLE = 1 << 0
SCX_KICK_PREEMPT = 1 << 1
SCX_PICK_IDLE_CORE = 1 << 0
SCX_OPS_KEEP_BUILTIN_IDLE = 1 << 0
SCX_OPS_ENQ_LAST = 1 << 1
SCX_OPS_ENQ_EXITING = 1 << 2

# The operations that a policy may define, by their names in struct sim_policy.
OPS = (
    "select_cpu",
    "enqueue",
    "dequeue",
    "dispatch",
    "tick",
    "runnable",
    "running",
    "stopping",
    "quiescent",
    "yield_",
    "set_cpumask",
    "update_idle",
    "enable",
    "disable",
    "init",
    "period",
)


class Kernel:
    """The machine as a policy sees it: kfuncs by their own names, with a task's index for its pointer.

    The names are bound to the library's functions once, so a call has nothing of Python's in between. Not a
    kfunc's signature: scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags) is the CPU, or ~cpu when it is not
    idle; scx_bpf_pick_idle_cpu(p, llc, flags) looks in one LLC of the CPUs that p may use, or in all (-1).
    """

    def __init__(self, lib: Any, nr_cpus: int) -> None:
        """`lib` is models.so, opened by cffi and configured."""
        self._lib = lib
        self.nr_cpus = nr_cpus
        self.scx_bpf_create_dsq = lib.sim_create_dsq
        self.scx_bpf_dsq_insert = lib.sim_dsq_insert
        self.scx_bpf_dsq_insert_vtime = lib.sim_dsq_insert_vtime
        self.scx_bpf_dsq_move_to_local = lib.sim_dsq_move_to_local
        self.scx_bpf_dsq_nr_queued = lib.sim_dsq_nr_queued
        self.scx_bpf_kick_cpu = lib.sim_kick_cpu
        self.scx_bpf_select_cpu_dfl = lib.sim_select_cpu_dfl
        self.scx_bpf_test_and_clear_cpu_idle = lib.sim_test_and_clear_cpu_idle
        self.scx_bpf_pick_idle_cpu = lib.sim_pick_idle_cpu
        self.scx_bpf_task_running = lib.sim_task_running
        self.scx_bpf_task_cpu = lib.sim_task_cpu
        self.scx_bpf_cpu_curr = lib.sim_cpu_curr
        self.scx_bpf_now = lib.sim_time
        self.cpu_is_idle = lib.sim_cpu_is_idle
        self.core_is_idle = lib.sim_core_is_idle
        self.smp_processor_id = lib.sim_cpu
        self.current_task = lib.sim_current_task
        self.resched_curr = lib.sim_resched_curr
        self.move_queued = lib.sim_move_queued
        self.pid = lib.sim_p_pid
        self.allowed = lib.sim_p_allowed
        self.nr_cpus_allowed = lib.sim_p_nr_cpus_allowed
        self.exiting = lib.sim_p_exiting
        self.weight = lib.sim_p_weight
        self.load_weight = lib.sim_p_load_weight
        self.nice = lib.sim_p_nice
        self.slice_ns = lib.sim_p_slice
        self.set_slice_ns = lib.sim_p_set_slice
        self.dsq_vtime = lib.sim_p_dsq_vtime
        self.set_dsq_vtime = lib.sim_p_set_dsq_vtime
        self.runtime_ns = lib.sim_p_runtime
        # Fixed once the machine is configured.
        self.tick_ns: int = lib.sim_tick_ns()
        self.llc_of: list[int] = [lib.sim_llc_of(cpu) for cpu in range(nr_cpus)]
        self.core_of: list[int] = [lib.sim_core_of(cpu) for cpu in range(nr_cpus)]

    def scx_bpf_error(self, text: str) -> None:
        """End the scheduler: it is ejected with this text."""
        self._lib.sim_policy_error(text.encode()[:1000])


class Policy(ABC):
    """A scheduler. Operations that a class does not define are left out, as in struct sched_ext_ops.

    They are (with `yield_` for `yield`): select_cpu(p, prev_cpu, wake_flags) -> cpu, enqueue(p, enq_flags),
    dequeue(p, deq_flags), dispatch(cpu, prev), tick(p), runnable(p, enq_flags), running(p),
    stopping(p, runnable), quiescent(p, deq_flags), yield_(p, to) -> bool, set_cpumask(p),
    update_idle(cpu, idle), enable(p), disable(p), init() -> 0 or an error; and period(), called every
    `period_ns` for what a scheduler does in user space.
    """

    # What a reader of provenance.json is told: "a model: ...", with what is simplified.
    about: ClassVar[str]
    # False for a model of another class: only the kinds that any class shows are its events.
    sched_ext: ClassVar[bool] = True
    flags: ClassVar[int] = 0
    timeout_ms: ClassVar[int] = 0
    period_ns: int = 0

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    @abstractmethod
    def enqueue(self, p: int, enq_flags: int) -> None:
        """Take a task that can run: into a dispatch queue, or keep it for dispatch()."""


def attach(policy: Policy, ffi: Any, lib: Any) -> list[Any]:
    """Make a policy the scheduler of a library that is configured and not started.

    Returns what must stay referenced while the simulation runs. An exception in an operation ends the
    simulation as SIM_BROKEN with its type, its text and where it was raised.
    """

    def failed(kind: Any, error: Any, trace: Any) -> None:
        lib.sim_policy_failed(describe(error, trace).encode()[:1000])

    given = ffi.new("struct sim_policy *")
    kept: list[Any] = [given, policy]
    types = dict(ffi.typeof("struct sim_policy").fields)
    for op in OPS:
        function: Callable[..., Any] | None = getattr(policy, op, None)
        if function is None:
            continue
        name = op.rstrip("_")
        callback = ffi.callback(types[name].type, function, onerror=failed)
        kept.append(callback)
        setattr(given, name, callback)
    given.period_ns = policy.period_ns
    given.flags = policy.flags
    given.timeout_ms = policy.timeout_ms
    lib.sim_set_policy(given)
    return kept


def describe(error: BaseException, trace: Any) -> str:
    """One line: where an exception was raised, its type and its text."""
    frames = traceback.extract_tb(trace)
    at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    text = " ".join(str(error).split())
    return f"the model failed at {at}: {type(error).__name__}: {text}".rstrip(": ")
