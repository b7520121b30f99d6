# SPDX-License-Identifier: MIT
"""The first row in which two sides part, with what each did around it: as records and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scxval.compare.alignment.activations import I64
from scxval.compare.alignment.edit import DELETED, EDGE, INSERTED, MATCHED, SUBSTITUTED
from scxval.compare.alignment.tokens import Side
from scxval.events.schema import SLICE_INFINITE, dsq_name

if TYPE_CHECKING:
    from scxval.compare.alignment.result import Alignment

# Operations shown before the first divergence and from it on, and rows of a CPU's other tasks.
BEFORE, AFTER = 8, 12
NEIGHBOURS = 4
# Rows to either side in which a CPU's other rows are looked for.
_SPAN = 512

_MARKS = {MATCHED: "=", SUBSTITUTED: "~", INSERTED: "+", DELETED: "-", EDGE: " "}
_WORDS = {
    SUBSTITUTED: "both, with other arguments",
    INSERTED: "only B",
    DELETED: "only A",
}


@dataclass(frozen=True)
class Shown:
    """One row of one side: `time_ns` since the activation's begin, what it says in words."""

    time_ns: int
    cpu: int
    words: str


@dataclass(frozen=True)
class Step:
    """One operation: `mark` is = matched, ~ other arguments, + only B, - only A, space an edge."""

    mark: str
    a: Shown | None
    b: Shown | None


@dataclass(frozen=True)
class Divergence:
    """Where the sides part: `steps[at]`; times of the window in ns, None where a side has no row there.

    `others_*` are rows of other tasks on the CPU of that moment. `what` says it in one sentence.
    """

    task: str
    activation: int
    time_a_ns: int | None
    time_b_ns: int | None
    what: str
    at: int
    steps: tuple[Step, ...]
    others_a: tuple[Shown, ...]
    others_b: tuple[Shown, ...]

    @property
    def lines(self) -> list[str]:
        """As text, a line an operation, A on the left: times in us since the activation's begin."""
        left = max((len(_said(step.a)) for step in self.steps), default=0)
        found = []
        for place, step in enumerate(self.steps):
            here = ">" if place == self.at else " "
            found.append(f"{here} {_said(step.a):<{left}} {step.mark} {_said(step.b)}".rstrip())
        for name, others in (("A", self.others_a), ("B", self.others_b)):
            found += [f"  others on {name}'s CPU: {_said(row)}" for row in others]
        return found

    def summary(self) -> dict[str, Any]:
        """As JSON takes it: the fields, and `lines`."""
        return {**asdict(self), "lines": self.lines}


def _said(row: Shown | None) -> str:
    return "" if row is None else f"{row.time_ns / 1000:+12.3f} cpu{row.cpu} {row.words}"


def diverges(found: Alignment) -> Divergence | None:
    """The earliest operation that is neither matched nor an edge; None without one."""
    op, pair = found.laid.op, found.pair
    parted = np.flatnonzero((op != MATCHED) & (op != EDGE))
    if not len(parted):
        return None
    (time_a, time_b), (begin_a, begin_b) = found.times, found.begins
    # What only B has is placed by its time in the activation.
    moved = begin_a[pair[parted]] - begin_b[pair[parted]]
    both = found.place.bounds[pair[parted]]
    moved = np.where((both[:, 0] < both[:, 1]) & (both[:, 2] < both[:, 3]), moved, 0)
    when = np.where(op[parted] == INSERTED, time_b[parted] + moved, time_a[parted])
    at = int(parted[np.argmin(when)])
    own = int(pair[at])
    first = max(int(found.laid.begins[own]), at - BEFORE)
    last = min(int(found.laid.begins[own + 1]), at + AFTER)
    steps = tuple(
        Step(
            _MARKS[int(op[k])],
            _row(found.a, int(found.laid.at_a[k]), int(begin_a[own])),
            _row(found.b, int(found.laid.at_b[k]), int(begin_b[own])),
        )
        for k in range(first, last)
    )
    task = found.place.names[found.place.task[own]]
    activation = int(found.place.activation[own])
    here = steps[at - first]
    said = [
        found.said.names[codes[place]]
        for codes, place in (
            (found.said.a, found.laid.at_a[at]),
            (found.said.b, found.laid.at_b[at]),
        )
        if place >= 0
    ]
    return Divergence(
        task=task,
        activation=activation,
        time_a_ns=int(time_a[at]) if here.a else None,
        time_b_ns=int(time_b[at]) if here.b else None,
        what=f"{task}, activation {activation}: {_WORDS[int(op[at])]}: {' / '.join(said)}",
        at=at - first,
        steps=steps,
        others_a=_others(found.a, found.laid.at_a[first:last], at - first, int(begin_a[own])),
        others_b=_others(found.b, found.laid.at_b[first:last], at - first, int(begin_b[own])),
    )


def _row(side: Side, at: int, begin_ns: int) -> Shown | None:
    return None if at < 0 else _shown(side.table, int(side.place[at]), begin_ns)


def _shown(table: pa.Table, place: int, begin_ns: int, named: bool = False) -> Shown:
    row = table.slice(place, 1).to_pylist()[0]
    words = [str(row["kind"])]
    if named:
        words.insert(0, f"{row['comm'] or 'no task'}:")
    if row["reason"] is not None:
        words.append(str(row["reason"]))
    if row["other_cpu"] is not None:
        words.append(f"for cpu{row['other_cpu']}")
    if row["dsq_id"] is not None:
        words.append(dsq_name(row["dsq_id"]))
    if row["slice_ns"] is not None:
        endless = row["slice_ns"] == SLICE_INFINITE
        words.append("slice endless" if endless else f"slice {row['slice_ns']} ns")
    if row["success"] is not None:
        words.append("succeeded" if row["success"] else "failed")
    if row["flags"]:
        words.append(f"flags {row['flags']:#x}")
    return Shown(row["time_ns"] - begin_ns, row["cpu"], " ".join(words))


def _others(side: Side, at: I64, here: int, begin_ns: int) -> tuple[Shown, ...]:
    """What other tasks did on the CPU of this side's row at `here`, or the nearest: before and after it.

    `at` are this side's places of the operations that are shown.
    """
    known = np.flatnonzero(at >= 0)
    if not len(known):
        return ()
    nearest = known[np.argmin(np.abs(known - here))]
    place = int(side.place[at[nearest]])
    first, last = max(0, place - _SPAN), min(len(side.table), place + _SPAN)
    part = side.table.slice(first, last - first)
    own = part.slice(place - first, 1).to_pylist()[0]
    different = pc.fill_null(pc.not_equal(part["tid"], own["tid"]), True)
    other = pc.and_(pc.equal(part["cpu"], own["cpu"]), different)
    found = np.flatnonzero(other.to_numpy()) + first
    middle = int(np.searchsorted(found, place))
    chosen = found[max(0, middle - NEIGHBOURS) : middle + NEIGHBOURS]
    return tuple(_shown(side.table, int(row), begin_ns, named=True) for row in chosen)
