# SPDX-License-Identifier: MIT
"""What holds of every simulation, whatever the machine, the tasks and the scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scxval.events.schema import DSQ_GLOBAL, DSQ_LOCAL, DSQ_LOCAL_ON
from scxval.simulate.builtin.api import enumerators
from scxval.simulate.builtin.library import End, Library
from scxval.simulate.builtin.models.policy import Kernel, Policy, attach
from scxval.simulate.builtin.program import Insn, Program, SimTask
from scxval.simulate.parameters import Parameters

from .engine_runs import Run, insn, run

SCHEDULERS = ("scx_simple", "scx_central", "scx_qmap", "scx_flatcg", "scx_cpu0", "models")
# The policy promises that no CPU idles beside a waiting task that it could run.
CONSERVING = ("scx_simple", "models")
KIND = enumerators("sim_kind")
HAS = enumerators("sim_has")
END_NS = 60_000_000
# enum scx_enq_flags, kernel/sched/ext/internal.h of 7.2.
ENQ_REENQ = 1 << 40
MASK = insn("AFFINITY").op
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


@st.composite
def step(draw: st.DrawFn, masks: int, meeting: int) -> list[Insn]:
    """One thing that a task does; all but the endings may block for ever, as rt-app's may."""
    some = st.integers(0, 5_000_000)
    object_ = draw(st.integers(0, 3))
    kind = draw(
        st.sampled_from(
            [
                "run",
                "wall",
                "sleep",
                "timer",
                "suspend",
                "resume",
                "yield",
                "lock",
                "wait",
                "signal",
                "broad",
                "barrier",
                "mask",
            ]
        )
    )
    match kind:
        case "run":
            return [insn("RUN", value=draw(some))]
        case "wall":
            return [insn("RUN_WALL", value=draw(some))]
        case "sleep":
            return [insn("SLEEP", value=draw(some))]
        case "timer":
            return [insn("TIMER", object_, draw(some), draw(st.integers(0, 1)))]
        case "suspend" | "resume" | "yield":
            return [insn(kind.upper(), 0 if kind == "yield" else 4 + object_)]
        case "signal" | "broad":
            return [insn(kind.upper(), 8 + object_)]
        case "lock":
            held = [insn("RUN", value=draw(st.integers(0, 100_000)))]
            return [insn("LOCK", 12 + object_), *held, insn("UNLOCK", 12 + object_)]
        case "wait":
            lock = 12 + object_
            return [insn("LOCK", lock), insn("WAIT", 8 + object_, 0, lock), insn("UNLOCK", lock)]
        case "barrier":
            return [insn("BARRIER", 16 + object_, 0, meeting)]
        case _:
            return [insn("AFFINITY", arg=draw(st.integers(0, masks - 1)))]


@st.composite
def programs(draw: st.DrawFn) -> tuple[int, Program]:
    """A number of CPUs, and tasks for them."""
    cpus = draw(st.integers(1, 8))
    some_cpus = st.frozensets(st.integers(0, cpus - 1), min_size=1)
    masks = (frozenset(range(cpus)), *draw(st.lists(some_cpus, max_size=3)))
    tasks = []
    for index in range(draw(st.integers(1, 12))):
        steps = draw(st.lists(step(len(masks), 2), min_size=1, max_size=6))
        # rt-app's loops take time; the engine refuses those that take none.
        body = [*(i for some in steps for i in some), insn("RUN", value=20_000)]
        passes = draw(st.sampled_from([-1, -1, 1, 3]))
        insns = [insn("LOOP", value=passes, arg=len(body) + 2), *body, insn("AGAIN", arg=0)]
        tasks.append(
            SimTask(
                name=f"t{index}",
                tid=index + 1,
                pid=1,
                nice=draw(st.integers(-20, 19)),
                mask=draw(st.integers(0, len(masks) - 1)),
                cgroup=0,
                start_ns=draw(st.integers(0, 10_000_000)),
                program=(*insns, insn("EXIT")),
            )
        )
    return cpus, Program(tuple(tasks), masks, (), END_NS)


