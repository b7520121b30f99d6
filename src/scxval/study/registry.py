# SPDX-License-Identifier: MIT
"""The studies by name: a study is a module with `study(inputs)`, and its line here."""

from __future__ import annotations

import importlib

from scxval.errors import unknown_name
from scxval.study.record import Inputs, Study

# The name in the configuration, of its target and of its folder below results/study/.
STUDIES = {
    "tracer_overhead": "scxval.study.tracer_overhead",
    "isolation": "scxval.study.isolation",
    "vm_overhead": "scxval.study.vm_overhead",
    "tracer_agreement": "scxval.study.tracer_agreement",
    "simulator_gaps": "scxval.study.simulator_gaps",
    "ranking": "scxval.study.ranking",
}
ROOT = "results/study"


def make_study(name: str, inputs: Inputs) -> Study:
    """Make one study. Raises ScxvalError for an unknown name, or inputs that cannot be read."""
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    # Only the one that is asked for: each needs other libraries.
    made: Study = importlib.import_module(STUDIES[name]).study(inputs)
    return made
