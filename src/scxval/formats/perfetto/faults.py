# SPDX-License-Identifier: MIT
"""What of a trace could not be read: counted by sort, with the place of the first ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# Places kept of each sort of fault.
PLACES = 5


@dataclass
class Faults:
    """Counts of what could not be read, by sort, and examples `<what> at byte <place>`."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def at(self, what: str, places: npt.NDArray[np.integer]) -> None:
        """Count one fault for each place, a byte of the (uncompressed) file."""
        if not len(places):
            return
        before = self.counts.get(what, 0)
        self.counts[what] = before + len(places)
        for place in places[: max(0, PLACES - before)]:
            self.examples.append(f"{what} at byte {int(place)}")

    def count(self, what: str, number: int) -> None:
        """Count faults whose places in the file are not known."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    @property
    def unparsed(self) -> int:
        """All faults."""
        return sum(self.counts.values())

    def notes(self) -> list[str]:
        """One line a sort of fault."""
        return [f"{count} x {what}" for what, count in self.counts.items()]
