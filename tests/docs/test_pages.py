# SPDX-License-Identifier: MIT
"""The pages: built, every link and anchor there, every command and file that they name real."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from scxval.catalog.config import parse_config, read_config_files
from scxval.cli import _parser
from scxval.errors import ScxvalError
from scxval.events.metrics import METRICS
from scxval.events.metrics.outputs import COUNTERS, LOG_METRICS
from scxval.study.registry import STUDIES

from ..conftest import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS]
PROGRAM = r"(?:scxval|snakemake|make|python -m) "
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(rf"^ {{4}}({PROGRAM}.*)", re.MULTILINE)
INLINE = re.compile(rf"`({PROGRAM}[^`\n]+)`")
RULES = [ROOT / "workflow/Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
# Options of Snakemake that are followed by a value of their own.
VALUED = {
    "--cores",
    "-c",
    "--report",
    "--profile",
    "--directory",
    "--executor",
    "--jobs",
    "--forcerun",
    "--workflow-profile",
    "--group-components",
}


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
        fetched = [urlsplit(url) for url in Links(page).fetched]
        assert not [url for url in fetched if url.netloc], page.name
        if page.name != "404.html":
            # Pictures, styles and scripts; the other page's are named from a server's root.
            assert all(
                (page.parent / unquote(url.path)).exists() for url in fetched if not url.scheme
            )
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


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as a code host makes them: small letters, no punctuation, hyphens for spaces."""
    headings = re.findall(
        r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_source_lead_to_files(page: Path) -> None:
    """README and the pages are also read where they lie."""
    for link, anchor in re.findall(
        r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")
    ):
        if "://" in link:
            continue
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), f"{link}#{anchor}"


def commands() -> list[tuple[str, str]]:
    """Every command of the pages, with its page: in blocks of either kind, and in the text."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = "".join(FENCED.findall(text))
        lines = re.findall(rf"^{PROGRAM}.*", blocks, re.MULTILINE)
        plain = FENCED.sub("", text)
        lines += INDENTED.findall(plain) + INLINE.findall(plain)
        found += [(page.name, line.strip()) for line in dict.fromkeys(lines)]
    return found


def targets() -> set[str]:
    """Rules without wildcards or not, as Snakemake takes them; a study is a target by its name."""
    text = "".join(file.read_text(encoding="utf-8") for file in RULES)
    return {*re.findall(r"^(?:rule|checkpoint) (\w+):", text, re.MULTILINE), *STUDIES}


def test_there_are_commands_in_the_pages() -> None:
    found = commands()
    assert len(found) > 70
    assert ("metrics.md", True) in {(page, "--capability" in line) for page, line in found}
    assert ("outcomes.md", "scxval show CELL") in found


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_are_what_the_programs_take(page: str, line: str) -> None:
    """Parsed by the real parsers; nothing is run."""
    bad = mistake(line)
    assert not bad, f"{page}: {line}: {bad}"


@pytest.mark.parametrize(
    "line",
    [
        "scxval nothing",
        "scxval view --prot 1 a",
        "scxval compare A",
        "snakemake nothing",
        "snakemake --groups run_sell=cell",
        "snakemake --configfile config/nothing.yaml",
        "snakemake --config schedular=fair",
        "make nothing",
        "python -m scxval.nothing",
        "python -m scxval.report --nothing x",
    ],
)
def test_commands_with_a_mistake_are_found(line: str) -> None:
    assert mistake(line)


def mistake(line: str) -> str:
    """What is wrong with a command; "" for nothing. What `$(...)` would give is left out."""
    line = re.sub(r"\$\([^)]*\)", "", line)
    words = [word for word in shlex.split(line, comments=True) if word != "[...]"]
    if words[0] == "scxval":
        return _scxval(words[1:])
    if words[0] == "make":
        return _make(words[1:])
    if words[0] == "snakemake":
        return _snakemake([word for word in words[1:] if word != "..."])
    return _module(words[2], words[3:])


def _make(words: list[str]) -> str:
    made = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return " ".join({word for word in words if "=" not in word} - set(made))


def _module(module: str, words: list[str]) -> str:
    said = help_of(module)
    options = [word.strip("[]") for word in words if word.lstrip("[").startswith("--")]
    return " ".join(option for option in options if option not in said) if said else "no help"


@cache
def help_of(module: str) -> str:
    """What `python -m module --help` says; "" where it does not end well. Run here: imports take seconds."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # runpy warns of modules that were imported before.
        warnings.simplefilter("ignore", RuntimeWarning)
        patch.setattr(sys, "argv", [module, "--help"])
        try:
            with contextlib.redirect_stdout(said):
                runpy.run_module(module, run_name="__main__", alter_sys=True)
        except ImportError:
            return ""
        except SystemExit as end:
            return said.getvalue() if not end.code else ""
    return ""


def _scxval(words: list[str]) -> str:
    # Optional parts in brackets are checked as if they were given.
    plain = [word for word in (word.strip("[]") for word in words) if word]
    if all(re.fullmatch(r"[a-z]+", word) for word in plain):
        # A command's name alone, as in a sentence.
        plain.append("--help")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            _parser().parse_args(plain)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


def _snakemake(words: list[str]) -> str:
    """Targets and configuration files exist; the configuration is valid."""
    files, pairs, named = _sorted(words)
    unknown = named - targets()
    files = [file for file in files if file != "mine.yaml"]
    unknown |= {file for file in files if not (ROOT / file).exists()}
    if unknown:
        return " ".join(sorted(unknown))
    raw = read_config_files([ROOT / "config/config.yaml", *(ROOT / file for file in files)])
    for pair in pairs:
        key, _, value = pair.partition("=")
        raw[key] = yaml.safe_load(value)
    if "catalog" in {pair.partition("=")[0] for pair in pairs}:
        # Examples with a catalogue of their own are tried in test_adding.
        return ""
    try:
        parse_config(raw, ROOT)
    except ScxvalError as error:
        return str(error)
    return ""


def _sorted(words: list[str]) -> tuple[list[str], list[str], set[str]]:
    """Configuration files, settings and targets of a command; paths of results are no targets to check."""
    taken: dict[str, list[str]] = {"--configfile": [], "--config": [], "--groups": [], "": []}
    taking = ""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            taking = word if word in taken else ""
            skip = word in VALUED
        else:
            taken[taking].append(word)
    grouped = {pair.partition("=")[0] for pair in taken["--groups"]}
    named = {w for w in taken[""] if "/" not in w} | grouped
    return taken["--configfile"], taken["--config"], named


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
