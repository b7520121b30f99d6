# SPDX-License-Identifier: MIT
"""What other sites install from says the same as what is tested, and what is said of a version is true."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from scxval import __version__

from .conftest import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA: dict[str, Any] = yaml.safe_load((ROOT / "envs/conda.yaml").read_text())
# What conda calls otherwise: snakemake[reports] is snakemake without its optional parts, and pygments.
BY_CONDA = {"snakemake": "snakemake-minimal"}
# What only conda must be told.
BESIDES = {"python", "pip", "pygments"}


def conda_ranges() -> dict[str, str]:
    """The range of every package of the conda environment, pip's among them."""
    entries = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    (by_pip,) = (entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))
    found = {}
    for entry in [*entries, *by_pip]:
        match = re.fullmatch(r"(?:[a-z-]+::)?([a-z0-9-]+) ?([<>=!].*)?", entry)
        assert match, entry
        found[match[1]] = ",".join(sorted((match[2] or "").split(",")))
    return found


def test_conda_has_the_ranges_that_pip_has() -> None:
    wanted = {
        BY_CONDA.get(one.name, one.name): ",".join(sorted(str(one.specifier).split(",")))
        for one in map(Requirement, PROJECT["dependencies"])
    }
    found = conda_ranges()
    assert found.pop("python") == PROJECT["requires-python"]
    assert {name: found[name] for name in found if name not in BESIDES} == wanted


def test_the_container_takes_the_lists_that_are_tested() -> None:
    text = (ROOT / "envs/Containerfile").read_text()
    copied = [
        name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()
    ]
    assert set(copied) == {"envs/host.sh", "envs/host.packages", "envs/python.lock"}
    assert all((ROOT / name).is_file() for name in copied)
    assert "--require-hashes" in text


@pytest.mark.parametrize("key", ["version", "license"])
def test_the_citation_says_what_the_package_says(key: str) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    said = {"version": __version__, "license": PROJECT["license"]["text"]}
    assert citation[key] == said[key]
    assert PROJECT["version"] == __version__


def test_the_changelog_begins_with_what_is_not_released() -> None:
    heads = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", head) for head in heads[1:])
