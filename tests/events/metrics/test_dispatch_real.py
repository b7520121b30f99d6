# SPDX-License-Identifier: MIT
"""What a scheduler gave, in a real bpftrace capture of scx_rusty, counted again from its lines."""

from __future__ import annotations

import gzip
import re
import statistics
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from scxval.events.metrics import measure
from scxval.events.metrics.trace import NEVER, take_apart
from scxval.events.schema import dsq_name
from scxval.formats.conversion import Conversion
from scxval.tracers.bpftrace.convert import convert

TRACE = Path(__file__).parents[2] / "fixtures/bpftrace-rusty/bpftrace.txt.gz"
INSERT = re.compile(
    rb"(\d+) \d+ \w*scx_bpf_dsq_insert\w* by=\d+ pid=(\d+) dsq=0x([0-9a-f]+) slice=(\d+)(?: vtime=(\d+))?"
)


@cache
def converted() -> Conversion:
    return convert(TRACE)


@cache
def measured() -> dict[tuple[str, str, str, str], float | None]:
    result = converted()
    rows = measure(result.table, result.capability, (0, 1 << 62), None).to_pylist()
    return {(r["scope"], r["name"], r["metric"], r["stat"]): r["value"] for r in rows}


@cache
def inserts() -> list[tuple[int, int, int, int | None]]:
    """Time, queue, slice, vtime of every insert, by time; its kernel has one name of each kind."""
    found = map(INSERT.match, gzip.decompress(TRACE.read_bytes()).splitlines())
    return sorted(
        (
            (int(m[1]), int(m[3], 16), int(m[4]), int(m[5]) if m[5] else None)
            for m in found
            if m is not None
        ),
        key=lambda insert: insert[0],
    )


def test_slices_by_queue() -> None:
    """The last record is outside of the window, which ends with the traced span."""
    slices: dict[int, list[int]] = defaultdict(list)
    for _, queue, slice_ns, _ in inserts():
        slices[queue].append(slice_ns)
    assert len(slices) > 1
    for queue, values in slices.items():
        name = dsq_name(queue)
        finite = [value for value in values if 0 < value < 1 << 63]
        assert measured()["dsq", name, "slice_allocation", "count"] == len(finite)
        if finite:
            mean = measured()["dsq", name, "slice_allocation", "mean"]
            assert mean == pytest.approx(statistics.fmean(finite), rel=1e-12)
        assert measured()["dsq", name, "slice_kept", "value"] == values.count(0)
        endless = sum(value >= 1 << 63 for value in values)
        assert measured()["dsq", name, "slice_infinite", "value"] == endless


def test_vtime_steps_by_queue() -> None:
    """As vtime_dist.bt: the vtime of the queue before is kept by queue."""
    before: dict[int, int] = {}
    steps: dict[int, list[int]] = defaultdict(list)
    for _, queue, _, vtime in inserts():
        if vtime is not None:
            if queue in before:
                steps[queue].append(vtime - before[queue])
            before[queue] = vtime
    assert sum(map(len, steps.values())) > 100
    assert any(step < 0 for found in steps.values() for step in found)
    for queue, found in steps.items():
        name = dsq_name(queue)
        assert measured()["dsq", name, "vtime_step", "count"] == len(found)
        assert measured()["dsq", name, "vtime_step", "p50"] == statistics.median(found)
        assert measured()["dsq", name, "vtime_step", "max"] == max(found)


def test_a_process_is_all_its_threads() -> None:
    """rt-app's threads bear their tasks' names, and its main thread at first that of `timeout`."""
    table = converted().table
    process_of = dict(zip(table["tid"].to_pylist(), table["pid"].to_pylist(), strict=True))
    by_tid = defaultdict(set)
    for tid, comm in zip(table["tid"].to_pylist(), table["comm"].to_pylist(), strict=True):
        by_tid[tid].add(comm)
    (leader,) = (
        tid for tid, names in by_tid.items() if tid == process_of[tid] and "rt-app" in names
    )
    threads = {tid for tid, pid in process_of.items() if pid == leader}
    assert set().union(*(by_tid[tid] for tid in threads)) == {"timeout", "rt-app", "hog", "per"}
    waits = take_apart(table).waits
    ended = waits.tid[waits.end_ns != NEVER].tolist()
    expected = sum(tid in threads for tid in ended)
    assert measured()["process", "rt-app", "scheduling_delay", "count"] == expected > 500
    assert ("process", "hog", "scheduling_delay", "count") not in measured()
