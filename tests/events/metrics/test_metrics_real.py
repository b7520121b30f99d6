# SPDX-License-Identifier: MIT
"""Real captures (scx_rusty on 7.2.13, rt-app): against `perf sched` and the slow reference.

The parsers here are written for these two files alone, apart from the converters, so that a mistake
in a converter and one in the metrics cannot cover each other.
"""

from __future__ import annotations

import gzip
import re
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from event_tables import SWITCH_KINDS, Event, K, Measured, capability, table
from slow_reference import reference

from scxval.events.metrics import measure
from scxval.events.metrics.trace import EVER, NEVER, take_apart

FIXTURES = Path(__file__).parents[2] / "fixtures"

PERF = re.compile(r"^.*\[(\d+)\]\s+(\d+)\.(\d{9}):\s+sched:(\w+): (.*)$")
PERF_SWITCH = re.compile(r"^(.*):(\d+) \[\d+\] (\S+) ==> (.*):(\d+) \[\d+\]$")
PERF_WAKING = re.compile(r"^comm=(.*) pid=(\d+) prio=")
PERF_NEW = re.compile(r"^(.*):(\d+) \[\d+\] CPU:\d+$")
LATENCY = re.compile(
    r"^\s+(\S+?):[(]?(\d+)\)?\s+\|\s+[\d.]+ ms \|\s+(\d+) "
    r"\| avg:\s+([\d.]+) ms \| max:\s+([\d.]+)"
)

TIMEHIST = re.compile(
    r"^\s+(\d+)\.(\d{6}) \[(\d+)\]\s+.*\[(\d+)(?:/\d+)?\]\s+\S+\s+\S+\s+(\S+)\s*$"
)

BPFTRACE_SWITCH = re.compile(
    r"prev_pid=(\d+) prev_prio=\d+ prev_state=0x([0-9a-f]+) next_pid=(\d+) next_prio=\d+ "
    r'prev_comm="(.*)" next_comm="(.*)"$'
)
BPFTRACE_WOKE = re.compile(r'by=\d+ pid=(\d+) prio=\d+ target_cpu=\d+ comm="(.*)"$')
BPFTRACE_INSERT = re.compile(r"by=\d+ pid=(\d+) dsq=0x([0-9a-f]+) ")


def switch(time_ns, cpu, prev, prev_comm, kind, following, next_comm) -> list[Event]:
    went_off = [Event(time_ns, cpu, kind, prev, prev_comm)] if prev else []
    kind_on = K.TASK_SCHEDULED if following else K.CPU_IDLE
    return [*went_off, Event(time_ns, cpu, kind_on, following, next_comm)]


def perf_events() -> list[Event]:
    events: list[Event] = []
    with gzip.open(FIXTURES / "perf/sched-rusty.script.gz", "rt") as lines:
        for line in lines:
            cpu, seconds, nanos, name, text = PERF.match(line.rstrip()).groups()
            time_ns, cpu = int(seconds) * 10**9 + int(nanos), int(cpu)
            if name == "sched_switch":
                prev_comm, prev, state, next_comm, following = PERF_SWITCH.match(text).groups()
                kinds = {"R": K.TASK_PREEMPTED, "X": K.TASK_COMPLETED, "Z": K.TASK_COMPLETED}
                kind = kinds.get(state[0], K.TASK_SLEPT)
                events += switch(
                    time_ns, cpu, int(prev), prev_comm, kind, int(following), next_comm
                )
            else:
                pattern = PERF_NEW if name == "sched_wakeup_new" else PERF_WAKING
                comm, tid = pattern.match(text).groups()
                reason = name.removeprefix("sched_")
                events.append(Event(time_ns, cpu, K.TASK_WOKE, int(tid), comm, reason))
    return events


