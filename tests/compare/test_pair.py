# SPDX-License-Identifier: MIT
"""A pair end to end: folders of runs in, pair.json and its pictures out; trouble is said, not raised."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from scxval.catalog.comparison import Compare
from scxval.compare.pair import compare, main, spec_from_json
from scxval.compare.record import Pair, read_pair
from scxval.compare.verdict import Verdict
from scxval.errors import ScxvalError

from ..conftest import ROOT
from .runs import edit, group, make_run, piece, settings, spec
from .test_quantities import RTAPP, SILENT


@pytest.fixture(scope="module")
def how(raw_config: Mapping[str, Any]) -> Compare:
    return settings(raw_config)


def made(text: dict[str, Any]) -> Pair:
    return compare(spec_from_json(json.dumps(text))).pair


def test_a_pair_of_groups(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0, 2, 4, 6], 8), group(tmp_path / "b", [1, 3, 5, 7], 8)
    text, output = json.dumps(spec(how, a, b)), tmp_path / "out"
    assert main(["--spec", text, "--output", str(output)]) == 0
    pair = read_pair(output / "pair.json")
    # JSON has no tuples.
    assert replace(pair, alignments=()) == replace(made(json.loads(text)), alignments=())
    assert [run.used for run in (*pair.a.runs, *pair.b.runs)] == [True] * 8
    assert all(run.removed["warm-up"] > 0 for run in pair.a.runs)
    assert pair.settled is None
    assert "similarity value" in {quantity.name for quantity in pair.quantities}
    assert [d.metric for d in pair.distances] == [
        "wakeup_latency",
        "scheduling_delay",
        "slice_length",
        "dsq_latency",
    ]
    rows = pq.read_table(output / "alignment.parquet")
    counts = pair.alignments[0]
    assert pc.sum(pc.equal(rows["op"], "matched")).as_py() == counts["matched"]
    ElementTree.parse(output / "divergence.svg")


def test_sides_on_unlike_kernels_are_said(tmp_path: Path, how: Compare) -> None:
    """The host is taken for the kernel of its entry, whatever it runs."""
    a, b = group(tmp_path / "a", [0, 1], 40), group(tmp_path / "b", [2, 3], 40)
    for folder in (*a, *b):
        edit(folder / "provenance.json", guest={"release": "7.2.1"})
    assert not any("kernel" in note for note in made(spec(how, a, b)).notes)
    edit(b[1] / "provenance.json", guest={"release": "6.1.0"})
    assert "kernels: A ran on 7.2.1, B on 6.1.0, 7.2.1" in made(spec(how, a, b)).notes


def test_runs_of_several_nodes_are_said(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0, 1], 40), group(tmp_path / "b", [2, 3], 40)
    for folder in (*a, *b):
        edit(folder / "provenance.json", node={"name": "n1"})
    assert not any("nodes" in note for note in made(spec(how, a, b)).notes)
    edit(b[1] / "provenance.json", node={"name": "n2"})
    assert "nodes (runs): A n1 (2); B n1 (1), n2 (1)" in made(spec(how, a, b)).notes


def test_the_same_runs_on_both_sides_are_the_same(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0, 1], 4)
    pair = made(spec(how, a, a))
    for quantity in pair.quantities:
        if quantity.metric != "similarity":
            assert quantity.a == quantity.b
            assert quantity.controls["dilated"] != quantity.a or quantity.metric in (
                "slice_allocation",
                "involuntary_switches",
            )
    for distance in pair.distances:
        assert (distance.ks, distance.wasserstein) == pytest.approx((0, 0), abs=1e-6)
    between = [entry for entry in pair.alignments if entry["sides"] == "A/B"]
    assert [entry["similarity"] for entry in between] == [1.0, 1.0]


def test_samples_are_as_many_as_the_count_says(tmp_path: Path, how: Compare) -> None:
    pair = made(spec(how, group(tmp_path / "a", [0], 2), group(tmp_path / "b", [1], 2)))
    rates = {q.name: q for q in pair.quantities}
    waits = next(d for d in pair.distances if d.metric == "wakeup_latency")
    length = (piece(0, 2)[1] - piece(0, 2)[0] - how.warm_up_ns) / 1e9
    assert waits.samples_a == (round(rates["wakeup_latency count"].a[0] * length),)


def test_runs_that_are_not_used_are_in_the_record(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0, 1], 4), group(tmp_path / "b", [2, 3], 4)
    edit(b[0] / "status.json", outcome="tracer_lost_events", reason="7 lost")
    (b[1] / "events.parquet").write_bytes(b"PAR1")
    good = make_run(tmp_path / "b/rep9", piece(3, 4))
    pair = made(spec(how, a, [*b, good]))
    assert [run.used for run in pair.b.runs] == [False, False, True]
    assert "7 lost" in pair.b.runs[0].why
    assert "not an event table" in pair.b.runs[1].why
    assert len(pair.quantities[0].b) == 1


def test_a_run_whose_events_contradict_its_machine(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0], 4), group(tmp_path / "b", [1, 2], 4)
    edit(b[0] / "provenance.json", machine={"vcpus": 1})
    pair = made(spec(how, a, b))
    assert "which is not one of the CPUs given: [0]" in pair.b.runs[0].why
    assert len(pair.quantities[0].b) == 1


def test_no_run_that_can_be_used(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 4)
    b = group(tmp_path / "b", [1], 4, outcome="timeout", reason="no end in sight")
    pair = made(spec(how, a, [*b, tmp_path / "nowhere"]))
    assert pair.settled is not None
    assert pair.settled.verdict is Verdict.NOT_MEASURED
    assert "B (taskset): no run can be used: rep1: outcome timeout" in pair.settled.reason
    assert "nowhere: cannot read status.json" in pair.settled.reason
    assert not pair.quantities
    assert pair.b.runs[1].outcome == "missing"


def test_what_every_run_says_is_unsupported_is(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 4)
    b = group(tmp_path / "b", [1], 4, outcome="unsupported", reason="no such scheduler")
    pair = made(spec(how, a, b))
    assert pair.settled is not None
    assert pair.settled.verdict is Verdict.UNSUPPORTED


def test_a_side_that_cannot_exist(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0], 4)
    settled = {"verdict": "unsupported", "reason": "isolcpus beside sched_ext"}
    side = {"name": "isolcpus", "runs": [], "deterministic": False, "settled": settled}
    output = tmp_path / "out"
    text = json.dumps({**spec(how, a, []), "b": side})
    output.mkdir()
    (output / "divergence.svg").write_text("of another time")
    assert main(["--spec", text, "--output", str(output)]) == 0
    pair = read_pair(output / "pair.json")
    assert pair.settled is not None
    assert pair.settled.verdict is Verdict.UNSUPPORTED
    assert pair.settled.reason == "B: isolcpus beside sched_ext"
    assert sorted(path.name for path in output.iterdir()) == ["pair.json"]


def test_runs_without_a_tracer_beside_traced_ones(tmp_path: Path, how: Compare) -> None:
    a = group(tmp_path / "a", [0, 1], 4, capability=SILENT, reported=RTAPP)
    b = group(tmp_path / "b", [2, 3], 4, reported=RTAPP)
    pair = made(spec(how, a, b))
    assert {q.name for q in pair.quantities} == {"rtapp_run p50 task busy", "result_speed value"}
    assert pair.not_measured["migrations value"] == "A has no events"
    assert not pair.alignments
    assert not pair.distances


def test_a_simulation_that_is_not_the_same_again(tmp_path: Path, how: Compare) -> None:
    a, b = group(tmp_path / "a", [0], 4), group(tmp_path / "b", [1], 4)
    again = make_run(tmp_path / "again", piece(1, 4), lambda table: table.slice(1))
    pair = made(spec(how, a, b, again=[[str(b[0]), str(b[0])], [str(b[0]), str(again)]]))
    assert [check.passed for check in pair.checks] == [True, False]


def test_bad_input_is_one_line(
    tmp_path: Path, how: Compare, capsys: pytest.CaptureFixture[str]
) -> None:
    a = group(tmp_path / "a", [0], 4)
    for text in ("{", "[]", json.dumps({**spec(how, a, a), "a": None}), f"@{tmp_path}/none"):
        assert main(["--spec", text, "--output", str(tmp_path / "out")]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(ScxvalError, match="cannot read"):
        made(spec(how, a, a, workload=str(tmp_path / "none.json")))


def test_two_readings_of_one_run_agree_in_what_both_see(tmp_path: Path, how: Compare) -> None:
    """perf and bpftrace at once: kinds that only bpftrace sees are left out, the rest is nearly the same."""
    source = ROOT / "tests/fixtures/agreement/perf-bpftrace-rusty"
    status = json.loads((source / "status.json").read_text())
    folders = []
    for tracer in ("perf-sched", "bpftrace"):
        folder = tmp_path / tracer
        folder.mkdir()
        edited = {**status, "outcome": "ok", "reason": ""}
        (folder / "status.json").write_text(json.dumps(edited))
        for name in ("capability.json", "events.parquet"):
            shutil.copy(source / f"{tracer}.{name}", folder / name)
        folders.append(folder)
    file = str(ROOT / "config/workloads/periodic_mix.json")
    pair = made(spec(how, folders[:1], folders[1:], workload=file))
    removed = pair.b.runs[0].removed
    assert any(what.startswith("kind DsqInsert: only one side") for what in removed)
    assert pair.not_measured["dsq_latency p50"].endswith("which A does not see")
    names = {q.name for q in pair.quantities}
    assert {"migrations value", "wakeup_latency p50", "run_time value task hog"} <= names
    for quantity in pair.quantities:
        if quantity.metric != "similarity" and quantity.stat != "p99":
            # A wait seen by the later of two emulated probes begins some 20 us later.
            apart = 30_000 if quantity.unit == "ns" else 0
            assert quantity.b == pytest.approx(quantity.a, rel=0.02, abs=apart), quantity.name
    assert pair.alignments[0]["similarity"] > 0.95
    assert sum("clocks not checked" in note for note in pair.notes) == 1
