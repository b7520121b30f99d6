# SPDX-License-Identifier: MIT
"""Several tracers on the tracer axis: what may stand beside what, and what one line says otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import parse_config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan
from scxval.catalog.model import cell_from_path
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError
from scxval.vm.job import build_job, cell_spec, spec_from_json
from scxval.vm.space import needed

from ..conftest import ROOT

HOST = Host(16384, {"kvm": False, "tcg": True})
# Entries of modules that this test does not need: their exclusion is by name.
MORE = """
scxtop: {module: scxtop, about: x, raw_mib: 100}
wprof: {module: wprof, about: x}
bpftrace_again: {module: bpftrace, about: x}
"""


@pytest.fixture
def raw(raw_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "tracers.yaml").write_text(MORE)
    folders = ["config/catalog", str(tmp_path)]
    return {
        **raw_config,
        "catalog": folders,
        "scheduler": ["scx_rusty"],
        "reps": 1,
        "simulator": "none",
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (
            "bpftrace+bpftrac",
            "unknown part of tracer 'bpftrace+bpftrac': 'bpftrac'; did you mean 'bpftrace'?",
        ),
        ("bpftrace+none", "tracer 'bpftrace+none': none is no tracer, so it runs beside no other"),
        ("none+bpftrace", "tracer 'none+bpftrace': none is no tracer"),
        ("bpftrace+bpftrace", "bpftrace would run twice"),
        ("bpftrace+scx-stats+bpftrace_again", "bpftrace would run twice; run each in a cell"),
        ("bpftrace+", "unknown part of tracer 'bpftrace+': ''"),
        ("+", "unknown part of tracer '+': ''"),
        ("bpftrac", "unknown tracer 'bpftrac'; did you mean 'bpftrace'?"),
    ],
)
def test_refused_in_one_line(raw: dict[str, Any], value: str, says: str) -> None:
    with pytest.raises(ScxvalError) as caught:
        parse_config({**raw, "tracer": [value]}, ROOT)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_any_order_is_a_cell_of_its_own(raw: dict[str, Any]) -> None:
    values = ["scx-stats+bpftrace", "bpftrace+scx-stats"]
    config = parse_config({**raw, "tracer": values}, ROOT)
    cells = [cell for cell in plan(config, HOST).cells if cell.scheduler == "scx_rusty"]
    assert [cell.tracer for cell in cells] == values
    for cell in cells:
        assert cell_from_path(f"results/runs/{cell.path}") == cell
        spec = cell_spec(cell, config)
        assert [part.name for part in spec.tracers] == cell.tracer.split("+")
        again = spec_from_json(spec.to_json(), spec.workload.file)
        assert [part.name for part in again.tracers] == cell.tracer.split("+")


def test_scxtop_and_wprof_exclude_each_other(raw: dict[str, Any]) -> None:
    values = ["wprof+bpftrace+scxtop", "scxtop+bpftrace", "scxtop+wprof"]
    result = plan(parse_config({**raw, "tracer": values}, ROOT), HOST)
    assert {cell.tracer for cell in result.cells} == {"scxtop+bpftrace"}
    assert {e.outcome for e in result.excluded} == {Outcome.UNSUPPORTED}
    assert "task_ctxs" in result.excluded[0].reason


def test_statistics_are_sampled_only_where_there_are_any(raw: dict[str, Any]) -> None:
    changes = {"tracer": ["scx-stats", "bpftrace+scx-stats"], "scheduler": "all"}
    config = parse_config({**raw, **changes}, ROOT)
    result = plan(config, HOST)
    crates = {s.name for s in config.catalog.schedulers.values() if s.source == "crate"}
    assert {cell.scheduler for cell in result.cells} == crates
    refused = {e.cell.scheduler: e for e in result.excluded}
    assert set(refused) == set(config.catalog.schedulers) - crates
    assert "fair has no scx_stats to sample" in refused["fair"].reason
    assert refused["fair"].outcome is Outcome.UNSUPPORTED


def test_the_disk_of_all_parts_is_counted(raw: dict[str, Any]) -> None:
    config = parse_config({**raw, "tracer": ["scxtop+bpftrace", "bpftrace"]}, ROOT)
    both, one = (c for c in plan(config, HOST).cells if c.scheduler == "scx_rusty")
    more = needed([both], config.catalog, 1).disk_mib - needed([one], config.catalog, 1).disk_mib
    assert more == 100


def test_each_part_finds_its_files_in_its_own_folder(raw: dict[str, Any]) -> None:
    config = parse_config({**raw, "tracer": ["bpftrace+scx-stats"]}, ROOT)
    (cell,) = (c for c in plan(config, HOST).cells if c.scheduler == "scx_rusty")
    functions = frozenset(("enqueue_task_scx", "dispatch_enqueue"))
    job = build_job(cell_spec(cell, config), functions, None)
    first, second = job.spec["tracers"]
    assert (first["name"], first["folder"]) == ("bpftrace", "parts/bpftrace/")
    assert (second["name"], second["folder"]) == ("scx-stats", "parts/scx-stats/")
    assert "parts/bpftrace/trace.bt" in job.texts
    assert {"tracer.bpftrace", "tracer.scx-stats"} <= set(job.spec["versions"])
