# SPDX-License-Identifier: MIT
"""The section on tracers: made from real comparisons, and honest about what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_tree import IMG, KINDS, Page, Tree, rows_of, two_cpus

from scxval.catalog.config import agreement_limits
from scxval.catalog.model import cell_from_path
from scxval.events.capability import Capability
from scxval.report.figures import to_json
from scxval.report.residuals import residual_histogram
from scxval.study.agreement import compare
from scxval.study.agreement_plan import same_run_folder
from scxval.study.agreement_rows import Source

CELL = "fair/mix/bpftrace+ftrace/taskset/tcg4/rep0"
FIELDS = {kind: ["time_ns", "cpu", "kind", "tid", "comm", "reason"] for kind in KINDS}


def source(name: str, table: pa.Table, lost: int = 0) -> Source:
    times = table["time_ns"].to_pylist()
    record = Capability(name, KINDS, FIELDS, lost=lost, window_ns=(times[0], times[-1]))
    return Source(name, table, record)


def later(table: pa.Table, by_ns: int) -> pa.Table:
    times = pa.array(table["time_ns"].to_numpy() + by_ns)
    return table.set_column(0, table.schema.field(0), times)


def write(tree: Tree, path: str, a: Source, b: Source) -> Path:
    """What the study's rule leaves for two tracers of a run."""
    relative = same_run_folder(cell_from_path(path), "x", "y").removeprefix("results/study/")
    folder = tree.root / "study" / relative
    folder.mkdir(parents=True)
    record, pairs = compare(a, b, agreement_limits({"min_rows": 5, "tolerance_ns": 1_000_000}))
    (folder / "agreement.json").write_text(json.dumps(record))
    pq.write_table(pairs, folder / "pairs.parquet")
    return folder


def text_of(page: Page) -> str:
    (section,) = page.all("section", aria_labelledby="agreement")
    return section.text


def test_without_two_tracers_there_is_nothing_to_compare(full: Tree) -> None:
    assert "Nothing to compare" in text_of(full.build())


def test_two_tracers_of_a_run_are_shown_with_verdict_matched_and_distance(tree: Tree) -> None:
    tree.run(CELL)
    write(tree, CELL, source("bpftrace", two_cpus(0)), source("ftrace", later(two_cpus(0), 5_000)))
    page = tree.build()
    header, matrix = rows_of(page, "Comparisons by verdict")
    assert header == ["tracer", "ftrace"]
    assert matrix[0] == "bpftrace"
    assert matrix[1].startswith("1 agreematched 100 %median 5.00 µs")
    _, row = rows_of(page, "Every comparison")
    assert row[0] == "fair/mix/taskset/tcg4, one run: bpftrace+ftrace, rep0"
    assert row[1:6] == ["bpftrace", "ftrace", "agree", "100 %", "5.00 (5.00 to 5.00) µs"]
    assert "5 judged" in row[6]
    assert any("Histogram" in e.attrs.get("aria-label", "") for e in page.all("div", role="img"))
    assert page.skipped_heads() == []


def test_a_disagreement_says_why_and_a_missing_row_is_never_100_percent(tree: Tree) -> None:
    tree.run(CELL)
    table = two_cpus(0)
    kept = pa.array([place not in (20, 23, 26, 29, 32) for place in range(len(table))])
    write(tree, CELL, source("bpftrace", table), source("ftrace", table.filter(kept)))
    _, row = rows_of(tree.build(), "Every comparison")
    assert row[3] == "disagree"
    assert row[4] == "91.67 %"
    assert "only in bpftrace" in row[6]


def test_different_runs_of_an_older_version_are_not_shown(tree: Tree) -> None:
    tree.run(CELL)
    folder = write(tree, CELL, source("bpftrace", two_cpus(0)), source("ftrace", two_cpus(0)))
    old = tree.agreement / "different_runs/fair/mix/taskset/tcg4/bpftrace_vs_ftrace"
    old.mkdir(parents=True)
    (old / "agreement.json").write_text((folder / "agreement.json").read_text())
    page = tree.build()
    assert len(rows_of(page, "Every comparison")) == 2
    assert "cannot be read" not in text_of(page)


def test_hostile_names_stay_text(tree: Tree) -> None:
    tree.run(CELL)
    write(tree, CELL, source(IMG, two_cpus(0)), source("ftrace", two_cpus(1)))
    page = tree.build()
    assert not page.all("img")
    _, row = rows_of(page, "Every comparison")
    assert row[1] == IMG


def test_what_cannot_be_read_or_is_not_planned_is_no_comparison(tree: Tree) -> None:
    tree.run(CELL)
    left_over = CELL.replace("tcg4", "tcg2")
    write(tree, left_over, source("bpftrace", two_cpus(0)), source("ftrace", two_cpus(0)))
    for number, content in enumerate(("{", "[]", '{"a": 1}')):
        bad = tree.agreement / f"same_run/{CELL}/bad{number}"
        bad.mkdir(parents=True)
        (bad / "agreement.json").write_text(content)
    no_pairs = write(tree, CELL, source("a", two_cpus(0)), source("b", two_cpus(0)))
    (no_pairs / "pairs.parquet").unlink()
    said = text_of(tree.build())
    assert said.count("cannot be read") == 4
    assert "tcg2" not in said


def test_histogram_counts_every_pair_once_and_is_valid() -> None:
    random = np.random.default_rng(1)
    runs = {IMG: random.integers(-40_000, -1_000, 5_000), "two": random.integers(0, 9, 300)}
    figure, beyond = residual_histogram(runs)
    pytest.importorskip("plotly.graph_objects").Figure(figure)
    for line, values in zip(figure["data"], runs.values(), strict=True):
        inside = (values >= np.percentile(runs[IMG], 1)) & (
            values <= np.percentile(runs["two"], 99)
        )
        assert sum(line["y"]) == pytest.approx(100 * inside.mean(), abs=0.1)
    assert 0 < beyond < 0.02
    assert IMG not in to_json(figure)
    same, none_beyond = residual_histogram({"all at zero": np.zeros(5, dtype=np.int64)})
    assert none_beyond == 0
    assert max(same["data"][0]["y"]) == 100
