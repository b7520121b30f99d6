# SPDX-License-Identifier: MIT
"""Builds results trees through the real schema functions, and parses the page made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from scxval.events.capability import Capability
from scxval.events.metrics import measure, write_metrics
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import sorted_table, write_events
from scxval.report import build_report

IMG = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script>"
KINDS = ["TaskScheduled", "TaskPreempted", "TaskSlept", "TaskWoke", "CpuIdle"]
WINDOW_NS = (1_000_000_000, 1_100_000_000)
MS = 1_000_000


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """An event table from rows with at least time_ns, cpu and kind; seq is the row's number."""
    whole = [{"probe": "test", "seq": seq} | row for seq, row in enumerate(rows)]
    return sorted_table(pa.Table.from_pylist(whole, schema=EVENT_SCHEMA))


def two_cpus(rep: int) -> pa.Table:
    """100 ms of two CPUs: a hog with a hostile name on CPU 0, a periodic task on CPU 1."""
    rows: list[dict[str, Any]] = []
    start = WINDOW_NS[0]
    hog = {"tid": 10, "pid": 10, "comm": IMG}
    per = {"tid": 11, "pid": 11, "comm": SCRIPT}
    for step in range(10):
        at = start + step * 10 * MS
        late = (step + 1 + rep) * 10_000
        rows += [
            {"time_ns": at, "cpu": 0, "kind": "TaskScheduled"} | hog,
            {"time_ns": at, "cpu": 1, "kind": "TaskWoke", "reason": "waking"} | per,
            {"time_ns": at + late, "cpu": 1, "kind": "TaskScheduled"} | per,
            {"time_ns": at + 3 * MS, "cpu": 1, "kind": "TaskSlept", "reason": "sleep"} | per,
            {"time_ns": at + 3 * MS, "cpu": 1, "kind": "CpuIdle", "tid": 0, "pid": 0},
            {"time_ns": at + 10 * MS, "cpu": 0, "kind": "TaskPreempted", "reason": "unknown"} | hog,
        ]
    return table_of(rows)


@dataclass
class Tree:
    """A results tree that a test fills and then builds the page from."""

    root: Path
    cells: list[str] = field(default_factory=list)
    excluded: list[dict[str, str]] = field(default_factory=list)
    # Further keys of the plan.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def agreement(self) -> Path:
        return self.root / "study" / "agreement"

    @property
    def compare(self) -> Path:
        return self.root / "compare"

    @property
    def page(self) -> Path:
        return self.root / "report" / "index.html"

    def plan(self, path: str) -> Path:
        self.cells.append(path)
        return self.runs / path

    def run(self, path: str, **status: Any) -> Path:
        """Plan a cell and write its status and provenance; `status` replaces fields."""
        folder = self.plan(path)
        (folder / "raw").mkdir(parents=True)
        axes = ("scheduler", "workload", "tracer", "isolation", "machine")
        parts = path.split("/")
        cell = dict(zip(axes, parts, strict=False)) | {"rep": int(parts[5][3:])}
        record = {
            "schema": 1,
            "cell": cell,
            "outcome": "ok",
            "reason": "",
            "log": "",
            "log_tail": [],
            "exit_codes": {"workload": 0, "scheduler": None, "tracer": 0, "vm": 0},
            "scheduler": {
                "expected": "",
                "before": {"state": "disabled", "enable_seq": 0},
                "after": {"state": "disabled", "enable_seq": 0},
            },
            "tracer": {"ready": True, "lost": 0},
            "window_ns": list(WINDOW_NS),
            "wall_s": {"total": 12.5, "boot": None, "work-start": 0.1},
            "raw": {"console.log": {"bytes": 5, "sha256": "0" * 64}},
        } | status
        (folder / "raw" / "console.log").write_text("hello")
        (folder / "status.json").write_text(json.dumps(record))
        provenance = {
            "scxval": {"version": "9.8.7"},
            "vm": {
                "launcher": "qemu",
                "version": "10.0.2",
                "accelerator": "tcg",
                "argv": ["qemu", "-m", "2 G"],
            },
            "guest": {"kernel": "7.2.13-test"},
            "workload": parts[1],
            "clocks": [{"mark": "job-start", "real_ns": 1_795_489_025_393_841_116, "mono_ns": 5}],
        }
        (folder / "provenance.json").write_text(json.dumps(provenance))
        return folder

    def events(self, folder: Path, table: pa.Table) -> None:
        """Write what the converter and the metrics leave for `table`."""
        write_events(table, folder / "events.parquet")
        times = table["time_ns"].to_pylist()
        capability = Capability(
            source="bpftrace",
            kinds=KINDS,
            events=len(table),
            window_ns=(times[0], times[-1]) if times else None,
        )
        capability.write(folder / "capability.json")
        metrics = measure(table, capability, WINDOW_NS if times else None, [0, 1])
        write_metrics(metrics, folder / "metrics.parquet")

    def write_plan(self) -> Path:
        plan = self.root / "plan.json"
        config = {"scheduler": ["fair", "scx_simple"], "reps": 2}
        record = {"cells": self.cells, "excluded": self.excluded, "config": config, **self.more}
        plan.write_text(json.dumps(record))
        return plan

    def build(self, window_ms: int = 50) -> Page:
        plan = self.write_plan()
        build_report(plan, self.runs, self.page, window_ms, self.agreement, compare=self.compare)
        return Page(self.page.read_text(encoding="utf-8"))


VOID = {"meta", "br", "img", "link", "input", "hr", "rect", "source", "base"}


@dataclass
class Element:
    """One parsed element; `text` is all text inside it, whitespace collapsed."""

    tag: str
    attrs: dict[str, str]
    path: tuple[str, ...]
    pieces: list[str] = field(default_factory=list)

    @property
    def raw(self) -> str:
        return "".join(self.pieces)

    @property
    def text(self) -> str:
        return " ".join(self.raw.split())


class Page(HTMLParser):
    """The page's elements in order; fails on an element that is closed out of turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self.open, [element.tag for element in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        path = tuple(element.tag for element in self.open)
        element = Element(tag, {name: value or "" for name, value in attrs}, path)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        path = tuple(element.tag for element in self.open)
        self.elements.append(Element(tag, {n: v or "" for n, v in attrs}, path))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open and self.open[-1].tag == tag, (tag, [e.tag for e in self.open])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)

    def all(self, tag: str, **attrs: str) -> list[Element]:
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attrs.items()}
        return [
            e
            for e in self.elements
            if e.tag == tag and all(e.attrs.get(name) == value for name, value in wanted.items())
        ]

    def skipped_heads(self) -> list[str]:
        """Headings more than one level below the heading before them."""
        heads = [e for e in self.elements if e.tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
        return [
            after.text
            for before, after in pairwise(heads)
            if int(after.tag[1]) > int(before.tag[1]) + 1
        ]

    def one(self, tag: str, **attrs: str) -> Element:
        found = self.all(tag, **attrs)
        assert len(found) == 1, (tag, attrs, len(found))
        return found[0]


def rows_of(page: Page, caption: str) -> list[list[str]]:
    """The cells of the tables whose caption begins so."""
    rows: list[list[str]] = []
    inside = False
    for element in page.elements:
        if element.tag == "caption":
            inside = element.text.startswith(caption)
        elif inside and element.tag == "tr":
            rows.append([])
        elif inside and element.tag in ("th", "td"):
            rows[-1].append(element.text)
    return rows
