# SPDX-License-Identifier: MIT
"""Clock snapshots: several clocks read at one moment, by which a trace relates them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.perfetto.packets import CLOCK_SNAPSHOT, Packets
from scxval.formats.perfetto.wire import VARINT, Data, Int64s, children, fields

# ClockSnapshot.Clock.BuiltinClocks; 64 and above are a writer's own.
REALTIME, REALTIME_COARSE, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, BOOTTIME = range(1, 7)


@dataclass(frozen=True)
class Clocks:
    """Readings of clocks: which packet's snapshot, which clock, and its time as it stands in the file.

    `primary` is the trace's default clock where a snapshot names one (0: BOOTTIME by convention).
    """

    packet: npt.NDArray[np.integer]
    clock: Int64s
    timestamp: Int64s
    primary: int

    def of_snapshots(self) -> list[dict[int, int]]:
        """Each snapshot as {clock: timestamp}; there are few."""
        found: dict[int, dict[int, int]] = {}
        for packet, clock, time in zip(
            self.packet.tolist(), self.clock.tolist(), self.timestamp.tolist(), strict=True
        ):
            found.setdefault(packet, {})[clock] = time
        return list(found.values())


def read_clocks(data: Data, packets: Packets) -> Clocks:
    """Every clock of every snapshot."""
    where = packets.having(CLOCK_SNAPSHOT)
    spans = packets.body.take(where)
    readings = children(data, spans, (1,))
    found = fields(data, readings.spans, ((1, VARINT), (2, VARINT)))
    good = found.ok & (found.length[0] >= 0)
    primary = fields(data, spans, ((2, VARINT),))
    named = np.flatnonzero(primary.length[0] >= 0)
    return Clocks(
        where[readings.owner[good]],
        found.value[0][good],
        found.value[1][good],
        int(primary.value[0][named[0]]) if len(named) else 0,
    )
