# SPDX-License-Identifier: MIT
"""What may have become of rows without a partner: the same event told late, on another CPU, of another task.

For people who look for the cause; rows found here stay unpaired, and no verdict hangs on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from scxval.study.agreement_align import I64
from scxval.study.agreement_pairs import Pairing, Side, numbered, pair
from scxval.study.agreement_rows import Comparable

# So far apart a stalled virtual CPU can tear two readings of one event; beyond the tolerance only.
LATE_NS = 1_000_000_000
_NO_CPU = ~(0xFFFF << 32)
_NO_TASK = ~0xFFFFFFFF


@dataclass(frozen=True)
class Misses:
    """How many unpaired rows of both sides would pair, in this order: `late` (same kind, task and CPU,
    up to LATE_NS apart), on another CPU, as another task; the last two within the tolerance.
    """

    late: int
    other_cpu: int
    other_task: int

    @property
    def words(self) -> str:
        """As part of a sentence, "" if there are none."""
        said = (
            (self.late, "the same but further apart than the tolerance"),
            (self.other_cpu, "the same but for the CPU"),
            (self.other_task, "the same but for the task"),
        )
        return ", ".join(
            f"{count} pair{'s' * (count > 1)} would be {what}" for count, what in said if count
        )


def near_misses(rows: Comparable, found: Pairing, tolerance_ns: int) -> Misses:
    """Pair what is left over by weaker rules, one after another."""
    a = _Left(rows.key_of[rows.a.side.key[found.only_a]], rows.a.side.time_ns[found.only_a])
    b = _Left(rows.key_of[rows.b.side.key[found.only_b]], rows.b.side.time_ns[found.only_b])
    counts = []
    for mask, within_ns in ((-1, LATE_NS), (_NO_CPU, tolerance_ns), (_NO_TASK, tolerance_ns)):
        group_a, group_b, key_of = numbered(a.key & mask, b.key & mask)
        again = pair(Side(group_a, a.time_ns), Side(group_b, b.time_ns), key_of >> 48, within_ns)
        a, b = a.at(again.only_a), b.at(again.only_b)
        counts.append(len(again.a))
    return Misses(*counts)


@dataclass(frozen=True)
class _Left:
    key: I64
    time_ns: I64

    def at(self, places: I64) -> _Left:
        return _Left(self.key[places], self.time_ns[places])
