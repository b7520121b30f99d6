# SPDX-License-Identifier: MIT
"""rt-app files as programs of the engine: what each thread does, instruction by instruction.

As rt-app 1.0 does it (src/rt-app.c, src/rt-app_parse_config.c at v1.0). Its main thread creates the
others one after another; they all meet at a barrier before the first event (thread_body), and every
timer and `delay` counts from when the first of them came there (t_zero). The main thread itself, which
sleeps, is not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scxval.catalog.model import Workload
from scxval.catalog.rtapp import Event, Phase, RtApp, Task, read_rtapp
from scxval.errors import ScxvalError
from scxval.simulate.builtin.api import enumerators, limit
from scxval.simulate.parameters import Parameters

# The process id of the first rt-app; its threads have the numbers after it.
FIRST_PID = 1000
_US = 1000


class Insn(NamedTuple):
    """`struct sim_insn`; `op` is an enumerator of sim_op."""

    op: int
    object: int = 0
    value: int = 0
    arg: int = 0


@dataclass(frozen=True)
class SimTask:
    """One thread. `mask` and `cgroup` are places in the program's lists."""

    name: str
    tid: int
    pid: int
    nice: int
    mask: int
    cgroup: int
    start_ns: int
    program: tuple[Insn, ...]


@dataclass(frozen=True)
class SimCgroup:
    """A child of the root."""

    name: str
    weight: int


@dataclass(frozen=True)
class Program:
    """A workload for the engine. The first mask is all CPUs, the first cgroup (not listed) the root."""

    tasks: tuple[SimTask, ...]
    masks: tuple[frozenset[int], ...]
    cgroups: tuple[SimCgroup, ...]
    end_ns: int


def compile_workload(
    workload: Workload, cpus: int, spare_cpus: int, seconds: int, parameters: Parameters
) -> Program:
    """The programs of a workload that scxval.simulate.builtin.subset does not refuse.

    `spare_cpus` of the machine's CPUs, the last ones, are not the workload's, as those of a run's tracer.
    Raises ScxvalError for a CPU that there is not, and for more than the engine can take.
    """
    if workload.file is None:
        raise ScxvalError(f"workload {workload.name}: not an rt-app file")
    file = read_rtapp(workload.file)
    own = frozenset(range(cpus - spare_cpus))
    if not own:
        raise ScxvalError(f"{spare_cpus} of {cpus} CPUs are the tracer's: none is left")
    beyond = sorted(file.cpus - own)
    if beyond:
        raise ScxvalError(
            f"{workload.file}: CPU {beyond[0]} of a task: there are 0 to {len(own) - 1}"
        )
    builder = _Builder(file, parameters, own, _Masks([frozenset(range(cpus))]))
    groups = workload.cgroups or (None,)
    tasks: list[SimTask] = []
    longest = 0
    pid = FIRST_PID
    for number, group in enumerate(groups):
        members = [t for t in file.tasks if group is None or t.name in group.tasks]
        threads = [task for task in members for _ in range(task.instances)]
        cgroup = 0 if group is None else number + 1
        tasks += builder.process(threads, pid, cgroup)
        longest = max(longest, len(threads))
        pid += len(threads) + 1
    for what, count, most in (
        ("tasks", len(tasks), limit("SIM_MAX_TASKS")),
        ("timers, locks and names", len(builder.objects), limit("SIM_MAX_OBJECTS")),
        ("CPUs", cpus, limit("SIM_MAX_CPUS")),
    ):
        if count > most:
            raise ScxvalError(f"workload {workload.name}: {count} {what}, the simulator has {most}")
    # The main thread sleeps `duration` once it has created every thread.
    end_ns = longest * parameters.spawn_ns + seconds * 1_000_000_000
    # cpu.weight is 100 where nobody writes one (Documentation/admin-guide/cgroup-v2.rst).
    cgroups = [SimCgroup(g.name, int(g.settings.get("cpu.weight", 100))) for g in workload.cgroups]
    return Program(tuple(tasks), tuple(builder.masks.sets), tuple(cgroups), end_ns)


@dataclass
class _Masks:
    """Sets of CPUs, each once."""

    sets: list[frozenset[int]]

    def of(self, cpus: frozenset[int]) -> int:
        """The place of a set."""
        if cpus not in self.sets:
            self.sets.append(cpus)
        return self.sets.index(cpus)


@dataclass
class _Builder:
    """Makes programs, and hands out objects by what rt-app knows them as."""

    file: RtApp
    parameters: Parameters
    own_cpus: frozenset[int]
    masks: _Masks
    objects: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def process(self, threads: list[Task], pid: int, cgroup: int) -> list[SimTask]:
        """The threads of one rt-app process, in the order in which its main thread creates them."""
        shared = _timer_users(threads)
        meeting: dict[str, int] = {}
        for task in threads:
            for event in task.events:
                if event.kind == "barrier":
                    # Each place in the file is one to wait for (parse_thread_event_data).
                    meeting[event.value] = meeting.get(event.value, 0) + 1
        default = self.masks.of(self.own_cpus)
        made = []
        for index, task in enumerate(threads):
            start_ns = index * self.parameters.spawn_ns
            thread = _Thread(self, (pid,), index, len(threads), start_ns, meeting, shared)
            program = thread.program(task, default)
            nice = task.keys.get("priority", 0)
            tid = pid + 1 + index
            made.append(
                SimTask(task.name, tid, pid, nice, default, cgroup, start_ns, tuple(program))
            )
        return made

    def object(self, *name: Any) -> int:
        """The number of an object, a new one for a new name."""
        return self.objects.setdefault(name, len(self.objects))

    def run_ns(self, us: int) -> int:
        """What `run` asks for: so many loops of `calibration` ns, which the calibration workload measured
        at its own.
        """
        measured_at = self.parameters.rtapp_calibration
        if not measured_at:
            return us * _US
        return us * _US * measured_at // int(self.file.settings["calibration"])


