# SPDX-License-Identifier: MIT
"""The study of what tracers cost, over folders of runs whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scxval.compare.verdict import Verdict
from scxval.study.record import Finding, Inputs, Study
from scxval.study.tracer_overhead import study

from ..compare.runs import Row, make_run, piece, settings
from .gap_runs import SETTINGS

PLACE = "taskset/tcg4"
# A busy or a quiet host, the same for both runs of a pair.
HOST = (1.0, 1.6, 0.8, 1.3, 0.9, 1.1)


def rows(period: float, switches: float, tracer_ns: float | None = None) -> list[Row]:
    """What a run reports: passes of a task, switches, and the CPU time of its tracer."""
    own: list[Row] = [
        ("task", "ping", "rtapp_period", "count", period, "count", int(period)),
        ("workload", "", "rtapp_period", "count", period, "count", int(period)),
        ("workload", "", "kernel_voluntary_switches", "value", switches, "count", 1),
    ]
    if tracer_ns is not None:
        own.append(("tracer", "bpftrace", "tracer_cpu_time", "value", tracer_ns, "ns", 1))
    return own


def inputs(
    root: Path,
    raw_config: Mapping[str, Any],
    cost: float = 1.0,
    tracer_share: float = 0.01,
    hosts: Sequence[float] = HOST,
    leave_out: Sequence[str] = (),
    change: Callable[[str, list[Row]], list[Row]] | None = None,
) -> Inputs:
    """Pairs in which the tracer leaves `cost` of the work done, and has that share of a CPU."""
    rng = np.random.default_rng(1)
    cells = []
    window = piece(2, 10)
    for rep, host in enumerate(hosts):
        for tracer in ("none", "bpftrace"):
            path = f"scx_simple/calibration/{tracer}/{PLACE}/rep{rep}"
            cells.append(path)
            if path in leave_out:
                continue
            traced = tracer != "none"
            noise = rng.normal(1, 0.005, 2)
            period = 1000 * host * noise[0] * (cost if traced else 1.0)
            cpu = tracer_share * (window[1] - window[0]) * float(noise[1]) if traced else None
            folder = root / "runs" / path
            made = {} if traced else {"capability": {"kinds": [], "fields": {}}}
            reported = rows(period, 400 * host * float(noise[1]), cpu)
            reported = change(path, reported) if change else reported
            make_run(folder, window, reported=reported, **made)
            provenance = json.loads((folder / "provenance.json").read_text())
            provenance["started_unix_s"] = 1000.0 + 60 * len(cells)
            (folder / "provenance.json").write_text(json.dumps(provenance))
    return Inputs(
        plan={"cells": cells},
        runs=root / "runs",
        simulations=root / "sim",
        compare=root / "compare",
        agreement=root / "agreement",
        how=settings(raw_config),
        settings=SETTINGS,
    )


def named(made: Study) -> dict[str, Finding]:
    return {finding.what: finding for finding in made.findings}


def test_a_tracer_that_costs_nothing(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config))
    found = named(made)
    passes = found["rtapp_period count task ping"]
    # The host halves and doubles everything: only pairs can tell.
    assert passes.verdict is Verdict.AGREE and passes.n_a == 6 and passes.n_b is None
    assert passes.estimate == pytest.approx(1.0, abs=0.01)
    assert (passes.low or 0) < 1.0 < (passes.high or 0) and (passes.power or 0) > 0.9
    assert found["kernel_voluntary_switches value"].verdict is Verdict.AGREE
    own = found["CPUs of the tracer itself"]
    assert own.verdict is Verdict.AGREE and own.estimate == pytest.approx(0.01, rel=0.05)
    assert own.n_a == 6
    assert made.judgement.verdict is Verdict.AGREE
    assert "began 1.0 minutes apart" in made.caption


def test_a_tracer_that_costs_a_third(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config, cost=0.67, tracer_share=1.0))
    found = named(made)
    assert found["rtapp_period count task ping"].verdict is Verdict.DISAGREE
    assert found["rtapp_period count task ping"].estimate == pytest.approx(0.67, abs=0.01)
    assert found["kernel_voluntary_switches value"].verdict is Verdict.AGREE
    assert found["CPUs of the tracer itself"].verdict is Verdict.DISAGREE
    assert made.judgement.verdict is Verdict.DISAGREE
    # A number of its own has its interval in words.
    assert " CPUs; n 6" in made.figure and "1 [0.99" in made.figure
    # Of these two, and in the key.
    assert made.figure.count('class="st-disagree"') == 2 + 1


def test_a_run_that_is_not_there_is_no_pair(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    gone = f"scx_simple/calibration/none/{PLACE}/rep2"
    made = study(inputs(tmp_path, raw_config, leave_out=[gone]))
    assert named(made)["rtapp_period count task ping"].n_a == 5
    assert any("rep2 without the tracer" in note and "status.json" in note for note in made.notes)
    pairs = next(table for table in made.tables if table.name == "pairs")
    reps = {dict(zip(pairs.columns, row, strict=True))["rep"] for row in pairs.rows}
    assert reps == {"rep0", "rep1", "rep3", "rep4", "rep5"}


def test_two_pairs_say_what_they_cannot(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config, cost=0.9, hosts=(1.0, 1.4)))
    assert made.judgement.verdict is Verdict.INCONCLUSIVE
    assert any("undecided with these runs" in line for line in made.cannot_tell)


def test_nothing_to_pair(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    whole = inputs(tmp_path, raw_config, hosts=(1.0,))
    alone = replace(whole, plan={"cells": [c for c in whole.plan["cells"] if "bpftrace" in c]})
    made = study(alone)
    assert made.judgement.verdict is Verdict.NOT_MEASURED and made.findings == ()
    assert "put `none` and a tracer on the axis" in made.judgement.reason
    assert "put `none`" in made.figure


def test_one_pair_is_no_spread(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config, hosts=(1.0,)))
    assert {f.verdict for f in made.findings} == {Verdict.INCONCLUSIVE}
    assert all(f.power is None for f in made.findings)


def without(metric: str, *paths: str) -> Callable[[str, list[Row]], list[Row]]:
    """Rows of which these runs do not measure that metric."""

    def change(path: str, found: list[Row]) -> list[Row]:
        if not any(part in path for part in paths):
            return found
        return [(*r[:4], None, r[5], 0) if r[2] == metric else r for r in found]

    return change


def test_a_number_that_a_run_lacks_takes_its_pair_along(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    lacks = without(
        "kernel_voluntary_switches", "/none/taskset/tcg4/rep1", "bpftrace/taskset/tcg4/rep4"
    )
    made = study(inputs(tmp_path, raw_config, change=lacks))
    found = named(made)
    assert found["rtapp_period count task ping"].n_a == 6
    switches = found["kernel_voluntary_switches value"]
    # Rows stay rows: were rep1 of one side beside rep2 of the other, the host's noise would be in them.
    assert switches.n_a == 4 and switches.verdict is Verdict.AGREE
    assert any("kernel_voluntary_switches value: 4 of 6 pairs have it" in n for n in made.notes)
    pairs = next(table for table in made.tables if table.name == "pairs")
    reps = [row[3] for row in pairs.rows if row[1] == "kernel_voluntary_switches value"]
    assert reps == ["rep0", "rep2", "rep3", "rep5"]


def test_a_number_that_no_pair_has_is_not_measured(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    lacks = without(
        "kernel_voluntary_switches", "/none/taskset/tcg4/rep0", "bpftrace/taskset/tcg4/rep1"
    )
    made = study(inputs(tmp_path, raw_config, hosts=(1.0, 1.1), change=lacks))
    assert "kernel_voluntary_switches value" not in named(made)
    table = next(table for table in made.tables if table.name == "not_measured")
    why = {row[1]: row[2] for row in table.rows}
    assert why["kernel_voluntary_switches value"] == "no pair has it on both sides"
    # What nobody reports is said, too.
    assert why["kernel_involuntary_switches value"] == "no run of A measures it"


def test_a_tracer_that_had_ended_has_no_cpu_time(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    made = study(inputs(tmp_path, raw_config, change=without("tracer_cpu_time", "bpftrace")))
    assert "CPUs of the tracer itself" not in named(made)
    (line,) = [line for line in made.cannot_tell if "raw/counters.json" in line]
    assert "of 1 of 1 groups" in line and "bpftrace/scx_simple/calibration/taskset/tcg4" in line


def test_several_tracers_of_a_run_are_counted_together(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    def second(path: str, found: list[Row]) -> list[Row]:
        own = [r for r in found if r[2] == "tracer_cpu_time"]
        return [*found, *(("tracer", "perf-sched", *r[2:4], 2 * (r[4] or 0), *r[5:]) for r in own)]

    made = study(inputs(tmp_path, raw_config, tracer_share=0.01, change=second))
    assert named(made)["CPUs of the tracer itself"].estimate == pytest.approx(0.03, rel=0.05)


def test_a_machine_whose_cpus_take_turns_is_no_answer(
    tmp_path: Path, raw_config: dict[str, Any]
) -> None:
    asked = inputs(tmp_path, raw_config, cost=0.67)
    run = tmp_path / f"runs/scx_simple/calibration/none/{PLACE}/rep0/provenance.json"
    machine = {"vcpus": 4, "not_for_smp_timing": "its CPUs take turns"}
    run.write_text(json.dumps({**json.loads(run.read_text()), "machine": machine}))
    made = study(asked)
    assert {f.verdict for f in made.findings} == {Verdict.INCONCLUSIVE}
    assert {f.reason for f in made.findings} == {"not for timing: its CPUs take turns"}
    # The numbers are there to be read all the same.
    assert named(made)["rtapp_period count task ping"].estimate == pytest.approx(0.67, abs=0.01)


def test_what_pairs_gain_is_said(tmp_path: Path, raw_config: dict[str, Any]) -> None:
    made = study(inputs(tmp_path, raw_config))
    table = next(table for table in made.tables if table.name == "pairing")
    (row,) = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert (row["pairs"], row["quantities"]) == (6, 2)
    assert row["minutes_apart"] == row["minutes_apart_most"] == pytest.approx(1.0)
    # The host's noise is some 30 %, that of a run half a percent.
    assert row["varies"] < 0.1
    assert f"vary {row['varies']:.2f} times as much" in made.caption
    assert made.caption.startswith("With the tracer over without it, 6 pairs of runs a line")
