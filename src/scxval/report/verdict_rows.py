# SPDX-License-Identifier: MIT
"""Rows of the tables (scxval.report.tables) about families of comparisons, as verdicts.json has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scxval.report.compare_load import Control, Fields, Judged
from scxval.report.verdicts import FamilyView

Row = dict[str, Any]
# Rows of an alignment by what became of them (scxval.compare.alignment).
OPERATIONS = ("matched", "substituted", "deleted", "inserted", "edge_a", "edge_b")
ERRORS = ("p1", "p50", "p99")
DRIFT = ("drift_ppm", "drift_low_ppm", "drift_high_ppm")
RESIDUAL = ("p1", "median", "p99")
TIMES = (
    *(f"error_{name}_ns" for name in ERRORS),
    *DRIFT,
    *(f"residual_{name}_ns" for name in RESIDUAL),
)


def families(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """A row a family; what cannot be read is its reason."""
    for record in (family.record for family in shown):
        yield {
            "family": record.name,
            "verdict": record.verdict,
            "void": bool(record.void),
            "reason": "; ".join((record.reason, *record.problems)).strip("; "),
            "questions": record.questions,
            "alpha": record.alpha,
        }


def _pairs(shown: Sequence[FamilyView]) -> Iterator[Judged]:
    for family in shown:
        yield from family.record.pairs


def _of(pair: Judged) -> Row:
    return {"family": pair.family, "path": pair.path}


def pairs(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """A row a pair: what both sides share, their names, how many runs of each count."""
    for pair in _pairs(shown):
        yield {
            **pair.where,
            **_of(pair),
            "a": pair.a.name,
            "b": pair.b.name,
            "verdict": pair.verdict,
            "void": bool(pair.void),
            "reason": pair.reason,
            "runs_a": len(pair.a.runs),
            "used_a": sum(run.used for run in pair.a.runs),
            "runs_b": len(pair.b.runs),
            "used_b": sum(run.used for run in pair.b.runs),
        }


def controls(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """Controls of families, with an empty path, and of pairs."""
    for family in shown:
        own = {"family": family.record.name, "path": ""}
        yield from (own | _control(control) for control in family.record.controls)
        for pair in family.record.pairs:
            yield from (_of(pair) | _control(control) for control in pair.controls)


def _control(control: Control) -> Row:
    return {"control": control.name, "passed": control.passed, "reason": control.reason}


def margins(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """Each family's margins, once."""
    found = {
        (pair.family, asked.metric, asked.stat, asked.unit, asked.margin): None
        for pair in _pairs(shown)
        for asked in pair.quantities
    }
    for family, metric, stat, unit, margin in found:
        row = {"family": family, "metric": metric, "stat": stat, "unit": unit}
        yield row | {"ratio": margin.ratio, "absolute": margin.absolute, "reason": margin.reason}


def sides(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """The runs of each side of a pair, and how many rows of their events are compared with nothing."""
    for pair in _pairs(shown):
        for side, group in (("A", pair.a), ("B", pair.b)):
            for run in group.runs:
                removed = (f"{rows} {name}" for name, rows in run.removed.items() if rows)
                yield _of(pair) | {
                    "side": side,
                    "run": run.path,
                    "outcome": run.outcome,
                    "counts": run.used,
                    "why": run.why,
                    "left_out": ", ".join(removed),
                }


def distances(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """How far distributions lie apart; times in the metric's unit."""
    names = ("metric", "unit", "ks", "wasserstein", "low", "high", "floor", "p", "q")
    for pair in _pairs(shown):
        for distance in pair.distances:
            yield {
                **_of(pair),
                **{name: getattr(distance, name) for name in names},
                "runs_a": len(distance.samples_a),
                "runs_b": len(distance.samples_b),
            }


def alignments(shown: Sequence[FamilyView]) -> Iterator[Row]:
    """Every alignment, then its tasks; one that cannot be read, which the page says, has no row."""
    for pair in _pairs(shown):
        for entry in pair.alignments:
            try:
                yield from [_of(pair) | row for row in _aligned(Fields(entry, "the alignment"))]
            except ValueError:
                continue


def _aligned(fields: Fields) -> Iterator[Row]:
    names: Mapping[str, str] = {name: fields.text(name, "") for name in ("sides", "a", "b")}
    yield {**names, "task": "", **_numbers(fields)}
    for row in fields.each("tasks", lambda task: {"task": task.text("task"), **_numbers(task)}):
        yield {**names, **row}


def _numbers(fields: Fields) -> Row:
    error, drift = fields.inner("error_ns"), fields.inner("drift")
    residual = drift.inner("residual_ns") if drift else None
    return {
        "similarity": fields.number("similarity"),
        **{name: fields.count(name) for name in OPERATIONS},
        **({f"error_{name}_ns": error.number(name) for name in ERRORS} if error else {}),
        **({name: drift.number(name) for name in DRIFT} if drift else {}),
        **({f"residual_{n}_ns": residual.number(n) for n in RESIDUAL} if residual else {}),
    }
