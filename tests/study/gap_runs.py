# SPDX-License-Identifier: MIT
"""Runs of a kernel and simulations of them, all made of one real capture: pieces of its window."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.events.capability import read_capability
from scxval.files import write_json
from scxval.study.record import Inputs, StudySettings

from ..compare.runs import CAPTURE, make_run, piece, settings

SETTINGS = StudySettings(gap_share=0.01, gap_rows=100, fewest_ranked=4, tracer_cpus=0.05)
GROUP = "scx_simple/calibration/bpftrace/taskset/tcg4"
SIMULATED = "builtin/scx_simple/calibration/tcg4"
# The first and the last hold what tasks do only when they begin and end.
PIECES = 10
CAPABILITY = read_capability(CAPTURE / "capability.json")


def without_kind(*kinds: str) -> Callable[[pa.Table], pa.Table]:
    """A table that lacks these kinds."""

    def change(table: pa.Table) -> pa.Table:
        wrong = pa.compute.is_in(table["kind"].cast(pa.string()), pa.array(kinds))
        return table.filter(pa.compute.invert(wrong))

    return change


def hidden(*kinds: str) -> dict[str, Any]:
    """What a source cannot show, as its capability has it."""
    return {
        "kinds": [kind for kind in CAPABILITY.kinds if kind not in kinds],
        "fields": {k: columns for k, columns in CAPABILITY.fields.items() if k not in kinds},
    }


def inputs(
    root: Path,
    raw_config: Mapping[str, Any],
    real: Sequence[int] = range(1, 5),
    simulated: Sequence[int] = range(5, 9),
    change: Callable[[pa.Table], pa.Table] | None = None,
    capability: Mapping[str, Any] | None = None,
    real_change: Callable[[pa.Table], pa.Table] | None = None,
    **plan: Any,
) -> Inputs:
    """A study's inputs: some pieces are the kernel's runs, others simulations, changed by `change`."""
    cells = [f"{GROUP}/rep{number}" for number in real]
    seeds = [f"{SIMULATED}/seed{number}" for number in simulated]
    for path, number in zip(cells, real, strict=True):
        make_run(root / "runs" / path, piece(number, PIECES), change=real_change)
    for path, number in zip(seeds, simulated, strict=True):
        make_run(
            root / "sim" / path,
            piece(number, PIECES),
            change=change,
            capability=capability,
            simulation={"simulator": "builtin"},
        )
    planned = {
        "cells": cells,
        "excluded": [],
        "simulations": seeds,
        "excluded_simulations": [],
        "pairs": {"simulator": [f"builtin/{GROUP}"]},
        **plan,
    }
    write_json(root / "plan.json", planned)
    return Inputs(
        plan=json.loads((root / "plan.json").read_text()),
        runs=root / "runs",
        simulations=root / "sim",
        compare=root / "compare",
        agreement=root / "study/agreement",
        how=settings(raw_config),
        settings=SETTINGS,
    )


def fewer_rows(given: Inputs, rows: int) -> Inputs:
    """The same with another least number of rows."""
    return replace(given, settings=replace(given.settings, gap_rows=rows))
