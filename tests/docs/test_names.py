# SPDX-License-Identifier: MIT
"""What the pages name in passing: modules, configuration keys, source files, quantities."""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any

import pytest
import yaml

from scxval.events.metrics.outputs import CGROUP_METRICS

from ..conftest import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
SCHEMA = yaml.safe_load((ROOT / "config/schemas/config.schema.yaml").read_text(encoding="utf-8"))
PARTS = {
    name: part["properties"] for name, part in SCHEMA["properties"].items() if "properties" in part
}
# Modules that a page's example makes.
MADE = ("scxval.tracers.switches",)
FOLDERS = ("src", "tests", "bench", "workflow")
# What follows a dot in a file's name; `report.html` is no key of `report`.
ENDINGS = {"html", "json", "sqlite", "md", "csv", "parquet", "smk", "log"}


def there(dotted: str) -> bool:
    """Whether it is a module, or something that a module has."""
    words = dotted.split(".")
    for count in range(len(words), 0, -1):
        try:
            spec = importlib.util.find_spec(".".join(words[:count]))
        except ModuleNotFoundError:
            continue
        if spec is None:
            continue
        if count == len(words):
            return True
        thing: Any = importlib.import_module(".".join(words[:count]))
        for word in words[count:]:
            if not hasattr(thing, word):
                return False
            thing = getattr(thing, word)
        return True
    return False


def code(text: str) -> list[str]:
    """What stands in backticks, blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def test_the_check_finds_what_is_wrong() -> None:
    assert there("scxval.compare.record.Pair") and there("scxval.tracers.base")
    assert not there("scxval.compare.record.Pear") and not there("scxval.nowhere")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_exist(page: Any) -> None:
    named = set(re.findall(r"\bscxval(?:\.\w+)+", page.read_text(encoding="utf-8")))
    assert sorted(name for name in named if not name.startswith(MADE) and not there(name)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configuration_keys_exist(page: Any) -> None:
    missing = []
    for name in code(page.read_text(encoding="utf-8")):
        part, _, key = name.partition(".")
        if part not in PARTS or not re.fullmatch(r"\w+", key) or key in ENDINGS:
            continue
        if key not in PARTS[part]:
            missing.append(name)
    assert missing == []


def test_every_configuration_key_is_explained() -> None:
    """Somewhere in the pages, in code: alone, after its part, or in an example."""
    words = set()
    for page in DOCS:
        for piece in code(page.read_text(encoding="utf-8")):
            words |= set(re.findall(r"\w+", piece))
    missing = {name for name in SCHEMA["properties"] if name not in words}
    missing |= {f"{part}.{key}" for part, keys in PARTS.items() for key in keys if key not in words}
    assert sorted(missing) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_source_files_exist_by_name(page: Any) -> None:
    named = {
        name
        for name in code(page.read_text(encoding="utf-8"))
        if re.fullmatch(r"[\w/]+\.(py|smk)", name)
    }
    missing = [
        name
        for name in named
        if not (ROOT / name).exists()
        and not any(any((ROOT / root).rglob(name)) for root in FOLDERS)
    ]
    assert missing == []


def test_every_judged_quantity_is_defined() -> None:
    """Of config.yaml's quantities: in docs/metrics.md, or, of alignments, in docs/alignment.md."""
    quantities = yaml.safe_load((ROOT / "config/config.yaml").read_text())["compare"]["quantities"]
    pages = "".join((ROOT / f"docs/{name}.md").read_text() for name in ("metrics", "alignment"))
    names = {quantity.split()[0].rstrip("*") for quantity in quantities}
    names |= {metric for metric, _, _ in CGROUP_METRICS.values()}
    assert sorted(name for name in names if name not in pages) == []
