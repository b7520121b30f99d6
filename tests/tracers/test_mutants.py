# SPDX-License-Identifier: MIT
"""Some hundred mutants of each converter's captures; `make bench` tries 10,000 (bench_fuzz.py)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.schema import EVENT_SCHEMA
from scxval.formats.conversion import Conversion
from tests.captures import Capture, captures
from tests.mutants import run as runs
from tests.mutants.check import Broken, Subject, ends_whole, shortened
from tests.mutants.make import CUT_GZIP, Mutant, Original, mutant
from tests.mutants.run import replay, run

EACH = 140
SOURCES = sorted({capture.source for capture in captures()})


@pytest.mark.parametrize("source", SOURCES)
def test_mutants(source):
    mine = [capture for capture in captures() if capture.source == source]
    share = max(20, EACH // len(mine))
    results = [(c, result) for c in mine for result in run(c, 0, share)]
    failed = [
        f"{replay(capture, result.seed)}\n  {result.made_by}: {result.said}"
        for capture, result in results
        if result.result == "failed"
    ]
    assert not failed, "\n".join(failed)
    assert len(results) == share * len(mine)
    # Mutants that all fare alike would test nothing.
    assert {result.result for _, result in results} >= {"refused", "lossy"}


def test_a_mutant_is_the_same_every_time():
    for data in (
        b"".join(b"%d line %d\n" % (n, n * n) for n in range(500)),
        bytes(range(256)) * 40,
    ):
        original = Original("x", data, (0, 100))
        made = [mutant(original, seed) for seed in range(300)]
        assert made == [mutant(original, seed) for seed in range(300)]
        assert len({m.data for m in made}) > 250
        assert all(m.data == data[: m.cut] for m in made if m.cut is not None and m.cut != CUT_GZIP)


# -- converters that break their word: each must be found out


def row(**changed: Any) -> dict[str, Any]:
    known = {"time_ns": 5, "cpu": 0, "kind": "CpuIdle", "tid": 0, "probe": "p", "seq": 0}
    return {**dict.fromkeys(EVENT_SCHEMA.names), **known, **changed}


def conversion(rows: list[dict[str, Any]], **changed: Any) -> Conversion:
    table = pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)
    times = table["time_ns"].to_pylist()
    record: dict[str, Any] = {
        "source": "x",
        "kinds": ["CpuIdle"],
        "fields": {"CpuIdle": ["time_ns", "cpu", "kind", "tid", "probe", "seq"]},
        "window_ns": (times[0], times[-1]) if times else None,
        "events": len(rows),
    }
    return Conversion(table, Capability(**{**record, **changed}))


GOOD = [row(), row(time_ns=6, seq=1), row(time_ns=7, seq=2)]


@dataclass
class Fake:
    """A converter that does this with a damaged file, and well with the whole one."""

    damaged: Any
    whole: bytes = b"whole\n" * 10

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"whole")

    def convert(self, path: Path) -> Conversion:
        data = path.read_bytes()
        if data == self.whole:
            return conversion(GOOD)
        return self.damaged() if callable(self.damaged) else self.damaged


def fake_subject(tmp_path: Path, fake: Fake) -> Subject:
    path = tmp_path / "fixtures/capture"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(fake.whole)
    subject = Subject(Capture("fake", path), tmp_path / f"work{id(fake)}")
    subject.__dict__["module"] = fake
    return subject


def raises(error: Exception) -> Any:
    def convert() -> None:
        raise error

    return convert


def other_each_time() -> Any:
    counter = iter(range(1000))
    return lambda: conversion(GOOD, lost=next(counter) + 1)


def some_cut(subject: Subject) -> Mutant:
    made = (mutant(subject.original, seed) for seed in range(1000))
    return next(m for m in made if m.cut is not None and m.data[-1:] != b"\n" and m.cut > 20)


BAD = {
    "another exception": (raises(IndexError("3")), IndexError),
    "two lines": (raises(ScxvalError("not\nthis way")), Broken),
    "says nothing": (raises(ScxvalError("")), Broken),
    "not in order": (conversion(GOOD[::-1]), Broken),
    "negative time": (conversion([row(time_ns=-1)]), Broken),
    "negative tid": (conversion([row(tid=-3)]), Broken),
    "kind not announced": (conversion([row(kind="Tick")]), Broken),
    "column not announced": (conversion([row(vtime=3)]), Broken),
    "wrong window": (conversion(GOOD, window_ns=(5, 6)), Broken),
    "wrong count": (conversion(GOOD, events=2), Broken),
    "negative loss": (conversion(GOOD, lost=-1), Broken),
    "loss without example": (conversion(GOOD, unparsed=1), Broken),
    "other bytes again": (other_each_time(), Broken),
    "rows lost silently": (conversion(GOOD[:2]), Broken),
    "a new row": (conversion([*GOOD, row(time_ns=9, seq=9)]), Broken),
    "a changed row": (conversion([row(tid=7)], lost=1), Broken),
}


@pytest.mark.parametrize("what", BAD)
def test_a_broken_word_is_found(tmp_path, what):
    damaged, error = BAD[what]
    subject = fake_subject(tmp_path, Fake(damaged))
    cut = some_cut(subject)
    with pytest.raises(error):
        subject.attempt(cut)


def test_a_kept_word_passes(tmp_path):
    damaged = conversion(GOOD[:2], notes=["no end: the file was cut off"])
    subject = fake_subject(tmp_path, Fake(damaged))
    cut = some_cut(subject)
    assert subject.attempt(cut).result == "lossy"
    subject = fake_subject(tmp_path, Fake(raises(ScxvalError("x: cut off in its header"))))
    assert subject.attempt(cut).result == "refused"


def test_whole_ends():
    text = b"one\ntwo\n"
    assert [n for n in range(9) if ends_whole(text, n)] == [4, 8]
    packets = b"\x0a\x02\0\0" + b"\x0a\x81\x01" + bytes(129)
    assert [n for n in range(1, 137) if ends_whole(packets, n)] == [4, 136]


def test_long_text_keeps_its_first_and_last_lines():
    text = b"".join(b"line %d of many\n" % n for n in range(100_000))
    short = shortened(text)
    assert 100_000 < len(short) < 140_000
    assert short.startswith(text[:100_000])
    assert short.endswith(text[-40:])
    assert shortened(b"\0" * 200_000) == b"\0" * 200_000


def test_crash_hang_and_greed_are_failures_of_one_mutant(monkeypatch):
    """A process that ends, waits or fails is one failure; the next mutant has a new process."""
    script = (
        "import json, os, sys, time\n"
        "first, count = int(sys.argv[-2]), int(sys.argv[-1])\n"
        "for seed in range(first, first + count):\n"
        "    print(json.dumps({'seed': seed}), flush=True)\n"
        "    if seed == 2: os.abort()\n"
        "    if seed == 4: time.sleep(100)\n"
        "    print(json.dumps({'seed': seed, 'made_by': 'x', 'result': 'whole'}), flush=True)\n"
    )
    real = runs.subprocess.Popen

    def started(command, **options):
        return real([command[0], "-c", script, *command[-2:]], **options)

    monkeypatch.setattr(runs.subprocess, "Popen", started)
    monkeypatch.setattr(runs, "LIMIT_S", 3)
    start = time.monotonic()
    results = list(run(captures()[0], 0, 7))
    assert time.monotonic() - start < 30
    assert [r.seed for r in results] == list(range(7))
    assert [r.seed for r in results if r.result == "failed"] == [2, 4]
    assert f"ended with {-6}" in results[2].said
    assert "no answer for 3 s" in results[4].said
