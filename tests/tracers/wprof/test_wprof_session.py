# SPDX-License-Identifier: MIT
"""When a session began: by the dump, by flow ids, by a run's clocks, or not at all, and always said."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from pathlib import Path

import pytest

from scxval.errors import ScxvalError
from scxval.tracers.wprof.convert import convert
from scxval.tracers.wprof.session import Start, from_timestamp, origin

from .reference import CAPTURES, EXTRAS, FIXTURES, JSON, PERFETTO

DUMP = "wprof.data.gz"


def clocks(capture: str) -> dict[str, dict[str, int]]:
    lines = (FIXTURES / capture / "clocks.ndjson").read_text().splitlines()
    return {mark["label"]: mark for mark in map(json.loads, lines)}


def run_folder(tmp_path: Path, capture: str, *files: str, step_ns: int = 0) -> Path:
    """A run's folder as the runner leaves it; its raw folder has these files of a capture."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in files:
        shutil.copy(FIXTURES / capture / name, raw)
    marks = list(clocks(capture).values())
    marks[-1]["real_ns"] += step_ns
    (tmp_path / "provenance.json").write_text(json.dumps({"clocks": marks}))
    return raw


def first_ns(path: Path) -> int:
    return convert(path).capability.window_ns[0]


def note(path: Path) -> str:
    return next(n for n in convert(path).capability.notes if "session" in n)


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_dumps_start_is_that_of_the_clocks_read_beside_it(capture):
    marks = clocks(capture)
    start = from_timestamp_of(capture)
    found = origin(FIXTURES / capture / JSON, start)
    apart = marks["tracer-ready"]["real_ns"] - marks["tracer-ready"]["mono_ns"]
    # REALTIME in the file is cut to milliseconds; both clocks were read within microseconds.
    assert 0 <= found.mono_ns + apart - start.real_ns < 1_000_000 + 100_000
    assert marks["tracer-start"]["mono_ns"] < found.mono_ns < marks["tracer-ready"]["mono_ns"]
    window = convert(FIXTURES / capture / JSON).capability.window_ns
    assert found.mono_ns < window[0] < window[1] < marks["tracer-end"]["mono_ns"]


def from_timestamp_of(capture: str) -> Start:
    header = json.loads(gzip.decompress((FIXTURES / capture / JSON).read_bytes()).split(b"\n")[0])
    start = from_timestamp(header["timestamp"], 4_000_000_000)
    assert start is not None
    return start


@pytest.mark.parametrize("capture", CAPTURES)
def test_dump_flows_and_clocks_agree(tmp_path, capture):
    exact = first_ns(FIXTURES / capture / JSON)
    raw = run_folder(tmp_path, capture, PERFETTO, JSON)
    assert first_ns(raw / PERFETTO) == exact
    assert "flow ids of wakings" in note(raw / PERFETTO)
    assert abs(first_ns(raw / JSON) - exact) < 600_000
    assert "provenance.json to 1 ms" in note(raw / JSON)


def test_without_anything_times_count_from_the_session(tmp_path):
    shutil.copy(FIXTURES / "wprof-rusty" / JSON, tmp_path)
    assert first_ns(tmp_path / JSON) == 105_980
    assert note(tmp_path / JSON).startswith("times count from the start of the wprof session")


def test_a_stepped_clock_dates_nothing(tmp_path):
    raw = run_folder(tmp_path, "wprof-rusty", JSON, step_ns=3_000_000)
    assert first_ns(raw / JSON) == 105_980
    assert "REALTIME was set or slewed" in note(raw / JSON)


def test_a_dump_of_another_session_is_not_believed(tmp_path):
    shutil.copy(FIXTURES / "wprof-rusty" / JSON, tmp_path)
    shutil.copy(FIXTURES / "wprof-legacykf" / DUMP, tmp_path)
    assert first_ns(tmp_path / JSON) == 105_980


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: b"",
        lambda d: d[:100],
        lambda d: d[: len(d) // 2],
        lambda d: b"XPROF" + d[5:],
        lambda d: d[:200] + struct.pack("<Q", 1 << 63) + d[208:],
        lambda d: d[:208] + struct.pack("<Q", 24) + d[216:],
    ],
)
def test_a_damaged_dump_is_not_believed(tmp_path, damage):
    shutil.copy(FIXTURES / "wprof-rusty" / JSON, tmp_path)
    dump = gzip.decompress((FIXTURES / "wprof-rusty" / DUMP).read_bytes())
    (tmp_path / "wprof.data").write_bytes(dump)
    assert first_ns(tmp_path / JSON) == 13492894462 + 105_980
    (tmp_path / "wprof.data").write_bytes(damage(dump))
    assert first_ns(tmp_path / JSON) == 105_980


def test_a_dump_of_a_foreign_version_is_refused(tmp_path):
    shutil.copy(FIXTURES / "wprof-rusty" / JSON, tmp_path)
    dump = gzip.decompress((FIXTURES / "wprof-rusty" / DUMP).read_bytes())
    (tmp_path / "wprof.data").write_bytes(dump[:16] + struct.pack("<I", 4) + dump[20:])
    with pytest.raises(ScxvalError, match=r"wprof\.data: of wprof's format 4\.1, and 3 is"):
        convert(tmp_path / JSON)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24T02:52:24", "24.11.2026"])
def test_no_time_is_taken_from_what_is_none(text):
    assert from_timestamp(text, None) is None


@pytest.mark.parametrize("record", ["", "{}", '{"clocks": 3}', '{"clocks": [{"mono_ns": 1}]}'])
def test_a_bad_provenance_record_dates_nothing(tmp_path, record):
    raw = run_folder(tmp_path, "wprof-rusty", EXTRAS)
    (tmp_path / "provenance.json").write_text(record)
    start = Start(1795488744919833144, 1)
    assert origin(raw / "x", start).mono_ns == 0
