# SPDX-License-Identifier: MIT
"""Strings of messages: as one column of bytes, as codes of distinct texts, or as tasks' names."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scxval.formats.compiled import compiled
from scxval.formats.perfetto.wire import Array, Data, Int64s, Spans


@compiled
def _gather(data: Array, start: Array, end: Array, offsets: Array, out: Array) -> None:
    for i in range(len(start)):
        to = offsets[i]
        for place in range(start[i], end[i]):
            out[to] = data[place]
            to += 1


def strings(data: Data, spans: Spans) -> pa.LargeBinaryArray:
    """The bytes of every span."""
    offsets = np.zeros(len(spans) + 1, dtype=np.int64)
    np.cumsum(spans.end - spans.start, out=offsets[1:])
    out = np.empty(int(offsets[-1]), dtype=np.uint8)
    _gather(data, spans.start, spans.end, offsets, out)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(spans), [None, pa.py_buffer(offsets), pa.py_buffer(out)]
    )


def texts(data: Data, spans: Spans) -> tuple[Int64s, list[str]]:
    """Codes of the spans' texts, and the distinct texts by code, each up to its first zero byte."""
    encoded = strings(data, spans).dictionary_encode()
    distinct: dict[str, int] = {}
    known = [
        distinct.setdefault(raw.partition(b"\0")[0].decode("utf-8", "replace"), len(distinct))
        for raw in encoded.dictionary.to_pylist()
    ]
    codes = np.array(known, dtype=np.int64)[encoded.indices.to_numpy()] if known else np.zeros(0)
    return codes.astype(np.int64), list(distinct)


@compiled
def _names(data: Array, start: Array, end: Array, out: Array) -> None:
    for i in range(len(start)):
        for k in range(min(15, end[i] - start[i])):
            byte = data[start[i] + k]
            if byte == 0:
                break
            out[i, k] = byte


def task_names(data: Data, spans: Spans) -> npt.NDArray[np.uint8]:
    """Tasks' names as an (n, 16) array of zero-padded bytes: at most 15 bytes, as the kernel keeps."""
    out = np.zeros((len(spans), 16), dtype=np.uint8)
    _names(data, spans.start, spans.end, out)
    return out
