# SPDX-License-Identifier: MIT
"""The command line: status, one line on stderr, and imports that stay light until they are needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from report_tree import Page, Tree
from verdict_tree import pair, write_family

from scxval.report.__main__ import main


def arguments(tree: Tree) -> list[str]:
    plan = tree.write_plan()
    return ["--plan", str(plan), "--runs", str(tree.runs), "--output", str(tree.page)]


def test_writes_the_page_and_uses_the_window_length(full: Tree) -> None:
    assert main([*arguments(full), "--window-ms", "7"]) == 0
    page = Page(full.page.read_text(encoding="utf-8"))
    labels = [e.attrs["aria-label"] for e in page.all("div", role="img")]
    assert any(
        "Timeline of fair/mix/bpftrace/taskset/tcg4/rep0: 7.00 ms, 2 CPUs" in x for x in labels
    )


def test_the_folder_of_comparisons_is_an_argument(full: Tree) -> None:
    write_family(full.compare, "isolation", pair())
    assert main([*arguments(full), "--compare", str(full.compare)]) == 0
    page = Page(full.page.read_text(encoding="utf-8"))
    assert page.one("h3", id="verdicts:isolation").text == "isolation: two isolations"


@pytest.mark.parametrize("window", ["0", "-5"])
def test_refuses_a_window_without_length(
    full: Tree, window: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(full), "--window-ms", window]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "longer than 0 ms" in said


def test_missing_plan_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "index.html")
    assert main(["--plan", str(tmp_path / "no.json"), "--runs", ".", "--output", out]) == 2
    assert "cannot read the plan" in capsys.readouterr().err


def test_importing_the_package_does_not_import_the_heavy_libraries() -> None:
    code = (
        "import sys, scxval.report.__main__; "
        "print([m for m in ('pyarrow', 'jinja2', 'plotly', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
