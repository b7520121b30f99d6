# SPDX-License-Identifier: MIT
"""Records that perf record -z compressed: one zstd stream, cut into records of the file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from scxval.tracers.perf_sched.chain import HEADER_BYTES, Bytes, Piece, Type

_PIECE_BYTES = 1 << 20
# perf flushes its stream but never ends it; an empty last block does (RFC 8878, 3.1.1.2).
_LAST_BLOCK = b"\x01\x00\x00"


@dataclass
class Compressed:
    """The pieces of the stream seen so far, in the file's order."""

    pieces: list[bytes] = field(default_factory=list)

    def read(self, piece: Piece) -> None:
        """Take the compressed bytes of a piece's records.

        COMPRESSED has nothing else. COMPRESSED2 (since 6.16) says their number, because it is padded.
        """
        packed = piece.of(Type.COMPRESSED, Type.COMPRESSED2)
        spans = zip(packed.kind.tolist(), packed.place.tolist(), packed.end.tolist(), strict=True)
        for kind, place, end in spans:
            begin = place + HEADER_BYTES
            if kind == Type.COMPRESSED2:
                size = int.from_bytes(piece.data[begin : begin + 8].tobytes(), "little")
                begin += 8
                end = min(end, begin + size)
            self.pieces.append(piece.data[begin:end].tobytes())

    def unpack(self, notes: list[str]) -> Bytes | None:
        """The records, None when none was compressed; of a damaged stream what came before, and a note."""
        if not self.pieces:
            return None
        packed = b"".join(self.pieces)
        unpacked, error = _unpacked(packed + _LAST_BLOCK)
        if error:
            whole, error = _unpacked(packed)
            unpacked = unpacked if error else whole
        if error:
            notes.append(
                f"the compressed records are damaged ({error}): only what came before is here"
            )
        return np.frombuffer(unpacked, np.uint8)


def _unpacked(packed: bytes) -> tuple[bytes, str]:
    """What a zstd stream holds, as far as it can be read, and why no further."""
    unpacked = []
    try:
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            while some := stream.read(_PIECE_BYTES):
                unpacked.append(some)
    except (OSError, pa.ArrowInvalid) as error:
        return b"".join(unpacked), str(error)
    return b"".join(unpacked), ""
