# SPDX-License-Identifier: MIT
"""What it changes to keep the tracer's CPUs apart, and how: the family `isolation` as a study."""

from __future__ import annotations

from scxval.study.families import Asked, study_of
from scxval.study.record import Inputs, Study

ASKED = Asked(
    name="isolation",
    family="isolation",
    axis="isolation",
    title="Isolation",
    question="Does it change what is measured how tracer and workload are kept apart?",
    caption="One isolation over another, all else the same",
)


def study(inputs: Inputs) -> Study:
    """The family's questions, and whether one isolation makes runs vary less than the other."""
    return study_of(ASKED, inputs)
