# SPDX-License-Identifier: MIT
"""JSON's numbers and strings at a place in a line: what the compiled loop over wprof's lines is made of.

Every function takes the line's end and gives the place after what it read, or -1. `ahead` are the eight
bytes from each place of the text; beyond its end they are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scxval.formats.compiled import compiled

# What a compiled loop takes; numba finds each argument's type when it is called.
Array = npt.NDArray[Any]

NAME_BYTES = 16
WORD_BYTES = 8
# One in each byte of a word.
_EACH = 0x0101010101010101
# The first n bytes of a little-endian word.
_FIRST = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE = b'"\\,:{}'
SPACE, _MINUS, _PLUS, _DOT, _OPEN_LIST, _CLOSE_LIST = b" -+.[]"


@compiled
def after_spaces(data: Array, at: int, end: int) -> int:
    """The place of the first byte that is no space."""
    while at < end and data[at] == SPACE:
        at += 1
    return at


@compiled
def where_zero(word: np.uint64) -> np.uint64:
    """The high bit of the lowest zero byte of a word, and perhaps of bytes above it; 0 without one."""
    return (word - np.uint64(_EACH)) & ~word & np.uint64(0x80 * _EACH)


@compiled
def _lowest(marks: np.uint64) -> int:
    """The place of the lowest byte whose high bit is set."""
    low = marks & (~marks + np.uint64(1))
    return (
        int(np.int64(((low - np.uint64(1)) & np.uint64(_EACH)) * np.uint64(_EACH) >> np.uint64(56)))
        - 1
    )


@compiled
def string_end(data: Array, ahead: Array, at: int, end: int) -> int:
    """The place of the closing quote of a string whose opening quote is at `at`; -1 without one."""
    at += 1
    while at < end:
        word = ahead[at]
        marks = where_zero(word ^ np.uint64(QUOTE * _EACH))
        marks |= where_zero(word ^ np.uint64(BACKSLASH * _EACH))
        if marks == 0:
            at += WORD_BYTES
            continue
        at += _lowest(marks)
        if at < end and data[at] == QUOTE:
            return at
        at += 2
    return -1


@compiled
def short_name(ahead: Array, at: int, size: int) -> tuple[bool, np.uint64, np.uint64]:
    """The bytes of a name of `size` bytes as two words, zero-padded; False for one that has an escape or
    is longer than the kernel's."""
    if size >= NAME_BYTES:
        return False, np.uint64(0), np.uint64(0)
    first = ahead[at] & _FIRST[min(size, WORD_BYTES)]
    second = ahead[at + WORD_BYTES] & _FIRST[max(size - WORD_BYTES, 0)]
    escapes = np.uint64(BACKSLASH * _EACH)
    plain = where_zero(first ^ escapes) == 0 and where_zero(second ^ escapes) == 0
    return plain, first, second


@compiled
def after_value(data: Array, ahead: Array, at: int, end: int) -> int:
    """The place after any value; -1 when it does not end in this line."""
    depth = 0
    begin = at
    while at < end:
        byte = data[at]
        if byte == QUOTE:
            at = string_end(data, ahead, at, end)
            if at < 0:
                return -1
        elif byte in (OPEN, _OPEN_LIST):
            depth += 1
        elif byte in (CLOSE, _CLOSE_LIST):
            if depth == 0:
                return at if at > begin else -1
            depth -= 1
        elif byte == COMMA and depth == 0:
            return at if at > begin else -1
        at += 1
    return -1


