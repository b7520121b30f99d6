# SPDX-License-Identifier: MIT
"""Locks: what was used against what was meant."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.provision.lock import (
    check_lock,
    drift,
    format_lock,
    installed_packages,
    parse_lock,
)

WORD = st.from_regex(r"[a-z0-9.+:~-]{1,12}", fullmatch=True)
ENTRIES = st.dictionaries(WORD, st.tuples(WORD, WORD))


@given(ENTRIES)
def test_a_lock_reads_back(entries: dict[str, tuple[str, str]]) -> None:
    text = format_lock([(name, *rest) for name, rest in entries.items()], "test")
    assert parse_lock(text) == entries
    assert drift(entries, entries) == []


@given(ENTRIES, ENTRIES)
def test_drift_names_every_difference(
    meant: dict[str, tuple[str, str]], used: dict[str, tuple[str, str]]
) -> None:
    names = {line.split()[0] for line in drift(meant, used)}
    assert names == {n for n in meant.keys() | used.keys() if meant.get(n) != used.get(n)}


def test_exact_refuses_and_drift_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed = tmp_path / "guest.lock"
    committed.write_text("# about\nlibc6 2.42-1 aa\nbash 5.3-1 bb\n")
    used = "# about\nlibc6 2.42-2 cc\nbash 5.3-1 bb\n"
    with pytest.raises(ScxvalError, match=r"libc6 2\.42-1 -> 2\.42-2.*make relock"):
        check_lock(used, committed, "exact")
    check_lock(used, committed, "drift")
    assert "libc6 2.42-1 -> 2.42-2" in capsys.readouterr().err
    check_lock(committed.read_text(), committed, "exact")
    assert capsys.readouterr().err == ""


def test_a_missing_lock_is_a_difference(tmp_path: Path) -> None:
    with pytest.raises(ScxvalError, match="there is no"):
        check_lock("a 1 b\n", tmp_path / "none.lock", "exact")


def test_digests_come_from_the_lists(tmp_path: Path) -> None:
    status = (
        "Package: bash\nStatus: install ok installed\nVersion: 5.3-1\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: local\nStatus: install ok installed\nVersion: 0.1\n"
    )
    stanzas = "".join(
        f"Package: bash\nVersion: {v}\nSHA256: {d}\n\n" for v, d in (("5.2", "a"), ("5.3-1", "b"))
    )
    (tmp_path / "x_Packages.gz").write_bytes(gzip.compress(stanzas.encode()))
    found = installed_packages(status, [tmp_path / "x_Packages.gz"])
    assert found == [("bash", "5.3-1", "b"), ("local", "0.1", "-")]


def test_committed_locks_are_whole() -> None:
    envs = Path(__file__).resolve().parents[2] / "envs"
    for name in ("debian-7.2", "guest", "buildroot", "scx_rusty"):
        entries = parse_lock((envs / f"{name}.lock").read_text())
        assert entries
        for package, (version, digest) in entries.items():
            assert version, package
            assert len(digest) == 64, package
