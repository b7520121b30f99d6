# SPDX-License-Identifier: MIT
"""Records that perf record -z compressed: one zstd stream, cut into records of the file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from scxval.tracers.perf_sched.chain import HEADER_BYTES, Bytes, Piece, Type

_PIECE_BYTES = 1 << 22


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
        """The records, None when none was compressed; a damaged stream ends early with a note."""
        if not self.pieces:
            return None
        packed = pa.BufferReader(b"".join(self.pieces))
        unpacked = []
        try:
            with pa.CompressedInputStream(packed, "zstd") as stream:
                while some := stream.read(_PIECE_BYTES):
                    unpacked.append(some)
        except (OSError, pa.ArrowInvalid) as error:
            # perf need not end the stream: only what is missing is told.
            if "Truncated" not in str(error):
                notes.append(f"the compressed records are damaged: {error}")
        return np.frombuffer(b"".join(unpacked), np.uint8)
