# SPDX-License-Identifier: MIT
"""Random schedules: the same as a slow reference, and laws that hold whatever the schedule."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from event_tables import SWITCH_KINDS, Event, K, Measured, frequency, off, on, woke
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reference import reference

from scxval.events.metrics.reduce import write_metrics
from scxval.events.schema import SLICE_INFINITE

KINDS_OUT = [K.TASK_SLEPT, K.TASK_SLEPT, K.TASK_PREEMPTED, K.TASK_YIELDED, K.TASK_COMPLETED]


@dataclass(frozen=True)
class Schedule:
    events: list[Event]
    cpus: int
    end_ns: int


def schedule(seed: int, cpus: int, tasks: int, steps: int, coarse: bool) -> Schedule:
    """A valid schedule: one task a CPU, one CPU a task, only runnable tasks are picked.

    Wakings repeat and race with the switch-out, tasks rename themselves, complete and come back,
    share names, and are on CPU before the first record. `coarse`: many events at one time.
    """
    rng = random.Random(seed)
    events: list[Event] = []
    names = {tid: f"n{tid % 3}" for tid in range(1, tasks + 1)}
    current: dict[int, int] = dict.fromkeys(range(cpus), 0)
    sleeping, runnable = set(names), set()
    for cpu in current:
        if sleeping and rng.random() < 0.5:
            current[cpu] = sleeping.pop()
    now = 0
    for _ in range(steps):
        now += rng.choice([0, 0, 1]) if coarse else rng.randint(1, 40)
        action = rng.random()
        if action < 0.35 and (sleeping or runnable):
            tid = rng.choice(sorted(sleeping | runnable))
            if rng.random() < 0.8:
                events.append(woke(now, tid, "waking", rng.randrange(cpus)))
            if rng.random() < 0.5:
                events.append(woke(now, tid, rng.choice(["wakeup", "wakeup_new"]), 0))
            sleeping.discard(tid)
            runnable.add(tid)
        elif action < 0.5:
            tid = rng.choice(sorted(names))
            kind = rng.choice([K.DSQ_INSERT, K.DSQ_INSERT_VTIME])
            by_vtime = kind == K.DSQ_INSERT_VTIME
            given = {
                "dsq_id": rng.choice([1, 2, None]),
                "slice_ns": rng.choice([None, 0, 1, 5_000_000, 1 << 63, SLICE_INFINITE]),
                "vtime": rng.choice([None, 0, 7, 1000, 2**64 - 3]) if by_vtime else None,
            }
            events.append(Event(now, 0, kind, tid, names[tid], **given))
        elif action < 0.52:
            events.append(frequency(now, rng.randrange(cpus), rng.choice([800_000, 3_000_000])))
        elif action < 0.55 and any(current.values()):
            tid = rng.choice([tid for tid in current.values() if tid])
            names[tid] = rng.choice(["n0", "n1", "renamed"])
            events.append(woke(now, tid, "waking", rng.randrange(cpus)))
        else:
            cpu = rng.randrange(cpus)
            previous = current[cpu]
            choice = rng.choice([0, *sorted(runnable)])
            if choice == previous == 0:
                continue
            if previous:
                kind = rng.choice(KINDS_OUT)
                events.append(off(now, cpu, previous, kind, names[previous]))
                woken = kind in (K.TASK_PREEMPTED, K.TASK_YIELDED)
                (runnable if woken else sleeping).add(previous)
            runnable.discard(choice)
            current[cpu] = choice
            events.append(on(now, cpu, choice, names.get(choice)))
    return Schedule(_named(events), cpus, now + 1)


def _named(events: list[Event]) -> list[Event]:
    """Wakeup records name the wakee as the switches do."""
    names: dict[int, str] = {}
    out = []
    for event in events:
        if event.kind == K.TASK_WOKE:
            comm = names.get(event.tid, f"n{event.tid % 3}")
            event = Event(**{**event.__dict__, "comm": comm})
        elif event.tid:
            names[event.tid] = event.comm
        # Threads 1 to 3 are process 1; of process 99 no leader is ever seen; 7 has no process.
        pid = {1: 1, 2: 1, 3: 1, 4: 4, 5: 99, 6: 4}.get(event.tid)
        out.append(replace(event, pid=pid))
    return out


schedules = st.builds(
    schedule,
    seed=st.integers(0, 2**32),
    cpus=st.integers(1, 4),
    tasks=st.integers(1, 7),
    steps=st.integers(0, 60),
    coarse=st.booleans(),
)


def window_of(plan: Schedule, part: tuple[float, float]) -> tuple[int, int]:
    start = int(part[0] * plan.end_ns) - 2
    return start, start + 1 + int(part[1] * plan.end_ns)


parts = st.tuples(st.floats(0, 1), st.floats(0, 1.2))


def compare(events: list[Event], window: tuple[int, int]) -> None:
    m = Measured(events, window)
    if not any(e.kind in SWITCH_KINDS for e in events):
        # Not one switch seen: the tracer was blind, and says so.
        assert {key[2] for key, row in m.rows.items() if row["value"] is not None} == {"window"}
        return
    expected = reference(events, window)
    assert set(expected) <= set(m.rows)
    for key, row in m.rows.items():
        if key in expected:
            assert row["value"] == pytest.approx(expected[key], rel=1e-12, abs=1e-9), key
        elif key[2] == "cpu_frequency":
            assert (row["value"], row["n"]) == (None, 0), key
        elif key[3] in ("value", "count"):
            assert row["value"] == row["n"] == 0, key
        else:
            assert row["value"] is None, key


@settings(max_examples=150, deadline=None)
@given(schedules, parts)
def test_as_the_slow_reference(plan, part):
    compare(plan.events, window_of(plan, part))


@settings(max_examples=100, deadline=None)
@given(schedules, parts, st.integers(0, 2**32), st.floats(0.02, 0.4))
def test_as_the_slow_reference_when_records_are_lost(plan, part, seed, rate):
    rng = random.Random(seed)
    compare([e for e in plan.events if rng.random() > rate], window_of(plan, part))


@settings(max_examples=100, deadline=None)
@given(schedules, parts)
def test_time_is_conserved(plan, part):
    window = window_of(plan, part)
    m = Measured(plan.events, window)
    cpus = {name for scope, name, *_ in m.rows if scope == "cpu"}
    length = window[1] - window[0]
    for cpu in cpus:
        spent = [m.cpu(int(cpu), metric) for metric in ("run_time", "idle_time", "unknown_time")]
        assert sum(spent) == length
        assert 0 <= m.cpu(int(cpu), "utilisation") <= 1
        assert m.cpu(int(cpu), "broken_switches") == 0
    if cpus:
        tasks = {name for scope, name, *_ in m.rows if scope == "task"}
        ran = sum(m.task(name, "run_time") for name in tasks)
        assert ran + m.system("idle_time") == length * len(cpus)
        assert ran == sum(m.cpu(int(cpu), "run_time") for cpu in cpus) == m.system("run_time")
        switches = [m.task(name, "context_switches") for name in tasks]
        assert sum(switches) == m.system("context_switches")
        assert m.system("context_switches") == (
            m.system("voluntary_switches") + m.system("involuntary_switches")
        )


ADDITIVE = (
    "run_time",
    "idle_time",
    "scheduling_delay_total",
    "context_switches",
    "voluntary_switches",
    "migrations",
    "unmatched_waits",
)


@settings(max_examples=100, deadline=None)
@given(schedules, st.integers(1, 10_000))
def test_two_halves_of_a_window_add_up(plan, cut):
    cut = 1 + cut % max(plan.end_ns - 1, 1)
    end = max(plan.end_ns, cut + 1)
    whole = Measured(plan.events, (0, end))
    first, second = Measured(plan.events, (0, cut)), Measured(plan.events, (cut, end))
    for key, row in whole.rows.items():
        if key[2] in ADDITIVE or (key[2].endswith(("latency", "delay")) and key[3] == "count"):
            halves = [half.rows[key]["value"] for half in (first, second) if key in half.rows]
            if row["value"] is None:
                assert halves == [None, None]
            else:
                assert sum(halves) == row["value"], key


@settings(max_examples=50, deadline=None)
@given(schedules, parts)
def test_whole_workload_is_the_system(plan, part):
    window = window_of(plan, part)
    everyone = frozenset(e.comm for e in plan.events if e.tid)
    m = Measured(plan.events, window, workload=everyone)
    if m.value("workload", "", "threads"):
        for key, row in m.rows.items():
            if key[0] == "workload":
                assert row["value"] == m.rows["system", "", *key[2:]]["value"], key


def test_same_input_same_bytes(tmp_path):
    plan = schedule(1, 4, 7, 300, False)
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        write_metrics(Measured(plan.events, (0, plan.end_ns)).table, file)
    assert files[0].read_bytes() == files[1].read_bytes()
