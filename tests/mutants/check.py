# SPDX-License-Identifier: MIT
"""What must hold of a converter on any file: a refusal in one line, or a table that keeps its word.

A table is of the schema, sorted, of sane times, CPUs and tids, and its capability record covers it.
A capture that was only cut gives rows of the original, and its record says that something is missing,
unless the cut left a whole file of a format without an end.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scxval.errors import ScxvalError
from scxval.events.capability import Capability
from scxval.events.schema import EVENT_SCHEMA
from scxval.events.stats import write_stats
from scxval.events.table import write_events
from scxval.formats.conversion import EXAMPLE_CHARS, EXAMPLES, StatsConversion
from scxval.formats.source import read_source
from scxval.tracers.convert import Converted, Converter, converters
from tests.captures import Capture
from tests.mutants.make import CUT_GZIP, Mutant, Original

# Names and thread groups come from other rows of the same task, so a cut may change them.
_OWN = [name for name in EVENT_SCHEMA.names if name not in ("comm", "pid")]
_KEY = ["time_ns", "cpu", "kind", "probe", "seq"]
# Text is cut to this size before it is mutated, to try many: its first lines, a stretch, its last ones.
TEXT_BYTES = 120_000


class Broken(AssertionError):
    """A converter did not keep its word."""


@dataclass(frozen=True)
class Outcome:
    """How a mutant fared: refused, lossy (its record says that something is missing) or whole."""

    result: str
    said: str
    seconds: float
    events: int


@dataclass(frozen=True)
class Subject:
    """A converter with the capture it is tried on, in a folder of its own."""

    capture: Capture
    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._beside.items():
            (self.folder / name).write_bytes(data)

    @property
    def path(self) -> Path:
        """Where a mutant lies while it is tried, beside what lay beside the capture."""
        return self.folder / self.capture.path.name.removesuffix(".gz")

    @cached_property
    def _beside(self) -> dict[str, bytes]:
        return self.capture.beside()

    @cached_property
    def module(self) -> Converter:
        """The converter."""
        return converters()[self.capture.source]

    @cached_property
    def original(self) -> Original:
        """The capture unpacked, long text shortened."""
        data = shortened(read_source(self.capture.path).data)
        window = self._convert(data).capability.window_ns
        return Original(self.capture.name, data, window or (0, 0), self._beside)

    @cached_property
    def reference(self) -> Converted:
        """What the original converts to."""
        return self._convert(self.original.data)

    @cached_property
    def _own_rows(self) -> dict[tuple[object, ...], tuple[object, ...]]:
        return _own_rows(self.reference.table)

    def _convert(self, data: bytes) -> Converted:
        self.path.write_bytes(data)
        return self.module.convert(self.path)

    def attempt(self, mutant: Mutant, again: bool = True) -> Outcome:
        """Convert a mutant and check all. Raises Broken, or whatever the converter lets through."""
        reference = self.reference
        self.path.write_bytes(mutant.data)
        for name, data in mutant.beside.items():
            (self.folder / name).write_bytes(data)
        try:
            return self._attempt(mutant, reference, again)
        finally:
            for name in mutant.beside:
                (self.folder / name).write_bytes(self._beside[name])

    def _attempt(self, mutant: Mutant, reference: Converted, again: bool) -> Outcome:
        start = time.process_time()
        try:
            result = self.module.convert(self.path)
        except ScxvalError as error:
            check_refusal(str(error))
            return Outcome("refused", str(error), time.process_time() - start, 0)
        seconds = time.process_time() - start
        check_table(result.table)
        check_record(result.table, result.capability)
        if mutant.cut is not None:
            self._check_cut(result, mutant)
        if again:
            self._check_again(result)
        lossy = missing(result.capability) != missing(reference.capability)
        return Outcome("lossy" if lossy else "whole", "", seconds, result.table.num_rows)

    def _check_cut(self, result: Converted, mutant: Mutant) -> None:
        assert mutant.cut is not None
        rows = _own_rows(result.table)
        for key, values in rows.items():
            whole = self._own_rows.get(key)
            if whole is None:
                raise Broken(f"a cut made a row that the original does not have: {key}")
            for name, value, original in zip(_OWN, values, whole, strict=True):
                if value is not None and value != original:
                    raise Broken(f"a cut changed {name} of {key}: {original} became {value}")
        fewer = result.table.num_rows < self.reference.table.num_rows
        silent = missing(result.capability) == missing(self.reference.capability)
        if fewer and silent and not ends_whole(self.original.data, mutant.cut):
            raise Broken(
                f"{result.table.num_rows} of {len(self._own_rows)} rows, and nothing is said"
            )

    def _check_again(self, result: Converted) -> None:
        again = self.module.convert(self.path)
        if written(again, self.folder) != written(result, self.folder):
            raise Broken("a second conversion gave other bytes")


def size_of(result: Converted) -> int:
    """Rows of all its tables."""
    stats = result.stats.num_rows if isinstance(result, StatsConversion) else 0
    return int(result.table.num_rows + stats)


def shortened(data: bytes) -> bytes:
    """Long text with whole lines left out between its first part and its last."""
    if len(data) <= TEXT_BYTES or b"\0" in data[:65536]:
        return data
    lines = data.split(b"\n")
    kept, size = 0, 0
    while kept < len(lines) - 4 and size < TEXT_BYTES:
        size += len(lines[kept]) + 1
        kept += 1
    return b"\n".join(lines[:kept] + lines[-4:])


def written(result: Converted, folder: Path) -> list[bytes]:
    """The bytes of all files."""
    events, record, stats = (folder / f".{name}" for name in ("events", "record", "stats"))
    write_events(result.table, events)
    result.capability.write(record)
    files = [events, record]
    if isinstance(result, StatsConversion):
        write_stats(result.stats, stats)
        files.append(stats)
    return [file.read_bytes() for file in files]


def missing(record: Capability) -> tuple[object, ...]:
    """What a record says is missing."""
    return record.lost, record.unparsed, sorted(record.notes)


def ends_whole(data: bytes, size: int) -> bool:
    """Whether a cut at this size leaves whole lines, or whole packets of a Perfetto trace."""
    if size == CUT_GZIP:
        return False
    if b"\0" not in data[:65536]:
        return data[size - 1 : size] == b"\n"
    at = 0
    while at < size and data[at : at + 1] == b"\x0a":
        length, shift, at = 0, 0, at + 1
        while at < len(data):
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        at += length
    return at == size


def check_refusal(text: str) -> None:
    """One line that says something."""
    if "\n" in text or not 10 < len(text) < 2000:
        raise Broken(f"not one line: {text!r}")


def check_table(table: pa.Table) -> None:
    """Schema, order, ranges."""
    if not table.schema.equals(EVENT_SCHEMA):
        raise Broken(f"not the schema: {table.schema}")
    table.validate(full=True)
    for name in ("time_ns", "cpu", "kind", "probe", "seq"):
        if table[name].null_count:
            raise Broken(f"{name} is null in {table[name].null_count} rows")
    time_ns, cpu, seq = (table[name].to_numpy() for name in ("time_ns", "cpu", "seq"))
    order = np.lexsort((seq, cpu, time_ns))
    if not np.array_equal(order, np.arange(len(order))):
        raise Broken("rows are not in order")
    for name, values in (("time_ns", time_ns), ("cpu", cpu), ("seq", seq)):
        if len(values) and values.min() < 0:
            raise Broken(f"{name} {values.min()} is negative")
    for name in ("tid", "pid", "other_tid", "other_cpu"):
        low = pc.min(table[name]).as_py()
        if low is not None and low < 0:
            raise Broken(f"{name} {low} is negative")


def check_record(table: pa.Table, record: Capability) -> None:
    """The record covers the table: kinds, columns, window, counts; its texts are short lines."""
    if record.events != table.num_rows:
        raise Broken(f"{record.events} events in the record, {table.num_rows} in the table")
    times = table["time_ns"]
    window = (times[0].as_py(), times[-1].as_py()) if len(times) else None
    if record.window_ns != window:
        raise Broken(f"window {record.window_ns} of rows in {window}")
    if record.lost < 0 or record.unparsed < 0:
        raise Broken(f"{record.lost} lost, {record.unparsed} unparsed")
    if len(record.examples) > EXAMPLES or any(len(e) > EXAMPLE_CHARS for e in record.examples):
        raise Broken(f"examples: {record.examples}")
    if record.unparsed and not record.examples:
        raise Broken(f"{record.unparsed} records not understood, without an example")
    if len(record.notes) > 40 or any("\n" in n or len(n) > 1000 for n in record.notes):
        raise Broken(f"notes: {record.notes}")
    for kind in pc.unique(table["kind"].cast(pa.string())).to_pylist():
        if kind not in record.kinds:
            raise Broken(f"rows of kind {kind}, which the record does not have")
        rows = table.filter(pc.equal(table["kind"].cast(pa.string()), kind))
        for name in EVENT_SCHEMA.names:
            if rows[name].null_count < len(rows) and name not in record.fields[kind]:
                raise Broken(f"{kind} has a {name}, which the record does not name")


def _own_rows(table: pa.Table) -> dict[tuple[object, ...], tuple[object, ...]]:
    columns = [table[name].to_pylist() for name in _OWN]
    keys = [table[name].to_pylist() for name in _KEY]
    return dict(zip(zip(*keys, strict=True), zip(*columns, strict=True), strict=True))
