# SPDX-License-Identifier: MIT
"""Damaged recordings: one clear line or counted records, never a wrong row and never a traceback."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

import pyarrow.compute as pc
import pytest

from scxval.errors import ScxvalError
from scxval.events.metrics import measure
from scxval.formats.conversion import Conversion
from scxval.tracers.convert import recognise
from scxval.tracers.perf_sched.convert import convert
from scxval.tracers.perf_sched.file import open_file

from .perf_file import Event, File, switch

FIXTURES = Path(__file__).parents[2] / "fixtures/perf-sched"
KINDS = ("perf.data.gz", "zstd.data", "pipe.data.gz", "lost.data.gz")
MUTANTS = 120


def plain(name: str) -> bytes:
    path = FIXTURES / name
    return gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()


def converted(data: bytes, folder: Path) -> Conversion | str:
    """The conversion, or the one line that says why there is none."""
    path = folder / "perf.data"
    path.write_bytes(data)
    try:
        return convert(path)
    except ScxvalError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(str(path)) or str(path) in str(error)
        return str(error)


def sane(found: Conversion) -> None:
    """What holds for every table."""
    table = found.table
    for name in ("tid", "pid", "other_tid", "cpu", "other_cpu", "time_ns"):
        low = pc.min(table[name]).as_py()
        assert low is None or low >= 0, name
    keys = list(zip(*(table[name].to_pylist() for name in ("time_ns", "cpu", "seq")), strict=True))
    assert keys == sorted(keys)
    assert found.capability.events == table.num_rows
    measure(table, found.capability, None, None)


HEADS = [
    (b"", "not a perf.data file"),
    (b"2ELIFREP" + bytes(200), "other byte order"),
    (b"PERFFILE" + bytes(200), "version 1"),
    (b"PERFILE2", "ends within the header"),
    (b"PERFILE2" + struct.pack("<Q", 104), "ends within the header"),
    (b"PERFILE2" + struct.pack("<Q", 16), "holds no tracepoints"),
]


@pytest.mark.parametrize(("data", "why"), HEADS)
def test_what_is_no_recording_says_so(tmp_path: Path, data: bytes, why: str) -> None:
    said = converted(data, tmp_path)
    assert isinstance(said, str)
    assert why in said


def test_foreign_byte_order_is_recognised_and_then_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"2ELIFREP" + bytes(5000))
    assert recognise(path) == "perf_sched"


def test_perf_that_was_killed(tmp_path: Path) -> None:
    """The header's size of the records is written last."""
    data = bytearray(plain("perf.data.gz"))
    data[48:56] = bytes(8)
    said = converted(bytes(data), tmp_path)
    assert isinstance(said, str)
    assert "perf did not finish this file" in said


def test_a_cut_file_has_lost_its_descriptions(tmp_path: Path) -> None:
    data = plain("perf.data.gz")
    contents = open_file(FIXTURES / "perf.data.gz")
    for end in (contents.begin + 1000, contents.end - 1, contents.end + 20, contents.end + 2000):
        said = converted(data[:end], tmp_path)
        assert isinstance(said, str), end
        assert f"ends at byte {end}" in said
        assert "copy" in said


def test_a_cut_pipe_keeps_what_came_before(tmp_path: Path) -> None:
    data = plain("pipe.data.gz")
    whole = converted(data, tmp_path)
    assert isinstance(whole, Conversion)
    rows = whole.table.to_pylist()
    cut = converted(data[: len(data) * 3 // 4], tmp_path)
    assert isinstance(cut, Conversion)
    sane(cut)
    assert cut.capability.unparsed == 1
    assert any("cut or damaged" in note for note in cut.capability.notes)
    known = {(r["time_ns"], r["cpu"], r["kind"], r["tid"], r["comm"], r["seq"]) for r in rows}
    kept = cut.table.to_pylist()
    assert 0.4 * len(rows) < len(kept) < len(rows)
    assert {
        (r["time_ns"], r["cpu"], r["kind"], r["tid"], r["comm"], r["seq"]) for r in kept
    } < known


def test_a_damaged_zstd_stream_keeps_what_came_before(tmp_path: Path) -> None:
    data = bytearray(plain("zstd.data"))
    contents = open_file(FIXTURES / "zstd.data")
    middle = (contents.begin + contents.end) // 2
    data[middle : middle + 64] = b"\xff" * 64
    found = converted(bytes(data), tmp_path)
    assert isinstance(found, Conversion)
    sane(found)
    assert any("damaged" in note for note in found.capability.notes)


DAMAGED = [
    (switch(7, 8)[:40], "too short"),
    (switch(-1, 8), "contradicts itself"),
    (switch(7, 1 << 30), "contradicts itself"),
    (b"\x01" + switch(7, 8)[1:], "contradicts itself"),
]


@pytest.mark.parametrize(("raw", "why"), DAMAGED)
def test_an_impossible_record_is_counted(tmp_path: Path, raw: bytes, why: str) -> None:
    event = Event()
    data = event.sample(10, 1, raw) + event.sample(20, 1, switch(8, 9))
    found = converted(File([event], data).bytes(), tmp_path)
    assert isinstance(found, Conversion)
    assert found.table["tid"].to_pylist() == [8, 9]
    assert found.capability.unparsed == 1
    assert why in found.capability.examples[0]
    assert found.capability.examples[0].startswith("byte ")


@pytest.mark.parametrize("place", [(1 << 63, 1), (10, 1 << 15)])
def test_an_impossible_time_or_cpu_is_counted(tmp_path: Path, place: tuple[int, int]) -> None:
    event = Event()
    data = event.sample(*place, switch(7, 8)) + event.sample(20, 1, switch(8, 9))
    found = converted(File([event], data).bytes(), tmp_path)
    assert isinstance(found, Conversion)
    assert found.table["tid"].to_pylist() == [8, 9]
    assert found.capability.unparsed == 1


def test_an_id_of_no_event_is_counted(tmp_path: Path) -> None:
    event, stranger = Event(ids=(1, 2)), Event(ids=((1 << 64) - 1,))
    data = event.sample(10, 1, switch(7, 8)) + stranger.sample(20, 1, switch(8, 9))
    found = converted(File([event], data).bytes(), tmp_path)
    assert isinstance(found, Conversion)
    assert found.capability.unparsed == 1
    assert found.table.num_rows == 2


@pytest.mark.parametrize("name", KINDS)
def test_mutants_of_real_recordings(name: str, tmp_path: Path) -> None:
    """Bytes changed anywhere, with more weight on the header, the events and the records' heads."""
    original = plain(name)
    chosen = random.Random(name)
    ended: dict[bool, int] = {False: 0, True: 0}
    for _ in range(MUTANTS):
        data = bytearray(original)
        for _ in range(chosen.choice((1, 1, 3, 20))):
            most = chosen.choice((104, 2200, len(data)))
            at = chosen.randrange(min(most, len(data)))
            size = chosen.choice((1, 1, 4, 8))
            value = chosen.choice((chosen.randbytes(size), b"\xff" * size, b"\0" * size))
            data[at : at + size] = value
        if chosen.random() < 0.1:
            del data[chosen.randrange(len(data)) :]
        found = converted(bytes(data), tmp_path)
        ended[isinstance(found, Conversion)] += 1
        if isinstance(found, Conversion):
            sane(found)
    assert min(ended.values()) > 5
