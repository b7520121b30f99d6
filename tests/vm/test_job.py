# SPDX-License-Identifier: MIT
"""The job of a cell, as data: a workload in parts, and a spec that survives its way to a job."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from scxval.catalog.config import Config
from scxval.catalog.model import Tracer
from scxval.errors import ScxvalError
from scxval.tracers.base import TracerCommand
from scxval.vm.job import build_job, spec_from_json, write_job

from .test_outcomes import spec_of


@pytest.mark.parametrize("name", ["cgroup_weights", "affinity", "hackbench", "bad_cgroup"])
def test_a_spec_comes_back_as_it_was_but_for_what_is_read_later(
    fault_config: Config, name: str
) -> None:
    spec = spec_of(fault_config, workload=name)
    text = spec.to_json()
    assert "/" not in (json.loads(text)["workload"]["file"] or "")
    expected = dataclasses.replace(
        spec,
        workload=dataclasses.replace(spec.workload, result=None),
        scheduler=dataclasses.replace(spec.scheduler, stats=False),
        tracers=tuple(
            dataclasses.replace(t, raw_mib=Tracer("", "", "").raw_mib) for t in spec.tracers
        ),
    )
    assert spec_from_json(text, spec.workload.file) == expected


def test_a_scheduler_brings_its_files(fault_config: Config, tmp_path: Path) -> None:
    spec = spec_of(fault_config, scheduler="scx_layered")
    (file,) = spec.scheduler.files
    binary = tmp_path / "scx_layered"
    job = build_job(spec_from_json(spec.to_json(), None), frozenset(), binary, (file,))
    assert job.copies == {"scx_layered": binary, "layers-nice.json": file}
    assert job.spec["scheduler"]["argv"] == ["{in}/scx_layered", "file:{in}/layers-nice.json"]


def test_each_cgroup_has_an_rt_app_of_its_own(fault_config: Config) -> None:
    job = build_job(spec_of(fault_config, workload="cgroup_max"), frozenset(), None)
    assert job.spec["workload"] == {
        "cgroups": [
            {
                "name": "capped",
                "settings": {"cpu.max": "50000 100000"},
                "argv": ["rt-app", "{in}/workload.capped.json"],
            },
            {"name": "uncapped", "settings": {}, "argv": ["rt-app", "{in}/workload.uncapped.json"]},
        ]
    }
    parts = {name: json.loads(text) for name, text in job.texts.items()}
    assert {name: list(part["tasks"]) for name, part in parts.items()} == {
        "workload.capped.json": ["capped0", "capped1"],
        "workload.uncapped.json": ["free"],
    }
    whole = json.loads(job.copies["workload.json"].read_text())
    for part in parts.values():
        assert part["global"] == whole["global"]
        assert part["tasks"].items() <= whole["tasks"].items()


def test_a_command_is_run_as_it_stands(fault_config: Config) -> None:
    spec = spec_of(fault_config, workload="hackbench")
    job = build_job(spec, frozenset(), None)
    assert job.spec["workload"] == {"argv": list(spec.workload.argv)}


def test_a_tracer_brings_its_program(
    fault_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = TracerCommand(["{in}/tool"], "", "", [], ["{in}/tool", "-V"], "", binary="tool")
    monkeypatch.setattr("scxval.tracers.bpftrace.command", lambda options, functions: own)
    spec = spec_of(fault_config, tracer="bpftrace")
    file = tmp_path / "tool-1.2"
    file.write_text("x")
    job = build_job(spec, frozenset(), None, (), (file,))
    assert job.copies["tool"] == file
    assert "binary" not in job.spec["tracers"][0]
    (tracer,) = spec.tracers
    two = dataclasses.replace(spec, tracers=(tracer, dataclasses.replace(tracer, name="other")))
    both = build_job(two, frozenset(), None, (), (file, file))
    assert both.copies["parts/bpftrace/tool"] == file
    assert both.spec["versions"]["tracer.bpftrace"] == ["{in}/parts/bpftrace/tool", "-V"]
    write_job(both, tmp_path / "job")
    assert (tmp_path / "job/parts/bpftrace/tool").stat().st_mode & 0o111
    with pytest.raises(ScxvalError, match="0 tracer binaries for 1 \\(tool\\)"):
        build_job(spec, frozenset(), None)
