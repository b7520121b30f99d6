# SPDX-License-Identifier: MIT
"""Interned strings: what an id stands for at a packet, in the state of that packet's sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.perfetto.packets import Packets, interned_data, latest
from scxval.formats.perfetto.text import texts
from scxval.formats.perfetto.wire import (
    LEN,
    VARINT,
    Data,
    Int64s,
    Spans,
    children,
    fields,
)

# Fields of InternedData, each a repeated message of an id (1) and its text (2).
EVENT_CATEGORIES = 1
EVENT_NAMES = 2
DEBUG_ANNOTATION_NAMES = 3
DEBUG_ANNOTATION_STRINGS = 29
TABLES = (EVENT_CATEGORIES, EVENT_NAMES, DEBUG_ANNOTATION_NAMES, DEBUG_ANNOTATION_STRINGS)
UNKNOWN = -1


@dataclass(frozen=True)
class Interned:
    """One table of interned strings: an entry's state, packet, id and text (a code into `names`)."""

    state: npt.NDArray[np.int32]
    packet: Int64s
    iid: Int64s
    code: npt.NDArray[np.int32]
    names: list[str]

    def resolve(
        self,
        state: npt.NDArray[np.integer],
        packet: npt.NDArray[np.integer],
        iid: Int64s,
    ) -> npt.NDArray[np.int32]:
        """Codes of ids as seen at packets; UNKNOWN (-1) where the sequence has not said.

        An entry counts for its own packet and later ones of the same state, until it is given anew.
        Questions must be in the order of packets.
        """
        found = latest((self.state, self.iid, self.packet), (state, iid, packet))
        codes = np.append(self.code, np.int32(UNKNOWN))
        return codes[found]


def read_interned(data: Data, packets: Packets) -> dict[int, Interned]:
    """All tables by their field number in InternedData."""
    owner, messages = interned_data(data, packets)
    entries = children(data, messages, TABLES)
    found = fields(data, entries.spans, ((1, VARINT), (2, LEN)))
    packet = owner[entries.owner]
    # An entry without a text stands for the empty one (proto2 writers may leave it out).
    good = found.ok & (found.length[0] >= 0) & (packets.state[packet] >= 0)
    tables = {}
    for number in TABLES:
        which = np.flatnonzero(good & (entries.number == number))
        length = np.maximum(found.length[1][which], 0)
        start = found.value[1][which]
        code, names = texts(data, Spans(start, start + length))
        tables[number] = Interned(
            packets.state[packet[which]],
            packet[which],
            found.value[0][which],
            code.astype(np.int32),
            names,
        )
    return tables
