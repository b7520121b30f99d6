# SPDX-License-Identifier: MIT
"""The statistics of the comparison: runs, never events; and what is missing, with its reason."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from scxval.catalog.model import Cell, Excluded
from scxval.catalog.outcomes import Outcome
from scxval.report.load import Key, Run, Value
from scxval.report.summary import all_keys, comparisons, quality, replication_note, smallest_p


def run(scheduler: str, rep: int, metrics: dict[Key, Value] | None, outcome: str = "ok") -> Run:
    cell = Cell(scheduler, "mix", "bpftrace", "taskset", "tcg4", rep)
    return Run(cell, Path("x"), status={"outcome": outcome}, metrics=metrics)


def latency(scope: str, p50: float | None, count: float) -> dict[Key, Value]:
    return {
        Key(scope, "", "wakeup_latency", "count"): Value(count, "count", int(count)),
        Key(scope, "", "wakeup_latency", "p50"): Value(p50, "ns", int(count)),
    }


@pytest.mark.parametrize("reps", [1, 2, 3, 4])
def test_smallest_p_is_that_of_the_exact_permutation_test(reps: int) -> None:
    # All splits of separated samples: how many are as extreme as the one observed, either way.
    values = range(2 * reps)
    sums = [sum(split) for split in combinations(values, reps)]
    extreme = sum(total in (min(sums), max(sums)) for total in sums)
    assert smallest_p(reps) == pytest.approx(extreme / len(sums))


def test_notes_say_what_n_supports() -> None:
    assert "n = 2 repetitions do not support a claim" in replication_note([2, 2])
    assert "below 0.33" in replication_note([2, 2])
    assert "do not support a claim" not in replication_note([5, 8])
    assert "n = 5 to 8 runs" in replication_note([5, 8, 0])
    assert replication_note([0]) == "No run gave metrics, so nothing is compared."


def test_workload_scope_is_preferred_and_the_same_for_all_schedulers() -> None:
    runs = [
        run("fair", 0, latency("system", 9.0, 50) | latency("workload", 5.0, 40)),
        run("scx_simple", 0, latency("system", 7.0, 50)),
    ]
    first = comparisons(runs, [], ["fair", "scx_simple"])[0]
    assert first.key.scope == "workload"
    assert first.rows[0].values == [5.0]
    assert first.rows[1].absent == "not measured: 1 without this metric"


def test_no_event_is_not_the_same_as_not_measured() -> None:
    runs = [
        run("a", 0, latency("system", 7.0, 50)),
        run("b", 0, latency("system", None, 0)),
        run("c", 0, {Key("system", "", "wakeup_latency", "p50"): Value(None, "ns", 0)}),
        run("d", 0, None),
    ]
    rows = comparisons(runs, [], ["a", "b", "c", "d"])[0].rows
    assert [row.points == [] for row in rows] == [False, True, True, True]
    assert rows[1].absent == "no event: 1 without such an event"
    assert rows[2].absent == "not measured: 1 without this metric"
    assert rows[3].absent == "not measured: 1 without metrics.parquet"


def test_planned_counts_failed_and_excluded_repetitions() -> None:
    excluded = [
        Excluded(
            Cell("a", "mix", "bpftrace", "taskset", "tcg4", 2), Outcome.INFEASIBLE, "too small"
        )
    ]
    runs = [run("a", 0, latency("system", 7.0, 50)), run("a", 1, None, "panic")]
    row = comparisons(runs, excluded, ["a"])[0].rows[0]
    assert (len(row.good), row.planned) == (1, 3)
    assert row.why == "1 panic, 1 excluded (infeasible)"


def test_metrics_of_failed_runs_alone_give_no_comparison() -> None:
    runs = [run("a", 0, latency("system", 7.0, 50), "scheduler_ejected")]
    assert comparisons(runs, [], ["a"]) == []


def test_quantile_that_hangs_on_few_events_is_marked() -> None:
    few = comparisons([run("a", 0, latency("system", 7.0, 9))], [], ["a"])[0]
    many = comparisons([run("a", 0, latency("system", 7.0, 10))], [], ["a"])[0]
    assert (few.few_events, many.few_events) == (True, False)


def test_all_keys_orders_cpus_by_number_and_keeps_the_longest_tasks_and_unknown_metrics() -> None:
    names = ["0", "10", "9"]
    metrics = {Key("cpu", n, "utilisation", "value"): Value(0.5, "ratio", 1) for n in names}
    metrics |= {
        Key("task", f"t{n}", "run_time", "value"): Value(float(n), "ns", 1) for n in range(5)
    }
    metrics[Key("galaxy", "", "warp", "p42")] = Value(None, "c", 0)
    keys, left_out = all_keys([run("a", 0, metrics)], max_tasks=2)
    assert [k.name for k in keys if k.scope == "cpu"] == ["0", "9", "10"]
    assert [k.name for k in keys if k.scope == "task"] == ["t4", "t3"]
    assert left_out == 3
    assert keys[-1] == Key("galaxy", "", "warp", "p42")


def test_quality_reports_the_worst_run() -> None:
    key = Key("system", "", "broken_switches", "value")
    runs = [run("a", rep, {key: Value(float(rep * 3), "count", 1)}) for rep in range(2)]
    assert quality(runs) == "broken_switches 3"
