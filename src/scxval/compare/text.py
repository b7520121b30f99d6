# SPDX-License-Identifier: MIT
"""verdicts.json as lines for a terminal: the verdict, its numbers, and what nobody could tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scxval.compare.verdict import Verdict

# Removed rows and quantities not measured are many; a terminal gets the first, the file has all.
MOST_LINES = 12
_HEAD = ("quantity", "A", "B", "B/A or B-A", "interval", "margin", "verdict")


def lines(record: dict[str, Any]) -> Iterator[str]:
    """The lines for one family's verdicts, pair by pair. Names are of traces: none moves the cursor."""
    for line in _lines(record):
        yield "".join(char if char.isprintable() else _escaped(char) for char in line)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _lines(record: dict[str, Any]) -> Iterator[str]:
    for pair in record["pairs"]:
        yield from _pair(pair)
    for control in record["controls"]:
        yield f"  control    {control['name']}: {_passed(control['passed'])}, {control['reason']}"


def _pair(pair: dict[str, Any]) -> Iterator[str]:
    yield f"{pair['verdict']}: {pair['reason']}"
    for side in ("a", "b"):
        group = pair[side]
        used = [run for run in group["runs"] if not run["why"]]
        yield f"  {side.upper()}          {group['name']}: {len(used)} of {len(group['runs'])} runs"
        for run in group["runs"]:
            if run["why"]:
                yield f"             not used: {run['path']}: {run['why']}"
    if pair["quantities"]:
        yield from table([_HEAD, *(_quantity(item) for item in pair["quantities"])])
    yield from _cut("not measured", _by_reason(pair["not_measured"]))
    for found in [entry for entry in pair["alignments"] if entry["sides"] == "A/B"][:1]:
        yield from _alignment(found)
    yield from _cut("note", pair["notes"])


def _quantity(item: dict[str, Any]) -> tuple[str, ...]:
    effect, margin = item["effect"], item["margin"]
    ends = (effect["low"], effect["high"])
    verdict = item["verdict"] or "not judged"
    return (
        item["name"],
        f"{number(item['mean_a'])} {item['unit']}",
        number(item["mean_b"]),
        ("x" if effect["ratio"] else "+") + number(effect["estimate"]),
        "-" if None in ends else f"{number(ends[0])} to {number(ends[1])}",
        f"x{1 + margin['ratio']:.3g} +{number(margin['absolute'])}",
        verdict,
    )


def _alignment(found: dict[str, Any]) -> Iterator[str]:
    similarity = found["similarity"]
    yield (
        f"  events     {found['matched']} matched, {found['substituted']} substituted, "
        f"{found['deleted']} only in A, {found['inserted']} only in B: similarity {number(similarity)}"
    )
    if found["divergence"]:
        yield "  first divergence"
        yield from (f"    {line}" for line in found["divergence"]["lines"])


def _by_reason(not_measured: Mapping[str, str]) -> list[str]:
    """One line a reason, with all that it goes for."""
    names: dict[str, list[str]] = {}
    for name, reason in not_measured.items():
        names.setdefault(reason, []).append(name)
    return [f"{reason}: {', '.join(found)}" for reason, found in names.items()]


def _cut(what: str, items: Sequence[str]) -> Iterator[str]:
    for item in items[:MOST_LINES]:
        yield f"  {what:<10} {item}"
    if len(items) > MOST_LINES:
        yield f"  {what:<10} and {len(items) - MOST_LINES} more"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as columns: the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  " + "  ".join(cells).rstrip()


def number(value: float | None) -> str:
    """Four digits, - for what is not there."""
    return "-" if value is None else f"{value:.4g}"


def _passed(value: bool | None) -> str:
    return {True: "passed", False: "FAILED", None: "not run"}[value]


def exit_status(verdict: str) -> int:
    """0 agree, 1 disagree, 3 when nobody can tell; 2 is for what was asked wrongly."""
    return {Verdict.AGREE: 0, Verdict.DISAGREE: 1}.get(Verdict(verdict), 3)