def simulate(libraries: Path, scheduler: str, cpus: int, program: Program, seed: int = 0) -> Run:
    """A simulation whose scheduler the kernel would keep, or that it would eject for what it did."""
    found = run(libraries / f"{scheduler}.so", cpus, program, Parameters(tick_ns=4_000_000), seed)
    assert found.ending.end in (End.DONE, End.EJECTED), found.ending
    return found


def of_kind(found: Run, *names: str) -> np.ndarray:
    return np.isin(found.records["kind"], [KIND[f"SIM_{name}"] for name in names])


OFF = ("TASK_PREEMPTED", "TASK_YIELDED", "TASK_SLEPT", "TASK_COMPLETED", "SIMULATION_END")


def stretches(found: Run) -> list[tuple[int, int, int, int]]:
    """tid, CPU, begin and end of each time on a CPU. Every switch closes what it must."""
    on: dict[int, tuple[int, int]] = {}
    out = []
    wanted = of_kind(found, "TASK_SCHEDULED", "CPU_IDLE", *OFF)
    come = of_kind(found, "TASK_SCHEDULED")[wanted]
    idle = of_kind(found, "CPU_IDLE")[wanted]
    running: dict[int, int] = {}
    for record, comes, idles in zip(found.records[wanted], come, idle, strict=True):
        cpu, tid, time = int(record["cpu"]), int(record["tid"]), int(record["time_ns"])
        if comes:
            assert tid not in on, f"{tid} is on CPU {on[tid]} and comes on {cpu} at {time}"
            assert cpu not in running, f"CPU {cpu} runs {running[cpu]} when {tid} comes at {time}"
            on[tid], running[cpu] = (cpu, time), tid
        elif idles:
            assert cpu not in running, f"CPU {cpu} is idle with {running[cpu]} at {time}"
        elif tid in on:
            where, since = on.pop(tid)
            assert where == cpu and running.pop(cpu) == tid
            out.append((tid, cpu, since, time))
    end = found.ending.simulated_ns
    return out + [(tid, cpu, since, end) for tid, (cpu, since) in on.items()]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@EXAMPLES
@given(made=programs(), seed=st.integers(0, 2**64 - 1))
def test_tasks_cpus_and_time(
    libraries: Path, scheduler: str, made: tuple[int, Program], seed: int
) -> None:
    cpus, program = made
    found = simulate(libraries, scheduler, cpus, program, seed)
    times = found.records["time_ns"]
    # Records are in the order of time over all CPUs: so they are on each.
    assert (np.diff(times) >= 0).all()
    table = found.table()
    keys = [table[name].to_numpy() for name in ("seq", "cpu", "time_ns")]
    assert (np.lexsort(keys) == np.arange(table.num_rows)).all()
    ran: Counter[int] = Counter()
    masks = {task.tid: program.masks[task.mask] for task in program.tasks}
    fixed = {t.tid for t in program.tasks if all(i.op != MASK for i in t.program)}
    for tid, cpu, since, until in stretches(found):
        ran[tid] += until - since
        assert tid not in fixed or cpu in masks[tid], f"{tid} on CPU {cpu}"
    assert ran == Counter(found.runtime_ns), found.ending
    assert ran.total() <= cpus * found.ending.simulated_ns
    assert found.ending.simulated_ns <= END_NS


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@EXAMPLES
@given(made=programs())
def test_every_insert_leads_to_a_run_or_a_recorded_drop(
    libraries: Path, scheduler: str, made: tuple[int, Program]
) -> None:
    """An insert is in effect until its task runs, is inserted again, or leaves the runqueue: the last two are
    what the engine counts as dropped. A task that the scheduler asked back (scx_bpf_dsq_reenq(), as scx_qmap
    does with low priorities) is inserted anew for that reason."""
    found = simulate(libraries, scheduler, *made)
    assert found.ending.end is End.DONE, found.ending
    inserts = of_kind(found, "DSQ_INSERT", "DSQ_INSERT_VTIME")
    runs, leaves = of_kind(found, "SET_NEXT_TASK"), of_kind(found, "DEQUEUE_TASK")
    moves = of_kind(found, "TASK_MIGRATED")
    wanted = np.flatnonzero(inserts | runs | leaves)
    inserted: set[int] = set()
    did: Counter[str] = Counter()
    for place in wanted:
        tid = int(found.records["tid"][place])
        if inserts[place]:
            handed_back = int(found.records["flags"][place]) & ENQ_REENQ
            did[("handed back" if handed_back else "again") if tid in inserted else "first"] += 1
            inserted.add(tid)
        elif runs[place]:
            did["ran"] += tid in inserted
            inserted.discard(tid)
        elif not (moves[place + 1 : place + 2].any() and found.records["tid"][place + 1] == tid):
            did["left"] += tid in inserted
            inserted.discard(tid)
    dropped = found.ending.dropped
    assert did["again"] == dropped["drop_replaced"], did
    assert did["left"] == dropped["drop_dequeued"], did
    assert did["first"] == did["ran"] + did["left"] + len(inserted)
    assert not dropped["drop_bypass"]


