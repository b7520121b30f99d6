# SPDX-License-Identifier: MIT
"""scxtop's trace: events a second and memory, beside the protobuf library that only decodes the file.

`python bench/bench_scxtop.py [--events N] [--large N]`: repeats the captured trace, shifted in time, until
its table has about N rows. scxtop has no text report of a trace; what stands in for one is the quickest
decoder there is for Python (the library's C parser) and a loop that prints each record's fields.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
import time
from pathlib import Path

from measure import Bounds, convert, one_core

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.formats.perfetto.protos import Trace  # noqa: E402

TRACE = ROOT / "tests/fixtures/scxtop-rusty/scxtop.pb.gz"
# Rows of the table that the capture makes.
ROWS = 18_500
EVENTS_PER_S = 1_000_000
# The file itself is in memory: 120 bytes a row, softirqs and queue samples included.
BYTES_PER_EVENT = 250


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def write_enlarged(path: Path, rows: int) -> None:
    """The capture time after time in one trace, a bundle a CPU, as scxtop writes it."""
    trace = Trace.FromString(gzip.decompress(TRACE.read_bytes()))
    bundles = [p.ftrace_events for p in trace.packet if p.HasField("ftrace_events")]
    samples = [p for p in trace.packet if p.HasField("track_event")]
    head = Trace(packet=[p for p in trace.packet if p not in samples and not p.ftrace_events.event])
    times = [event.timestamp for bundle in bundles for event in bundle.event]
    step = (max(times) - min(times)) // 1000 * 1000 + 1_000_000
    copies = max(1, round(rows / ROWS))
    parts = Trace(packet=samples)
    with path.open("wb") as out, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out.write(head.SerializeToString())
        files = [(Path(folder) / str(bundle.cpu)).open("w+b") for bundle in bundles]
        cpus = [bundle.cpu for bundle in bundles]
        for bundle in bundles:
            bundle.ClearField("cpu")
        for _ in range(copies):
            out.write(parts.SerializeToString())
            for packet in parts.packet:
                packet.timestamp += step
            for file, bundle in zip(files, bundles, strict=True):
                file.write(bundle.SerializeToString())
                for event in bundle.event:
                    event.timestamp += step
        for file, cpu in zip(files, cpus, strict=True):
            size = file.tell() + len(b"\x08" + varint(cpu))
            body = b"\x0a" + varint(size) + b"\x08" + varint(cpu)
            out.write(b"\x0a" + varint(len(body) + file.tell()) + body)
            file.seek(0)
            while piece := file.read(1 << 24):
                out.write(piece)
            file.close()


def decode(path: Path) -> int:
    """Records of a trace, each decoded and printed to nowhere."""
    trace = Trace.FromString(path.read_bytes())
    count = 0
    with Path(os.devnull).open("w") as out:
        for packet in trace.packet:
            for event in packet.ftrace_events.event:
                kind, values = event.ListFields()[-1]
                # The table of fields that tests use lacks some tracepoints: those count, unprinted.
                known = [v for _, v in values.ListFields()] if kind.message_type else []
                print(event.timestamp, kind.name, *known, file=out)
                count += 1
            if packet.HasField("track_event"):
                print(packet.timestamp, packet.track_event.counter_value, file=out)
                count += 1
    return count


def main() -> int:
    """Print rates, their ratio and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    args = parser.parse_args()
    one_core()
    bounds = Bounds()
    with tempfile.TemporaryDirectory(prefix="scxval-bench-") as folder:
        file = Path(folder) / "scxtop.pb"
        write_enlarged(file, args.events)
        ours = convert(file, repeats=2)
        start = time.process_time()
        records = decode(file)
        theirs_s = time.process_time() - start
        print(
            f"file       {file.stat().st_size / 1e6:,.1f} MB, {records:,} records, {ours.events:,} rows"
        )
        print(f"converter  {ours.convert_s:.2f} s, {records / ours.convert_s:,.0f} records/s")
        print(f"decoder    {theirs_s:.2f} s, {records / theirs_s:,.0f} records/s")
        bounds.at_least("rows a second", ours.events_per_s, EVENTS_PER_S)
        bounds.at_least("times as quick as decoding and printing", theirs_s / ours.convert_s, 1)
        write_enlarged(file, args.large)
        large = convert(file, repeats=1)
        print(f"large      {file.stat().st_size / 1e6:,.1f} MB, {large.events:,} rows")
        bounds.at_most("memory, bytes a row", large.bytes_per_event, BYTES_PER_EVENT)
        bounds.at_least("rows a second of the large one", large.events_per_s, EVENTS_PER_S)
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
