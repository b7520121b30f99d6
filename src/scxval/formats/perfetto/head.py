# SPDX-License-Identifier: MIT
"""Recognises a Perfetto trace by its first bytes, and says what its first packets carry."""

from __future__ import annotations

# TracePacket fields that some packet of a trace's beginning has; each with its protobuf wire type.
_LEN = 2
_KNOWN_BYTES = 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Value and next place; IndexError at the end of the data, ValueError when there is none."""
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError


def message_fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Fields of one message, as (number, value), as far as it can be read."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            number, wire = tag >> 3, tag & 7
            if wire == 0:
                value, at = _varint(data, at)
                found.append((number, value))
            elif wire == _LEN:
                size, at = _varint(data, at)
                found.append((number, data[at : at + size]))
                at += size
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                found.append((number, int.from_bytes(data[at : at + size], "little")))
                at += size
            else:
                break
    except (IndexError, ValueError):
        pass
    return found


def first_packets(head: bytes) -> list[dict[int, int | bytes]]:
    """The packets that a trace begins with, {field: last value} each; [] for another file.

    The last one may be cut off by the end of `head`. Every packet must have a field that packets have.
    """
    packets: list[dict[int, int | bytes]] = []
    at = 0
    while at < len(head) and len(packets) < 64:
        try:
            tag, at = _varint(head, at)
            size, at = _varint(head, at)
        except IndexError:
            break
        except ValueError:
            return []
        if tag != (1 << 3 | _LEN):
            return []
        packet = dict(message_fields(head[at : at + size]))
        if not packet and size and at + _KNOWN_BYTES < len(head):
            return []
        packets.append(packet)
        at += size
    return packets
