# SPDX-License-Identifier: MIT
"""Answers of scx_stats to a table: a real capture in both forms, read again slowly, cut, and made wrong."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.events.stats import STATS_SCHEMA, empty_stats, read_stats, write_stats
from scxval.events.table import read_events
from scxval.tracers.convert import convert_file, recognise
from scxval.tracers.scx_stats.convert import convert, convert_text, recognises
from scxval.tracers.scx_stats.meta import About, about

FIXTURES = Path(__file__).parents[2] / "fixtures/stats-rusty"
SAMPLED = FIXTURES / "scx_stats.wrapped.ndjson"
BARE = FIXTURES / "scx_stats.raw.ndjson"
# The capture ends with four requests of another kind: one of them good, three that are refused.
ANSWERS, VALUES, REFUSED = 12, 32, 3


def record(
    answer: Any, time_ns: int = 100, sent_ns: int | None = 90, errno: int = 0, **more: Any
) -> bytes:
    """A record of the sampler."""
    body = json.dumps({"errno": errno, "args": {"resp": answer}}) + "\n"
    sent = {} if sent_ns is None else {"t_sent_mono_ns": sent_ns}
    return json.dumps({**sent, "t_recv_mono_ns": time_ns, "recv": body, **more}).encode() + b"\n"


def leaves(value: Any, *keys: str) -> list[tuple[str, Any]]:
    """What an answer holds, with the path of each value."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return [("/".join(keys), value)]
    return [leaf for key, item in items for leaf in leaves(item, *keys, key)]


def test_the_capture_read_one_by_one() -> None:
    table = convert(SAMPLED).stats
    expected = []
    last = None
    for seq, line in enumerate(SAMPLED.read_text().splitlines()):
        sample = json.loads(line)
        answer = json.loads(sample["recv"])
        if answer["errno"] or "ClusterStats" in answer["args"]["resp"]:
            continue
        at = sample["t_recv_mono_ns"]
        wait = at - sample["t_sent_mono_ns"]
        window = None if last is None else at - last
        expected += [(seq, at, wait, window, p, v) for p, v in leaves(answer["args"]["resp"])]
        last = at
    names = ("seq", "time_ns", "wait_ns", "window_ns", "path", "value")
    assert list(zip(*(table[name].to_pylist() for name in names), strict=True)) == expected
    assert len(expected) == ANSWERS * VALUES
    assert table["text"].null_count == len(expected)


def test_what_stats_meta_says() -> None:
    table = convert(SAMPLED).stats
    names = ("path", "type", "description", "unit")
    told = {row[0]: row[1:] for row in zip(*(table[n].to_pylist() for n in names), strict=True)}
    assert len(told) == VALUES
    assert told["total"] == ("u64", "# sched events during the period", None)
    assert told["prev_idle"] == ("float", "% directly dispatched to idle previous CPU", "%")
    assert told["cpu_busy"] == ("float", "CPU busy % (100% means all CPU)", "%")
    assert told["slice_us"] == ("u64", "scheduling slice in usecs", "us")
    # By way of a dict of structs in a dict of structs, and an array.
    expected = ("float", "sum of weight * duty_cycle for all tasks", None)
    assert told["nodes/0/doms/0/load"] == told["nodes/0/load"] == expected
    assert told["direct_greedy_cpus/0"] == ("u64", None, None)


def test_the_capability_says_what_is_not_there() -> None:
    result = convert(SAMPLED)
    found = result.capability
    assert (found.source, found.kinds, found.events, found.lost) == ("scx_stats", [], 0, 0)
    assert result.table.num_rows == 0
    assert found.unparsed == len(found.examples) == REFUSED
    assert found.examples[0].startswith("errno 22, Invalid argument (os error 22): {")
    assert found.notes == [f"no events: {ANSWERS} answers with {ANSWERS * VALUES} values"]


def test_bare_answers_have_no_times() -> None:
    bare, sampled = convert(BARE), convert(SAMPLED)
    for name in ("time_ns", "wait_ns", "window_ns"):
        assert bare.stats[name].null_count == bare.stats.num_rows == ANSWERS * VALUES
    for name in ("seq", "path", "value", "type", "description", "unit"):
        assert bare.stats[name].equals(sampled.stats[name])
    assert "bare answers: when they were given is not known" in bare.capability.notes