def bpftrace_events() -> list[Event]:
    events: list[Event] = []
    with gzip.open(FIXTURES / "bpftrace/switches-rusty-600ms.txt.gz", "rt") as lines:
        for line in lines:
            stamp, cpu_text, name, text = line.rstrip().split(" ", 3)
            time_ns, cpu = int(stamp), int(cpu_text)
            if name == "sched_switch":
                prev, state, following, prev_comm, next_comm = BPFTRACE_SWITCH.match(text).groups()
                # 0x100 is the tracepoint's mark of a preemption, 0x10 and 0x20 are EXIT_DEAD and
                # EXIT_ZOMBIE as it prints them.
                kind = K.TASK_PREEMPTED if int(state, 16) in (0, 0x100) else K.TASK_SLEPT
                kind = K.TASK_COMPLETED if int(state, 16) in (0x10, 0x20) else kind
                events += switch(
                    time_ns, cpu, int(prev), prev_comm, kind, int(following), next_comm
                )
            elif name.startswith("scx_bpf_dsq_insert"):
                tid, dsq = BPFTRACE_INSERT.match(text).groups()
                events.append(Event(time_ns, cpu, K.DSQ_INSERT, int(tid), dsq_id=int(dsq, 16)))
            else:
                tid, comm = BPFTRACE_WOKE.match(text).groups()
                reason = name.removeprefix("sched_")
                events.append(Event(time_ns, cpu, K.TASK_WOKE, int(tid), comm, reason))
    return sorted(events, key=lambda event: event.time_ns)


def perf_latency() -> dict[str, tuple[int, int, float, float]]:
    """`perf sched latency`: task -> threads, count, average and maximum delay ms.

    Its runtime column is the kernel's account (sched_stat_runtime), another quantity than run_time.
    """
    rows = {}
    text = (FIXTURES / "perf/sched-rusty.latency.txt").read_text()
    for line in text.splitlines():
        if match := LATENCY.match(line):
            name, who, count, mean, most = match.groups()
            threads = int(who) if "(" in line.split("|")[0] else 1
            # perf shows kworkers with the queue they work on, the tracepoint without.
            name = name.split("-")[0] if name.startswith("kworker/") else name
            rows[name] = (threads, int(count), float(mean), float(most))
    return rows


@pytest.fixture(scope="module")
def perf() -> Measured:
    events = perf_events()
    return Measured(
        events,
        (events[0].time_ns, events[-1].time_ns + 1),
        kinds=[*SWITCH_KINDS, K.TASK_WOKE],
        workload=frozenset({"hog", "per"}),
    )


# perf puts all slices of a thread under its last name; these rename themselves, or exec.
RENAMED = {"perf", "rt-app", "bash", "ps", "sleep", "timeout", "tee", "python3", "taskset"}


def test_scheduling_delay_is_that_of_perf_sched_latency(perf):
    """The same quantity by another program: from first wakeup or preemption to switch-in."""
    compared = 0
    for name, (threads, count, mean_ms, max_ms) in perf_latency().items():
        if name in RENAMED:
            continue
        assert perf.task(name, "threads") == threads, name
        assert perf.task(name, "scheduling_delay", "count") == count, name
        mean, most = (perf.task(name, "scheduling_delay", stat) for stat in ("mean", "max"))
        assert mean / 1e6 == pytest.approx(mean_ms, abs=0.0011), name
        assert most / 1e6 == pytest.approx(max_ms, abs=0.0011), name
        compared += 1
    assert compared == 21
    assert perf.system("scheduling_delay", "count") == 919


