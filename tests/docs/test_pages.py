# SPDX-License-Identifier: MIT
"""The pages: built, every link and anchor there, every command and file that they name real."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from scxval.catalog.config import parse_config, read_config_files
from scxval.cli import _parser
from scxval.events.metrics import METRICS
from scxval.events.metrics.outputs import COUNTERS, LOG_METRICS
from scxval.study.registry import STUDIES

from ..conftest import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
COMMAND = re.compile(r"^ {4}(scxval|snakemake|make|python -m) .*", re.MULTILINE)
TARGETS = {"all", "provision", "compare", "studies", "perfetto", "history", "gate", *STUDIES}


class Links(HTMLParser):
    """The links and element ids of a page; `fetched` is what a browser would load by itself."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag != "a":
            self.fetched += [found[name] for name in ("href", "src") if name in found]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; a warning, such as a dead link, fails."""
    folder = tmp_path_factory.mktemp("site")
    build = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(folder),
    ]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_link_and_anchor_of_the_pages_is_there(site: Path) -> None:
    pages = {page.resolve(): Links(page) for page in site.glob("*.html")}
    assert len(pages) > len(DOCS)
    checked = 0
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.exists(), f"{page.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{page.name}: {link}"
            checked += 1
    assert checked > 500


def test_the_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        assert not [url for url in Links(page).fetched if urlsplit(url).netloc], page.name
    styles = "".join(file.read_text(encoding="utf-8") for file in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?(https?:)?//", styles)


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    def files(entries: object) -> Iterator[str]:
        if isinstance(entries, str):
            yield entries
        elif isinstance(entries, dict):
            for value in entries.values():
                yield from files(value)
        elif isinstance(entries, list):
            for value in entries:
                yield from files(value)

    assert sorted(files(nav)) == [page.name for page in DOCS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_source_lead_to_files(page: Path) -> None:
    """README and the pages are also read where they lie."""
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found += [(page.name, match[0].strip()) for match in COMMAND.finditer(text)]
    return found


def test_there_are_commands_in_the_pages() -> None:
    assert len(commands()) > 40


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_are_what_the_programs_take(page: str, line: str) -> None:
    """Parsed by the real parsers; nothing is run."""
    words = [
        word for word in shlex.split(line, comments=True) if not re.fullmatch(r"\[?\.\.\.\]?", word)
    ]
    if words[0] == "scxval":
        _scxval(words[1:])
    elif words[0] == "make":
        targets = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    elif words[0] == "snakemake":
        _snakemake(words[1:])
    else:
        module = words[2]
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        options = [word for word in words[3:] if word.startswith("--")]
        assert all(option in done.stdout for option in options), (module, options)


def _scxval(words: list[str]) -> None:
    # Optional parts in brackets are checked as if they were given.
    plain = [word.strip("[]") for word in words]
    try:
        _parser().parse_args([word for word in plain if word])
    except SystemExit as error:
        raise AssertionError(words) from error


def _snakemake(words: list[str]) -> None:
    """Targets and configuration files exist; the configuration is valid."""
    files = [ROOT / "config/config.yaml"]
    raw_pairs: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if word in (
            "--cores",
            "-c",
            "--report",
            "--profile",
            "--directory",
            "--executor",
            "--jobs",
        ):
            place += 1
        elif word in ("--configfile", "--config"):
            while place < len(words) and not words[place].startswith("-"):
                (files if word == "--configfile" else raw_pairs).append(words[place])
                place += 1
        elif not word.startswith("-") and "/" not in word:
            assert word in TARGETS or word == "...", word
    mine = [file for file in files if str(file) not in ("mine.yaml", "...")]
    raw = read_config_files([ROOT / file for file in mine])
    for pair in raw_pairs:
        key, _, value = pair.partition("=")
        raw[key] = yaml.safe_load(value)
    if "catalog" not in " ".join(raw_pairs):
        # Examples with a catalogue of their own are tried in test_adding.
        parse_config(raw, ROOT)


def test_every_metric_has_its_paragraph() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert {metric.name for metric in METRICS} <= headings
    for metric in (*LOG_METRICS, *(name for _, name, _ in COUNTERS.values()), "tracer_cpu_time"):
        assert metric in page, metric


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths below the folders of the checkout, in backticks or plain; patterns are left out."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b((?:src/scxval|config|workflow|tests|bench|envs|docs)/[\w./-]*\w)", text)
    missing = [
        name
        for name in named
        if not (ROOT / name).exists()
        and not list(ROOT.glob(f"{name}*"))
        and "tracers/switches" not in name
    ]
    assert missing == []