@dataclass
class _Thread:
    """One thread's program in the making."""

    builder: _Builder
    process: tuple[int]
    index: int
    threads: int
    start_ns: int
    meeting: dict[str, int]
    timer_users: dict[str, int]
    insns: list[Insn] = field(default_factory=list)

    def program(self, task: Task, default_mask: int) -> list[Insn]:
        """Start, then the task's phases in its loop, then the end."""
        self.emit("BARRIER", self.object("start"), arg=self.threads)
        self.first_times(task)
        own = frozenset(task.keys.get("cpus", ())) or None
        masks = [self.mask(frozenset(p.cpus) or own, default_mask) for p in task.phases]
        same = len(set(masks)) == 1
        if same and masks[0] != default_mask:
            self.emit("AFFINITY", arg=masks[0])
        with_loop = self.loop(task.keys.get("loop", -1))
        for phase, mask in zip(task.phases, masks, strict=True):
            if not same:
                self.emit("AFFINITY", arg=mask)
            self.phase(phase)
        self.again(with_loop)
        self.emit("EXIT")
        return self.insns

    def first_times(self, task: Task) -> None:
        """`delay`, and where the thread's own timers begin: both count from the first thread's start, an
        engine's timer from its own thread's.
        """
        first_ns = task.keys.get("delay", 0) * _US - self.start_ns
        timers = dict.fromkeys(
            self.timer(event)
            for event in task.events
            if event.kind == "timer" and self.is_own(event)
        )
        if task.keys.get("delay", 0):
            self.emit("TIMER", self.object("delay", self.index), first_ns, 1)
        if first_ns:
            for timer in timers:
                # In the past: it only sets the timer's first time.
                self.emit("TIMER", timer, first_ns, 1)

    def mask(self, cpus: frozenset[int] | None, default: int) -> int:
        """A phase's CPUs before the task's before those it was started with (set_thread_affinity)."""
        return default if cpus is None else self.builder.masks.of(cpus)

    def phase(self, phase: Phase) -> None:
        """The events of a phase in its loop."""
        loop = self.loop(phase.loop) if phase.loop != 1 else None
        for event in phase.events:
            self.event(event)
        if loop is not None:
            self.again(loop)

    def event(self, event: Event) -> None:
        """One event; locks, conditions, timers and barriers are the process's, by kind and name."""
        value = event.value
        match event.kind:
            case "run":
                self.emit("RUN", value=self.builder.run_ns(value))
            case "runtime":
                self.emit("RUN_WALL", value=value * _US)
            case "sleep":
                self.emit("SLEEP", value=value * _US)
            case "timer":
                absolute = int(value.get("mode", "relative") == "absolute")
                self.emit("TIMER", self.timer(event), value["period"] * _US, absolute)
            case "suspend" | "resume":
                self.emit(event.kind.upper(), self.object("condition", value))
            case "yield":
                self.emit("YIELD")
            case "lock" | "unlock":
                self.emit(event.kind.upper(), self.object("mutex", value))
            case "signal" | "broad":
                self.emit(event.kind.upper(), self.object("condition", value))
            case "wait" | "sync":
                condition = self.object("condition", value["ref"])
                if event.kind == "sync":
                    self.emit("SIGNAL", condition)
                self.emit("WAIT", condition, arg=self.object("mutex", value["mutex"]))
            case "barrier":
                self.emit("BARRIER", self.object("barrier", value), arg=self.meeting[value])
            case _:
                raise ScxvalError(f"{event.key}: not simulated")

    def is_own(self, event: Event) -> bool:
        """Whether no other thread waits for this timer."""
        ref = event.value["ref"]
        return ref.startswith("unique") or self.timer_users[ref] == 1

    def timer(self, event: Event) -> int:
        """A timer is the process's, but for names that begin with `unique`: the thread's."""
        ref = event.value["ref"]
        own = (self.index,) if ref.startswith("unique") else ()
        return self.object("timer", ref, *own)

    def object(self, *name: Any) -> int:
        """An object of this process."""
        return self.builder.object(*self.process, *name)

    def loop(self, passes: int) -> int:
        """Begin a loop; its end is not known yet."""
        self.emit("LOOP", value=passes)
        return len(self.insns) - 1

    def again(self, loop: int) -> None:
        """End it."""
        self.emit("AGAIN", arg=loop)
        self.insns[loop] = self.insns[loop]._replace(arg=len(self.insns))

    def emit(self, op: str, object: int = 0, value: int = 0, arg: int = 0) -> None:
        """One instruction more."""
        self.insns.append(Insn(enumerators("sim_op")[f"SIM_OP_{op}"], object, value, arg))


def _timer_users(threads: list[Task]) -> dict[str, int]:
    """How many threads wait for each timer."""
    users: dict[str, int] = {}
    for task in threads:
        for ref in dict.fromkeys(e.value["ref"] for e in task.events if e.kind == "timer"):
            users[ref] = users.get(ref, 0) + 1
    return users
