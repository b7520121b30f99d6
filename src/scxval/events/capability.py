# SPDX-License-Identifier: MIT
"""What a source could and could not see: capability.json, beside every event table.

A kind that a source cannot see is not measured; it is never zero. Comparisons use the intersection.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

# The clock of every table that may be laid beside another's: the guest's CLOCK_MONOTONIC.
GUEST_CLOCK = "monotonic"
# The clock of simulated tables: it begins at 0 with the workload, and is no machine's.
VIRTUAL_CLOCK = "virtual"


@dataclass(frozen=True)
class Capability:
    """One source's reach over one trace.

    `kinds` and `fields` are what the source can produce (probes that were attached), whether or not
    the trace holds any; `fields` maps a kind to the columns it fills. `window_ns` is the traced span
    [first, last] in the table's clock, None for an empty table. `lost` counts events the tracer
    dropped; `clock` is what times are of: GUEST_CLOCK, or (of an outside file, never of a cell)
    another, so that no other source can be laid beside. `unparsed` counts source records that could
    not be read, with up to five `examples`.
    """

    source: str
    kinds: list[str]
    fields: dict[str, list[str]] = field(default_factory=dict)
    lost: int = 0
    unparsed: int = 0
    examples: list[str] = field(default_factory=list)
    window_ns: tuple[int, int] | None = None
    events: int = 0
    clock: str = GUEST_CLOCK
    notes: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write as sorted, indented JSON: the same record gives the same bytes."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_capability(path: Path) -> Capability:
    """Read a capability.json."""
    data = json.loads(path.read_text(encoding="utf-8"))
    window = data.pop("window_ns")
    return Capability(window_ns=tuple(window) if window else None, **data)
