# SPDX-License-Identifier: MIT
"""The study of what tracers cost, over folders of runs whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
            make_run(
                folder, window, reported=rows(period, 400 * host * float(noise[1]), cpu), **made
            )
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
