# SPDX-License-Identifier: MIT
"""What a scheduler says of its statistics: the answer to stats_meta, looked up by a value's path.

Per struct its fields; each is a `datum`, an `array` of them or a `dict`, of a basic type or of a struct
again (scx_stats 1.1.2, src/stats.rs). The struct marked `top` is the whole answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# scx_stats itself has no units; its schedulers write percentages as a word, times into the field's name.
_PERCENT = re.compile(r"(^|\s)%(\s|$)")
_TIME = re.compile(r"_(ns|us|ms)$")


@dataclass(frozen=True)
class About:
    """Type (i64, u64, float, string), words and unit of a value; None where they are not told."""

    type: str | None = None
    description: str | None = None
    unit: str | None = None


def is_meta(answer: object) -> bool:
    """Whether an answer is one to stats_meta: structs by name, each with its fields."""
    return (
        isinstance(answer, dict)
        and bool(answer)
        and all(isinstance(s, dict) and isinstance(s.get("fields"), dict) for s in answer.values())
    )


def about(meta: Mapping[str, Any], keys: Sequence[str]) -> About:
    """What `meta` says of the value at `keys`, names and indices from the outside in."""
    tops = [struct for struct in meta.values() if struct.get("top")]
    struct: Any = tops[0] if len(tops) == 1 else None
    field: Any = None
    rest = list(keys)
    while rest:
        field = _mapping(_mapping(struct).get("fields")).get(rest.pop(0))
        kind = _kind(field, rest)
        struct = meta.get(str(_mapping(kind).get("struct"))) if isinstance(kind, dict) else None
        if struct is None and rest:
            return About()
    words = _mapping(field).get("desc")
    description = words if isinstance(words, str) else None
    kind = _kind(field, [""])
    return About(kind if isinstance(kind, str) else None, description, _unit(keys, description))


def _kind(field: Any, rest: list[str]) -> Any:
    """The kind of a field's values; takes an index or key from `rest` where it has many."""
    field = _mapping(field)
    if "datum" in field:
        return field["datum"]
    if rest:
        rest.pop(0)
    return field.get("array") or _mapping(field.get("dict")).get("datum")


def _unit(keys: Sequence[str], description: str | None) -> str | None:
    if description and _PERCENT.search(description):
        return "%"
    named = next((m for key in reversed(keys) if (m := _TIME.search(key))), None)
    return named[1] if named else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
