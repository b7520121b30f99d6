# SPDX-License-Identifier: MIT
"""Provenance as a table of facts: what is the same in all runs once, what differs per run."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from scxval.report.load import Run
from scxval.report.text import value_text

# A fact with more different values than this is shown in the runs' own sections only.
MAX_VALUES = 8


@dataclass(frozen=True)
class Fact:
    """A provenance key (dotted) with each of its values and the paths of the runs that have it."""

    key: str
    values: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Facts:
    """`common` is key and value; `differing` has few values; `individual` are keys with many."""

    common: list[tuple[str, str]]
    differing: list[Fact]
    individual: list[str]
    sources: int


def flatten(data: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings as one with dotted keys; a list of mappings gets its marks or indices."""
    return dict(_walk(data, ""))


def _walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name in value:
            yield from _walk(value[name], f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            # The agent's clock readings: runs differ in how many there are, not in their names.
            yield from _walk(item, f"{key}[{item.get('mark', index)}]")
    else:
        yield key, value


def gather(runs: Sequence[Run]) -> Facts:
    """Sort the facts of all runs that have a provenance into common, differing and individual."""
    records = [(run.cell.path, flatten(run.provenance)) for run in runs if run.provenance]
    keys = list(dict.fromkeys(key for _, record in records for key in record))
    common: list[tuple[str, str]] = []
    differing: list[Fact] = []
    individual: list[str] = []
    for key in keys:
        fact = _fact(key, records)
        if len(fact.values) == 1:
            common.append((key, fact.values[0][0]))
        elif len(fact.values) <= min(MAX_VALUES, len(records) - 1) or len(records) <= 2:
            differing.append(fact)
        else:
            # Which entry of a list of records it was says nothing here.
            individual.append(re.sub(r"\[[^]]*\]", "[]", key))
    return Facts(common, differing, list(dict.fromkeys(individual)), len(records))


def _fact(key: str, records: list[tuple[str, dict[str, Any]]]) -> Fact:
    holders: dict[str, tuple[str, list[str]]] = {}
    for path, record in records:
        # Compared as JSON: 1 and "1" and true are different facts.
        same = json.dumps(record[key], sort_keys=True) if key in record else ""
        text = value_text(record[key]) if key in record else "not recorded"
        holders.setdefault(same, (text, []))[1].append(path)
    return Fact(key, list(holders.values()))


def is_window(value: object) -> TypeGuard[list[int]]:
    """Whether a status's window_ns is what it should be: two times in order."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(time, int) for time in value)
        and value[0] <= value[1]
    )


def own_facts(run: Run, facts: Facts) -> list[tuple[str, str]]:
    """The facts of one run that are not common to all."""
    shared = {key for key, _ in facts.common}
    record = flatten(run.provenance or {})
    return [(key, value_text(value)) for key, value in record.items() if key not in shared]


def distinct(runs: Sequence[Run], keys: Sequence[str]) -> list[str]:
    """The different values, over all runs, of the first of `keys` that a run has.

    A key is a dotted provenance key or the end of one.
    """
    found: list[str] = []
    for run in runs:
        record = flatten(run.provenance or {})
        for wanted in keys:
            values = [value for key, value in record.items() if _is(key, wanted)]
            if values:
                found.append(value_text(values[0]))
                break
    return sorted(set(found))


def machine_notes(runs: Sequence[Run]) -> list[str]:
    """How many CPUs each scheduler saw, and why times on this machine are not for SMP; as recorded."""
    seen: dict[str, dict[str, None]] = {}
    for run in runs:
        cpus = (run.provenance or {}).get("cpus")
        if not isinstance(cpus, dict):
            continue
        part, whole = cpus.get("seen_by_scheduler"), cpus.get("online")
        if isinstance(part, list) and isinstance(whole, list):
            words = f"{len(part)} of {len(whole)} CPUs"
            seen.setdefault(words, {})[run.cell.scheduler] = None
    shown = "; ".join(f"{words} ({', '.join(names)})" for words, names in seen.items())
    notes = [f"Seen by the scheduler: {shown}."] if shown else []
    reasons = distinct(runs, ["machine.not_for_smp_timing"])
    return notes + [f"Not for SMP timing. {why}." for why in reasons if why]


def _is(key: str, wanted: str) -> bool:
    return key == wanted or key.endswith(f".{wanted}")


def when(runs: Sequence[Run]) -> str:
    """First to last REALTIME clock reading of all provenance records, in UTC, or ""."""
    stamps = [
        value
        for run in runs
        for key, value in flatten(run.provenance or {}).items()
        if _is(key, "real_ns") and isinstance(value, int) and 0 < value < 1 << 62
    ]
    if not stamps:
        return ""
    first, last = (_utc(stamp) for stamp in (min(stamps), max(stamps)))
    if first[:10] == last[:10]:
        last = last[11:]
    return f"{first} to {last} UTC" if min(stamps) != max(stamps) else f"{first} UTC"


def _utc(real_ns: int) -> str:
    moment = dt.datetime.fromtimestamp(real_ns // 10**9, tz=dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
