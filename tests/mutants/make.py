# SPDX-License-Identifier: MIT
"""Makes mutants: a capture with one to three things wrong, the same for the same name and seed.

The mutations are those that files really suffer (cut, copied over a full disk, joined, a bit flipped,
a clock stepped) and those that a reader of lengths and offsets fears (numbers blown up). They know no
format: text is mutated by lines and by the numbers in it, anything else by bytes, words and varints.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Random = random.Random

NUMBER = re.compile(rb"0x[0-9a-fA-F]+|\d+")
HUGE_TEXT = (
    b"0",
    b"-1",
    b"99999999999",
    b"4294967295",
    b"2147483648",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1" * 40,
    b"0xffffffffffffffff",
    b"1e308",
    b"nan",
    b"",
    b"\xff\xfe",
)
HUGE_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 32)
HUGE_WORDS += ((1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 40), 1 << 24)
# How far a clock steps: within a scheduling delay, seconds, hours, years, past 63 bits.
STEPS_NS = (1_000, 1_000_000, 10**9, 3600 * 10**9, 10**17, 1 << 62)


@dataclass(frozen=True)
class Mutant:
    """A damaged file. `made_by` names what was done; `cut` is its length if it was only cut."""

    data: bytes
    made_by: str
    cut: int | None = None


@dataclass(frozen=True)
class Original:
    """What is mutated: the capture unpacked; `window_ns` is its table's, to find times in it."""

    name: str
    data: bytes
    window_ns: tuple[int, int]

    @property
    def is_text(self) -> bool:
        """Whether it is made of lines."""
        return b"\0" not in self.data[:65536]

    @cached_property
    def times(self) -> list[int]:
        """Places of words that are times of the table, so where the records are in a binary file."""
        low, high = self.window_ns
        if self.is_text or not high:
            return []
        found: list[int] = []
        for shift in (0, 4):
            count = (len(self.data) - shift) // 8
            words = np.frombuffer(self.data, "<u8", count, shift)
            places = np.flatnonzero((words >= low) & (words <= high))
            found += (places * 8 + shift).tolist()
        return found


def mutant(original: Original, seed: int) -> Mutant:
    """The mutant of this number."""
    rng = Random(f"{original.name}:{seed}")
    if rng.random() < 0.2:
        size = _cut_place(original, rng)
        return Mutant(original.data[:size], f"cut at {size}", size)
    data = original.data
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name, mutation = rng.choice(TEXT if original.is_text else BINARY)
        data = mutation(data, rng, original)
        done.append(name)
    if rng.random() < 0.1:
        packed = gzip.compress(data, 1, mtime=0)
        name, mutation = rng.choice(GZIP)
        data = mutation(packed, rng, original)
        done.append(f"gzip, {name}")
    return Mutant(data, ", ".join(done))


def _cut_place(original: Original, rng: Random) -> int:
    """Anywhere; or in the header; or where something may begin: a line, a word, a page."""
    size = len(original.data)
    way = rng.randrange(4)
    if way == 0:
        return rng.randrange(min(size, 600))
    place = rng.randrange(size)
    if original.times and rng.random() < 0.6:
        place = rng.choice(original.times)
    if way == 1:
        return place
    if original.is_text:
        return original.data.find(b"\n", place) + 1
    return place // 4096 * 4096 if way == 2 else place // 8 * 8


def _span(data: bytes, rng: Random, original: Original) -> tuple[int, int]:
    """A range of bytes, small or large, more often near the beginning or a time than its share."""
    if not data:
        return 0, 0
    longest = rng.choice((1, 4, 8, 40, 400, 4096, 65536, len(data)))
    start = rng.randrange(min(len(data), rng.choice((64, 1024, len(data), len(data)))))
    if original.times and rng.random() < 0.6:
        near = rng.choice(original.times) + rng.choice((0, 0, 8, rng.randrange(-64, 256)))
        start = min(max(near, 0), len(data) - 1)
    return start, min(len(data), start + rng.randint(1, longest))


def flip(data: bytes, rng: Random, original: Original) -> bytes:
    """Some bits flipped."""
    out = bytearray(data)
    for _i in range(rng.choice((1, 2, 8, 64))):
        if out:
            start, _end = _span(data, rng, original)
            out[start] ^= 1 << rng.randrange(8)
    return bytes(out)


def fill(data: bytes, rng: Random, original: Original) -> bytes:
    """A range of zeros, ones or noise, of the same length."""
    start, end = _span(data, rng, original)
    size = end - start
    new = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
    return data[:start] + new + data[end:]


def remove(data: bytes, rng: Random, original: Original) -> bytes:
    """A range left out."""
    start, end = _span(data, rng, original)
    return data[:start] + data[end:]


def duplicate(data: bytes, rng: Random, original: Original) -> bytes:
    """A range twice."""
    start, end = _span(data, rng, original)
    return data[:end] + data[start:end] + data[end:]


def swap(data: bytes, rng: Random, original: Original) -> bytes:
    """Two neighbouring ranges in the other order."""
    start, end = _span(data, rng, original)
    middle = (start + end) // 2
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def insert(data: bytes, rng: Random, original: Original) -> bytes:
    """Noise in between, or at the end, as a file that was written over a longer one has it."""
    start = rng.choice((len(data), _span(data, rng, original)[0]))
    return data[:start] + rng.randbytes(rng.choice((1, 4, 100))) + data[start:]


