# SPDX-License-Identifier: MIT
"""A fresh run's sequences of calls are the simulated ones: from the guest to the comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.events.table import read_events
from scxval.simulate.sequences import Episode, shapes
from scxval.tracers.convert import convert_cell
from scxval.vm.launch import Guest

from ..simulate.conftest import libraries  # noqa: F401 - a fixture
from ..simulate.sequence_runs import KINDS, WORKLOADS, names_of, simulated, total
from .test_outcomes import run, spec_of

pytestmark = pytest.mark.vm


def test_a_fresh_run_of_scx_simple_asks_what_is_simulated(
    fault_config: Config,
    guest: Guest,
    libraries: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    axes = {"workload": "yielding", "tracer": "bpftrace", "isolation": "taskset", "machine": "tcg4"}
    out = tmp_path / "cell"
    status = run(spec_of(fault_config, scheduler="scx_simple", **axes), guest, out)
    assert status["outcome"] == "ok", status
    events = out / "events.parquet"
    convert_cell(out / "status.json", out / "raw", events, out / "capability.json")
    known = fault_config.catalog
    theirs = shapes(read_events(events), names_of(known, "yielding"), KINDS)
    ours = total(simulated(libraries, known, "scx_simple", name, 0) for name in WORKLOADS)
    for episode in (Episode.WAKE, Episode.SLICE_END, Episode.YIELD, Episode.SLEEP):
        counts = theirs.counts[episode]
        assert counts, episode
        often = {shape for shape, count in counts.items() if count >= 0.05 * counts.total()}
        assert often <= set(ours[episode]), often - set(ours[episode])
