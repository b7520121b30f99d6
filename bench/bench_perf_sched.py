# SPDX-License-Identifier: MIT
"""perf.data to the event table, beside `perf script` of the same file, and memory on a large one.

`python bench/bench_perf_sched.py [--events N] [--large N]`: repeats the samples of a real recording,
shifted in time, until the table has about N rows. Each process has one core; time is its CPU time.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import measure
import numpy as np
import tools

from scxval.tracers.perf_sched.chain import Chain, Type
from scxval.tracers.perf_sched.convert import convert
from scxval.tracers.perf_sched.file import open_file
from scxval.tracers.perf_sched.samples import TIME, Layout

RECORDING = Path(__file__).parents[1] / "tests/fixtures/perf-sched/perf.data.gz"
SCRIPT = ("script", "-i", "{file}")
# perf sorts what lies before such a record by time, and then prints it.
FINISHED_ROUND = struct.pack("<IHH", 68, 0, 8)
SIZE_AT = 48


@dataclass(frozen=True)
class Enlarged:
    """A file of some copies of the recording: its samples, and the events that they make."""

    path: Path
    samples: int
    bytes: int


def enlarge(copies: int, path: Path) -> Enlarged:
    """Write the recording with its samples `copies` times, each later than the one before."""
    contents = open_file(RECORDING)
    whole = contents.data
    (records,) = Chain(whole, contents.begin, contents.end).pieces()
    samples = records.of(Type.SAMPLE)
    body = np.concatenate([whole[a:b] for a, b in zip(samples.place, samples.end, strict=True)])
    place = np.cumsum(samples.end - samples.place) - (samples.end - samples.place)
    # Every event of this recording has one layout.
    at = place + Layout(contents.attrs[0]).offset(TIME)
    times = np.ndarray((body.size - 7,), "<u8", buffer=body, strides=(1,))
    span = int(times[at].max() - times[at].min()) + 1_000_000
    with path.open("wb") as out:
        out.write(whole[: contents.end].tobytes())
        for _ in range(copies - 1):
            times[at] += np.uint64(span)
            out.write(FINISHED_ROUND + body.tobytes())
        out.write(FINISHED_ROUND)
        end = out.tell()
        out.write(_moved(whole, contents.end, end))
        out.seek(SIZE_AT)
        out.write(struct.pack("<Q", end - contents.begin))
    return Enlarged(path, copies * len(samples), path.stat().st_size)


def _moved(whole: np.ndarray, old_end: int, new_end: int) -> bytes:
    """What follows the records: a table of sections, whose places move with it, and the sections."""
    rest = bytearray(whole[old_end:].tobytes())
    features = int.from_bytes(whole[72:104].tobytes(), "little").bit_count()
    for entry in range(0, 16 * features, 16):
        (place,) = struct.unpack_from("<Q", rest, entry)
        struct.pack_into("<Q", rest, entry, place + new_end - old_end)
    return bytes(rest)


def main() -> int:
    """Print rates, ratio and memory; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    args = parser.parse_args()
    bounds = measure.Bounds()
    rows = convert(RECORDING).table.num_rows
    with tempfile.TemporaryDirectory() as folder:
        file = enlarge(max(1, round(args.events / rows)), Path(folder) / "perf.data")
        ours = measure.convert(file.path, repeats=2)
        print(f"file       {file.samples:,} samples, {ours.events:,} events, {file.bytes:,} bytes")
        print(f"convert    {ours.convert_s:.2f} s, with the process's start {ours.process_s:.2f} s")
        perf, why = tools.find("perf", enlarge(1, Path(folder) / "one.data").path, SCRIPT)
        if perf is None:
            print(f"perf script: none ({why})")
        else:
            theirs = perf.run(file.path, SCRIPT)
            print(f"perf       {file.samples / theirs.cpu_s:,.0f} samples/s ({theirs.cpu_s:.2f} s)")
            bounds.at_least("times as fast as perf script", theirs.cpu_s / ours.process_s, 1)
        file.path.unlink()
        large = enlarge(max(1, round(args.large / rows)), Path(folder) / "perf.data")
        grown = measure.convert(large.path)
        print(
            f"large      {large.samples:,} samples, {grown.events:,} events, {large.bytes:,} bytes"
        )
        print(
            f"           {grown.convert_s:.2f} s, {large.samples / grown.convert_s:,.0f} samples/s"
        )
        bounds.at_least("events a second", grown.events_per_s, 1e6)
        # The file is mapped: some 150 of them are its own pages, which the kernel can take back.
        bounds.at_most("bytes an event, the file's pages included", grown.bytes_per_event, 256)
    return bounds.end()


if __name__ == "__main__":
    sys.exit(main())
