# SPDX-License-Identifier: MIT
"""Programs of tracers that the guest's image lacks: from this host, or excluded in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import parse_config
from scxval.catalog.exclusion import Host
from scxval.catalog.load import load_catalog
from scxval.catalog.matrix import plan
from scxval.catalog.outcomes import Outcome
from scxval.catalog.programs import host_program
from scxval.errors import ScxvalError

from ..conftest import ROOT

SHIPPED = ROOT / "config/catalog"
HOST = Host(16384, {"kvm": False, "tcg": True})


def entry(folder: Path, text: str) -> Path:
    (folder / "tracers.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("binary", "found"), [("tool", False), ("./tool", True), ("sh", True), ("../x/none", False)]
)
def test_a_path_is_beside_the_entry_and_a_name_on_path(
    tmp_path: Path, binary: str, found: bool
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    folder = entry(
        tmp_path, f"mine: {{module: bpftrace, about: x, source: host, binary: {binary}}}"
    )
    tracer = load_catalog([SHIPPED, folder]).tracers["mine"]
    program = host_program(tracer)
    assert (program is not None) is found
    if binary == "./tool":
        assert program == tmp_path / "tool"
        (tmp_path / "tool").chmod(0o644)
        assert host_program(tracer) is None


def test_a_cell_without_its_tracers_program_is_excluded(
    raw_config: dict[str, Any], tmp_path: Path
) -> None:
    folder = entry(tmp_path, "mine: {module: bpftrace, about: x, source: host, binary: no-such}")
    config = parse_config(
        {
            **raw_config,
            "catalog": ["config/catalog", str(folder)],
            "scheduler": ["fair"],
            "tracer": ["mine", "mine+scx-stats", "bpftrace"],
        },
        ROOT,
    )
    planned = plan(config, HOST)
    assert {cell.tracer for cell in planned.cells} == {"bpftrace"}
    (reason,) = {e.reason for e in planned.excluded if e.cell.tracer == "mine"}
    assert {e.outcome for e in planned.excluded} == {Outcome.UNSUPPORTED}
    assert "tracer mine needs a program" in reason
    assert "'no-such' cannot be executed on this host; put it on PATH" in reason


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("source: crate, binary: x", "'crate_version' is a required"),
        ("source: host", "'binary' is a required"),
        ("binary: x", "'source' is a dependency of 'binary'"),
    ],
)
def test_an_entry_is_whole(tmp_path: Path, values: str, says: str) -> None:
    folder = entry(tmp_path, f"x: {{module: bpftrace, about: x, {values}}}")
    with pytest.raises(ScxvalError, match=says):
        load_catalog([SHIPPED, folder])
