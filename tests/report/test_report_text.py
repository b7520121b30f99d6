# SPDX-License-Identifier: MIT
"""Numbers with units, and strings in which nothing hides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.report.text import (
    bytes_text,
    duration_text,
    log_text,
    number_text,
    p_text,
    plot_text,
    plural,
    scale_for,
    value_text,
    visible,
)


@pytest.mark.parametrize(
    ("values", "unit", "shown"),
    [
        ([82_000.0, 136_400.0], "ns", ["82.0 µs", "136.4 µs"]),
        ([1_500_000.0], "ns", ["1.50 ms"]),
        ([2.5e9, 10e9], "ns", ["2.50 s", "10.00 s"]),
        ([12.0, 900.0], "ns", ["12.0 ns", "900.0 ns"]),
        ([0.0], "ns", ["0 ns"]),
        ([2100.0, 1_234_567.0], "count", ["2\u202f100 count", "1\u202f234\u202f567 count"]),
        ([2.5], "count", ["2.5 count"]),
        ([0.718, 0.05], "ratio", ["71.80 %", "5.00 %"]),
        ([-3.25], "widgets", ["\u22123.25 widgets"]),
        ([], "ns", []),
    ],
)
def test_one_unit_and_precision_for_a_table(
    values: list[float], unit: str, shown: list[str]
) -> None:
    scale = scale_for(values, unit)
    assert [f"{scale.show(value)} {scale.unit}" for value in values] == shown


@given(st.lists(st.floats(1, 1e13), min_size=1, max_size=6))
def test_shown_numbers_are_right_to_half_of_the_last_digit(values: list[float]) -> None:
    scale = scale_for(values, "ns")
    for value in values:
        read = float(scale.show(value).replace("\u202f", ""))
        assert abs(read - value * scale.factor) <= 0.5000001 * 10**-scale.decimals


def test_duration() -> None:
    assert duration_text(200_000_000) == "200 ms"


@given(st.text())
def test_visible_leaves_nothing_that_controls_a_terminal_or_the_text_direction(text: str) -> None:
    assert not set(visible(text)) & set(
        map(chr, [*range(32), 127, *range(0x80, 0xA0), 0x202E, 0x2066])
    )


def test_visible_keeps_ordinary_text() -> None:
    assert visible("kworker/0:1 µs é <b>") == "kworker/0:1 µs é <b>"
    assert visible("a\x1b]0;x\x07\u202eb\ud800") == "a\\x1b]0;x\\x07\\u202eb\\ud800"


def test_log_loses_colours_and_keeps_lines() -> None:
    assert log_text(["\x1b[1;31merror\x1b[0m\r\n", "\tmore\x00"]) == "error\n\tmore\\x00"
    assert log_text("one\ntwo") == "one\ntwo"
    assert log_text(None) == ""


def test_plot_text_cannot_be_markup_for_plotly() -> None:
    assert plot_text("<a href='x'>&amp;") == "&lt;a href='x'&gt;&amp;amp;"


def test_values_of_provenance() -> None:
    assert value_text(["qemu", "-append", "quiet panic=-1"]) == "qemu -append 'quiet panic=-1'"
    assert value_text({"b": 1, "a": None}) == '{"a": null, "b": 1}'
    assert value_text(None) == "null"


def test_small_words() -> None:
    assert (plural(1, "cell"), plural(1200, "cell")) == ("1 cell", "1\u202f200 cells")
    assert [bytes_text(n) for n in (5, 2500, 10**7, "x")] == ["5 B", "2.5 kB", "10.0 MB", ""]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1.2345, "1.23"), (-0.00123456, "\u22120.00123"), (123_456, "123\u202f456")],
)
def test_a_number_keeps_its_digits_and_is_no_power_of_ten(value: float, shown: str) -> None:
    assert number_text(value, 3) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(None, ""), (0.0, "< 0.001"), (0.05, "0.05"), (0.0312, "0.031"), (1.0, "1")]
)
def test_p_values_are_never_shown_as_zero(p: float | None, shown: str) -> None:
    assert p_text(p) == shown


def test_words_with_a_plural_of_their_own() -> None:
    assert plural(2, "quantity", "quantities") == "2 quantities"
    assert plural(1, "quantity", "quantities") == "1 quantity"