@pytest.mark.parametrize("scheduler", CONSERVING)
@EXAMPLES
@given(made=programs())
def test_no_cpu_idles_beside_a_waiting_task(
    libraries: Path, scheduler: str, made: tuple[int, Program]
) -> None:
    """Of tasks that may run anywhere: neither policy looks for a CPU for a task that it puts back in
    its queue, nor does it in the kernel. A wakeup, an IPI and a switch take their time."""
    cpus, program = made
    anywhere = tuple(
        replace(
            t, mask=0, program=tuple(i._replace(arg=0) if i.op == MASK else i for i in t.program)
        )
        for t in program.tasks
    )
    costs = Parameters(tick_ns=4_000_000, wake_cv_ppm=0, switch_cv_ppm=0)
    program = replace(program, tasks=anywhere)
    found = run(libraries / f"{scheduler}.so", cpus, program, costs, 0)
    assert found.ending.end is End.DONE, found.ending
    allowed_ns = 2 * (costs.wake_ns + costs.ipi_ns + costs.switch_ns)
    waiting: dict[int, int] = {}
    idle = dict.fromkeys(range(cpus), 0)
    waits, idles = (
        of_kind(found, "ENQUEUE_TASK", "TASK_PREEMPTED", "TASK_YIELDED"),
        of_kind(found, "CPU_IDLE"),
    )
    comes = of_kind(found, "TASK_SCHEDULED")
    for place in np.flatnonzero(waits | idles | comes):
        record = found.records[place]
        tid, cpu, time = (int(record[name]) for name in ("tid", "cpu", "time_ns"))
        since = max(min(waiting.values(), default=time), min(idle.values(), default=time))
        assert time - since <= allowed_ns, f"at {time}: {waiting} wait beside idle CPUs {idle}"
        if idles[place]:
            idle[cpu] = time
        elif comes[place]:
            idle.pop(cpu, None)
            waiting.pop(tid, None)
        else:
            waiting.setdefault(tid, time)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_seed_decides_everything(libraries: Path, scheduler: str) -> None:
    made = busy(4, 7)
    first, again, other = (simulate(libraries, scheduler, *made, seed) for seed in (3, 3, 4))
    assert first.records.tobytes() == again.records.tobytes()
    assert first.records.tobytes() != other.records.tobytes()


def busy(cpus: int, tasks: int, end_ns: int = END_NS) -> tuple[int, Program]:
    """Tasks of which some never sleep."""
    made = []
    for index in range(tasks):
        pause = insn("SLEEP", value=1_000_000 if index % 2 else 0)
        body = (insn("LOOP", value=-1, arg=4), insn("RUN", value=3_000_000), pause, insn("AGAIN"))
        made.append(SimTask(f"t{index}", index + 1, 1, 0, 0, 0, 0, (*body, insn("EXIT"))))
    return cpus, Program(tuple(made), (frozenset(range(cpus)),), (), end_ns)


def under(
    libraries: Path,
    policy: Callable[[Kernel], Policy],
    made: tuple[int, Program],
    name: str = "models",
) -> Run:
    """A simulation of a policy in Python."""
    kept: list[object] = []

    def install(library: Library) -> None:
        made_policy = policy(Kernel(library.lib, made[0]))
        kept.append(attach(made_policy, library.ffi, library.lib))

    return run(libraries / f"{name}.so", *made, Parameters(tick_ns=4_000_000), 0, install)


