# SPDX-License-Identifier: MIT
"""The picture of a divergence: an XML document that says what the text says, whatever tasks are called."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.compare.alignment import align, picture
from scxval.compare.alignment.divergence import Divergence, Shown, Step
from tests.compare.alignment.tables import kinds, sequence

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def real() -> Divergence:
    a, b = sequence("scx_simple.periodic_mix"), sequence("scx_qmap.periodic_mix")
    found = align(a, b, kinds(a, b), ["per8"], 64).divergence
    assert found is not None
    return found


def test_it_says_what_each_side_did(real: Divergence) -> None:
    root = ElementTree.fromstring(picture(real, "scx_simple", "scx_qmap"))
    said = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert real.what in said
    rows = [row for step in real.steps for row in (step.a, step.b) if row]
    assert len(list(root.iter(f"{SVG}circle"))) == len(rows)
    for row in (*rows, *real.others_a, *real.others_b):
        assert any(row.words in line for line in said)
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and title.text == real.what
    assert desc is not None and desc.text
    assert root.get("role") == "img"


def test_it_needs_nothing_from_elsewhere_and_knows_dark_pages(real: Divergence) -> None:
    made = picture(real)
    assert "prefers-color-scheme: dark" in made
    assert made.count("http") == 1
    assert "<script" not in made and "href" not in made


def test_the_same_divergence_makes_the_same_bytes(real: Divergence) -> None:
    assert picture(real) == picture(real)


@given(st.text(max_size=30), st.text(max_size=90))
def test_hostile_names_are_text(name: str, words: str) -> None:
    row = Shown(5, 1, words)
    found = Divergence(name, 1, 5, None, name, 0, (Step("-", row, None),), (row,), ())
    root = ElementTree.fromstring(picture(found, name, name))
    known = {"svg", "title", "desc", "style", "rect", "text", "line", "circle"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= known


@pytest.mark.parametrize("name", ["</text><script>alert(1)</script>", "a\x00\x1b[31m", '"><g/>'])
def test_a_hostile_comm_stays_a_name(name: str, real: Divergence) -> None:
    root = ElementTree.fromstring(picture(replace(real, task=name, what=name), name))
    assert not list(root.iter(f"{SVG}script")) and not list(root.iter(f"{SVG}g"))


def test_without_a_divergence_it_says_so() -> None:
    root = ElementTree.fromstring(picture(None, "here", "there"))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["here and there: no row differs"]


def test_rows_of_a_real_table_are_words_that_a_reader_knows(real: Divergence) -> None:
    assert isinstance(real.steps, tuple)
    assert all("None" not in line for line in real.lines)
    assert pa.array(real.lines).type == pa.string()
