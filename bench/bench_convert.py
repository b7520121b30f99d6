# SPDX-License-Identifier: MIT
"""Events a second of the bpftrace converter, beside a plain one that reads line by line.

`python bench/bench_convert.py [--events N]`: repeats the captured trace, shifted in time, until it
holds about N events, then converts it both ways in one run. The plain converter does less (no pairing
of returns, no names or processes filled in), so the ratio is a lower bound.
"""

from __future__ import annotations

import argparse
import gzip
import re
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from scxval.tracers.bpftrace.convert import convert_text

TRACE = Path(__file__).parents[1] / "tests/fixtures/bpftrace-rusty/bpftrace.txt.gz"
LEAD = re.compile(r"(\d+) (\d+) (\w+) (.*)")
FIELD = re.compile(r'(\w+)=("[^"]*"|\S+)')


def repeated(events: int) -> bytes:
    """The captured records, time after time, until there are about `events` of them."""
    lines = gzip.decompress(TRACE.read_bytes()).splitlines()
    records = [line.split(b" ", 1) for line in lines if line.count(b" ") > 2]
    first, last = int(records[0][0]), int(records[-1][0])
    step = last - first + 1_000_000
    out = [b"%d 3 BEGIN" % first]
    for copy in range(max(1, round(events / len(records)))):
        out += [b"%d %s" % (int(stamp) + copy * step, rest) for stamp, rest in records]
    return b"\n".join([*out, b""])


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


def seconds(work: Callable[[], object], repeat: int) -> float:
    """The shortest of some runs: the machine may be shared."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    text = repeated(args.events)
    records = convert_text(text).lines.records
    fast = records / seconds(lambda: convert_text(text), args.repeat)
    slow = records / seconds(lambda: plain(text), 1)
    print(f"events     {records} ({len(text) / 1e6:.1f} MB)")
    print(f"converter  {fast:,.0f} events/s")
    print(f"plain      {slow:,.0f} events/s")
    print(f"ratio      {fast / slow:.1f}")


if __name__ == "__main__":
    main()