class MissingDsq(Policy):
    """Its twentieth insert is into a queue that it never made."""

    inserts = 0

    def enqueue(self, p: int, enq_flags: int) -> None:
        self.inserts += 1
        dsq = 77 if self.inserts == 20 else DSQ_GLOBAL
        self.kernel.scx_bpf_dsq_insert(p, dsq, 20_000_000, enq_flags)


class LosesTasks(Policy):
    """It takes every task and gives none back."""

    timeout_ms = 100

    def enqueue(self, p: int, enq_flags: int) -> None:
        pass

    def dispatch(self, cpu: int, prev: int) -> None:
        pass


@pytest.mark.parametrize(
    ("policy", "why"),
    [(MissingDsq, "non-existent DSQ 0x4d"), (LosesTasks, "runnable task stall: t")],
)
def test_an_ejected_scheduler_loses_no_task(
    libraries: Path, policy: Callable[[Kernel], Policy], why: str
) -> None:
    made = busy(2, 6, 1_000_000_000)
    found = under(libraries, policy, made)
    assert found.ending.end is End.EJECTED
    assert found.ending.text.startswith(why)
    assert found.ending.events["ev_bypass_activate"] == 1
    assert found.ending.simulated_ns > 990_000_000
    # Then a task runs for 5 ms at a time, in its turn (SCX_SLICE_BYPASS).
    late = found.records[
        (found.records["time_ns"] > 500_000_000) & of_kind(found, "TASK_SCHEDULED")
    ]
    turns = Counter(late["tid"].tolist())
    assert turns.keys() == {1, 2, 3, 4, 5, 6}
    stretches(found)


def test_a_wall_run_of_no_time_takes_none(libraries: Path) -> None:
    """Once it left the run after it without an end, in a loop at one time for ever."""
    body = (
        insn("LOOP", value=-1, arg=4),
        insn("RUN_WALL"),
        insn("RUN", value=20_000),
        insn("AGAIN"),
    )
    task = SimTask("t0", 1, 1, 0, 0, 0, 0, (*body, insn("EXIT")))
    made = 1, Program((task,), (frozenset({0}),), (), END_NS)
    process = get_context("fork").Process(
        target=simulate, args=(libraries, "scx_simple", *made), daemon=True
    )
    process.start()
    process.join(30)
    ended = process.exitcode
    process.kill()
    assert ended == 0


@EXAMPLES
@given(made=programs(), order=st.randoms(use_true_random=False))
def test_nothing_undefined_happens(
    libraries: Path, made: tuple[int, Program], order: Random
) -> None:
    """With a policy that does whatever a policy may, in a process that undefined behaviour would end."""
    process = get_context("fork").Process(
        target=under, args=(libraries, lambda kernel: Anything(kernel, order), made, "checked")
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0, made


class Anything(Policy):
    """Inserts into any queue, kicks any CPU, keeps tasks back for a while."""

    timeout_ms = 50

    def __init__(self, kernel: Kernel, random: Random) -> None:
        super().__init__(kernel)
        self.random = random
        self.taken: list[int] = []

    def enqueue(self, p: int, enq_flags: int) -> None:
        kernel, random = self.kernel, self.random
        dsq = random.choice(
            [DSQ_GLOBAL, DSQ_LOCAL, DSQ_LOCAL_ON | random.randrange(kernel.nr_cpus), 1, 2]
        )
        if random.random() < 0.2:
            kernel.scx_bpf_dsq_insert_vtime(
                p, 2, random.randrange(30_000_000), random.getrandbits(64), enq_flags
            )
        elif dsq != 2:
            kernel.scx_bpf_dsq_insert(p, dsq, random.randrange(30_000_000), enq_flags)
        else:
            self.taken.append(p)
        if random.random() < 0.3:
            kernel.scx_bpf_kick_cpu(random.randrange(kernel.nr_cpus), random.choice([0, 1, 2]))

    def dispatch(self, cpu: int, prev: int) -> None:
        for dsq in (1, 2):
            self.kernel.scx_bpf_dsq_move_to_local(dsq)
        if self.taken and self.random.random() < 0.9:
            self.kernel.scx_bpf_dsq_insert(self.taken.pop(0), 1, 1_000_000, 0)

    def init(self) -> int:
        return int(self.kernel.scx_bpf_create_dsq(1) or self.kernel.scx_bpf_create_dsq(2))
