# SPDX-License-Identifier: MIT
"""What tracers really gave, kind by kind and column by column, against what their capability records promise.

A kind or column is promised by capability.json of a run; what is there is counted in events.parquet.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from scxval.catalog.combination import TOGETHER, part_names
from scxval.catalog.model import Cell
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.events.capability import Capability, read_capability
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.table import read_events

# Columns that may be null; the others no table can lack.
COLUMNS = tuple(f.name for f in EVENT_SCHEMA if f.nullable)

# A reading's scheduler, workload, isolation and machine: what tracers are compared over.
Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Reading:
    """One tracer's table of one run: rows by kind, filled values by kind and column, and what was promised.

    `beside` are the tracers that ran beside it.
    """

    tracer: str
    place: Place
    cell: str
    beside: tuple[str, ...]
    capability: Capability
    rows: Mapping[str, int]
    filled: Mapping[tuple[str, str], int]


def read_readings(runs: Path, cells: Iterable[Cell]) -> tuple[list[Reading], dict[str, str]]:
    """Every table of the planned runs, and why a run has none that can be counted, by its folder.

    Runs whose tracer lost events count too: what is there was really seen.
    """
    readings: list[Reading] = []
    unread: dict[str, str] = {}
    for cell in cells:
        folder = runs / cell.path
        try:
            outcome = _outcome(folder / "status.json")
            if outcome not in ("ok", "tracer_lost_events"):
                unread[str(folder)] = f"outcome {outcome}"
                continue
            readings += [_reading(cell, name, where) for name, where in _tables(cell, folder)]
        except ScxvalError as error:
            unread[str(folder)] = str(error)
    return [reading for reading in readings if reading.capability.kinds], unread


def _tables(cell: Cell, folder: Path) -> list[tuple[str, Path]]:
    """Where the tables of a run are: one, or one a part."""
    if TOGETHER not in cell.tracer:
        return [(cell.tracer, folder)]
    parts = [(name, folder / "parts" / name) for name in part_names(cell.tracer)]
    return [(name, where) for name, where in parts if (where / "capability.json").is_file()]


def _outcome(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["outcome"])
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a run's status: {error!r}") from error


def _reading(cell: Cell, name: str, folder: Path) -> Reading:
    path = folder / "capability.json"
    try:
        capability = read_capability(path)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"{path}: not a capability record: {error!r}") from error
    rows, filled = count_columns(read_events(folder / "events.parquet"))
    return Reading(
        tracer=name,
        place=(cell.scheduler, cell.workload, cell.isolation, cell.machine),
        cell=cell.path,
        beside=tuple(part for part in part_names(cell.tracer) if part != name),
        capability=capability,
        rows=rows,
        filled=filled,
    )


def count_columns(table: pa.Table) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Rows of each kind, and of each kind and column the values that are not null."""
    kinds = table["kind"].cast(pa.string())
    plain = pa.table({"kind": kinds, **{name: table[name].is_valid() for name in COLUMNS}})
    sums = plain.group_by("kind").aggregate([([], "count_all"), *((c, "sum") for c in COLUMNS)])
    rows = dict(zip(sums["kind"].to_pylist(), sums["count_all"].to_pylist(), strict=True))
    filled = {
        (kind, column): int(number)
        for column in COLUMNS
        for kind, number in zip(
            sums["kind"].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True
        )
    }
    return dict(sorted(rows.items())), filled


@dataclass
class Kind:
    """A kind in all readings of a tracer: in how many it is promised and seen, and how many rows.

    `columns` have runs that promise them, rows of those runs, filled rows there, and filled rows elsewhere.
    """

    runs: int = 0
    promised: int = 0
    seen: int = 0
    rows: int = 0
    unpromised_rows: int = 0
    columns: dict[str, Column] = field(default_factory=dict)