def test_both_forms_are_recognised_and_written_beside_the_events(tmp_path: Path) -> None:
    for file in (SAMPLED, BARE):
        assert recognise(file) == "scx_stats"
        copy = tmp_path / f"{file.stem}.gz"
        copy.write_bytes(gzip.compress(file.read_bytes()))
        assert recognise(copy) == "scx_stats"
        convert_file(copy, tmp_path / "x.events.parquet", tmp_path / "x.capability.json")
        assert read_events(tmp_path / "x.events.parquet").num_rows == 0
        assert read_stats(tmp_path / "x.stats.parquet").equals(convert(file).stats)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b'{"errno": 0}\n',
        b'{"ts": 1, "t_recv_mono_ns": 3}',
        b'{"args":{"resp":{}},"errno":0}',
        b'[{"errno":0,"args":{"resp":',
        b"PERFILE2",
        b"t_sent_mono_ns",
        b'{"t_sent_mono_ns": "1", ',
    ],
)
def test_other_files_are_not(head: bytes) -> None:
    assert not recognises(head)


def test_twice_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_stats(convert(SAMPLED).stats, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_but_statistics_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"{}\n")
    with pytest.raises(ScxvalError, match="not answers of scx_stats"):
        convert(file)
    with pytest.raises(ScxvalError, match="not a table of statistics"):
        read_stats(file)
    assert empty_stats().schema.equals(STATS_SCHEMA)


def test_an_error_is_counted_and_the_window_after_it_is_not_known() -> None:
    lines = [
        record({"a": 1}, 100, 90),
        record({"a": 2}, 200, 190),
        record("Invalid argument (os error 22)\n\nCaused by: x", 300, 290, errno=22),
        record({"a": 3}, 400, 390),
        record({"a": 4}, 500, 490),
    ]
    result = convert_text(b"".join(lines))
    assert result.stats["value"].to_pylist() == [1, 2, 3, 4]
    assert result.stats["window_ns"].to_pylist() == [None, 100, None, 100]
    assert result.stats["seq"].to_pylist() == [0, 1, 3, 4]
    assert result.capability.unparsed == 1
    assert result.capability.examples[0].startswith("errno 22, Invalid argument (os error 22): {")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"3\n", "not a record"),
        (b"{}\n", "no answer"),
        (record({"a": 1}, recv="x"), "the answer was cut"),
        (record({"a": 1}, recv='{"errno":0,"args":{"resp":{"a":1}}}'), "the answer was cut"),
        (record({"a": 1}, recv="{\n"), "not JSON"),
        (record({"a": 1}, recv=None), "the answer was cut"),
        (record({"a": 1}, recv='{"errno":"0","args":{"resp":{}}}\n'), "not an answer"),
        (record({"a": 1}, recv='{"errno":0,"args":{}}\n'), "not an answer"),
        (record([1, 2]), "no statistics in the answer"),
        (record({"a": 1}, time_ns=-1), "not a time"),
        (record({"a": 1}, time_ns=1 << 63), "not a time"),
        (record({"a": 1}, t_recv_mono_ns=1.5), "not a time"),
        (record({"a": 1}, t_recv_mono_ns=True), "not a time"),
        (record({"a": 1}, 80, 90), "answered before it was asked"),
        (record({"a": 1}, 40, 30), "the clock goes back"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (record(json.loads('{"a":' * 20 + "1" + "}" * 20)), "nested deeper than 16"),
        (record({"a": 1}, recv='{"errno":0,"args":{"resp":{"a":' + "9" * 5000 + "}}}\n"), "not J"),
    ],
)
def test_a_record_that_cannot_be_read_is_counted(line: bytes, why: str) -> None:
    good = record({"a": 1}, 50, 45)
    result = convert_text(good + line + record({"a": 2}, 1000, 990))
    assert result.stats["value"].to_pylist() == [1, 2]
    assert result.stats["window_ns"].to_pylist() == [None, None]
    assert result.capability.unparsed == 1
    assert result.capability.examples[0].startswith(why)


def test_every_cut_keeps_what_came_before() -> None:
    data = SAMPLED.read_bytes()
    whole = convert(SAMPLED).stats
    ends = [end for end in range(len(data)) if data[end : end + 1] == b"\n"]
    for end in [*range(4000, len(data), 97), *ends, *(end + 1 for end in ends)]:
        result = convert_text(data[:end])
        rows = result.stats.num_rows
        assert result.stats.drop_columns(["type", "description", "unit"]).equals(
            whole.slice(0, rows).drop_columns(["type", "description", "unit"])
        )
        before = data[:end].rpartition(b"\n")
        assert rows >= VALUES * max(0, min(before[0].count(b"\n"), ANSWERS))
        torn = bool(before[2]) and end not in ends
        assert ("the file ends in the middle of a record" in result.capability.notes) == torn
    for end in (0, 1, 12):
        with pytest.raises(ScxvalError, match="not answers of scx_stats"):
            convert_text(data[:end])


