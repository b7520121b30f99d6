# SPDX-License-Identifier: MIT
"""Numbers of two groups: the metrics' own as rates, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from scxval.catalog.comparison import Compare, Compared, Margin
from scxval.compare.prepare import common_of, prepare
from scxval.compare.quantities import Found, numbers_of, quantities_of
from scxval.compare.record import Quantity
from scxval.compare.source import Source, cells
from scxval.errors import ScxvalError
from scxval.events.capability import read_capability
from scxval.events.metrics import measure
from scxval.events.table import read_events

from .runs import CAPTURE, TASKS, WORKLOAD, group, make_run, piece, read, settings
from .test_prepare import blind_to

MARGIN = Margin(0.1, 0, "for a test")
RTAPP = [
    ("workload", "", "rtapp_period", "count", 40.0, "count", 40),
    ("workload", "", "rtapp_period", "p50", 3e6, "ns", 40),
    ("workload", "", "rtapp_period", "p99", 4e6, "ns", 40),
    ("workload", "", "result_speed", "value", 12.5, "MB/s", 1),
    ("task", "busy", "rtapp_run", "count", 40.0, "count", 40),
    ("task", "busy", "rtapp_run", "p50", 2e6, "ns", 40),
]
SILENT: dict[str, Any] = {"kinds": [], "fields": {}}


@pytest.fixture(scope="module")
def how(raw_config: Mapping[str, Any]) -> Compare:
    return settings(raw_config)


def asking(how: Compare, *names: str, **more: Any) -> Compare:
    """These quantities alone."""
    items = [Compared(*name.split(), MARGIN, **more) for name in names]
    return replace(how, quantities=tuple(items))


def compared(
    how: Compare,
    a: Sequence[Path],
    b: Sequence[Path],
    workload: Path | None = WORKLOAD,
) -> Found:
    sides: list[list[Source]] = [[read(folder) for folder in side] for side in (a, b)]
    common = common_of(*sides, workload)
    numbers = [
        [
            numbers_of(
                prepare(run, common) if run.has_events else None,
                run.reported,
                run.workload_ns,
                how.distortion if side is sides[0] else None,
            )
            for run in side
        ]
        for side in sides
    ]
    return quantities_of(*numbers, common, how)


def named(found: Found) -> dict[str, Quantity]:
    return {quantity.name: quantity for quantity in found.quantities}


def test_the_configured_quantities_of_a_real_capture(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0, 2], 4), group(tmp_path / "b", [1, 3], 4)
    found = compared(how, a, b)
    quantities = named(found)
    wanted = {item.name for item in how.quantities if item.scope == "workload"}
    by_task = [item.name for item in how.quantities if item.scope == "task"]
    tasks = {f"{name} task {task}" for name in by_task for task in TASKS}
    assert quantities.keys() | found.not_measured.keys() == wanted - {"similarity value"} | tasks
    assert quantities["utilisation value"].why_not.startswith("Pinned by capacity")
    assert not quantities["utilisation value"].carries
    for quantity in found.quantities:
        assert len(quantity.a) == len(quantity.b) == 2
        assert quantity.controls.keys() == {"dilated", "starved"}


def test_what_capacity_pins_carries_nothing_whatever_is_configured(
    tmp_path: Path, how: Compare
) -> None:
    a, b = group(tmp_path / "a", [0], 2), group(tmp_path / "b", [1], 2)
    names = ("run_time value", "utilisation value", "idle_time value", "migrations value")
    quantities = named(compared(asking(how, *names), a, b))
    assert {name for name, found in quantities.items() if found.carries} == {"migrations value"}
    assert quantities["run_time value"].why_not.startswith("pinned by capacity")
    by_task = named(compared(asking(how, "run_time value", scope="task"), a, b))
    assert all(found.carries for found in by_task.values())


def test_numbers_are_the_metrics_own_as_rates(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0], 2), group(tmp_path / "b", [1], 2)
    asked = asking(
        how, "migrations value", "run_time value", "slice_length count", "slice_length p90"
    )
    quantities = named(compared(asked, a, b))
    source = read(a[0])
    assert source.window_ns is not None
    capability = read_capability(CAPTURE / "capability.json")
    events = read_events(CAPTURE / "events.parquet")
    table = measure(events, capability, source.window_ns, [0, 1, 2, 3], frozenset(TASKS))
    own = {key[2:]: cell.value for key, cell in cells(table).items() if key[0] == "workload"}
    seconds = source.length_ns / 1e9
    for name, unit, expected in (
        ("migrations value", "1/s", own["migrations", "value"] / seconds),
        ("run_time value", "CPUs", own["run_time", "value"] / 1e9 / seconds),
        ("slice_length count", "1/s", own["slice_length", "count"] / seconds),
        ("slice_length p90", "ns", own["slice_length", "p90"]),
    ):
        assert quantities[name].unit == unit
        assert quantities[name].a == (pytest.approx(expected),)


def test_tasks_that_do_nothing_in_a_run_have_zero(tmp_path: Path, how: Compare) -> None:
    """A starved task must not vanish from the comparison."""

    def gone(table: Any) -> Any:
        return table.filter(pc.fill_null(pc.not_equal(table["comm"], "pong"), True))

    a = group(tmp_path / "a", [0], 2)
    b = group(tmp_path / "b", [0], 2, change=gone)
    quantities = named(compared(asking(how, "run_time value", scope="task"), a, b))
    assert quantities["run_time value task pong"].a[0] > 0
    assert quantities["run_time value task pong"].b == (0.0,)


def test_without_a_task_name_those_of_tasks_are_not_measured(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 2)
    sides = [[read(folder)] for folder in a]
    common = replace(common_of(*sides, *sides, WORKLOAD), comms=frozenset())
    numbers = [numbers_of(prepare(sides[0][0], common), {}, None, None)]
    found = quantities_of(numbers, numbers, common, asking(how, "run_time value", scope="task"))
    assert found.not_measured == {"run_time value": "no name of a task of the workload is known"}


def test_what_the_workload_says_of_a_task_is_no_starved_copy(tmp_path: Path, how: Compare) -> None:
    said = [("task", "busy", *row[2:]) for row in RTAPP if row[2] == "rtapp_period"]
    a = group(tmp_path / "a", [0], 2, reported=said)
    quantities = named(compared(asking(how, "rtapp_period count", scope="task"), a, a))
    assert quantities["rtapp_period count task busy"].controls.keys() == {"dilated"}


def test_rates_know_what_the_windows_lengths_make_of_them(tmp_path: Path, how: Compare) -> None:
    start, end = piece(0, 2)
    a = [make_run(tmp_path / f"a{k}", (start, end + k * 10**6)) for k in range(3)]
    asked = asking(how, "context_switches value", "slice_length p50", "run_time value")
    quantities = named(compared(asked, a, a[:1]))
    lengths = [read(folder).length_ns for folder in a]
    counted = quantities["context_switches value"]
    expected = max(counted.a) * (1 - min(lengths) / max(lengths))
    assert counted.blur_a == pytest.approx(expected) and counted.blur_a > 0
    assert counted.blur_b == 0
    assert quantities["slice_length p50"].blur_a == quantities["run_time value"].blur_a == 0


def test_the_share_of_one_task_name_is_pinned(tmp_path: Path, how: Compare) -> None:
    file = tmp_path / "one.json"
    file.write_text('{"tasks": {"busy": {"loop": -1, "run": 1000}}}')
    a, b = group(tmp_path / "a", [0], 2), group(tmp_path / "b", [1], 2)
    found = compared(asking(how, "run_time value", scope="task"), a, b, file)
    quantity = found.quantities[0]
    assert not quantity.carries
    assert "pinned" in quantity.why_not


def test_percentiles_of_few_samples_are_not_measured(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0], 40), group(tmp_path / "b", [1], 40)
    found = compared(asking(how, "wakeup_latency p99", "wakeup_latency count"), a, b)
    assert named(found).keys() == {"wakeup_latency count"}
    why = found.not_measured["wakeup_latency p99"]
    count = round(named(found)["wakeup_latency count"].a[0] * read(a[0]).length_ns / 1e9)
    assert why.startswith(f"p99 needs 100 samples in every run: A has {count}, B has ")


def test_why_a_metric_is_not_measured(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 2)
    b = group(tmp_path / "b", [1], 2, capability=blind_to("DsqInsert", "DsqInsertVtime"))
    asked = asking(how, "dsq_latency p50", "slice_allocation p50", "migrations value")
    assert compared(asked, a, b).not_measured == {
        "dsq_latency p50": "needs DsqInsert or DsqInsertVtime, which B does not see",
        "slice_allocation p50": "needs DsqInsert or DsqInsertVtime, which B does not see",
    }


def test_runs_without_a_tracer_have_what_the_workload_says(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0, 1], 4, capability=SILENT, reported=RTAPP)
    b = group(tmp_path / "b", [2, 3], 4, reported=RTAPP)
    asked = asking(how, "rtapp_period p50", "rtapp_period p99", "rtapp_period count")
    asked = replace(
        asked,
        quantities=(*asked.quantities, *asking(how, "result_* value", "slices value").quantities),
    )
    found = compared(asked, a, b)
    quantities = named(found)
    assert found.not_measured == {
        "rtapp_period p99": "p99 needs 100 samples in every run: A has 40, B has 40",
        "slices value": "A has no events",
    }
    speed = quantities["result_speed value"]
    assert (speed.unit, speed.a, speed.b) == ("MB/s", (12.5, 12.5), (12.5, 12.5))
    # Nothing else could tell the copies.
    assert speed.controls == {"dilated": (18.75, 18.75), "starved": (18.75, 18.75)}
    workload_s = np.diff(read(a[0]).workload_ns)[0] / 1e9
    assert quantities["rtapp_period count"].a[0] == pytest.approx(40 / workload_s)


KERNEL = [
    ("workload", "", "kernel_user_time", "value", 4e8, "ns", 1),
    ("workload", "", "kernel_system_time", "value", 1e8, "ns", 1),
    ("workload", "", "kernel_voluntary_switches", "value", 213.0, "count", 1),
    ("workload", "", "kernel_involuntary_switches", "value", 81.0, "count", 1),
    ("system", "", "kernel_context_switches", "value", 2301.0, "count", 1),
    ("tracer", "bpftrace", "tracer_cpu_time", "value", 2e8, "ns", 1),
]


def test_what_the_kernel_counts_is_held_over_the_workload_s_seconds(
    tmp_path: Path, how: Compare
) -> None:
    """Traced or not, and whatever part of the workload was traced: counters know no other window."""
    a = [make_run(tmp_path / "a", piece(0, 2), capability=SILENT, reported=KERNEL)]
    b = [make_run(tmp_path / "b", piece(2, 5), reported=KERNEL)]
    names = [f"{row[2]} value" for row in KERNEL if row[2].startswith("kernel_")]
    quantities = named(compared(asking(how, *names), a, b))
    for row in KERNEL[:-1]:
        found = quantities[f"{row[2]} value"]
        for folder, numbers in ((a[0], found.a), (b[0], found.b)):
            seconds = np.diff(read(folder).workload_ns)[0] / 1e9
            time = row[5] == "ns"
            assert numbers == (pytest.approx(row[4] / seconds / (1e9 if time else 1)),)
            assert found.unit == ("CPUs" if time else "1/s")
    # Its window is longer: as many switches are less often.
    switches = quantities["kernel_voluntary_switches value"]
    assert switches.a[0] < switches.b[0]
    # What takes longer comes less often; the CPU time that it takes is more.
    assert switches.controls["dilated"] == pytest.approx((switches.a[0] / 1.5,))
    user = quantities["kernel_user_time value"]
    assert user.controls["dilated"] == pytest.approx((user.a[0] * 1.5,))


def test_cpu_time_that_the_kernel_counts_carries_nothing(tmp_path: Path, how: Compare) -> None:
    """Switches do; the time of a workload that fills its CPUs is what the CPUs have."""
    a, b = (group(tmp_path / side, [0], 2, reported=KERNEL) for side in "ab")
    names = [f"{row[2]} value" for row in KERNEL if row[2].startswith("kernel_")]
    quantities = named(compared(asking(how, *names), a, b))
    pinned = {"kernel_user_time value", "kernel_system_time value"}
    assert {n for n, q in quantities.items() if not q.carries} == pinned
    assert all("pinned by capacity" in quantities[name].why_not for name in pinned)


def test_which_of_the_kernel_s_counts_carry_as_shipped(tmp_path: Path, how: Compare) -> None:
    """Those of the whole machine have the tracer's own in them; each of the others is a question."""
    a, b = (group(tmp_path / side, [0], 2, reported=KERNEL) for side in "ab")
    found = named(compared(how, a, b))
    carrying = {n for n, q in found.items() if q.metric.startswith("kernel_") and q.carries}
    assert carrying == {"kernel_voluntary_switches value", "kernel_involuntary_switches value"}
    assert not found["kernel_context_switches value"].carries
    assert not any("tracer_cpu_time" in name for name in found)


