# SPDX-License-Identifier: MIT
"""What holds of every study: its configuration, its files, and what it does with nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from scxval.catalog.config import parse_config, read_config_files
from scxval.catalog.matrix import Host, plan
from scxval.compare.plan import decides
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.study.__main__ import main
from scxval.study.record import Finding, Study, Table, read_study
from scxval.study.registry import STUDIES
from scxval.study.table import write_study

from ..conftest import ROOT

HOSTILE = '<script>\x00\u202e,\n"x"'


@pytest.mark.parametrize("name", STUDIES)
def test_its_configuration_asks_for_it_alone(name: str) -> None:
    file = ROOT / "config/studies" / f"{name}.yaml"
    config = parse_config(read_config_files([ROOT / "config/config.yaml", file]), ROOT)
    assert config.studies == [name]
    assert file.read_text().startswith("# ")
    made = plan(config, Host(16384, {}))
    assert made.cells or made.excluded or made.unresolved


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_was_run(name: str, tmp_path: Path, raw_config: dict[str, Any]) -> None:
    config = parse_config(raw_config, ROOT)
    (tmp_path / "plan.json").write_text(
        '{"cells": [], "excluded": [], "simulations": [], "pairs": {}}'
    )
    arguments = {
        "--study": name,
        "--plan": str(tmp_path / "plan.json"),
        "--runs": str(tmp_path / "runs"),
        "--simulations": str(tmp_path / "sim"),
        "--compare-root": str(tmp_path / "compare"),
        "--agreement": str(tmp_path / "agreement"),
        "--compare": json.dumps(decides(config.compare)),
        "--settings": json.dumps(config.study),
        "--output": str(tmp_path / "out"),
    }
    assert main([word for two in arguments.items() for word in two]) == 0
    made = read_study(tmp_path / "out")
    assert made.name == name and made.judgement.verdict is Verdict.NOT_MEASURED
    assert made.judgement.reason
    assert made.figure.startswith("<svg") and made.title in made.figure
    first = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert main([word for two in arguments.items() for word in two]) == 0
    assert first == {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text("[]")
    folders = ["--runs", ".", "--simulations", ".", "--compare-root", ".", "--agreement", "."]
    rest = ["--compare", "{}", "--settings", "{}", "--output", str(tmp_path / "out")]
    assert main(["--study", "x", "--plan", str(tmp_path / "plan.json"), *folders, *rest]) == 2
    assert capsys.readouterr().err == f"scxval study: {tmp_path}/plan.json: not a plan\n"


def made() -> Study:
    finding = Finding(HOSTILE, {"tracer": HOSTILE}, Verdict.AGREE, HOSTILE, "ratio", 1.0, 0.9, 1.1)
    table = Table("more", "More", ("a", "b"), ((HOSTILE, 1), (None, 2)))
    judgement = Judgement(Verdict.AGREE, HOSTILE)
    return Study("x", "X", "Is it?", judgement, (finding,), "<svg/>", "c", (table,), ("y",), ("z",))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_study(made(), tmp_path)
    assert read_study(tmp_path) == made()
    assert pq.read_table(tmp_path / "more.parquet").to_pydict() == {
        "a": [HOSTILE, None],
        "b": [1, 2],
    }
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    rows = pyarrow.csv.read_csv(tmp_path / "findings.csv", parse_options=options).to_pylist()
    assert [row["what"] for row in rows] == [HOSTILE]
    assert set(asdict(made().findings[0])) - {"where"} <= {*rows[0]}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("study.json", "{", "not a study's record"),
        ("study.json", '{"schema": 99}', "another version"),
        ("study.json", '{"schema": 1, "verdict": "perhaps"}', "not a study's record"),
        ("figure.svg", None, "cannot read"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str | None, says: str) -> None:
    write_study(made(), tmp_path)
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ScxvalError, match=says):
        read_study(tmp_path)


def test_a_table_with_a_crooked_row_is_refused(tmp_path: Path) -> None:
    crooked = Study(
        "x", "X", "?", Judgement(Verdict.AGREE, ""), tables=(Table("t", "T", ("a",), ((1, 2),)),)
    )
    with pytest.raises(ScxvalError, match="table t: a row has not 1 values"):
        write_study(crooked, tmp_path)
