# SPDX-License-Identifier: MIT
"""Text for people: hostile strings made visible, and numbers with units a reader can compare.

Task names and logs come from whatever ran in the guest. HTML escaping is the template's work; here
are the characters that HTML lets through (control characters, text direction overrides).
"""

from __future__ import annotations

import html
import json
import math
import re
import shlex
import statistics
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# Colours and cursor movements of terminal programs (ECMA-48 CSI sequences).
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
THIN_SPACE = "\u202f"


def visible(text: object, keep: str = "") -> str:
    r"""The text with every control, direction and surrogate character written as \xNN or \uNNNN.

    Characters in `keep` stay as they are (newline and tab in logs).
    """
    return "".join(
        char
        if char in keep or unicodedata.category(char) not in _HIDDEN_CATEGORIES
        else _escaped(char)
        for char in str(text)
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def log_text(lines: object) -> str:
    """Lines of a log as one text, terminal colours taken out, other control characters visible."""
    if isinstance(lines, str):
        lines = lines.splitlines()
    if not isinstance(lines, list):
        return ""
    joined = "\n".join(str(line).rstrip("\r\n") for line in lines)
    return visible(_TERMINAL.sub("", joined), keep="\n\t")


def plot_text(text: object) -> str:
    """A string for plotly, which reads a subset of HTML (tags, entities) in every label."""
    return html.escape(visible(text), quote=False)


def value_text(value: object) -> str:
    """A provenance value on one line: an argv as a shell would take it, the rest as JSON."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return visible(shlex.join(value))
    return visible(json.dumps(value, sort_keys=True, ensure_ascii=False))


@dataclass(frozen=True)
class Scale:
    """How the values of one table or plot are shown: one unit and one number of decimals."""

    unit: str
    factor: float
    decimals: int

    def show(self, value: float) -> str:
        """The value in this unit, thousands apart by thin spaces."""
        return _number(value * self.factor, self.decimals)


_TIME_UNITS = (("s", 1e9), ("ms", 1e6), ("\u00b5s", 1e3))


def scale_for(values: Sequence[float], unit: str) -> Scale:
    """One unit and precision for all `values`: three significant digits of the smallest, at most 3
    decimals, so that a column lines up and nothing that differs looks equal.
    """
    shown, factor = _unit(values, unit)
    scaled = [abs(value) * factor for value in values if value]
    if unit == "count":
        whole = all(float(value).is_integer() for value in values)
        return Scale(shown, factor, 0 if whole else 1)
    if not scaled:
        return Scale(shown, factor, 0)
    digits = 2 - math.floor(math.log10(min(scaled)))
    return Scale(shown, factor, min(3, max(0, digits)))


def _unit(values: Sequence[float], unit: str) -> tuple[str, float]:
    if unit == "ratio":
        return "%", 100.0
    if unit != "ns":
        return unit, 1.0
    middle = statistics.median(abs(value) for value in values) if values else 0.0
    for name, size_ns in _TIME_UNITS:
        if middle >= size_ns:
            return name, 1 / size_ns
    return "ns", 1.0


def _number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace(",", THIN_SPACE).replace("-", "\u2212")


def count_text(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return _number(value, 0)


def duration_text(value_ns: float) -> str:
    """One duration with the unit that suits it."""
    scale = scale_for([value_ns], "ns")
    return f"{scale.show(value_ns)} {scale.unit}"


def bytes_text(value: object) -> str:
    """A file size in bytes, kB or MB (powers of ten)."""
    if not isinstance(value, int):
        return ""
    for name, size in (("MB", 10**6), ("kB", 10**3)):
        if value >= size:
            return f"{_number(value / size, 1)} {name}"
    return f"{value} B"


def plural(number: int, word: str, several: str = "") -> str:
    """`1 cell`, `2 cells`; `several` for a word whose plural is not made with an s."""
    return f"{count_text(number)} {word if number == 1 else several or f'{word}s'}"


def number_text(value: float, digits: int) -> str:
    """A number without a unit to so many significant digits, never as a power of ten."""
    if not value:
        return "0"
    return _number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def p_text(value: float | None) -> str:
    """A p-value to three decimals at most; "" where there is none."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}".rstrip("0").rstrip(".")