@dataclass
class Column:
    """A column of a kind: runs that promise it, their rows, those filled, and values nobody promised.

    `least` and `most` are the smallest and greatest filled part of a run that promises it and has rows.
    """

    promised: int = 0
    rows: int = 0
    filled: int = 0
    unpromised: int = 0
    least: float | None = None
    most: float | None = None

    @property
    def share(self) -> float | None:
        """The filled part of the rows where it is promised; None without such rows."""
        return self.filled / self.rows if self.rows else None


def by_kind(readings: Iterable[Reading]) -> dict[str, Kind]:
    """Everything that a tracer's readings promise or have, by kind in order."""
    found: dict[str, Kind] = {}
    for reading in readings:
        promised = set(reading.capability.kinds)
        for name in promised | reading.rows.keys():
            kind = found.setdefault(name, Kind())
            rows = reading.rows.get(name, 0)
            kind.runs += 1
            kind.promised += name in promised
            kind.seen += rows > 0
            kind.rows += rows
            kind.unpromised_rows += 0 if name in promised else rows
            _columns(kind, name, reading)
    return dict(sorted(found.items()))


def _columns(kind: Kind, name: str, reading: Reading) -> None:
    fields = set(reading.capability.fields.get(name, ()))
    rows = reading.rows.get(name, 0)
    for column in COLUMNS:
        filled = reading.filled.get((name, column), 0)
        if column not in fields and not filled:
            continue
        one = kind.columns.setdefault(column, Column())
        if column not in fields:
            one.unpromised += filled
            continue
        one.promised += 1
        one.rows += rows
        one.filled += filled
        if rows:
            share = filled / rows
            one.least = share if one.least is None else min(one.least, share)
            one.most = share if one.most is None else max(one.most, share)


def others_rows(readings: Sequence[Reading], tracer: str) -> Counter[str]:
    """Rows of each kind that other tracers saw where this one promised the kind and saw none.

    In its runs themselves, where others ran beside it, else in the same scheduler's, workload's, isolation's
    and machine's other runs.
    """
    own: dict[tuple[Place, str], int] = {}
    for reading in readings:
        if reading.tracer == tracer:
            for kind in reading.capability.kinds:
                key = (reading.place, kind)
                own[key] = own.get(key, 0) + reading.rows.get(kind, 0)
    found: Counter[str] = Counter()
    for reading in readings:
        if reading.tracer != tracer:
            for kind, rows in reading.rows.items():
                if own.get((reading.place, kind)) == 0:
                    found[kind] += rows
    return found


def judge_kind(kind: Kind, elsewhere: int, fewest: int) -> Judgement:
    """Whether a tracer gives a kind as it promises; `elsewhere` are other tracers' rows where it saw none."""
    if kind.unpromised_rows:
        return Judgement(
            Verdict.DISAGREE,
            f"{kind.unpromised_rows} rows in runs whose capability does not promise the kind",
        )
    if elsewhere >= fewest:
        return Judgement(
            Verdict.DISAGREE,
            f"promised and not seen where other tracers of the same saw {elsewhere} rows",
        )
    if kind.rows:
        return Judgement(
            Verdict.AGREE,
            f"{kind.rows} rows in {kind.seen} of {kind.promised} runs that promise it",
        )
    if elsewhere:
        return Judgement(
            Verdict.INCONCLUSIVE,
            f"promised in {kind.promised} runs, no row; other tracers saw {elsewhere}, "
            f"fewer than {fewest}",
        )
    return Judgement(
        Verdict.INCONCLUSIVE,
        f"promised in {kind.promised} runs, no row in any: perhaps nothing of the kind happened",
    )


def judge_column(column: Column, fewest: int) -> Judgement:
    """Whether a tracer fills a column of a kind as it promises."""
    if column.unpromised:
        return Judgement(
            Verdict.DISAGREE, f"{column.unpromised} values in runs that do not promise the column"
        )
    if column.filled:
        return Judgement(Verdict.AGREE, f"{column.filled} of {column.rows} rows filled")
    if column.rows >= fewest:
        return Judgement(Verdict.DISAGREE, f"promised, and empty in all {column.rows} rows")
    return Judgement(
        Verdict.INCONCLUSIVE, f"promised, and empty in {column.rows} rows: too few to say"
    )
