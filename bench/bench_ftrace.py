# SPDX-License-Identifier: MIT
"""ftrace.tar and tracefs text to the event table, and memory on a large tar.

`python bench/bench_ftrace.py [--events N] [--large N]`: repeats real captures, later each time, until the
table has about N rows. The kernel itself writes raw ftrace's text report, so that no tool can be timed on
the tar; the text is timed beside a plain reading of it, line by line. Time is CPU time on one core.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import measure
from enlarge_ftrace import enlarge_tar

from scxval.formats.source import read_source
from scxval.tracers.ftrace.convert import convert

FIXTURES = Path(__file__).parents[1] / "tests/fixtures/ftrace"
STAMP = re.compile(rb"^(.{16}-.*?\] \S+ +)(\d+)(\.\d{6}: )", re.MULTILINE)
LINE = re.compile(r".{16}-(\d+) +(?:\(.*?\) )?\[(\d+)\] \S+ +(\d+)\.(\d{6}): (\w+): (.*)")
FIELD = re.compile(r"(\w+)=(\S+)")
# Seconds between two copies of the text: longer than the capture.
STEP_S = 4


def enlarge_text(copies: int, target: Path) -> None:
    """Write the text so many times, later each time."""
    text = read_source(FIXTURES / "trace.txt.gz").data
    with target.open("wb") as out:
        out.write(text)
        for copy in range(1, copies):
            later = copy * STEP_S
            out.write(STAMP.sub(lambda m, d=later: b"%b%d%b" % (m[1], int(m[2]) + d, m[3]), text))


def plain(path: Path) -> int:
    """Read the text one regular expression and one dictionary a line; how many records it has."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = LINE.fullmatch(line)
        if match is not None:
            time_ns = int(match[3]) * 10**9 + int(match[4]) * 1000
            records.append((time_ns, int(match[2]), match[5], dict(FIELD.findall(match[6]))))
    records.sort(key=lambda record: record[:2])
    return len(records)


def main() -> int:
    """Print rates, ratio and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--text-events", type=int, default=1_000_000)
    args = parser.parse_args()
    bounds = measure.Bounds()
    capture = read_source(FIXTURES / "ftrace.tar.gz").data
    rows = convert(FIXTURES / "ftrace.tar.gz").table.num_rows
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ftrace.tar"
        enlarge_tar(capture, max(1, round(args.events / rows)), file)
        ours = measure.convert(file, repeats=2)
        print(f"tar        {ours.events:,} events, {file.stat().st_size:,} bytes")
        print(f"convert    {ours.events_per_s:,.0f} events/s ({ours.convert_s:.2f} s)")
        bounds.at_least("events a second of a tar", ours.events_per_s, 1e6)
        enlarge_tar(capture, max(1, round(args.large / rows)), file)
        grown = measure.convert(file)
        print(f"large      {grown.events:,} events, {file.stat().st_size:,} bytes")
        print(f"           {grown.events_per_s:,.0f} events/s, {grown.peak_bytes / 2**20:,.0f} MiB")
        bounds.at_most("bytes an event", grown.bytes_per_event, 200)
        text = Path(folder) / "trace.txt"
        rows = convert(FIXTURES / "trace.txt.gz").table.num_rows
        enlarge_text(max(1, round(args.text_events / rows)), text)
        ours = measure.convert(text)
        print(f"text       {ours.events:,} events, {text.stat().st_size:,} bytes")
        print(f"convert    {ours.events_per_s:,.0f} events/s ({ours.convert_s:.2f} s)")
        slow = measure.best_s(lambda: plain(text), 1)
        print(f"plain      {ours.events / slow:,.0f} events/s ({slow:.2f} s)")
        bounds.at_least("times as fast as a plain reading", slow / ours.convert_s, 2)
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
