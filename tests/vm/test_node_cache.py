# SPDX-License-Identifier: MIT
"""Copies on a node: what is brought once, brought again, and refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import HarnessError
from scxval.vm.launch import Guest
from scxval.vm.node_cache import cache_folder, local_copy, local_guest


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "shared/guest.erofs"
    file.parent.mkdir()
    file.write_bytes(b"image" * 1000)
    return file


def test_the_second_use_reads_no_source(image: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = local_copy(image, cache)
    assert first.name == digest(image.read_bytes()) and first.read_bytes() == image.read_bytes()
    made = first.stat().st_ino
    assert local_copy(image, cache).stat().st_ino == made


def test_a_damaged_copy_is_made_again(image: Path, tmp_path: Path, capsys) -> None:
    cache = tmp_path / "cache"
    copy = local_copy(image, cache)
    copy.chmod(0o600)
    copy.write_bytes(b"other" * 1000)
    assert local_copy(image, cache).read_bytes() == image.read_bytes()
    assert "not what its name says" in capsys.readouterr().out


def test_a_changed_source_is_another_copy_even_with_its_old_time(
    image: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    before, old = image.stat(), local_copy(image, cache)
    image.write_bytes(b"IMAGE" * 1000)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    new = local_copy(image, cache)
    assert new != old and new.read_bytes() == b"IMAGE" * 1000


def test_a_touched_source_is_the_same_copy(image: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    copy = local_copy(image, cache)
    image.touch()
    assert local_copy(image, cache) == copy


def test_a_lost_copy_is_brought_again(image: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    local_copy(image, cache).unlink()
    assert local_copy(image, cache).read_bytes() == image.read_bytes()


@given(note=st.binary(max_size=80))
def test_no_note_leads_elsewhere(note: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("notes")
    file, cache = folder / "file", folder / "cache"
    file.write_bytes(b"content")
    local_copy(file, cache)
    (known,) = cache.glob("*.source")
    known.unlink()
    known.write_bytes(note)
    assert local_copy(file, cache) == cache / digest(b"content")


def test_a_cache_that_others_can_write_to_is_refused(image: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    with pytest.raises(HarnessError, match="others can write"):
        local_copy(image, cache)


def test_nothing_is_left_of_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(OSError):
        local_copy(tmp_path / "missing", cache)
    assert list(cache.iterdir()) == []


def test_a_guest_is_booted_from_copies(image: Path, tmp_path: Path) -> None:
    guest = Guest(image, image, image)
    assert local_guest(guest, None) is guest
    copied = local_guest(guest, tmp_path / "cache")
    assert {copied.kernel, copied.initramfs, copied.image} == {
        tmp_path / "cache" / digest(image.read_bytes())
    }
    assert copied.state is None


def test_a_cache_only_where_one_is_named() -> None:
    assert cache_folder({}) is None
    assert cache_folder({"SCXVAL_NODE_CACHE": "/var/tmp/x"}) == Path("/var/tmp/x")
