# SPDX-License-Identifier: MIT
"""A budget: what fits, the oldest first, each with what it is compared with, and all of it explained."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.catalog.config import parse_config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.planning import planned
from scxval.planning.budget import (
    Question,
    choice_made,
    choose,
    question,
    read_choice,
    within,
    write_choice,
)
from scxval.planning.timing import Begun, timing

from ..conftest import ROOT

HOST = Host(16384, {"kvm": False, "tcg": True})
AXES = {
    "scheduler": ["scx_simple", "scx_qmap", "scx_central"],
    "workload": ["periodic_mix", "bursty"],
    "tracer": ["none", "bpftrace"],
    "reps": 2,
    "budget": "8m",
}


def config(raw: dict[str, Any], **changes: Any) -> Any:
    return parse_config({**raw, **AXES, **changes}, ROOT)


def test_a_part_of_the_matrix_with_what_it_is_compared_with(raw_config: dict[str, Any]) -> None:
    asked = question(config(raw_config), plan(config(raw_config), HOST))
    assert asked.budget_s == 480 and sum(asked.groups.values()) == 33
    choice = choose(asked, timing([]))
    taken = {one.group for one in choice.taken}
    assert choice.seconds <= 480 and 6 <= len(taken) < len(asked.groups)
    assert asked.always[0] in taken
    for group in taken - set(asked.always):
        scheduler, workload, tracer, *rest = group.split("/")
        for other in (scheduler, "fair"):
            assert "/".join([other, workload, "none", *rest]) in taken
            assert "/".join([other, workload, tracer, *rest]) in taken
    assert all(one.why and one.source for one in (*choice.taken, *choice.left_out))


def test_what_is_left_out_is_listed_and_in_no_pair(raw_config: dict[str, Any]) -> None:
    wanted = config(raw_config)
    whole = plan(wanted, HOST)
    choice = choose(question(wanted, whole), timing([]))
    found = within(whole, choice)
    assert len(found.cells) == sum(one.cells for one in choice.taken)
    assert len(found.cells) + len(found.excluded) == len(whole.cells)
    assert {e.outcome for e in found.excluded} == {Outcome.LEFT_OUT}
    assert all(e.reason.startswith("budget 8 min: ") for e in found.excluded)
    paths = {f"results/runs/{cell.path}" for cell in found.cells}
    for pair in planned(wanted, HOST, choice).pairs.values():
        for side in (pair.a, pair.b):
            assert side.settled is None or side.settled.verdict == "unsupported"
            assert {run for run in side.runs if run.startswith("results/runs")} <= paths


def test_the_longest_ago_goes_first() -> None:
    names = [f"s{k}/w/none/i/m" for k in range(6)]
    asked = Question(70.0, dict.fromkeys(names, 1), [], {name: [] for name in names})
    known = timing(
        [Begun(100.0 * k, tuple(name.split("/")), 0) for k, name in enumerate(names[:4])]
    )
    choice = choose(asked, known)
    # Each took 100 s in those runs: nothing fits. At 30 s a cell the two that were never run do.
    assert choice.taken == ()
    cheap = timing([Begun(1.0 + 30.0 * k, tuple(n.split("/")), 0) for k, n in enumerate(names[:4])])
    assert {one.group for one in choose(asked, cheap).taken} == {names[4], names[5]}
    later = Question(100.0, asked.groups, [], asked.companions)
    third = choose(later, cheap).taken[2]
    assert (third.group, third.why) == (names[0], "measured longest ago")


@given(
    budget=st.floats(0, 5000),
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    starts=st.lists(st.floats(0, 1e6), max_size=30),
)
def test_never_more_than_the_budget(budget: float, counts: list[int], starts: list[float]) -> None:
    names = [f"s{k}/w/none/i/m" for k in range(len(counts))]
    groups = dict(zip(names, counts, strict=True))
    companions = {**dict.fromkeys(names, names[:1]), names[0]: []}
    asked = Question(budget, groups, [], companions)
    known = timing([Begun(s, tuple(n.split("/")), 0) for s, n in zip(starts, names, strict=False)])
    choice = choose(asked, known)
    assert choice.seconds <= budget * (1 + 1e-9)
    groups = [one.group for one in (*choice.taken, *choice.left_out)]
    assert sorted(groups) == sorted(names)
    assert choose(asked, known) == choice


def test_the_choice_stays_until_the_question_is_another(tmp_path: Path) -> None:
    names = [f"s{k}/w/none/i/m" for k in range(3)]
    asked = Question(60.0, dict.fromkeys(names, 1), [], {name: [] for name in names})
    file = tmp_path / "budget.json"
    write_choice(json.dumps(asdict(asked)), tmp_path / "no.sqlite", tmp_path / "runs", file)
    there = read_choice(file)
    assert len(there.taken) == 2
    assert choice_made(asked, file) == there
    assert choice_made(Question(90.0, asked.groups, [], asked.companions), file) is None
    assert choice_made(Question(60.0, {names[0]: 2}, [], {names[0]: []}), file) is None
    assert choice_made(asked, tmp_path / "none.json") is None
    # What was run since would choose others.
    known = timing([Begun(10.0, tuple(there.taken[0].group.split("/")), 0)])
    assert choose(asked, known) != there
    group = there.taken[0].group
    for rep, start in enumerate((0.0, 10.0)):
        (tmp_path / f"runs/{group}/rep{rep}").mkdir(parents=True)
        record = json.dumps({"started_unix_s": start})
        (tmp_path / f"runs/{group}/rep{rep}/provenance.json").write_text(record)
    write_choice(json.dumps(asdict(asked)), tmp_path / "no.sqlite", tmp_path / "runs", file)
    assert read_choice(file) == there
    file.unlink()
    write_choice(json.dumps(asdict(asked)), tmp_path / "no.sqlite", tmp_path / "runs", file)
    assert len(read_choice(file).taken) == 3


def test_lines_say_how_much_and_why(raw_config: dict[str, Any]) -> None:
    wanted = config(raw_config)
    lines = choose(question(wanted, plan(wanted, HOST)), timing([])).lines()
    assert lines[0].startswith("budget 8 min: ") and " of 33 cells" in lines[0]
    assert any("calibrated by it" in line for line in lines)
    assert any("its turn comes" in line for line in lines)


def test_junk_is_said(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    (tmp_path / "budget.json").write_text('{"budget_s": 3}')
    with pytest.raises(ScxvalError, match="not a choice within a budget"):
        read_choice(tmp_path / "budget.json")
    with pytest.raises(ScxvalError, match="has no budget"):
        question(config(raw_config, budget=None), plan(config(raw_config), HOST))
    with pytest.raises(ScxvalError, match="budget"):
        config(raw_config, budget="soon")