def header(data: bytes, rng: Random, original: Original) -> bytes:
    """Another byte among the first: magic, version, size of a header."""
    out = bytearray(data)
    for _i in range(rng.choice((1, 1, 3))):
        if out:
            out[rng.randrange(min(len(out), 160))] = rng.randrange(256)
    return bytes(out)


def word(data: bytes, rng: Random, original: Original) -> bytes:
    """A number of 2, 4 or 8 bytes that is huge, zero, or a little off."""
    size = rng.choice((2, 4, 8))
    start = _span(data, rng, original)[0] // size * size
    if start + size > len(data):
        return data
    old = int.from_bytes(data[start : start + size], "little")
    new = rng.choice(
        (*HUGE_WORDS, old + 1, old - 1, old * 2, old + 8, old ^ (1 << rng.randrange(64)))
    )
    return data[:start] + (new % (1 << 8 * size)).to_bytes(size, "little") + data[start + size :]


def step_words(data: bytes, rng: Random, original: Original) -> bytes:
    """From some place on, words that are times of the trace are earlier or later."""
    step, left = rng.choice(STEPS_NS) * rng.choice((1, -1)), rng.choice((1, 1000, 1 << 30))
    out = bytearray(data)
    shift = rng.choice((0, 4))
    low, high = original.window_ns
    at = _span(data, rng, original)[0] // 8 * 8 + shift
    end = min(len(out) - 8, at + 65536)
    while at < end and left:
        value = int.from_bytes(out[at : at + 8], "little")
        if low <= value <= high:
            out[at : at + 8] = ((value + step) % (1 << 64)).to_bytes(8, "little")
            left -= 1
        at += 8
    return bytes(out)


def varint(data: bytes, rng: Random, original: Original) -> bytes:
    """A varint (or what looks like one) that is huge: as long as before, or with bytes more."""
    if not data:
        return data
    start = _span(data, rng, original)[0]
    end = start
    while end < len(data) - 1 and data[end] & 0x80 and end - start < 9:
        end += 1
    new = bytes(rng.randrange(128) | 0x80 for _i in range(end - start)) + b"\x7f"
    if rng.random() < 0.3:
        new = b"\xff" * 9 + rng.choice((b"\x01", b"\x7f", b"\xff"))
    return data[:start] + new + data[end + 1 :]


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def lines(data: bytes, rng: Random, original: Original) -> bytes:
    """A block of lines twice, gone, moved, or two lines joined."""
    every = _lines(data)
    start = rng.randrange(len(every))
    end = min(len(every), start + rng.choice((1, 1, 2, 30, 1000)))
    block = every[start:end]
    way = rng.randrange(4)
    if way == 0:
        every[start:end] = block + block
    elif way == 1:
        del every[start:end]
    elif way == 2:
        del every[start:end]
        place = rng.randrange(len(every) + 1)
        every[place:place] = block
    else:
        every[start:end] = [rng.choice((b"", b" ", b"\r")).join(block)]
    return b"\n".join(every)


def numbers(data: bytes, rng: Random, original: Original) -> bytes:
    """Some numbers of one place replaced by huge ones, or by none at all."""
    start, _end = _span(data, rng, original)
    out, at = [data[:start]], start
    left = rng.choice((1, 1, 3, 20))
    for match in NUMBER.finditer(data, start):
        if not left:
            break
        if rng.random() < 0.3:
            out += [data[at : match.start()], rng.choice(HUGE_TEXT)]
            at = match.end()
            left -= 1
    return b"".join([*out, data[at:]])


def step_lines(data: bytes, rng: Random, original: Original) -> bytes:
    """From some line on, each line's largest number is earlier or later, as by a stepped clock."""
    every = _lines(data)
    start = rng.randrange(len(every))
    step = rng.choice((1, 1000, 10**6, 10**9, 10**15)) * rng.choice((1, -1))
    for place in range(start, min(len(every), start + rng.choice((1, 50, 2000)))):
        found = max(NUMBER.finditer(every[place]), key=lambda m: m.end() - m.start(), default=None)
        if found is not None and not found[0].startswith(b"0x") and len(found[0]) < 30:
            new = b"%d" % max(0, int(found[0]) + step)
            every[place] = every[place][: found.start()] + new + every[place][found.end() :]
    return b"\n".join(every)


Mutation = Callable[[bytes, Random, Original], bytes]
Choice = list[tuple[str, Mutation]]


def _named(*mutations: Mutation) -> Choice:
    return [(m.__name__, m) for m in mutations]


COMMON = _named(flip, fill, remove, duplicate, swap, insert, header)
TEXT = COMMON + _named(lines, numbers, step_lines) * 2
BINARY = COMMON + _named(word, varint) * 3 + _named(step_words)


def cut(data: bytes, rng: Random, original: Original) -> bytes:
    """The end left out."""
    return data[: rng.randrange(len(data))]


GZIP = _named(cut, flip, duplicate)
