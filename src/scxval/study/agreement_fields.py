# SPDX-License-Identifier: MIT
"""What paired rows say differently: field by field, and whether a CPU's rows stand in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled
from scxval.study.agreement_align import I64
from scxval.study.agreement_rows import SWITCH_OUT, Bools, Comparable, Source, compared_kinds

# A task's name in the kernel has 15 bytes; sources that show more show the thread group's.
COMM_BYTES = 15
NUMBERS = ("pid", "other_tid", "other_cpu", "prev_state", "dsq_id", "slice_ns", "vtime", "flags")
FIELDS = ("kind", "comm", *NUMBERS, "success")
EXAMPLES = 3


@dataclass(frozen=True)
class Field:
    """One field over a class's pairs whose two rows both have it; `differing` are places of pairs."""

    what: str
    name: str
    compared: int
    differing: I64


def differing_fields(
    a: Source, b: Source, rows: Comparable, klass: I64, in_a: I64, in_b: I64
) -> list[Field]:
    """Compare every field that both sources fill for the kind, over pairs of rows, class by class.

    `in_a` and `in_b` are places in the two tables, `klass` the class of each pair. A null on either
    side is not compared. Only switch-outs can differ in kind.
    """
    found = []
    for name in FIELDS:
        values = [_values(s, name, rows.tells_yields) for s in (a, b)]
        known = values[0][1][in_a] & values[1][1][in_b]
        if name == "kind":
            known &= np.array([what == SWITCH_OUT for what in rows.classes])[klass]
        else:
            known &= _filled(a, name)[in_a] & _filled(b, name)[in_b]
        left, right = _alike(values[0][0], values[1][0], in_a, in_b)
        compared = np.bincount(klass[known], minlength=len(rows.classes))
        differing = np.flatnonzero(known & (left != right))
        found += [
            Field(what, name, int(compared[number]), differing[klass[differing] == number])
            for number, what in enumerate(rows.classes)
            if compared[number]
        ]
    return found


_Values = tuple[Any, Bools]


def _values(source: Source, name: str, tells_yields: bool) -> _Values:
    """All rows' values of a field, and where there is one; texts as (codes, texts)."""
    if name == "kind":
        codes, texts = compared_kinds(source, tells_yields)
        return (codes, texts), codes >= 0
    if name == "comm":
        codes, texts = source.dictionary(name)
        return (codes, [_short(text) for text in texts]), codes >= 0
    column = source.table[name]
    known: npt.NDArray[np.bool_] = column.is_valid().to_numpy()
    values = column.fill_null(False if name == "success" else 0).to_numpy()
    return values, known


def _short(text: str) -> str:
    return text.encode("utf-8", "replace")[:COMM_BYTES].decode("utf-8", "replace")


def _alike(a: Any, b: Any, in_a: I64, in_b: I64) -> tuple[Any, Any]:
    """Both sides' values of the pairs so that equal ones are equal; texts get common codes."""
    if not isinstance(a, tuple):
        return a[in_a], b[in_b]
    number = {text: code for code, text in enumerate(dict.fromkeys([*a[1], *b[1]]))}
    sides = []
    for (codes, texts), places in ((a, in_a), (b, in_b)):
        common = np.array([*(number[text] for text in texts), -1], dtype=np.int64)
        sides.append(common[codes[places]])
    return sides[0], sides[1]


def _filled(source: Source, field: str) -> Bools:
    """Of which rows the source fills a field, by what it says of each kind."""
    codes, names = source.dictionary("kind")
    fills = [field in source.capability.fields.get(name, []) for name in names]
    filled: Bools = np.array([*fills, False], dtype=np.bool_)[codes]
    return filled


def out_of_order(cpu: I64, in_a: I64, in_b: I64) -> I64:
    """Pairs that must be left out for the others to stand in the same order on each CPU.

    Tracepoints on one CPU fire one after another, whoever listens. Returns places in the pairing,
    which must be in order of `in_a`: a fewest possible number (all but a longest increasing
    subsequence of `in_b` on each CPU).
    """
    wrong = []
    for one in np.unique(cpu):
        here = np.flatnonzero(cpu == one)
        places = in_b[here]
        if (places[1:] < places[:-1]).any():
            wrong.append(here[~_increasing(places)])
    return np.sort(np.concatenate(wrong)) if wrong else np.zeros(0, dtype=np.int64)


@compiled
def _increasing(values: I64) -> Bools:
    """Which values make up a longest increasing subsequence (patience sorting, n log n)."""
    count = len(values)
    ends = np.zeros(count, dtype=np.int64)
    before = np.full(count, -1, dtype=np.int64)
    length = 0
    for i in range(count):
        low, high = 0, length
        while low < high:
            middle = (low + high) // 2
            if values[ends[middle]] < values[i]:
                low = middle + 1
            else:
                high = middle
        if low:
            before[i] = ends[low - 1]
        ends[low] = i
        length = max(length, low + 1)
    kept = np.zeros(count, dtype=np.bool_)
    at = ends[length - 1] if length else -1
    while at >= 0:
        kept[at] = True
        at = before[at]
    return kept


def row_of(source: Source, place: int) -> dict[str, Any]:
    """One row as it stands in the table, without its nulls."""
    row = source.table.slice(int(place), 1).to_pylist()[0]
    return {name: value for name, value in row.items() if value is not None}
