# SPDX-License-Identifier: MIT
"""wprof's JSON and Perfetto replays to the event table, and memory on a large file.

`python bench/bench_wprof.py [--events N] [--large N] [--perfetto-events N]`: repeats real captures, later
each time, until the table has about N rows. Beside it, in the same run, a plain reader: json.loads and one
tuple a row. Time is CPU time on one core. wprof's own replay reads only its own dump, and needs its binary.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import measure

FIXTURE = Path(__file__).parents[1] / "tests/fixtures/wprof-legacykf"
# Seconds between two copies: longer than the capture.
STEP_S = 5
# What the capture has: 14,519 TrackEvents, of which 6,240 rows are made (the others are interrupts and ends).
TRACK_EVENTS_A_ROW = 14519 / 6240
# TracePacket.timestamp, a varint.
VARINT_TAG = 8 << 3


def enlarge_json(copies: int, target: Path) -> int:
    """Write the JSON capture so many times, later each time; how many lines it has."""
    header, _, body = gzip.decompress(
        (FIXTURE / "replay-default.ndjson.gz").read_bytes()
    ).partition(b"\n")
    pieces = re.split(rb'("(?:start_)?ts":)(\d+)', body)
    whole = [int(second) for second in pieces[2::3]]
    with target.open("wb") as out:
        out.write(header + b"\n")
        for copy in range(copies):
            pieces[2::3] = [b"%d" % (second + copy * STEP_S) for second in whole]
            out.write(b"".join(pieces))
    return 1 + copies * body.count(b"\n")


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The timestamp (-1: none) of each packet of a trace, and its bytes without it."""
    at = 0
    while at < len(data):
        size, at = varint(data, at + 1)
        end, time, rest = at + size, -1, b""
        while at < end:
            begin = at
            tag, at = varint(data, at)
            wire = tag & 7
            value, at = varint(data, at) if wire in (0, 2) else (0, at + (8 if wire == 1 else 4))
            at += value if wire == 2 else 0
            if tag == VARINT_TAG:
                time = value
            else:
                rest += data[begin:at]
        yield time, rest


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A protobuf varint and the place after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def as_varint(value: int) -> bytes:
    """A number as a protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def enlarge_perfetto(copies: int, target: Path) -> None:
    """Write the Perfetto capture so many times, later each time."""
    raw = gzip.decompress((FIXTURE / "replay-default.pb.gz").read_bytes())
    known = list(packets(raw))
    with target.open("wb") as out:
        for copy in range(copies):
            later = copy * STEP_S * 10**9
            for time, rest in known:
                # Times of 0 stand for what was before the session.
                stamp = time + later if time > 0 else time
                body = rest if time < 0 else bytes([VARINT_TAG]) + as_varint(stamp) + rest
                out.write(b"\x0a" + as_varint(len(body)) + body)


def plain(path: Path, lines: int) -> int:
    """Read some lines the plain way; how many rows they make."""
    rows = []
    with path.open() as text:
        next(text)
        for number, line in zip(range(lines), text, strict=False):
            event = json.loads(line)
            kind, time, cpu = event["t"], round(event["ts"] * 1e9), event["cpu"]
            if kind == "switch":
                prev, after = event["prev"], event["next"]
                told = (prev.get("tid", 0), after.get("tid", 0))
                if told[0]:
                    rows.append((time, cpu, number, event["prev_state"], *told, prev["comm"]))
                rows.append((time, cpu, number, "on", *told[::-1], after["comm"]))
            elif kind in ("waking", "wakeup_new"):
                wakee, waker = event["wakee"], event["waker"]
                rows.append(
                    (time, cpu, number, kind, wakee["tid"], waker.get("tid", 0), wakee["comm"])
                )
            elif kind == "scx_dsq" and "start_ts" in event:
                start, task = round(event["start_ts"] * 1e9), event["task"]
                rows.append((start, cpu, number, kind, task["tid"], event["dsq_id"], task["comm"]))
    rows.sort(key=lambda row: row[:3])
    return len(rows)


def beyond(run: measure.Conversion, small: measure.Conversion) -> tuple[int, float, float]:
    """Events, seconds and bytes an event that a run took beyond a tiny one, which loads the same code."""
    events = run.events - small.events
    grown = (run.peak_bytes - run.base_bytes) - (small.peak_bytes - small.base_bytes)
    return events, run.convert_s - small.convert_s, grown / events


def own_replay() -> str:
    """What wprof's own replay of the captured dump takes, or why that is not known."""
    binary = shutil.which("wprof")
    if binary is None:
        return "not timed: no wprof on PATH (it is in no package registry)"
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "wprof.data"
        dump.write_bytes(gzip.decompress((FIXTURE / "wprof.data.gz").read_bytes()))
        command = [binary, "-R", "-D", str(dump), "-J", str(Path(folder) / "x.ndjson")]
        seconds = measure.best_s(lambda: subprocess.run(command, capture_output=True, timeout=60))
    return f"{seconds:.2f} s for the capture itself (7490 records)"


def main() -> int:
    """Print rates, ratio and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--large", type=int, default=6_000_000)
    parser.add_argument("--perfetto-events", type=int, default=400_000)
    parser.add_argument("--plain-lines", type=int, default=200_000)
    args = parser.parse_args()
    bounds = measure.Bounds()
    small = measure.convert(FIXTURE / "replay-default.ndjson.gz")
    rows = small.events
    start = (small.peak_bytes - small.base_bytes) >> 20
    print(
        f"start      {small.convert_s:.2f} s, {start} MiB to load machine code: not counted below"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "wprof.ndjson"
        lines = enlarge_json(max(1, round(args.events / rows)), file)
        events, seconds, _ = beyond(measure.convert(file, repeats=2), small)
        print(f"json       {events:,} events of {lines:,} lines, {file.stat().st_size:,} bytes")
        print(f"convert    {events / seconds:,.0f} events/s, {lines / seconds:,.0f} lines/s")
        made = plain(file, args.plain_lines)
        slow = measure.best_s(lambda: plain(file, args.plain_lines), 1)
        print(
            f"plain      {made / slow:,.0f} events/s ({slow:.2f} s for {args.plain_lines:,} lines)"
        )
        print(f"wprof -R   {own_replay()}")
        # Text of 240 bytes a line; 0.8 to 1.15 million were measured on a shared core.
        bounds.at_least("lines of JSON a second", lines / seconds, 6e5)
        ratio = (events / seconds) / (made / slow)
        bounds.at_least("times as fast as a plain reading", ratio, 3)
        enlarge_json(max(1, round(args.large / rows)), file)
        events, _, each = beyond(measure.convert(file), small)
        print(f"large      {events:,} events")
        bounds.at_most("bytes an event of JSON", each, 200)
        file.unlink()
        trace = Path(folder) / "wprof.pb"
        enlarge_perfetto(max(1, round(args.perfetto_events / rows)), trace)
        events, seconds, each = beyond(measure.convert(trace), small)
        print(f"perfetto   {events:,} events, {trace.stat().st_size:,} bytes")
        tracks = TRACK_EVENTS_A_ROW * events / seconds
        print(f"convert    {events / seconds:,.0f} rows/s, {tracks:,.0f} TrackEvents/s")
        bounds.at_least("TrackEvents of Perfetto a second", tracks, 6e5)
        bounds.at_most("bytes an event of Perfetto", each, 1000)
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