@compiled
def seconds(data: Array, at: int, end: int) -> tuple[int, int]:
    """A number of seconds as whole nanoseconds (the nearest), and the place after it; -1, -1: none.

    Digits are taken as they stand, so that nothing depends on how a double rounds.
    """
    value = 0
    digits = 0
    decimals = 0
    dot = False
    while at < end:
        byte = data[at]
        if byte == _DOT and not dot:
            dot = True
        elif 48 <= byte <= 57:
            digits += 1
            # Eighteen digits fit; what follows is far below a nanosecond.
            if value < 10**17:
                value = value * 10 + byte - 48
                decimals += dot
            elif not dot:
                return -1, -1
        else:
            break
        at += 1
    if digits == 0:
        return -1, -1
    exponent = 0
    if at < end and (data[at] == 101 or data[at] == 69):
        at += 1
        sign = 1
        if at < end and (data[at] == _MINUS or data[at] == _PLUS):
            sign = -1 if data[at] == _MINUS else 1
            at += 1
        if at >= end or not 48 <= data[at] <= 57:
            return -1, -1
        while at < end and 48 <= data[at] <= 57:
            exponent = min(exponent * 10 + data[at] - 48, 1000)
            at += 1
        exponent *= sign
    shift = 9 + exponent - decimals
    while shift > 0 and value:
        if value > (1 << 62) // 10:
            return -1, -1
        value *= 10
        shift -= 1
    rest = 0
    while shift < 0 and (value or rest):
        rest = value % 10
        value //= 10
        shift += 1
    return value + (rest >= 5), at


@compiled
def integer(data: Array, at: int, end: int) -> tuple[np.uint64, int]:
    """An integer's 64 bits (negative ones as two's complement), and the place after it, or -1."""
    negative = at < end and data[at] == _MINUS
    if negative:
        at += 1
    value = np.uint64(0)
    begin = at
    while at < end and 48 <= data[at] <= 57:
        digit = np.uint64(data[at] - 48)
        # 2**64 - 1 is 18446744073709551615.
        if value > np.uint64(1844674407370955161) or (
            value == np.uint64(1844674407370955161) and digit > np.uint64(5)
        ):
            return value, -1
        value = value * np.uint64(10) + digit
        at += 1
    if at == begin:
        return value, -1
    if negative:
        if value > np.uint64(1 << 63):
            return value, -1
        value = ~value + np.uint64(1)
    return value, at


@compiled
def natural(data: Array, at: int, end: int, most: int) -> tuple[int, int]:
    """An integer from 0 to `most`, and the place after it, or -1."""
    value, at = integer(data, at, end)
    if at < 0 or value > np.uint64(most):
        return 0, -1
    return int(np.int64(value)), at


@compiled
def _hexadecimal(byte: int) -> int:
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte | 32 <= 102:
        return (byte | 32) - 87
    return 255


@compiled
def copy_name(data: Array, ahead: Array, at: int, end: int, out: Array) -> int:
    """Copy up to 15 bytes of a string, its escapes undone (the kernel's names have no more); the place
    after it, or -1."""
    last = string_end(data, ahead, at, end)
    if last < 0:
        return -1
    at += 1
    size = 0
    out[:] = 0
    while at < last and size < NAME_BYTES - 1:
        code = int(np.int64(data[at]))
        at += 1
        if code != BACKSLASH:
            out[size] = code
            size += 1
            continue
        code = int(np.int64(data[at]))
        at += 1
        if code == 117:
            if at + 4 > last:
                return -1
            code = 0
            for _ in range(4):
                nibble = _hexadecimal(data[at])
                if nibble == 255:
                    return -1
                code = code * 16 + nibble
                at += 1
            if code >= 0x800 and size + 2 < NAME_BYTES - 1:
                out[size] = 0xE0 | code >> 12
                out[size + 1] = 0x80 | code >> 6 & 0x3F
                size += 2
                code = 0x80 | code & 0x3F
            elif code >= 0x80 and size + 1 < NAME_BYTES - 1:
                out[size] = 0xC0 | code >> 6 & 0x1F
                size += 1
                code = 0x80 | code & 0x3F
            elif code >= 0x80:
                break
        elif code == 110:
            code = 10
        elif code == 116:
            code = 9
        elif code == 114:
            code = 13
        elif code == 98:
            code = 8
        elif code == 102:
            code = 12
        out[size] = code
        size += 1
    return last + 1
