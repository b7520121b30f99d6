# SPDX-License-Identifier: MIT
"""Whether files are the same byte for byte, and where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

# Of a line that differs, around the first byte that does.
SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """A file's name and what is wrong with it, in one line."""

    name: str
    what: str


def differences(published: Mapping[str, Path], made: Mapping[str, Path]) -> list[Difference]:
    """What is not in both, or not the same in both, in the order of names."""
    found = []
    for name in sorted({*published, *made}):
        if name not in made:
            found.append(Difference(name, "is published and was not made again"))
        elif name not in published:
            found.append(Difference(name, "was made and is not published"))
        else:
            what = where_unlike(published[name].read_bytes(), made[name].read_bytes())
            if what:
                found.append(Difference(name, what))
    return found


def where_unlike(published: bytes, made: bytes) -> str:
    """The first line and column, from 1, in which two contents differ, with both; "" when they are equal."""
    if published == made:
        return ""
    lines = zip_longest(published.split(b"\n"), made.split(b"\n"))
    number, (old, new) = next((n, two) for n, two in enumerate(lines, 1) if two[0] != two[1])
    if old is None or new is None:
        return f"line {number}: only {'made' if old is None else 'published'} has it"
    column = next(
        (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    return (
        f"line {number}, column {column + 1}: published {_around(old, column)},"
        f" made {_around(new, column)}"
    )


def _around(line: bytes, column: int) -> str:
    start = max(0, column - SHOWN // 3)
    text = line[start : start + SHOWN].decode("utf-8", "replace")
    return repr(text)
