# SPDX-License-Identifier: MIT
"""Events a second, bytes an event and memory of the export of an event table for the Perfetto UI.

`python bench/bench_perfetto.py [--rows N]`: the fixture's run is repeated, shifted in time, until it holds N
rows. Measured is all from a table in memory to the file, on one core, in CPU time; protobuf, and JSON of a
tenth. Ends with status 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import Bounds, best_s, one_core, resident_bytes

from scxval.events.schema import EVENT_SCHEMA
from scxval.perfetto.build import make_timeline
from scxval.perfetto.chrome import write_json_trace
from scxval.perfetto.encode import write_trace
from scxval.perfetto.side import Side, read_side
from scxval.perfetto.timeline import Timeline

RUN = Path(__file__).parents[1] / "tests/fixtures/perfetto/kernel"
Write = Callable[[Timeline, Path], int]


def repeated(rows: int) -> Side:
    """The run's rows, time after time, `rows` of them, all in the window."""
    side = read_side(RUN, "bench")
    times = side.events["time_ns"].to_numpy()
    copies = -(-rows // len(times))
    many = pa.concat_tables([side.events] * copies).slice(0, rows)
    step = int(times[-1] - times[0]) + 1_000_000
    moved = many["time_ns"].to_numpy() + np.repeat(np.arange(copies), len(times))[:rows] * step
    sequence = np.arange(rows, dtype=np.int64)
    for name, values in (("time_ns", moved), ("seq", sequence)):
        at = EVENT_SCHEMA.get_field_index(name)
        many = many.set_column(at, EVENT_SCHEMA.field(name), pa.array(values))
    window = (int(moved[0]), int(moved[-1]))
    return replace(
        side,
        events=many.unify_dictionaries().combine_chunks(),
        window_ns=window,
        traced_ns=window,
    )


def measured(rows: int, write: Write, repeat: int) -> tuple[float, float, float]:
    """CPU seconds, bytes of the file and bytes of memory of one export."""
    side = repeated(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        sizes = []

        def work() -> None:
            sizes.append(write(make_timeline([side]).timeline, path))

        Path("/proc/self/clear_refs").write_text("5")
        pa.default_memory_pool().release_unused()
        base = resident_bytes("VmRSS")
        seconds = best_s(work, 1)
        peak = resident_bytes("VmHWM") - base
        if repeat > 1:
            seconds = min(seconds, best_s(work, repeat - 1))
        return seconds, sizes[0], peak


def main() -> int:
    """Print seconds, bytes and ratios; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    one_core()
    # Compiled when first used: of that no run is told.
    measured(1000, write_trace, 1)
    bounds = Bounds()
    few_s, _, _ = measured(args.rows // 4, write_trace, args.repeat)
    many_s, size, memory = measured(args.rows, write_trace, args.repeat)
    bounds.at_least("protobuf", args.rows / many_s, 150_000, "events/s")
    bounds.at_most("protobuf, file", size / args.rows, 100, "bytes an event")
    bounds.at_most("protobuf, memory", memory / args.rows, 1_500, "bytes an event")
    bounds.at_most("protobuf, seconds of 4 times the rows / 4", many_s / few_s / 4, 1.5)
    tenth = args.rows // 10
    json_s, json_size, _ = measured(tenth, write_json_trace, args.repeat)
    bounds.at_least("JSON", tenth / json_s, 30_000, "events/s")
    bounds.at_most("JSON, file", json_size / tenth, 400, "bytes an event")
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
