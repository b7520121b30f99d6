# SPDX-License-Identifier: MIT
"""The JSON export holds what the protobuf one does, and is JSON whatever a task is called."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from scxval.formats.perfetto.track_events import COUNTER, INSTANT
from scxval.perfetto.command import export
from scxval.perfetto.side import harmless, read_side

from .read_back import KERNEL, SIMULATOR, read_back, side_of
from .test_perfetto_build import hostile_table


def _parent(tracks: list[str], track: str) -> str:
    """The longest other track's path that this one lies below: names have slashes, too."""
    above = (other for other in tracks if track.startswith(f"{other}/"))
    return max((f"{other}/" for other in above), key=len, default="")


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    sides = [read_side(KERNEL, "k"), read_side(SIMULATOR, "s")]
    export(sides, tmp_path / "x.json")
    export(sides, tmp_path / "x.pftrace")
    back = read_back(tmp_path / "x.pftrace")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    events = json.loads(text, parse_float=Decimal)["traceEvents"]
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    spans = sorted(
        (
            named[e["pid"], e["tid"]],
            e["name"],
            int(e["ts"] * 1000),
            int((e["ts"] + e["dur"]) * 1000),
        )
        for e in events
        if e["ph"] == "X"
    )
    leaves = {track: track.removeprefix(_parent(back.tracks, track)) for track in back.tracks}
    arrows = [event for event in back.of(INSTANT) if event.flow_out]
    wanted = [(leaves[s.track], s.name, s.start_ns, s.end_ns) for s in back.slices()]
    wanted += [(leaves[e.track], e.name, e.time_ns, e.time_ns) for e in arrows]
    assert spans == sorted(wanted)
    counts = sorted((int(e["ts"] * 1000), e["args"]["value"]) for e in events if e["ph"] == "C")
    assert counts == sorted((e.time_ns, e.value) for e in back.of(COUNTER))
    points = [e for e in events if e["ph"] == "i"]
    assert len(points) == len(back.of(INSTANT)) - len(arrows)
    outs = {e["bind_id"] for e in events if e.get("flow_out")}
    assert outs == {e["bind_id"] for e in events if e.get("flow_in")}
    assert len(outs) == back.counts()["flow"]


def test_arguments_are_exact(tmp_path: Path) -> None:
    side = read_side(KERNEL, "k")
    export([side], tmp_path / "x.json")
    events = json.loads((tmp_path / "x.json").read_bytes())["traceEvents"]
    by_seq = {e["args"]["seq"]: e for e in events if "seq" in e.get("args", {})}
    for row in side.events.to_pylist():
        args = by_seq[row["seq"]]["args"] if row["seq"] in by_seq else {}
        if args and row["flags"] is not None:
            assert int(args["flags"], 16) == row["flags"]
        if args and row["slice_ns"] is not None:
            given = args["slice_ns"]
            assert given == "infinite" or int(given) == row["slice_ns"]


def test_hostile_names_are_json_strings(tmp_path: Path) -> None:
    export([side_of(harmless(hostile_table()))], tmp_path / "x.json")
    events = json.loads((tmp_path / "x.json").read_bytes())["traceEvents"]
    names = {e["name"] for e in events}
    assert "</script><img src=x onerror=alert(1)>" in names
    assert '",\\x0a"ph":"E' in names
