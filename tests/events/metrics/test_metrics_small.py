# SPDX-License-Identifier: MIT
"""Every metric on scenarios small enough to compute by hand."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from event_tables import (
    ALL_KINDS,
    SWITCH_KINDS,
    Event,
    K,
    Measured,
    capability,
    frequency,
    given,
    insert,
    off,
    on,
    table,
    woke,
)

from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.metrics import METRIC_SCHEMA, METRICS, measure, measure_with_samples
from scxval.events.schema import DSQ_LOCAL, DSQ_LOCAL_ON, SLICE_INFINITE, Reason
from scxval.events.table import empty_table

# CPU 0: idle to 10, t1 to 30, t2 to 45, t1 again to 50, then idle.
ONE_CPU = [
    on(10, 0, 1),
    woke(15, 2),
    off(30, 0, 1, K.TASK_PREEMPTED),
    on(30, 0, 2),
    off(45, 0, 2),
    on(45, 0, 1),
    off(50, 0, 1),
    on(50, 0, 0),
]


def test_times_of_one_cpu():
    m = Measured(ONE_CPU, (0, 100))
    assert m.task("t1", "run_time") == 25
    assert m.task("t2", "run_time") == 15
    assert m.task("t1", "slices") == 2
    assert m.cpu(0, "run_time") == m.system("run_time") == 40
    assert m.cpu(0, "idle_time") == m.system("idle_time") == 60
    assert m.cpu(0, "idle_periods") == 2
    assert m.cpu(0, "utilisation") == m.system("utilisation") == 0.4
    assert m.cpu(0, "unknown_time") == m.cpu(0, "broken_switches") == 0
    assert m.system("window") == 100
    assert m.n("cpu", "0", "run_time") == 3


def test_slice_length_distribution_uses_linear_interpolation():
    m = Measured(ONE_CPU, (0, 100))
    # 5, 15, 20: rank 0.9 x 2 = 1.8 lies at 15 + 0.8 x 5, rank 1.98 at 15 + 0.98 x 5.
    assert m.distribution("system", "", "slice_length") == pytest.approx(
        [3, 40 / 3, 15, 19, 19.9, 20], rel=1e-15
    )
    assert m.distribution("task", "t2", "slice_length") == [1, 15, 15, 15, 15, 15]


def test_switches_are_counted_as_the_kernel_does():
    m = Measured(
        [
            off(1, 0, 1, K.TASK_YIELDED),
            on(1, 0, 2),
            off(2, 0, 2, K.TASK_PREEMPTED),
            on(2, 0, 1),
            off(3, 0, 1, K.TASK_SLEPT),
            on(3, 0, 2),
            off(4, 0, 2, K.TASK_COMPLETED),
            on(4, 0, 0),
            on(5, 0, 1),
        ],
        (0, 10),
    )
    assert m.task("t1", "voluntary_switches") == m.task("t2", "voluntary_switches") == 1
    assert m.task("t1", "involuntary_switches") == m.task("t2", "involuntary_switches") == 1
    assert m.system("context_switches") == m.cpu(0, "context_switches") == 4


def test_wakeup_latency_starts_at_the_first_waking_and_ignores_repeats():
    m = Measured(
        [
            off(5, 0, 1),
            on(5, 0, 2),
            woke(20, 1),
            woke(24, 1, Reason.WAKEUP),
            woke(28, 1),
            off(30, 0, 2),
            on(30, 0, 1),
        ],
        (0, 40),
    )
    assert m.distribution("task", "t1", "wakeup_latency") == [1, 10, 10, 10, 10, 10]
    assert m.task("t1", "scheduling_delay", "max") == 10
    assert m.task("t1", "scheduling_delay_total") == 10


def test_preempted_and_yielded_waits_are_delay_but_not_wakeup_latency():
    m = Measured(
        [
            on(0, 0, 1),
            off(10, 0, 1, K.TASK_PREEMPTED),
            on(10, 0, 2),
            woke(12, 1),
            off(17, 0, 2, K.TASK_YIELDED),
            on(17, 0, 1),
            off(20, 0, 1),
            on(20, 0, 2),
        ],
        (0, 30),
    )
    # t1 waits from its preemption at 10 (the waking at 12 changes nothing), t2 from 17.
    assert m.task("t1", "wakeup_latency", "count") == 0
    assert m.task("t1", "wakeup_latency", "p50") is None
    assert m.task("t1", "scheduling_delay", "max") == 7
    assert m.task("t2", "scheduling_delay", "max") == 3
    assert m.system("scheduling_delay_total") == 10


def test_a_waking_before_the_switch_out_is_an_unmatched_wait():
    events = [on(0, 0, 1), woke(9, 1), off(10, 0, 1), on(10, 0, 2), off(15, 0, 2), on(15, 0, 1)]
    m = Measured(events, (0, 20))
    assert m.task("t1", "unmatched_waits") == 1
    assert m.task("t1", "scheduling_delay", "count") == 0
    # The wakeup proper comes after the switch-out: then the wait is known, its waking is not.
    m = Measured([*events, woke(11, 1, Reason.WAKEUP)], (0, 20))
    assert m.task("t1", "unmatched_waits") == 0
    assert m.task("t1", "scheduling_delay", "max") == 4
    assert m.task("t1", "wakeup_latency", "count") == 0


@pytest.mark.parametrize("reason", [Reason.WAKEUP, Reason.WAKEUP_NEW, None])
def test_without_any_waking_the_other_wakeups_count(reason):
    events = [woke(3, 1, reason), on(8, 0, 1)]
    assert Measured(events, (0, 10)).task("t1", "wakeup_latency", "max") == 5
    with_waking = [*events, off(9, 0, 1), on(9, 0, 0), woke(9, 2)]
    m = Measured(with_waking, (0, 10))
    assert m.task("t1", "wakeup_latency", "count") == 0
    assert m.task("t1", "scheduling_delay", "max") == 5


def test_waits_at_the_window_edges():
    events = [woke(5, 1), on(25, 0, 1), off(30, 0, 1), on(30, 0, 0), woke(35, 1), woke(38, 2)]
    m = Measured(events, (10, 40))
    # Ended inside: whole in the distribution, clipped in the total. Open: only in the total.
    assert m.task("t1", "wakeup_latency", "max") == 20
    assert m.task("t1", "scheduling_delay_total") == 15 + 5
    assert m.task("t1", "unfinished_waits") == 1
    # t2 never runs: it starves, and shows.
    assert m.task("t2", "run_time") == 0
    assert m.task("t2", "scheduling_delay_total") == 2
    assert m.task("t2", "unfinished_waits") == 1
    assert m.task("t2", "threads") == 1
    # A wait belongs to the window of its switch-in, which [start, end) leaves to the next one.
    assert Measured(events, (0, 25)).task("t1", "wakeup_latency", "count") == 0
    assert Measured(events, (25, 26)).task("t1", "wakeup_latency", "count") == 1


def test_slices_are_clipped_to_the_window_and_marked():
    events = [on(0, 0, 1), off(20, 0, 1), on(20, 0, 2), off(40, 0, 2), on(40, 0, 1)]
    m = Measured(events, (10, 60))
    assert m.task("t1", "run_time") == 10 + 20
    assert m.task("t1", "truncated_slices") == 2
    assert m.task("t2", "truncated_slices") == 0
    assert m.distribution("task", "t2", "slice_length") == [1, 20, 20, 20, 20, 20]
    # A slice that fills the window and more.
    m = Measured(events, (5, 15))
    assert m.task("t1", "run_time") == 10
    assert m.cpu(0, "utilisation") == 1
    assert m.task("t1", "truncated_slices") == 1


def test_a_task_on_cpu_before_the_first_record():
    m = Measured([off(30, 0, 1), on(30, 0, 0)], (10, 50))
    assert m.task("t1", "run_time") == 20
    assert m.task("t1", "truncated_slices") == 1
    assert m.cpu(0, "idle_time") == 20


def test_migrations_compare_with_the_switch_in_before():
    m = Measured(
        [
            on(1, 0, 1),
            off(2, 0, 1),
            on(2, 0, 0),
            on(3, 1, 1),
            off(4, 1, 1),
            on(4, 1, 0),
            on(5, 1, 1),
            off(6, 1, 1),
            on(6, 1, 0),
            on(7, 0, 1),
        ],
        (3, 10),
    )
    assert m.task("t1", "migrations") == m.system("migrations") == 2


def test_a_reused_tid_is_another_task():
    m = Measured(
        [
            on(1, 0, 1),
            off(2, 0, 1, K.TASK_COMPLETED),
            on(2, 0, 0),
            on(5, 1, 1, "other"),
            off(6, 1, 1, K.TASK_SLEPT, "other"),
            on(6, 1, 0),
        ],
        (0, 10),
    )
    assert m.system("migrations") == 0
    assert m.system("unmatched_waits") == 0
    assert m.task("other", "run_time") == 1


def test_dsq_latency():
    m = Measured(
        [
            on(0, 0, 9),
            insert(1, 1, 7),
            insert(3, 1, DSQ_LOCAL),
            off(5, 0, 9),
            on(5, 0, 1),
            # Re-enqueued at put_prev, before its own switch-out.
            insert(10, 1, 7, K.DSQ_INSERT_VTIME),
            off(11, 0, 1, K.TASK_PREEMPTED),
            on(11, 0, 9),
            off(20, 0, 9),
            on(20, 0, 1),
            # Used up: it slept before it could be dispatched again.
            insert(25, 1, 7),
            off(26, 0, 1),
            on(26, 0, 0),
            on(30, 0, 1),
            insert(31, 9, DSQ_LOCAL_ON | 3),
            off(33, 0, 1),
            on(33, 0, 9),
        ],
        (0, 40),
    )
    assert m.distribution("task", "t1", "dsq_latency") == [2, 6, 6, 9.2, 9.92, 10]
    assert m.value("dsq", "0x7", "dsq_latency", "max") == 10
    assert m.value("dsq", "LOCAL", "dsq_latency", "max") == 2
    assert m.value("dsq", "LOCAL_ON(3)", "dsq_latency", "count") == 1
    assert m.system("dsq_latency", "count") == 3


def test_an_insert_without_queue_id_has_no_queue():
    m = Measured([insert(1, 1, None), on(4, 0, 1)], (0, 10))
    assert m.task("t1", "dsq_latency", "max") == 3
    assert not [key for key in m.rows if key[0] == "dsq"]


def test_tasks_of_one_name_are_pooled_but_told_apart():
    # Two threads on two CPUs: taken as one task they would have migrated.
    events = [
        on(0, 0, 1, "hog"),
        on(0, 1, 2, "hog"),
        off(10, 0, 1, K.TASK_PREEMPTED, "hog"),
        on(10, 0, 0),
        off(14, 1, 2, K.TASK_PREEMPTED, "hog"),
        on(14, 1, 0),
        on(15, 0, 1, "hog"),
        on(18, 1, 2, "hog"),
    ]
    m = Measured(events, (0, 20))
    assert m.task("hog", "threads") == 2
    assert m.task("hog", "migrations") == 0
    assert m.task("hog", "run_time") == 10 + 14 + 5 + 2
    assert m.distribution("task", "hog", "scheduling_delay")[:2] == [2, 4.5]


def test_a_slice_and_its_wait_bear_the_name_at_the_switch_out():
    m = Measured(
        [woke(2, 1), on(5, 0, 1, "rt-app"), off(50, 0, 1, comm="hog"), on(50, 0, 0)], (0, 100)
    )
    assert m.task("hog", "run_time") == 45
    assert m.task("hog", "wakeup_latency", "max") == 3
    assert ("task", "rt-app", "run_time", "value") not in m.rows


def test_a_task_without_a_name_is_kept():
    m = Measured([Event(1, 0, K.TASK_SCHEDULED, 77), Event(4, 0, K.TASK_SLEPT, 77)], (0, 10))
    assert m.task("tid 77", "run_time") == 3


def test_workload_scope_covers_its_threads_alone():
    m = Measured(ONE_CPU, (0, 100), workload=frozenset({"t2", "absent"}))
    assert m.value("workload", "", "run_time") == 15
    assert m.value("workload", "", "wakeup_latency", "max") == 15
    assert m.value("workload", "", "threads") == 1


def test_a_workload_that_is_not_there_is_not_measured():
    m = Measured(ONE_CPU, (0, 100), workload=frozenset({"absent"}))
    mine = [row for key, row in m.rows.items() if key[0] == "workload"]
    assert mine
    assert all(row["value"] is None and row["n"] == 0 for row in mine)


def test_records_that_contradict_each_other_are_unknown_time():
    # t1 on at 10, but t2 goes off at 20: at least one switch was lost.
    m = Measured([on(10, 0, 1), off(20, 0, 2), on(20, 0, 0), on(30, 0, 1), on(34, 0, 2)], (0, 40))
    assert m.cpu(0, "unknown_time") == 10 + 4
    assert m.cpu(0, "broken_switches") == m.system("broken_switches") == 2
    assert m.cpu(0, "run_time") == 6
    assert m.cpu(0, "idle_time") == 10 + 10


def test_repeated_idle_records_are_one_idle_period():
    m = Measured([off(5, 0, 1), on(5, 0, 0), on(8, 0, 0), on(9, 0, 1)], (0, 10))
    assert m.cpu(0, "idle_periods") == 1
    assert m.cpu(0, "idle_time") == 4


@pytest.mark.parametrize("tid", [1, 0, None])
def test_simulation_end_closes_what_runs(tid):
    m = Measured([on(2, 0, 1), Event(9, 0, K.SIMULATION_END, tid, "t1")], (0, 9))
    assert m.task("t1", "run_time") == 7
    assert m.task("t1", "context_switches") == 0
    assert m.cpu(0, "broken_switches") == 0


def test_idle_reported_as_task_zero():
    m = Measured([off(4, 0, 1), Event(4, 0, K.TASK_SCHEDULED, 0, "swapper/0")], (0, 10))
    assert m.cpu(0, "idle_time") == 6
    assert not [key for key in m.rows if key[:2] == ("task", "swapper/0")]


def test_equal_times_keep_the_order_of_the_source():
    # t1 sleeps, is woken and runs again within one tick of a coarse clock, the waker on CPU 0.
    m = Measured([on(1, 1, 1), off(5, 1, 1), on(5, 1, 0), woke(5, 1, cpu=0), on(5, 1, 1)], (0, 10))
    assert m.task("t1", "wakeup_latency", "max") == 0
    assert m.cpu(1, "broken_switches") == 0
    assert m.task("t1", "run_time") == 9


# What cannot be seen is null.


def null_metrics(m: Measured, scope: str, name: str) -> set[str]:
    """Metrics of a name with every value null and n 0."""
    rows = [row for key, row in m.rows.items() if key[:2] == (scope, name)]
    measured = {row["metric"] for row in rows if row["value"] is not None or row["n"]}
    return {row["metric"] for row in rows} - measured


def test_kinds_that_the_source_cannot_see_are_not_measured():
    m = Measured(ONE_CPU, (0, 100), kinds=SWITCH_KINDS)
    waits = {"wakeup_latency", "unmatched_waits", "dsq_latency", "unfinished_waits"}
    waits |= {"scheduling_delay", "scheduling_delay_total"}
    asked = {"slice_allocation", "slice_infinite", "slice_kept", "vtime_step", "cpu_frequency"}
    assert null_metrics(m, "system", "") == waits | asked
    assert null_metrics(m, "task", "t1") == waits | asked - {"cpu_frequency"}
    assert m.rows["system", "", "wakeup_latency", "p50"]["unit"] == "ns"
    assert m.rows["system", "", "wakeup_latency", "count"]["unit"] == "count"


def test_seen_but_absent_is_zero_and_null_statistics():
    m = Measured(ONE_CPU, (0, 100))
    assert m.distribution("system", "", "dsq_latency") == [0, None, None, None, None, None]
    assert m.system("unfinished_waits") == 0


def test_without_idle_records_only_idle_metrics_are_missing():
    kinds = [kind for kind in ALL_KINDS if kind != K.CPU_IDLE]
    m = Measured(ONE_CPU[:-1], (0, 50), kinds=kinds)
    assert null_metrics(m, "cpu", "0") == {
        "idle_time",
        "idle_periods",
        "unknown_time",
        "broken_switches",
        "cpu_frequency",
    }
    assert m.cpu(0, "utilisation") == 0.8


def test_no_tracer_measures_nothing_but_the_window():
    m = measure(empty_table(), capability([]), (0, 100), [0, 1], frozenset({"a"}))
    assert m.schema == METRIC_SCHEMA
    measured = {row["metric"] for row in m.to_pylist() if row["value"] is not None}
    assert measured == {"window"}
    assert {row["scope"] for row in m.to_pylist()} == {"system", "workload", "cpu"}


def test_a_tracer_that_saw_no_switch_measures_nothing():
    m = measure(empty_table(), capability(), (0, 100), [0], None)
    assert {row["metric"] for row in m.to_pylist() if row["value"] is not None} == {"window"}


def test_a_cpu_without_any_switch_is_unknown_and_so_is_the_whole():
    m = Measured(ONE_CPU, (0, 100), cpus=[0, 1])
    cpu_metrics = {metric.name for metric in METRICS if "cpu" in metric.scopes}
    assert null_metrics(m, "cpu", "1") == cpu_metrics
    assert m.system("utilisation") is None
    assert m.system("idle_time") is None
    assert m.system("run_time") == 40


def test_no_window_at_all():
    rows = measure(empty_table(), capability(), None, None).to_pylist()
    assert rows
    assert all(row["value"] is None for row in rows)


# Windows and bad input.


def test_the_window_is_cut_to_the_traced_span():
    events = table(ONE_CPU)
    cut = measure(events, capability(window_ns=(10, 50)), (0, 100), None)
    plain = measure(events, capability(), (10, 50), None)
    assert cut.equals(plain)
    assert measure(events, capability(window_ns=(10, 50)), None, None).equals(plain)
    assert measure(events, capability(), None, None).equals(plain)


@pytest.mark.parametrize("window", [(60, 70), (0, 10)])
def test_a_window_outside_the_trace_is_an_error(window):
    with pytest.raises(ScxvalError, match="outside the traced span"):
        measure(table(ONE_CPU), capability(window_ns=(10, 50)), window, None)


def test_an_empty_window_is_an_error():
    with pytest.raises(ScxvalError, match="is empty"):
        measure(table(ONE_CPU), capability(), (5, 5), None)


def test_a_switch_on_a_cpu_that_the_machine_lacks_is_an_error():
    with pytest.raises(ScxvalError, match="CPU 0"):
        measure(table(ONE_CPU), capability(), (0, 9), [1, 2])


def test_a_switch_without_task_is_an_error():
    events = [on(1, 0, 1), Event(2, 0, K.TASK_SLEPT)]
    with pytest.raises(ScxvalError, match="seq 1"):
        measure(table(events), capability(), (0, 9), None)


# The table itself.


def test_rows_are_in_a_fixed_order_and_every_metric_has_its_own():
    m = Measured(
        [on(0, 10, 5, "b"), on(0, 2, 6, "a"), insert(1, 5, 2), insert(1, 6, 10)],
        (0, 10),
        workload=frozenset({"a"}),
    )
    rows = m.table.to_pylist()
    members = list(dict.fromkeys((row["scope"], row["name"]) for row in rows))
    assert members == [
        ("system", ""),
        ("workload", ""),
        ("cpu", "2"),
        ("cpu", "10"),
        ("task", "a"),
        ("task", "b"),
    ]
    for scope in ("system", "workload", "cpu", "task"):
        got = dict.fromkeys(row["metric"] for row in rows if row["scope"] == scope)
        assert list(got) == [metric.name for metric in METRICS if scope in metric.scopes]


def test_unknown_kinds_and_the_coding_of_dictionaries_change_nothing():
    odd = [*ONE_CPU[:3], Event(20, 0, "FutureKind", 3, "x"), *ONE_CPU[3:]]
    expected = measure(table(ONE_CPU), capability(), (0, 100), None)
    assert measure(table(odd), capability(), (0, 100), None).equals(expected)
    in_pieces = pa.concat_tables([table(ONE_CPU[:3]), table(ONE_CPU[3:], 3)])
    assert measure(in_pieces, capability(), (0, 100), None).equals(expected)


# -- what a sched_ext scheduler asks for


def test_slices_that_do_not_end_or_are_kept_are_in_no_mean():
    events = [
        on(0, 0, 9),
        given(10, 1, 5, slice_ns=1000),
        given(11, 1, 5, slice_ns=3000),
        given(12, 2, 6, slice_ns=0),
        given(13, 2, 6, slice_ns=SLICE_INFINITE),
        given(14, 2, 6, slice_ns=(1 << 63) - 1),
        given(15, 2, None),
        given(20, 1, 5, slice_ns=7),
        off(30, 0, 9),
    ]
    m = Measured(events, (0, 20))
    assert m.distribution("dsq", "0x5", "slice_allocation")[:3] == [2, 2000, 2000]
    assert m.distribution("task", "t2", "slice_allocation")[:2] == [1, float((1 << 63) - 1)]
    for metric in ("slice_infinite", "slice_kept"):
        assert (m.system(metric), m.task("t2", metric), m.value("dsq", "0x5", metric)) == (1, 1, 0)


def test_sums_past_64_bits_are_exact():
    huge = (1 << 63) - 1
    m = Measured([on(0, 0, 9), *(given(1, 1, 5, slice_ns=huge) for _ in range(3))], (0, 9))
    assert m.system("slice_allocation", "mean") == float(huge)


def test_vtime_steps_are_of_one_queue_and_wrap():
    events = [
        on(0, 0, 9),
        given(1, 1, 5, vtime=(1 << 64) - 10),
        given(2, 1, 6, vtime=0),
        given(3, 2, 5, vtime=20),
        given(4, 1, 5, vtime=15),
        given(5, 1, None, vtime=3),
    ]
    m = Measured(events, (0, 9))
    assert m.distribution("dsq", "0x5", "vtime_step")[:3] == [2, 12.5, 12.5]
    assert m.value("dsq", "0x5", "vtime_step", "max") == 30
    assert ("dsq", "0x6", "vtime_step", "count") not in m.rows
    # The insert before counts even from before the window.
    assert Measured(events, (4, 9)).distribution("system", "", "vtime_step")[:2] == [1, -5]


def test_vtime_steps_of_half_the_range_do_not_overflow():
    most = (1 << 63) - 1
    events = [on(0, 0, 9), *(given(t, 1, 5, vtime=v) for t, v in ((1, 0), (2, most), (3, 0)))]
    assert Measured(events, (0, 9)).distribution("system", "", "vtime_step")[:3] == [2, 0, 0]
    assert Measured(events, (0, 9)).system("vtime_step", "max") == float(most)


def test_a_source_without_the_column_does_not_measure_it():
    """wprof sees inserts, but neither slice nor vtime."""
    events = [on(0, 0, 9), insert(1, 1, 5), on(2, 0, 1)]
    source = Capability("test", ALL_KINDS, {kind: ["dsq_id"] for kind in ALL_KINDS})
    rows = measure(table(events), source, (0, 9), None).to_pylist()
    found = {(row["metric"], row["scope"], row["stat"]): row["value"] for row in rows}
    assert found["dsq_latency", "system", "count"] == 1
    for metric in ("slice_allocation", "vtime_step"):
        assert found[metric, "system", "count"] is None
    assert found["slice_kept", "system", "value"] is None


def test_frequency_is_weighted_by_time():
    events = [
        on(0, 0, 9),
        on(0, 1, 8),
        frequency(10, 0, 1_000_000),
        frequency(20, 1, 5_000_000),
        frequency(40, 0, 2_000_000),
    ]
    m = Measured(events, (0, 50), cpus=[0, 1, 2])
    assert m.cpu(0, "cpu_frequency") == (30 * 1e6 + 10 * 2e6) / 40
    assert (m.cpu(1, "cpu_frequency"), m.n("cpu", "1", "cpu_frequency")) == (5e6, 1)
    assert m.cpu(2, "cpu_frequency") is None
    assert Measured(events, (0, 50)).system("cpu_frequency") == (30e6 + 20e6 + 150e6) / 70
    assert Measured(events, (0, 10)).system("cpu_frequency") is None


# -- processes


def in_process(pid: int | None, *events: Event) -> list[Event]:
    return [replace(event, pid=pid) for event in events]


def test_a_process_is_named_by_its_leaders_last_name():
    events = [
        *in_process(1, woke(0, 2), on(4, 0, 2), off(5, 0, 2)),
        *in_process(1, woke(5, 1), on(6, 0, 1, "bash"), off(7, 0, 1, comm="ps")),
        *in_process(7, woke(7, 8), on(10, 0, 8), off(11, 0, 8)),
        *in_process(None, woke(12, 9), on(13, 0, 9)),
    ]
    m = Measured(events, (0, 20))
    assert m.distribution("process", "ps", "scheduling_delay")[:2] == [2, 2.5]
    assert m.value("process", "pid 7", "scheduling_delay_total") == 3
    assert {key[1] for key in m.rows if key[0] == "process"} == {"ps", "pid 7"}
    assert m.system("scheduling_delay", "count") == 4


def test_a_pid_that_comes_back_is_another_process():
    events = [
        *in_process(1, woke(0, 1), on(1, 0, 1, "old"), woke(1, 2), on(1, 1, 2, "o2")),
        *in_process(1, off(2, 0, 1, K.TASK_COMPLETED, "old"), off(2, 1, 2, K.TASK_COMPLETED, "o2")),
        *in_process(1, woke(5, 1), on(9, 0, 1, "new"), woke(9, 2), on(9, 1, 2, "n2")),
    ]
    m = Measured([replace(e, comm="new") if e.time_ns == 5 else e for e in events], (0, 20))
    for name, delays in (("old", [2, 0.5]), ("new", [2, 2])):
        assert m.distribution("process", name, "scheduling_delay")[:2] == delays


def test_samples_are_those_behind_the_rows() -> None:
    events = [on(0, 0, 1), off(4, 0, 1), on(4, 0, 2), off(10, 0, 2), on(10, 0, 1)]
    found, samples = measure_with_samples(
        table(events),
        capability(),
        (0, 12),
        None,
        frozenset({"t1"}),
        ("slice_length", "migrations"),
    )
    assert found.equals(measure(table(events), capability(), (0, 12), None, frozenset({"t1"})))
    assert sorted(samples["slice_length", "system"].tolist()) == [2, 4, 6]
    assert sorted(samples["slice_length", "workload"].tolist()) == [2, 4]
    assert samples["migrations", "workload"].sum() == 0


def test_what_is_not_measured_has_no_samples() -> None:
    blind = capability([K.TASK_WOKE])
    wanted = ("slice_length", "wakeup_latency")
    assert measure_with_samples(table([on(0, 0, 1)]), blind, (0, 9), None, None, wanted)[1] == {}
    unseen = frozenset({"nobody"})
    _, samples = measure_with_samples(
        table([on(0, 0, 1)]), capability(), (0, 9), None, unseen, wanted
    )
    assert samples.keys() == {("slice_length", "system"), ("wakeup_latency", "system")}
    assert samples["wakeup_latency", "system"].size == 0