def test_where_there_are_events_they_alone_tell_the_starved_copy(
    tmp_path: Path, how: Compare
) -> None:
    a = group(tmp_path / "a", [0], 2, reported=RTAPP)
    quantities = named(compared(asking(how, "rtapp_period p50", "rtapp_period count"), a, a))
    assert quantities["rtapp_period p50"].controls == {"dilated": (4.5e6,)}
    passes = quantities["rtapp_period count"]
    # What takes longer comes less often.
    assert passes.controls["dilated"] == pytest.approx((passes.a[0] / 1.5,))


def test_a_side_that_shows_no_task_of_the_workload(tmp_path: Path, how: Compare) -> None:
    from .test_prepare import with_column

    def nameless(table: Any) -> Any:
        return with_column(table, "comm", [None] * table.num_rows)

    a = group(tmp_path / "a", [0], 2)
    b = group(tmp_path / "b", [0], 2, change=nameless)
    found = compared(asking(how, "context_switches value"), a, b)
    quantity = found.quantities[0]
    assert quantity.a == quantity.b
    assert "B shows none of the workload's tasks" in found.notes[0]


def test_a_quantity_that_some_runs_have(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0, 1], 3, reported=RTAPP) + group(tmp_path / "c", [2], 3)
    found = compared(asking(how, "rtapp_period p50"), a, a[:1])
    assert len(found.quantities[0].a) == 2
    assert found.notes == ("rtapp_period p50: measured in 2 of 3 runs of A",)


def test_a_star_that_nothing_matches_is_said(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 2)
    found = compared(asking(how, "result_* value"), a, a)
    assert found.not_measured == {"result_* value": "no run has a metric that begins with result_"}


@pytest.mark.parametrize(
    ("name", "scope", "words"),
    [
        ("migratoins value", "workload", "did you mean 'migrations'"),
        ("migrations p50", "workload", "stats of migrations are value"),
        ("utilisation value", "task", "of no single task"),
    ],
)
def test_what_does_not_exist_is_refused(
    tmp_path: Path, how: Compare, name: str, scope: str, words: str
) -> None:
    a = group(tmp_path / "a", [0], 2)
    with pytest.raises(ScxvalError, match=words):
        compared(asking(how, name, scope=scope), a, a)
