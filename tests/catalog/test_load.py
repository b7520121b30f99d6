# SPDX-License-Identifier: MIT
"""The catalogue: what is shipped loads, a site can add to it, a bad entry is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scxval.catalog.load import load_catalog
from scxval.errors import ScxvalError

from ..conftest import ROOT

SHIPPED = ROOT / "config/catalog"


def test_the_shipped_catalogue_is_whole() -> None:
    catalog = load_catalog([SHIPPED])
    assert {"fair", "scx_simple", "scx_central", "scx_rusty"} <= set(catalog.schedulers)
    for scheduler in catalog.schedulers.values():
        re.compile(scheduler.ops)
    for names in catalog.aliases.values():
        assert set(names) <= set(catalog.machines)
    for workload in catalog.workloads.values():
        assert workload.about.endswith("?"), f"{workload.name} asks no question"


def test_a_later_folder_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "machines.yaml").write_text(
        "tcg4: {accelerator: tcg, about: mine, kernel: debian-7.2, vcpus: 8, memory_mib: 512}\n"
        "big: {accelerator: kvm, about: big, kernel: debian-7.2, vcpus: 64, memory_mib: 8192}\n"
    )
    catalog = load_catalog([SHIPPED, tmp_path])
    assert catalog.machines["tcg4"].vcpus == 8
    assert [*load_catalog([SHIPPED]).machines, "big"] == list(catalog.machines)
    assert "auto4" in catalog.names("machine")


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("schedulers.yaml", "x: {source: tree, about: x}", "'binary' is a required"),
        ("schedulers.yaml", "x: {source: git, about: x}", "'git' is not one of"),
        ("schedulers.yaml", "x: {source: kernel, about: x, arg: 1}", "did you mean 'args'"),
        ("schedulers.yaml", "a/b: {source: kernel, about: x}", "a name is letters"),
        ("schedulers.yaml", "x: 3", "3 is not of type 'object'"),
        ("schedulers.yaml", "- x", "expected names"),
        ("workloads.yaml", 'x: {kind: rt-app, about: "x?", file: none.json}', "no file"),
        (
            "machines.yaml",
            "x: {accelerator: tcg, about: x, kernel: k, vcpus: two, memory_mib: 1}",
            "'two'",
        ),
        (
            "machines.yaml",
            "x: {accelerator: tcg, about: x, kernel: debian-7.2, vcpus: 6, llcs: 2, threads: 2, "
            "memory_mib: 1}",
            "6 vcpus cannot be shared out equally among 2 llcs with cores of 2 threads",
        ),
        ("machines.yaml", "x: {first_of: [tcg4, host]}", "alias x: host runs on the host itself"),
        ("machines.yaml", "x: {first_of: [tcg3]}", "machine of alias x: 'tcg3'"),
        ("machines.yaml", "x: {launcher: host, about: x, kernel: k, vcpus: 2}", "x"),
        ("isolations.yaml", "x: {kind: cpuset, about: x}", "'tracer_cpus' is a required"),
    ],
)
def test_a_bad_entry_is_one_line(tmp_path: Path, file: str, text: str, says: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ScxvalError) as caught:
        load_catalog([SHIPPED, tmp_path])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
