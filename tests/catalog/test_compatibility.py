# SPDX-License-Identifier: MIT
"""The compatibility matrix: read, merged, shown, and what the planner makes of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scxval.catalog.compatibility import Attachment, as_table, main, merge, read_compatibility
from scxval.catalog.config import Config, parse_config
from scxval.catalog.exclusion import Host
from scxval.catalog.matrix import plan, probes
from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError

from ..conftest import ROOT

WORKS = Attachment("debian-7.2", "scx_simple", 4, "7.2.12", True, True, True, Outcome.OK, "")
REFUSED = dataclasses.replace(
    WORKS,
    attaches=False,
    runs=False,
    detaches=False,
    outcome=Outcome.SCHEDULER_REJECTED,
    reason="the verifier refused simple_enqueue",
)
HOST = Host(16384, {"tcg": True, "kvm": False})


def written(folder: Path, record: Attachment) -> Path:
    path = folder / f"{record.scheduler}-{record.vcpus}.json"
    path.write_text(json.dumps(dataclasses.asdict(record)))
    return path


def config_of(raw: dict[str, Any], **changes: Any) -> Config:
    return parse_config({**raw, **changes}, ROOT)


def test_records_are_merged_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = dataclasses.replace(WORKS, vcpus=2)
    matrix, table = tmp_path / "matrix.json", tmp_path / "matrix.md"
    words = ["x", str(written(tmp_path, WORKS)), str(written(tmp_path, two))]
    monkeypatch.setattr("sys.argv", [*words, "--output", str(matrix), "--table", str(table)])
    main()
    assert read_compatibility(matrix) == {WORKS.key: WORKS, two.key: two}
    assert "| scx_simple | debian-7.2 | works | works |" in table.read_text()


def test_no_file_is_nothing_probed_and_a_bad_one_is_one_line(tmp_path: Path) -> None:
    assert read_compatibility(tmp_path / "none.json") == {}
    bad = tmp_path / "bad.json"
    for text in ("{", '[{"kernel": "x"}]', '{"outcome": "splendid"}'):
        bad.write_text(text)
        with pytest.raises(ScxvalError, match=r"bad.json: not a compatibility record.*remove it"):
            merge([bad])


def test_numbers_in_lists_come_as_text_from_the_command_line(raw_config: dict[str, Any]) -> None:
    given = config_of(raw_config, compatibility={"kernels": ["debian-7.2"], "vcpus": ["2", "3"]})
    assert given.probed_vcpus == [2, 3]


def test_nothing_probed_is_said() -> None:
    assert as_table({}) == "No scheduler of sched_ext was asked for.\n"


def test_the_table_gives_each_reason_once() -> None:
    other = dataclasses.replace(REFUSED, scheduler="scx_other", vcpus=2)
    text = as_table({r.key: r for r in (REFUSED, other)})
    assert text.count("the verifier refused") == 1
    assert "| scx_other | debian-7.2 | scheduler_rejected (1) | not probed |" in text
    assert "| scx_simple | debian-7.2 | not probed | scheduler_rejected (1) |" in text


def test_the_planner_excludes_what_does_not_attach(raw_config: dict[str, Any]) -> None:
    config = config_of(raw_config, scheduler=["scx_simple", "scx_central"])
    host = dataclasses.replace(HOST, compatibility={REFUSED.key: REFUSED})
    made = plan(config, host)
    assert {cell.scheduler for cell in made.cells} == {"fair", "scx_central"}
    assert {e.cell.scheduler for e in made.excluded} == {"scx_simple"}
    for excluded in made.excluded:
        assert excluded.outcome is Outcome.UNSUPPORTED
        assert "does not attach to 7.2.12 with 4 CPUs" in excluded.reason
        assert "the verifier refused simple_enqueue" in excluded.reason


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.SCHEDULER_REJECTED])
def test_other_ends_of_a_probe_leave_the_cells_in(
    raw_config: dict[str, Any], outcome: Outcome
) -> None:
    # A guest that hung, or a scheduler that fell over under load, is for the cells themselves to show.
    config = config_of(raw_config, scheduler=["scx_simple"])
    record = dataclasses.replace(REFUSED, outcome=outcome)
    host = dataclasses.replace(HOST, compatibility={record.key: record})
    assert not plan(config, host).excluded


def test_probes_are_what_the_cells_need_and_what_is_asked_for(raw_config: dict[str, Any]) -> None:
    config = config_of(raw_config, scheduler=["fair", "scx_simple"])
    assert probes(config, HOST) == [("debian-7.2", "scx_simple", 4)]
    asked = {"kernels": ["debian-7.3"], "vcpus": [2, 3]}
    more = config_of(raw_config, scheduler=["fair", "scx_simple"], compatibility=asked)
    assert probes(more, HOST) == [
        ("debian-7.2", "scx_simple", 4),
        ("debian-7.3", "scx_simple", 2),
        ("debian-7.3", "scx_simple", 3),
    ]


def test_an_unknown_kernel_is_refused(raw_config: dict[str, Any]) -> None:
    with pytest.raises(ScxvalError, match=r"debian-7\.4.*did you mean"):
        config_of(raw_config, compatibility={"kernels": ["debian-7.4"], "vcpus": []})
