# SPDX-License-Identifier: MIT
"""The node of a job: what names it, and a node that lacks the accelerator."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from scxval.errors import HarnessError
from scxval.vm.node import Node, boot_note, require_accelerator, this_node


def test_no_batch_system_is_said_as_none() -> None:
    assert this_node({}) == Node(platform.node())


def test_what_each_batch_system_says() -> None:
    slurm = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "n[1-2]"}
    assert this_node(slurm) == Node(platform.node(), "slurm", "17", "n[1-2]")
    own = {"SCXVAL_BATCH_JOB": "a.9"}
    assert this_node(own) == Node(platform.node(), "cluster", "a.9", "")


def test_a_node_without_the_device_is_named(tmp_path: Path) -> None:
    require_accelerator("tcg", tmp_path / "kvm")
    with pytest.raises(HarnessError) as caught:
        require_accelerator("kvm", tmp_path / "kvm")
    said = str(caught.value)
    assert (
        f"node {platform.node()}" in said and "No such file" in said and "docs/cluster.md" in said
    )
    (tmp_path / "kvm").touch()
    require_accelerator("kvm", tmp_path / "kvm")


def test_only_a_proved_accelerator_is_named_in_why_a_guest_did_not_boot() -> None:
    assert platform.node() in boot_note("kvm")
    assert boot_note("tcg") == ""
