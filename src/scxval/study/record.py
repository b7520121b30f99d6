# SPDX-License-Identifier: MIT
"""What a study is given and what it leaves: findings with verdicts, one figure, and what it cannot tell.

`python -m scxval.study` writes the record and its tables to results/study/<name>/, the report reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scxval.catalog.comparison import Compare
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError

SCHEMA = 1
# What a table of a study may hold.
Value = str | float | int | bool | None


@dataclass(frozen=True)
class StudySettings:
    """Thresholds of the studies; config/config.yaml has the defaults, each with its reason."""

    gap_share: float
    gap_rows: int
    fewest_ranked: int
    tracer_cpus: float


@dataclass(frozen=True)
class Inputs:
    """What every study may read: the plan, folders as docs/contracts.md has them, and the settings.

    Folders need not hold what the plan names: whatever is not there is not measured.
    """

    plan: Mapping[str, Any]
    runs: Path
    simulations: Path
    compare: Path
    agreement: Path
    how: Compare
    settings: StudySettings


@dataclass(frozen=True)
class Finding:
    """One line of a study's verdict table.

    `where` are the axis values that it is about. `estimate` with its interval, and the margin that it was
    judged against, are in `unit` ("ratio": B over A). `n_a` and `n_b` are runs (pairs of runs have one
    number: `n_a`); `power` is the chance to be told `agree` if there were no effect, `needed` the runs a
    side for the configured power. The study of ranking counts schedulers in `n_a` and `needed`. None is
    what does not apply or cannot be had.
    """

    what: str
    where: dict[str, str]
    verdict: Verdict
    reason: str
    unit: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    margin_low: float | None = None
    margin_high: float | None = None
    n_a: int | None = None
    n_b: int | None = None
    power: float | None = None
    needed: int | None = None


@dataclass(frozen=True)
class Table:
    """More than the findings: `name` is its file's, every row has a value for each of `columns`."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Study:
    """A study's answer.

    `figure` is one SVG (scxval.study.figure), `caption` says what it shows and of how many runs.
    `cannot_tell` is a line for each thing that these data cannot say, with what would say it.
    """

    name: str
    title: str
    question: str
    judgement: Judgement
    findings: tuple[Finding, ...] = ()
    figure: str = ""
    caption: str = ""
    tables: tuple[Table, ...] = ()
    cannot_tell: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def record_of(study: Study) -> dict[str, Any]:
    """The content of study.json: all but the figure, which is a file of its own."""
    data = asdict(study)
    judgement = data.pop("judgement")
    del data["figure"]
    return {"schema": SCHEMA, **judgement, **data}


def read_study(folder: Path) -> Study:
    """Read a study's folder back. Raises ScxvalError with one line for what cannot be read."""
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("schema") != SCHEMA:
            raise ScxvalError(f"{path}: written by another version of scxval; make it again")
        figure = (folder / "figure.svg").read_text(encoding="utf-8")
        judgement = Judgement(Verdict(data.pop("verdict")), data.pop("reason"))
        findings = tuple(
            Finding(**{**item, "verdict": Verdict(item["verdict"])})
            for item in data.pop("findings")
        )
        tables = tuple(
            Table(t["name"], t["title"], tuple(t["columns"]), tuple(map(tuple, t["rows"])))
            for t in data.pop("tables")
        )
        data["cannot_tell"], data["notes"] = tuple(data["cannot_tell"]), tuple(data["notes"])
        return Study(**data, judgement=judgement, findings=findings, tables=tables, figure=figure)
    except OSError as error:
        raise ScxvalError(f"cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScxvalError(f"{path}: not a study's record: {error!r}") from error
