# SPDX-License-Identifier: MIT
"""Which runs are laid side by side, over which time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.comparison import Compare
from scxval.compare.aligned import MOST_PAIRS, Reader, cut, lay
from scxval.compare.prepare import Common, common_of, prepare

from .runs import WORKLOAD, group, read, settings


@pytest.fixture(scope="module")
def how(raw_config: Mapping[str, Any]) -> Compare:
    return settings(raw_config)


def readers(folders: list[Path], common: Common) -> list[Reader]:
    return [(folder.name, partial(prepare, read(folder), common)) for folder in folders]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Common]:
    folders = group(tmp_path_factory.mktemp("aligned"), list(range(8)), 8)
    sources = [read(folder) for folder in folders]
    return folders, common_of(sources, sources, WORKLOAD)


def test_a_run_beside_itself_is_all_the_same(made: tuple[list[Path], Common], how: Compare) -> None:
    folders, common = made
    runs = readers(folders[:3], common)
    laid = lay(runs, runs, common, False, how)
    assert laid.between == (1.0, 1.0, 1.0)
    assert len(laid.within_a) == 1
    assert laid.first is not None
    assert laid.first.divergence is None


def test_each_run_of_a_is_in_one_pair_of_its_own(
    made: tuple[list[Path], Common], how: Compare
) -> None:
    folders, common = made
    runs = readers(folders, common)
    laid = lay(runs, runs[::-1], common, False, how)
    named = [(entry["sides"], entry["a"], entry["b"]) for entry in laid.entries]
    assert [two[1:] for two in named if two[0] == "A/A"] == [
        ("rep0", "rep1"),
        ("rep2", "rep3"),
        ("rep4", "rep5"),
        ("rep6", "rep7"),
    ]
    between = [two[1:] for two in named if two[0] == "A/B"]
    assert between == [(f"rep{k}", f"rep{7 - k}") for k in range(MOST_PAIRS)]


def test_one_simulation_stands_beside_every_run(
    made: tuple[list[Path], Common], how: Compare
) -> None:
    folders, common = made
    runs = readers(folders, common)
    laid = lay(runs[:4], runs[4:5], common, False, how, deterministic=True)
    between = [(entry["a"], entry["b"]) for entry in laid.entries if entry["sides"] == "A/B"]
    assert between == [(name, runs[4][0]) for name, _ in runs[:4]]
    assert len(lay(runs[:4], runs[4:5], common, False, how).between) == 1


def test_similarity_is_a_quantity_where_a_has_four_runs(
    made: tuple[list[Path], Common], how: Compare
) -> None:
    folders, common = made
    runs = readers(folders, common)
    quantity, why = lay(runs[:4], runs[4:], common, False, how).quantity(how)
    assert quantity is not None
    assert not why
    assert len(quantity.a) == 2
    assert len(quantity.b) == 4
    assert all(0 <= value <= 1 for value in (*quantity.a, *quantity.b))
    few, why = lay(runs[:3], runs[4:], common, False, how).quantity(how)
    assert few is None
    assert "A's runs make 1 pairs" in why
    assert "4 runs" in why


def test_a_cut_begins_at_the_windows_start(made: tuple[list[Path], Common]) -> None:
    folders, common = made
    run = prepare(read(folders[0]), common)
    length = 7_000_000
    table = cut(run, length)
    time = run.table["time_ns"].to_numpy() - run.window_ns[0]
    inside = time[(time >= 0) & (time < length)]
    assert table["time_ns"].to_pylist() == inside.tolist()
    assert cut(run, 0).num_rows == 0
