# SPDX-License-Identifier: MIT
"""Which two runs are laid side by side event by event, and what comes of it for a pair of groups.

Run k of A beside run k of B, and A's runs among themselves in pairs that share none: what runs of one cell
have in common is what any other run can be held to. The similarities are a quantity like others, with
A's own as its side A.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from scxval.catalog.comparison import Compare
from scxval.compare.alignment import Alignment, align
from scxval.compare.prepare import Common, Prepared
from scxval.compare.record import SIMILARITY, Quantity
from scxval.events.metrics.rows import numbers
from scxval.events.schema import EVENT_SCHEMA

# Each is a pass over two runs' events; more than these say little more.
MOST_PAIRS = 6

# Two pairs of A's runs that share none: one similarity alone has no spread.
FEWEST_RUNS = 4

# A run's name and its events, read when they are needed.
Reader = tuple[str, Callable[[], Prepared]]


@dataclass(frozen=True)
class Laid:
    """Alignments of a pair: what each says (entries of record.Pair), the similarities, the first A/B one."""

    entries: tuple[dict[str, Any], ...]
    within_a: tuple[float, ...]
    between: tuple[float, ...]
    first: Alignment | None

    def quantity(self, how: Compare) -> tuple[Quantity | None, str]:
        """The similarities as a quantity, or why there is none; both empty if it is not configured."""
        found = [item for item in how.quantities if item.metric == SIMILARITY]
        if not found:
            return None, ""
        if not self.between:
            return None, "no two runs could be aligned"
        if len(self.within_a) < 2:
            pairs = len(self.within_a)
            return None, (
                f"A's runs make {pairs} pairs that share none: what can be expected of two runs takes "
                f"2 pairs, {FEWEST_RUNS} runs"
            )
        item = found[0]
        why = "" if item.carries else item.margin.reason
        return (
            Quantity(
                name=item.name,
                metric=item.metric,
                stat=item.stat,
                task="",
                unit="ratio",
                margin=item.margin,
                a=self.within_a,
                b=self.between,
                carries=item.carries,
                why_not=why,
            ),
            "",
        )


def lay(
    a: Sequence[Reader],
    b: Sequence[Reader],
    common: Common,
    whole_system: bool,
    how: Compare,
    deterministic: bool = False,
) -> Laid:
    """Align runs of A and B, and runs of A. `whole_system`: not all can tell the workload's tasks.

    `deterministic`: B's are simulations, which may stand beside several runs of A.
    """
    comms = None if whole_system or not common.comms else common.comms
    entries: list[dict[str, Any]] = []
    similar: dict[str, list[float]] = {"A/B": [], "A/A": []}
    first: Alignment | None = None
    between = list(zip(a, cycle(b) if deterministic else b, strict=False))[:MOST_PAIRS]
    # Disjoint, so that the similarities are of different runs.
    within = list(pairwise(a))[::2][:MOST_PAIRS]
    for sides, pairs in (("A/B", between), ("A/A", within)):
        for (name_a, read_a), (name_b, read_b) in pairs:
            found = _align(read_a(), read_b(), common, comms, how.band)
            entries.append({"sides": sides, "a": name_a, "b": name_b, **found.summary()})
            if found.similarity is not None:
                similar[sides].append(found.similarity)
            if first is None and sides == "A/B":
                first = found
    return Laid(tuple(entries), tuple(similar["A/A"]), tuple(similar["A/B"]), first)


def _align(
    a: Prepared, b: Prepared, common: Common, comms: frozenset[str] | None, band: int
) -> Alignment:
    length = min(run.window_ns[1] - run.window_ns[0] for run in (a, b))
    return align(
        cut(a, length),
        cut(b, length),
        common.kinds,
        comms,
        band,
        fields=common.fields,
        window_ns=length,
    )


def cut(run: Prepared, length_ns: int) -> pa.Table:
    """The rows of the first `length_ns` of a run's window, with the time since it began."""
    time = numbers(run.table, "time_ns") - run.window_ns[0]
    inside = np.flatnonzero((time >= 0) & (time < length_ns))
    place = EVENT_SCHEMA.get_field_index("time_ns")
    table = run.table.set_column(place, EVENT_SCHEMA.field(place), pa.array(time))
    if not len(inside):
        return table.slice(0, 0)
    # Rows are in order of time.
    return table.slice(int(inside[0]), int(inside[-1]) + 1 - int(inside[0]))
