# SPDX-License-Identifier: MIT
"""Rows a second of the comparison of two tracers, beside a plain pairing by nearest time.

`python bench/bench_agreement.py [--rows N]`: repeats the captured trace, shifted in time, until it holds
about N rows; the second source is a copy with jittered times that lacks one row in a thousand. The plain
pairing takes, row by row, the nearest free row of the same kind, task and CPU: one pass of dictionaries
and lists. Times are CPU time on one core, rows are those of both sources; memory is the comparison's own,
beyond the two tables. Ends with status 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import Bounds, best_s, one_core, resident_bytes

from scxval.catalog.config import agreement_limits
from scxval.events.columns import Ints
from scxval.events.table import sorted_table
from scxval.study.agreement import compare
from scxval.study.agreement_rows import Source, common_window
from scxval.study.agreement_table import pair_sources
from scxval.tracers.bpftrace.convert import convert

TRACE = Path(__file__).parents[1] / "tests/fixtures/bpftrace-rusty/bpftrace.txt.gz"
BOUND = 1_000_000


def repeated(rows: int) -> Source:
    """The captured table, time after time, until it has about `rows` rows."""
    found = convert(TRACE)
    table = found.table
    times = table["time_ns"].to_numpy()
    step = int(times[-1] - times[0]) + 1_000_000
    copies = [_moved(table, copy * step) for copy in range(max(1, round(rows / len(table))))]
    return _source("A", pa.concat_tables(copies).combine_chunks(), found.capability)


def _moved(table: pa.Table, by_ns: int) -> pa.Table:
    times = pa.array(table["time_ns"].to_numpy() + by_ns)
    return table.set_column(0, table.schema.field(0), times)


def _source(name: str, table: pa.Table, capability: object) -> Source:
    times = table["time_ns"].to_numpy()
    window = (int(times[0]), int(times[-1]))
    return Source(name, table, replace(capability, window_ns=window, events=len(table)))


def distorted(a: Source, jitter_ns: int = 3_000, lacking: float = 0.001) -> Source:
    """A second reading of the same run: every time a little later, some rows lacking."""
    random = np.random.default_rng(1)
    table = a.table.filter(pa.array(random.random(len(a.table)) >= lacking))
    late: Ints = random.integers(0, jitter_ns, len(table))
    times = pa.array(table["time_ns"].to_numpy() + late)
    return _source(
        "B", sorted_table(table.set_column(0, table.schema.field(0), times)), a.capability
    )


def plain(a: Source, b: Source, tolerance_ns: int) -> int:
    """Pairs found by taking the nearest free row, one row at a time."""
    free: dict[tuple[object, ...], list[int]] = defaultdict(list)
    columns = ("time_ns", "cpu", "kind", "tid")
    for stamp, *key in zip(*(b.table[c].to_pylist() for c in columns), strict=True):
        free[tuple(key)].append(stamp)
    pairs = 0
    for stamp, *key in zip(*(a.table[c].to_pylist() for c in columns), strict=True):
        times = free[tuple(key)]
        place = bisect_left(times, stamp)
        near = [p for p in (place - 1, place) if 0 <= p < len(times)]
        best = min(near, key=lambda p: abs(times[p] - stamp), default=None)
        if best is not None and abs(times[best] - stamp) <= tolerance_ns:
            del times[best]
            pairs += 1
    return pairs


def forget_peak() -> None:
    """Let VmHWM begin anew at what is resident now (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> int:
    """Print rates, ratios and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    limits = agreement_limits({})
    one_core()
    a = repeated(args.rows)
    b = distorted(a)
    rows = len(a.table) + len(b.table)
    window = common_window(a, b)
    assert window is not None
    span = window
    found = len(pair_sources(a, b, span, limits.tolerance_ns).a)
    print(f"rows {rows} of both sources, {found} pairs, {len(b.table) - found} of B unpaired")
    forget_peak()
    base = resident_bytes("VmRSS")
    compare(a, b, limits)
    peak = resident_bytes("VmHWM") - base
    pairing_s = best_s(lambda: pair_sources(a, b, span, limits.tolerance_ns), args.repeat)
    whole_s = best_s(lambda: compare(a, b, limits), args.repeat)
    plain_s = best_s(lambda: plain(a, b, limits.tolerance_ns), 1)
    bounds = Bounds()
    bounds.at_least("pairing", rows / pairing_s, BOUND, "rows/s")
    bounds.at_least("whole comparison", rows / whole_s, BOUND, "rows/s")
    bounds.at_least("pairing, times as fast as a plain one", plain_s / pairing_s, 10)
    bounds.at_least("whole comparison, times as fast as a plain pairing", plain_s / whole_s, 1)
    bounds.at_most("memory", peak / rows, 200, "bytes a row")
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
