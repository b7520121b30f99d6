# SPDX-License-Identifier: MIT
"""trace.dat to the event table, beside `trace-cmd report` of the same file, and memory on a large one.

`python bench/bench_trace_cmd.py [--events N] [--large N]`: repeats the pages of a real recording, later
each time, until the table has about N rows. Each process has one core; time is its CPU time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import measure
import tools
from enlarge_ftrace import enlarge_trace_dat

from scxval.tracers.trace_cmd.convert import convert

RECORDING = Path(__file__).parents[1] / "tests/fixtures/trace-cmd/trace.dat"
REPORT = ("report", "-t", "{file}")


def main() -> int:
    """Print rates, ratio and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    args = parser.parse_args()
    bounds = measure.Bounds()
    capture = RECORDING.read_bytes()
    rows = convert(RECORDING).table.num_rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.dat"
        enlarge_trace_dat(capture, max(1, round(args.events / rows)), file)
        ours = measure.convert(file, repeats=2)
        print(f"file       {ours.events:,} events, {file.stat().st_size:,} bytes (zstd)")
        print(f"convert    {ours.events_per_s:,.0f} events/s ({ours.convert_s:.2f} s)")
        bounds.at_least("events a second", ours.events_per_s, 1e6)
        tool, why = tools.find("trace-cmd", RECORDING, REPORT)
        if tool is None:
            print(f"trace-cmd report: none ({why})")
        else:
            theirs = min(tool.run(file, REPORT).cpu_s for _ in range(2))
            print(f"trace-cmd  {ours.events / theirs:,.0f} events/s ({theirs:.2f} s)")
            bounds.at_least("times as fast as trace-cmd report", theirs / ours.convert_s, 1)
        enlarge_trace_dat(capture, max(1, round(args.large / rows)), file)
        grown = measure.convert(file)
        print(f"large      {grown.events:,} events, {file.stat().st_size:,} bytes")
        print(f"           {grown.events_per_s:,.0f} events/s, {grown.peak_bytes / 2**20:,.0f} MiB")
        bounds.at_most("bytes an event", grown.bytes_per_event, 200)
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
