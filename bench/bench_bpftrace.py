# SPDX-License-Identifier: MIT
"""bpftrace's text to the event table: events a second, ratio to a plain reader, memory.

`python bench/bench_bpftrace.py [--events N]`: enlarges the captured trace to about N events by
repeating it shifted in time, and converts it in a process on one core. bpftrace has no report of its
own; the plain reader takes a line at a time, as one would write it first. It does less (no pairing of
returns, no names or processes filled in), so that the ratio is a lower bound.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from measure import Bounds, best_s, convert, one_core

TRACE = Path(__file__).parents[1] / "tests/fixtures/bpftrace-rusty/bpftrace.txt.gz"
LEAD = re.compile(r"(\d+) (\d+) (\w+) (.*)")
FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')


# The plain reader keeps a dictionary a row: it gets no more events than this.
PLAIN_EVENTS = 200_000
BOUND_RATIO = 3.5
# Of that the table itself is some 85 bytes.
BOUND_BYTES = 285


def enlarged(events: int) -> Iterator[bytes]:
    """The captured records, time after time, until there are about `events` of them."""
    lines = gzip.decompress(TRACE.read_bytes()).splitlines()
    records = [line.split(b" ", 1) for line in lines if line.count(b" ") > 2]
    first, last = int(records[0][0]), int(records[-1][0])
    step = last - first + 1_000_000
    yield b"%d 3 BEGIN\n" % first
    stamps = [int(stamp) for stamp, _ in records]
    rests = [rest for _, rest in records]
    for copy in range(max(1, round(events / len(records)))):
        shifted = zip(stamps, rests, strict=True)
        yield b"".join([b"%d %s\n" % (stamp + copy * step, rest) for stamp, rest in shifted])


def plain(text: bytes) -> pa.Table:
    """One regular expression a line, one dictionary a row."""
    rows = []
    for number, line in enumerate(text.decode().splitlines()):
        lead = LEAD.fullmatch(line)
        if lead is None:
            continue
        fields = dict(FIELD.findall(lead[4]))
        base = {"time_ns": int(lead[1]), "cpu": int(lead[2]), "seq": number, "probe": lead[3]}
        numbers = {key: int(value, 0) for key, value in fields.items() if value[0] != '"'}
        if lead[3] == "sched_switch":
            rows.append({**base, "tid": numbers["prev_pid"], "other_tid": numbers["next_pid"]})
            rows.append({**base, "tid": numbers["next_pid"], "other_tid": numbers["prev_pid"]})
        else:
            row = {**base, "tid": numbers.get("pid"), "other_tid": numbers.get("by")}
            row |= {"dsq_id": numbers.get("dsq"), "slice_ns": numbers.get("slice")}
            rows.append(row)
    rows.sort(key=lambda row: (row["time_ns"], row["cpu"], row["seq"]))
    schema = pa.schema(
        [
            *((name, pa.int64()) for name in ("time_ns", "cpu", "seq", "tid", "other_tid")),
            ("probe", pa.string()),
            ("dsq_id", pa.uint64()),
            ("slice_ns", pa.uint64()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def main() -> int:
    """Print rates, ratio and memory with their bounds; 1 when one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    args = parser.parse_args()
    one_core()
    bounds = Bounds()
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.txt", Path(folder) / "large.txt"
        small.write_bytes(b"".join(enlarged(PLAIN_EVENTS)))
        with large.open("wb") as file:
            file.writelines(enlarged(args.events))
        text = small.read_bytes()
        # Events are rows: a switch is two of them.
        quick = convert(small)
        slow_per_s = quick.events / best_s(lambda: plain(text), 1)
        ran = convert(large, compiled=True)
        print(f"file       {large.stat().st_size / 1e6:,.0f} MB, {ran.events:,} events")
        print(f"converter  {ran.events_per_s:,.0f} events/s of CPU time ({ran.convert_s:.1f} s)")
        print(f"write      {ran.events / ran.write_s:,.0f} events/s")
        print(f"plain      {slow_per_s:,.0f} events/s")
        bounds.at_least("ratio to the plain reader", ran.events_per_s / slow_per_s, BOUND_RATIO)
        bounds.at_most("memory with the table", ran.bytes_per_event, BOUND_BYTES, "bytes an event")
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