def test_every_slice_is_that_of_perf_sched_timehist(perf):
    """Slice by slice, by the same tracepoints: end, CPU, tid and length (perf prints whole us)."""
    events = perf_events()
    slices = take_apart(table(events)).slices
    columns = (slices.start_ns, slices.end_ns, slices.cpu, slices.tid)
    mine = {
        (int(end) // 1000, int(cpu), int(tid)): (int(start), int(end))
        for start, end, cpu, tid in zip(*columns, strict=True)
        if end != NEVER
    }
    equal, idle = 0, 0
    with gzip.open(FIXTURES / "perf/sched-rusty.timehist.gz", "rt") as lines:
        for line in lines:
            idle += "<idle>" in line
            if match := TIMEHIST.match(line):
                seconds, micros, cpu, tid, run_ms = match.groups()
                start, end = mine.pop((int(seconds) * 10**6 + int(micros), int(cpu), int(tid)))
                if start != EVER:
                    assert (end - start) / 1e6 == pytest.approx(float(run_ms), abs=0.00101), line
                    equal += 1
    assert equal == 935
    assert idle == perf.system("idle_periods")
    # timehist leaves out the last slice of some threads; nothing else is missing there.
    exits = {(e.time_ns // 1000, e.cpu, e.tid) for e in events if e.kind == K.TASK_COMPLETED}
    assert len(mine) == 6
    assert set(mine) <= exits


def test_workload_is_told_from_the_rest(perf):
    both = perf.task("hog", "run_time") + perf.task("per", "run_time")
    assert perf.value("workload", "", "run_time") == both
    assert perf.value("workload", "", "threads") == 5
    assert both < perf.system("run_time")


def test_a_whole_trace_has_no_unknown_time(perf):
    assert perf.system("unknown_time") == perf.system("broken_switches") == 0


def test_lost_records_of_a_real_trace_are_noticed():
    events = perf_events()
    del events[500:560]
    window = (events[0].time_ns, events[-1].time_ns)
    m = Measured(events, window)
    assert m.system("broken_switches") > 0
    total = sum(m.system(metric) for metric in ("run_time", "idle_time", "unknown_time"))
    assert total == 4 * (window[1] - window[0])


def test_bpftrace_cut_agrees_with_the_slow_reference():
    events = bpftrace_events()
    first, last = events[0].time_ns, events[-1].time_ns
    for window in [(first, last), (first + 10**8, first + 4 * 10**8)]:
        m = Measured(events, window)
        expected = reference(_named(events), window)
        assert {key for key in expected if key[0] != "dsq"} <= set(m.rows)
        for key, value in expected.items():
            row = m.rows["dsq", "LOCAL", *key[2:]] if key[0] == "dsq" else m.rows[key]
            assert row["value"] == pytest.approx(value, rel=1e-12), key


def _named(events: list[Event]) -> list[Event]:
    """The insert probe prints no comm, which the metrics do not need; the reference wants text."""
    return [e if e.comm else Event(**{**e.__dict__, "comm": f"tid {e.tid}"}) for e in events]


def test_bpftrace_repeated_wakeup_records_are_one_wakeup():
    """sched_waking and sched_wakeup both show; without the latter the latencies are the same."""
    events = bpftrace_events()
    window = (events[0].time_ns, events[-1].time_ns)
    both = Measured(events, window)
    wakings = Measured([e for e in events if e.reason != "wakeup"], window)
    assert both.system("wakeup_latency", "count") > 200
    assert both.distribution("system", "", "wakeup_latency") == wakings.distribution(
        "system", "", "wakeup_latency"
    )


def test_slices_of_one_cpu_never_overlap():
    slices = take_apart(table(perf_events())).slices
    for cpu in range(4):
        here = slices.cpu == cpu
        mine = sorted(zip(slices.start_ns[here], slices.end_ns[here], strict=True))
        assert len(mine) > 50
        assert mine[0][0] >= EVER
        assert mine[-1][1] <= NEVER
        assert all(a[1] <= b[0] for a, b in pairwise(mine))


def test_two_hundred_thousand_events_take_seconds_at_most(perf):
    """Guards the order of magnitude only: a loop over the events would take minutes."""
    events = table(perf_events())
    copies = [
        events.set_column(0, events.schema.field(0), pc.add(events["time_ns"], i * 3 * 10**9))
        for i in range(200_000 // events.num_rows)
    ]
    start = time.perf_counter()
    result = measure(pa.concat_tables(copies), capability([*SWITCH_KINDS, K.TASK_WOKE]), None, None)
    assert time.perf_counter() - start < 10
    tasks = {row["name"] for row in result.to_pylist() if row["scope"] == "task"}
    assert tasks == {name for scope, name, *_ in perf.rows if scope == "task"}
