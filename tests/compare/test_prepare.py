# SPDX-License-Identifier: MIT
"""Only what both sides can see is compared, no slice is left open, and everything removed is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from scxval.compare.prepare import common_of, prepare
from scxval.compare.source import Source
from scxval.events.capability import read_capability
from scxval.events.metrics import measure
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events

from .runs import CAPTURE, TASKS, WARM_UP_NS, WORKLOAD, make_run, piece, read

WINDOW = piece(1, 3)


def blind_to(*kinds: str) -> dict[str, Any]:
    """A capability without these kinds."""
    record = read_capability(CAPTURE / "capability.json")
    fields = {kind: names for kind, names in record.fields.items() if kind not in kinds}
    return {"kinds": [kind for kind in record.kinds if kind not in kinds], "fields": fields}


def runs(tmp_path: Path, **second: Any) -> tuple[Source, Source]:
    """Two runs of one window; the second is made with other words or events."""
    return (
        read(make_run(tmp_path / "a", WINDOW)),
        read(make_run(tmp_path / "b", WINDOW, **second)),
    )


def kinds_of(table: pa.Table) -> Counter[str]:
    return Counter(table["kind"].to_pylist())


def with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    field = EVENT_SCHEMA.field(name)
    return table.set_column(EVENT_SCHEMA.get_field_index(name), field, pa.array(values, field.type))


def test_every_row_is_kept_or_counted_once(tmp_path: Path) -> None:
    a, b = runs(tmp_path, capability=blind_to("Tick", "KickCpu"))
    prepared = prepare(a, common_of([a], [b], WORKLOAD))
    table = read_events(CAPTURE / "events.parquet")
    time = table["time_ns"].to_numpy()
    removed = prepared.removed
    assert removed["before the window"] == (time < WINDOW[0]).sum()
    assert removed["after the window"] == (time >= WINDOW[1]).sum()
    warm = (time >= WINDOW[0]) & (time < WINDOW[0] + WARM_UP_NS)
    assert removed["warm-up"] == warm.sum()
    # Of the rest each row is the workload's, or in one class.
    names = pc.fill_null(pc.is_in(table["comm"], pa.array(sorted(TASKS))), False).to_numpy()
    inside = (time >= WINDOW[0] + WARM_UP_NS) & (time < WINDOW[1])
    ticks = pc.equal(table["kind"], "Tick").to_numpy()
    assert removed["kind Tick: only one side sees it"] == (inside & ticks).sum()
    assert sum(removed.values()) + (inside & names & ~ticks).sum() == table.num_rows
    assert not {"Tick", "KickCpu"} & kinds_of(prepared.table).keys()
    assert not {"Tick", "KickCpu"} & set(prepared.capability.kinds)


def test_what_a_source_cannot_tell_is_called_by_the_coarser_name(tmp_path: Path) -> None:
    """Dropping these switch-outs would leave slices open."""
    a, b = runs(tmp_path, capability=blind_to("TaskCompleted", "TaskYielded"))
    common = common_of([a], [b], WORKLOAD)
    before = kinds_of(read_events(CAPTURE / "events.parquet"))
    assert before["TaskCompleted"]
    after = kinds_of(prepare(a, common).table)
    assert after["TaskSlept"] == before["TaskSlept"] + before["TaskCompleted"]
    assert after["TaskPreempted"] == before["TaskPreempted"] + before["TaskYielded"]


def test_the_whole_capture_in_common_measures_as_it_is(tmp_path: Path) -> None:
    a, b = runs(tmp_path)
    prepared = prepare(a, common_of([a], [b], WORKLOAD))
    again = measure(
        prepared.table, prepared.capability, prepared.window_ns, [0, 1, 2, 3], prepared.comms
    )
    capability = read_capability(CAPTURE / "capability.json")
    events = read_events(CAPTURE / "events.parquet")
    assert again.equals(
        measure(events, capability, prepared.window_ns, [0, 1, 2, 3], frozenset(TASKS))
    )


def test_only_the_same_record_of_a_wakeup_will_do(tmp_path: Path) -> None:
    def late(table: pa.Table) -> pa.Table:
        return table.filter(pc.fill_null(pc.not_equal(table["reason"], "waking"), True))

    a, b = runs(tmp_path, change=late)
    common = common_of([a], [b], WORKLOAD)
    assert common.reasons == {"wakeup", "wakeup_new"}
    assert any("only A has are left out: waking" in note for note in common.notes)
    one, other = prepare(a, common), prepare(b, common)
    assert one.table.to_pylist() == other.table.to_pylist()
    assert one.removed["wakeup record waking: only one side has it"] > 0


def test_no_record_of_a_wakeup_in_common_is_none_at_all(tmp_path: Path) -> None:
    def other(table: pa.Table) -> pa.Table:
        names = {"waking": "elsewhere", "wakeup": "elsewhere"}
        return with_column(
            table, "reason", [names.get(name, name) for name in table["reason"].to_pylist()]
        )

    a, b = runs(tmp_path, change=other)
    common = common_of([a], [b], WORKLOAD)
    assert "TaskWoke" not in common.kinds
    assert "no record of a wakeup in common" in common.dropped["TaskWoke"]


def test_a_source_that_does_not_say_which_record_it_has(tmp_path: Path) -> None:
    record = read_capability(CAPTURE / "capability.json")
    woke = [name for name in record.fields["TaskWoke"] if name != "reason"]
    a, b = runs(tmp_path, capability={"fields": {**record.fields, "TaskWoke": woke}})
    common = common_of([a], [b], WORKLOAD)
    assert common.dropped["TaskWoke"] == "B does not say which record of a wakeup it shows"
    # Two that do not say have nothing to tell them apart.
    assert "TaskWoke" in common_of([b], [b], WORKLOAD).kinds


def test_a_column_counts_where_both_fill_it(tmp_path: Path) -> None:
    record = read_capability(CAPTURE / "capability.json")
    fields = {**record.fields, "DsqInsert": ["time_ns", "cpu", "kind", "tid", "dsq_id"]}
    a, b = runs(tmp_path, capability={"fields": fields})
    common = common_of([a], [b], WORKLOAD)
    assert "slice_ns" not in common.fields["DsqInsert"]
    assert "slice_ns" in common.fields["DsqInsertVtime"]


def test_indexed_threads_are_their_task(tmp_path: Path) -> None:
    names = {"alone": "alone-0", "ping": "ping-1", "pong": "pong-2", "busy": "busy-3"}

    def later_rtapp(table: pa.Table) -> pa.Table:
        return with_column(
            table, "comm", [names.get(name, name) for name in table["comm"].to_pylist()]
        )

    a, b = runs(tmp_path, change=later_rtapp)
    common = common_of([a], [b], WORKLOAD)
    assert common.comms == TASKS
    assert prepare(b, common).table["comm"].equals(prepare(a, common).table["comm"])


@pytest.mark.parametrize("where", ["a", "b"])
def test_without_a_file_its_tasks_are_those_in_every_run(tmp_path: Path, where: str) -> None:
    def without_ping(table: pa.Table) -> pa.Table:
        return table.filter(pc.fill_null(pc.not_equal(table["comm"], "ping"), True))

    sides = [
        [read(make_run(tmp_path / name, WINDOW, without_ping if name == where else None))]
        for name in "ab"
    ]
    common = common_of(*sides, None)
    assert common.comms == TASKS - {"ping"}
    assert "alone, busy, pong" in common.notes[0]


def test_no_run_with_events_has_nothing_in_common(tmp_path: Path) -> None:
    a, _ = runs(tmp_path)
    silent = Source(tmp_path, "ok")
    common = common_of([silent], [a], WORKLOAD)
    assert not common.kinds
    assert common.seen[1] == set(a.capability.kinds if a.capability else ())


def test_unsorted_rows_are_refused(tmp_path: Path) -> None:
    a, b = runs(tmp_path, change=lambda table: table.slice(100).take(list(range(50))[::-1]))
    from scxval.errors import ScxvalError

    with pytest.raises(ScxvalError, match="not in order of time"):
        prepare(b, common_of([a], [b], WORKLOAD))