def test_mutants_of_the_capture_never_end_in_a_traceback() -> None:
    """Bytes flipped, removed, doubled: an error of one line, or a table whose losses are counted."""
    chance = random.Random(7)
    data = SAMPLED.read_bytes()
    for _ in range(400):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 3, 30))):
            at = chance.randrange(len(mutant))
            what = chance.randrange(4)
            if what == 0:
                mutant[at] ^= 1 << chance.randrange(8)
            elif what == 1:
                del mutant[at : at + chance.choice((1, 100, 3000))]
            elif what == 2:
                mutant[at:at] = mutant[at : at + chance.choice((1, 100, 3000))]
            else:
                mutant[at : at + 1] = chance.choice((b"\n", b"\0", b'"', b"}", b"9", b"\\ud800"))
        try:
            result = convert_text(bytes(mutant))
        except ScxvalError as error:
            assert "\n" not in str(error)
            continue
        assert result.stats.schema.equals(STATS_SCHEMA)
        assert result.capability.events == result.table.num_rows == 0
        times = [t for t in result.stats["time_ns"].to_pylist() if t is not None]
        assert times == sorted(times)
        assert all(w is None or w >= 0 for w in result.stats["window_ns"].to_pylist())
        # Every record is a row or more, is counted, or has become an answer of another kind.
        seen = len(set(result.stats["seq"].to_pylist()))
        lines = sum(bool(line.strip()) for line in mutant.split(b"\n"))
        assert seen + result.capability.unparsed <= lines <= seen + result.capability.unparsed + 3


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.dictionaries(st.text(max_size=4), TREES, max_size=4), min_size=1, max_size=4))
def test_any_answer_comes_back(answers: list[dict[str, Any]]) -> None:
    lines = [record(body, 100 * n + 90, 100 * n) for n, body in enumerate(answers)]
    result = convert_text(b"".join(lines))
    told = [
        (seq, keys, value)
        for seq, body in enumerate(answers)
        for keys, value in leaves(nested(body))
    ]
    assert not result.capability.unparsed
    rows = result.stats.select(["seq", "path", "value", "text"]).to_pylist()
    assert [(row["seq"], row["path"]) for row in rows] == [(s, p) for s, p, _ in told]
    for row, (_, _, value) in zip(rows, told, strict=True):
        if isinstance(value, str):
            assert (row["value"], row["text"]) == (None, value)
        elif value is None:
            assert (row["value"], row["text"]) == (None, None)
        else:
            assert row["value"] == float(value)
            assert row["text"] == (
                str(value) if abs(value) > 1 << 53 and type(value) is int else None
            )


def escaped(key: str) -> str:
    return key.replace("%", "%25").replace("/", "%2F")


def nested(body: Any) -> Any:
    if isinstance(body, dict):
        return {escaped(key): nested(value) for key, value in body.items()}
    return [nested(item) for item in body] if isinstance(body, list) else body


META = {
    "Top": {
        "name": "Top",
        "top": "true",
        "fields": {
            "a_ns": {"datum": "u64", "desc": "time"},
            "load": {"datum": "float", "desc": "100% of it"},
            "inner": {"datum": {"struct": "In"}},
            "list": {"array": {"struct": "In"}, "desc": "many"},
            "dict_ms": {"dict": {"key": "string", "datum": "float"}, "desc": "by name"},
            "odd": {"datum": {"struct": "Missing"}},
            "bad": 3,
        },
    },
    "In": {"name": "In", "fields": {"x": {"datum": "string", "desc": 5}}},
}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("a_ns", About("u64", "time", "ns")),
        ("load", About("float", "100% of it", None)),
        ("inner/x", About("string", None, None)),
        ("list/3/x", About("string", None, None)),
        ("dict_ms/name", About("float", "by name", "ms")),
        ("odd/x", About()),
        ("bad", About()),
        ("bad/x", About()),
        ("nothing", About()),
        ("a_ns/x", About()),
    ],
)
def test_about(keys: str, expected: About) -> None:
    assert about(META, keys.split("/")) == expected


def test_about_without_one_top() -> None:
    assert about({}, ["a"]) == About()
    assert about({"A": META["Top"], "B": META["Top"]}, ["a_ns"]) == About(None, None, "ns")
