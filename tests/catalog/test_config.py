# SPDX-License-Identifier: MIT
"""The configuration as Snakemake hands it over, and the one line that each mistake gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.config import over_defaults, parse_config, read_config_files
from scxval.errors import ScxvalError

from ..conftest import ROOT


def parse(raw: dict[str, Any], **changes: Any) -> Any:
    return parse_config({**raw, **changes}, ROOT)


def test_one_name_and_a_list_are_the_same(raw_config: dict[str, Any]) -> None:
    assert parse(raw_config, scheduler="fair").axes["scheduler"] == ["fair"]
    both = parse(raw_config, scheduler=["fair", "scx_simple", "fair"])
    assert both.axes["scheduler"] == ["fair", "scx_simple"]


def test_numbers_that_the_command_line_makes_strings(raw_config: dict[str, Any]) -> None:
    limits = {**raw_config["limits"], "total_s": "300"}
    assert parse(raw_config, reps="3", limits=limits).limits.total_s == 300


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"schedular": "fair"}, ["'schedular'", "did you mean 'scheduler'", "workload"]),
        ({"scheduler": "scx_rust"}, ["scheduler 'scx_rust'", "'scx_rusty'", "fair, scx_bpfland"]),
        ({"tracer": ["none", "bpf"]}, ["tracer 'bpf'", "Allowed: bpftrace, "]),
        ({"machine": "auto5"}, ["machine 'auto5'", "did you mean 'auto8'?", "kvm4, ", "tcg4, "]),
        ({"isolation": False}, ["isolation 'False'", "none, taskset"]),
        ({"baseline": "cfs"}, ["baseline 'cfs'"]),
        ({"reps": 0}, ["config.reps", "minimum"]),
        ({"scheduler": []}, ["config.scheduler"]),
        ({"limits": {"boot": 1}}, ["config.limits", "'boot'", "boot_s"]),
        ({"provision": None}, ["config.provision"]),
        ({"catalog": ["nowhere"]}, ["nowhere", "catalog"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_choices(
    raw_config: dict[str, Any], change: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ScxvalError) as caught:
        parse(raw_config, **change)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_files_merge_mappings_and_replace_lists(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "limits: {boot_s: 1, total_s: 2}\nscheduler: [fair, scx_simple]\n"
    )
    (tmp_path / "b.yaml").write_text("limits: {boot_s: 3}\nscheduler: [fair]\n")
    merged = read_config_files([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert merged == {"limits": {"boot_s": 3, "total_s": 2}, "scheduler": ["fair"]}


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("limits: [1\n")
    with pytest.raises(ScxvalError, match=r"bad\.yaml: not YAML") as caught:
        read_config_files([bad])
    assert "\n" not in str(caught.value)
    with pytest.raises(ScxvalError, match="cannot read"):
        read_config_files([tmp_path / "none.yaml"])


def test_all_is_the_catalogue_without_aliases_and_host(raw_config: dict[str, Any]) -> None:
    everything = parse(raw_config, scheduler="all", machine="all")
    assert everything.axes["scheduler"] == list(everything.catalog.schedulers)
    assert set(everything.axes["machine"]) == set(everything.catalog.machines) - {"host"}


def test_what_is_not_given_is_as_shipped(raw_config: dict[str, Any]) -> None:
    given = {"scheduler": "scx_rusty", "limits": {"boot_s": 1}}
    full = over_defaults(given)
    assert full == {**raw_config, **given, "limits": {**raw_config["limits"], "boot_s": 1}}
    assert given == {"scheduler": "scx_rusty", "limits": {"boot_s": 1}}


def test_catalogues_are_looked_up_here_and_then_in_the_checkout(
    raw_config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/schedulers.yaml").write_text(
        "own: {source: kernel, about: by another name}\n"
    )
    both = {**raw_config, "catalog": ["config/catalog", "mine"]}
    known = parse_config(both, tmp_path).catalog.schedulers
    assert {"own", "fair", "scx_rusty"} <= set(known)
    (tmp_path / "config/catalog").mkdir(parents=True)
    with pytest.raises(ScxvalError, match="'fair'"):
        parse_config(both, tmp_path)
    with pytest.raises(ScxvalError, match="catalogue folder not found: "):
        parse_config({**raw_config, "catalog": ["none"]}, tmp_path)
