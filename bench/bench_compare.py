# SPDX-License-Identifier: MIT
"""Seconds and memory of the alignment of two event tables, and that both grow with the rows only.

`python bench/bench_compare.py [--rows N]`: a captured table is repeated, shifted in time, until it holds N
rows a side. `periodic` is that table: many short activations. `hogs` has no wakeups and no sleeps: each
task is one activation. `random` has the periodic one's kinds shuffled: nothing fits. The second side has
jittered times and lacks one row in fifty; of `random`, it is another shuffle. Measured is all that a pair
asks for: alignment, summary with drift and first divergence, table of rows. Times are CPU time on one core;
memory is the alignment's own, beyond the two tables. Ends with status 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measure import Bounds, best_s, one_core, resident_bytes

from scxval.compare.alignment import align
from scxval.events.schema import EVENT_SCHEMA, TraceKind
from scxval.events.table import read_events, sorted_table

TRACE = Path(__file__).parents[1] / "tests/fixtures/sequences/scx_simple.periodic_mix.parquet"
BAND = 64
BOUND_S = 10
# What four times the rows may take, against four times the seconds or bytes.
LINEAR = 1.25

Made = Callable[[int, int], pa.Table]


def repeated(rows: int, without: tuple[TraceKind, ...] = ()) -> pa.Table:
    """The captured table's rows of tasks, time after time, `rows` of them."""
    table = read_events(TRACE)
    gone = pa.array([str(kind) for kind in without], pa.string())
    kept = pc.invert(pc.is_in(table["kind"].cast(pa.string()), gone))
    table = table.filter(pc.and_(kept, pc.fill_null(pc.greater(table["tid"], 0), False)))
    times = table["time_ns"].to_numpy()
    step = int(times[-1] - times[0]) + 1_000_000
    copies = -(-rows // len(table))
    many = pa.concat_tables([table] * copies).combine_chunks().slice(0, rows)
    moved = np.repeat(np.arange(copies), len(table))[:rows] * step
    return _timed(many, many["time_ns"].to_numpy() - times[0] + moved)


def _timed(table: pa.Table, time_ns: np.ndarray) -> pa.Table:
    return table.set_column(0, EVENT_SCHEMA.field("time_ns"), pa.array(time_ns))


def distorted(table: pa.Table, seed: int) -> pa.Table:
    """Every time a little later, one row in fifty lacking, for every seed but 0."""
    if not seed:
        return table
    random = np.random.default_rng(seed)
    late = random.integers(0, 3_000, len(table))
    moved = _timed(table, table["time_ns"].to_numpy() + late)
    return sorted_table(moved.filter(pa.array(random.random(len(table)) >= 0.02)))


def periodic(rows: int, seed: int) -> pa.Table:
    """Short activations."""
    return distorted(repeated(rows), seed)


def hogs(rows: int, seed: int) -> pa.Table:
    """One activation a task."""
    return distorted(repeated(rows, (TraceKind.TASK_WOKE, TraceKind.TASK_SLEPT)), seed)


def shuffled(rows: int, seed: int) -> pa.Table:
    """Rows that have nothing to do with each other, at the times of a real table."""
    table = repeated(rows)
    order = pa.array(np.random.default_rng(seed).permutation(len(table)))
    return _timed(table.take(order).combine_chunks(), table["time_ns"].to_numpy())


def measured(made: Made, rows: int, repeat: int) -> tuple[float, float, float]:
    """CPU seconds and bytes of one alignment, and the similarity that it found."""
    a, b = made(rows, 0), made(rows, 1)
    kinds = list(TraceKind)
    found: list[float] = []

    def work() -> None:
        aligned = align(a, b, kinds, None, BAND)
        aligned.summary()
        assert len(aligned.rows) >= len(a)
        found.append(aligned.similarity or 0)

    Path("/proc/self/clear_refs").write_text("5")
    pa.default_memory_pool().release_unused()
    base = resident_bytes("VmRSS")
    seconds = best_s(work, 1)
    peak = resident_bytes("VmHWM") - base
    return min(seconds, best_s(work, repeat - 1)) if repeat > 1 else seconds, peak, found[0]


def main() -> int:
    """Print seconds, memory and ratios; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    one_core()
    # Compiled when first used: of that no run is told.
    measured(periodic, 1000, 1)
    bounds = Bounds()
    for name, made in (("periodic", periodic), ("hogs", hogs), ("random", shuffled)):
        few_s, few_bytes, _ = measured(made, args.rows // 4, args.repeat)
        many_s, many_bytes, similarity = measured(made, args.rows, args.repeat)
        print(f"{name}: {args.rows} rows a side, similarity {similarity:.3f}")
        bounds.at_most(f"{name}", many_s, BOUND_S, "s")
        bounds.at_most(f"{name}, memory", many_bytes / (2 * args.rows), 400, "bytes a row")
        bounds.at_most(f"{name}, seconds of 4 times the rows / 4", many_s / few_s / 4, LINEAR)
        bounds.at_most(
            f"{name}, memory of 4 times the rows / 4", many_bytes / few_bytes / 4, LINEAR
        )
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
