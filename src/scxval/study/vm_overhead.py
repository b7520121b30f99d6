# SPDX-License-Identifier: MIT
"""What the machine does to the numbers: emulated, virtual, or none: the family `machine` as a study."""

from __future__ import annotations

import json
from typing import Any

from scxval.study.families import Asked, study_of
from scxval.study.record import Inputs, Study

ASKED = Asked(
    name="vm_overhead",
    family="machine",
    axis="machine",
    title="Machines",
    question="Does it change what is measured on which machine a run is made?",
    caption="One machine over another, all else the same",
)


def study(inputs: Inputs) -> Study:
    """The family's questions. Pairs with a machine whose times are of no real CPUs are no answer."""
    refused = {
        path: why
        for path in inputs.plan.get("pairs", {}).get(ASKED.family, [])
        if (why := _not_for_timing(inputs, path))
    }
    return study_of(ASKED, inputs, refused)


def _not_for_timing(inputs: Inputs, path: str) -> str:
    """Why times of one of a pair's machines say nothing of several CPUs, as its runs' provenance has it."""
    record = _json(inputs, path)
    for side in ("a", "b"):
        for run in record.get(side, {}).get("runs", []):
            file = inputs.runs / str(run["path"]).split("results/runs/", 1)[-1] / "provenance.json"
            try:
                machine = json.loads(file.read_text(encoding="utf-8"))["machine"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if machine.get("not_for_smp_timing"):
                return f"not for timing: {machine['not_for_smp_timing']}"
    return ""


def _json(inputs: Inputs, path: str) -> dict[str, Any]:
    try:
        file = inputs.compare / ASKED.family / path / "pair.json"
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The family's verdicts say what is wrong with it.
        return {}
    return data if isinstance(data, dict) else {}
