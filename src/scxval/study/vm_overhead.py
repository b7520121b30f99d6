# SPDX-License-Identifier: MIT
"""What the machine does to the numbers: emulated, virtual, or none: the family `machine` as a study."""

from __future__ import annotations

from scxval.study.families import Asked, study_of
from scxval.study.findings import not_for_timing
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
        if (why := not_for_timing(inputs, ASKED.family, path))
    }
    return study_of(ASKED, inputs, refused)
