# SPDX-License-Identifier: MIT
"""What a converter hands back, and how it ends: rows joined, put in order, completed, made a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from scxval.events.capability import GUEST_CLOCK, Capability
from scxval.events.clocks import clock_notes
from scxval.events.columns import KIND, KINDS, Columns, Names, complete_tasks, merge, to_table
from scxval.events.schema import EVENT_SCHEMA, TraceKind

# Columns that every row of every source has.
ALWAYS = frozenset(("time_ns", "cpu", "kind", "probe", "seq"))
# Kinds whose absence proves nothing: the tracepoint is there without a driver that could fire it.
ONLY_IF_SEEN = frozenset((TraceKind.CPU_FREQUENCY,))
# Unreadable records kept as examples in a capability record, and how much of each.
EXAMPLES = 5
EXAMPLE_CHARS = 200


@dataclass(frozen=True)
class Conversion:
    """A sorted event table and its capability record."""

    table: pa.Table
    capability: Capability


@dataclass(frozen=True)
class StatsConversion(Conversion):
    """What a source of statistics (scxval.events.stats) gives: an event table without rows, and them."""

    stats: pa.Table


@dataclass(frozen=True)
class Losses:
    """What is not in the table: events that the tracer dropped, records that could not be read."""

    lost: int = 0
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)


Reach = Mapping[TraceKind, frozenset[str]]
# With kinds that only one source has.
OpenReach = Mapping[str, frozenset[str]]


def conclude(
    source: str,
    parts: list[Columns],
    names: Names,
    probes: Sequence[str],
    reach: Reach | OpenReach,
    losses: Losses,
    notes: Sequence[str] = (),
    ordered: bool = True,
    clock: str = GUEST_CLOCK,
    kinds: Sequence[str] = KINDS,
) -> Conversion:
    """Make table and capability of a source's rows.

    `reach` says which kinds the source could have produced, whether or not it did, and the columns
    that each fills besides those in ALWAYS; one of ONLY_IF_SEEN must have left a row, too. `comm`
    goes with every `tid`; `pid` too where the trace names any thread group. `ordered`: by seq, each
    CPU's records are as they happened, so that a step of the clock can be told. `clock` is the
    table's, as in Capability. `kinds` are the names by code of a source that has kinds of its own
    behind KINDS. Empty notes are left out. `parts` is emptied, so that rows are not
    held beside the table.
    """
    columns = merge(parts)
    parts.clear()
    columns = complete_tasks(columns)
    unseen = {kind for kind in ONLY_IF_SEEN if not (columns.kind == KIND[kind]).any()}
    table = to_table(columns, names.list, probes, kinds)
    del columns
    seen, fields = _reach(
        {str(kind): filled for kind, filled in reach.items() if kind not in unseen}, table
    )
    times = table["time_ns"]
    time_ns, cpu, seq = (table[name].to_numpy() for name in ("time_ns", "cpu", "seq"))
    steps = clock_notes(time_ns, cpu, seq, ordered)
    capability = Capability(
        source=source,
        kinds=seen,
        fields=fields,
        lost=losses.lost,
        unparsed=losses.unparsed,
        examples=[text[:EXAMPLE_CHARS] for text in losses.examples[:EXAMPLES]],
        window_ns=(times[0].as_py(), times[-1].as_py()) if len(times) else None,
        events=table.num_rows,
        clock=clock,
        notes=[note for note in (*notes, *steps) if note],
    )
    return Conversion(table, capability)


def _reach(reach: OpenReach, table: pa.Table) -> tuple[list[str], dict[str, list[str]]]:
    known = [str(kind) for kind in TraceKind if kind in reach]
    kinds = [*known, *sorted(kind for kind in reach if kind not in known)]
    any_pid = bool(pc.any(pc.greater(table["pid"], 0)).as_py())
    # Idle is always pid 0, also where no other thread group is known.
    with_pid = set(table["kind"].filter(pc.is_valid(table["pid"])).unique().to_pylist())
    fields = {}
    for kind in kinds:
        filled = ALWAYS | reach[kind]
        if "tid" in filled:
            filled |= {"comm", "pid"} if any_pid or kind in with_pid else {"comm"}
        fields[kind] = [name for name in EVENT_SCHEMA.names if name in filled]
    return kinds, fields
