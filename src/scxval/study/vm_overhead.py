# SPDX-License-Identifier: MIT
"""What the machine does to the numbers: emulated, virtual, or none: the family `machine` as a study."""

from __future__ import annotations

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
    """The family's questions, and whether runs vary less on one machine than on the other."""
    return study_of(ASKED, inputs)
