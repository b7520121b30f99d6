# SPDX-License-Identifier: MIT
"""Archives come back as they were packed, and none that was tampered with is used."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scxval.errors import ScxvalError
from scxval.published.archive import Limits, pack, unpack, verify
from scxval.published.sums import NAME, render

GOOD = {"a/one.json": b"{}", "a/two/events.parquet": bytes(range(256)), "b.csv": b""}

part = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+@=,-]{0,30}", fullmatch=True)
# Folders and files by their first letter, so that no name is both.
name = st.builds(lambda folders, file: "/".join([*(f"d{f}" for f in folders), f"f{file}"]),
                 st.lists(part, max_size=12), part)  # fmt: skip
contents = st.dictionaries(name, st.binary(max_size=300), max_size=12)


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return raw.getvalue()


def forged(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], listed: bool = True) -> Path:
    """An archive with any members, whose SHA256SUMS is right of them."""
    sums = {info.name: hashlib.sha256(data).hexdigest() for info, data in members}
    sums = sums if listed else {}
    first = member(NAME, render(sums).encode())
    path.write_bytes(lzma.compress(tar_of([first, *members])))
    return path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("packed") / "runs.tar.xz"
    pack(GOOD, archive)
    return archive


@given(contents)
def test_what_is_packed_is_unpacked(tmp_path_factory, contents: dict[str, bytes]) -> None:
    top = tmp_path_factory.mktemp("round")
    pack(contents, top / "a.tar.xz")
    assert verify(top / "a.tar.xz") == {name: len(data) for name, data in contents.items()}
    assert unpack(top / "a.tar.xz", top / "out") == sorted(contents)
    found = {f.relative_to(top / "out").as_posix(): f.read_bytes()
             for f in (top / "out").rglob("*") if f.is_file()}  # fmt: skip
    assert found == contents


def test_same_contents_same_bytes(packed: Path, tmp_path: Path) -> None:
    pack(dict(reversed(GOOD.items())), tmp_path / "again.tar.xz")
    assert (tmp_path / "again.tar.xz").read_bytes() == packed.read_bytes()


def test_tools_that_everybody_has_can_check_it(packed: Path, tmp_path: Path) -> None:
    with tarfile.open(packed) as tar:
        # Our own: Python 3.11.2, Debian 12's, has no filters yet.
        tar.extractall(tmp_path)
    for line in (tmp_path / NAME).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert len((tmp_path / NAME).read_text().splitlines()) == len(GOOD)


@pytest.mark.parametrize(
    "name",
    ["../up", "a/../../up", "/etc/x", "a//b", "./a", "a/.", ".hidden", "a\\b", "a\nb", "", "ä",
     "a/" * 600 + "b", "a\x00b", "-rf", "~/x", "c" * 256],
)  # fmt: skip
def test_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScxvalError):
        pack({name: b""}, tmp_path / "mine.tar.xz")
    assert not (tmp_path / "mine.tar.xz").exists()
    archive = forged(tmp_path / "a.tar.xz", [member(name, b"x")])
    with pytest.raises(ScxvalError, match=r"refused|not a digest"):
        unpack(archive, tmp_path / "out")
    # With a list that says nothing of it, too; and nothing was written anywhere.
    with pytest.raises(ScxvalError, match="refused"):
        unpack(forged(archive, [member(name, b"x")], listed=False), tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE,
     tarfile.BLKTYPE, tarfile.CONTTYPE],
)  # fmt: skip
def test_what_is_no_plain_file(tmp_path: Path, kind: bytes) -> None:
    link = member("a/link", type=kind, linkname="/etc/passwd")
    through = member("a/link/x", b"written elsewhere")
    for members in ([link], [member("b", b"x"), link]):
        with pytest.raises(ScxvalError, match="is a link, a device or a folder"):
            unpack(forged(tmp_path / "a.tar.xz", members), tmp_path / "out")
    with pytest.raises(ScxvalError, match="is a file and a folder"):
        unpack(forged(tmp_path / "a.tar.xz", [link, through]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_members_that_are_not_listed_or_twice_or_missing(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.xz"
    forged(archive, [member("a", b"1")], listed=False)
    with pytest.raises(ScxvalError, match="a is there twice, or not listed"):
        verify(archive)
    forged(archive, [member("a", b"1"), member("a", b"1")])
    with pytest.raises(ScxvalError, match="a is there twice, or not listed"):
        verify(archive)
    first = member(NAME, render({"a": hashlib.sha256(b"").hexdigest()}).encode())
    archive.write_bytes(lzma.compress(tar_of([first])))
    with pytest.raises(ScxvalError, match="a of SHA256SUMS is missing"):
        verify(archive)
    archive.write_bytes(lzma.compress(tar_of([member("a", b"")])))
    with pytest.raises(ScxvalError, match="its first member is not SHA256SUMS"):
        verify(archive)
    twice = member(NAME, first[1] * 2)
    archive.write_bytes(lzma.compress(tar_of([twice, member("a")])))
    with pytest.raises(ScxvalError, match="a is there twice"):
        verify(archive)


def test_a_content_that_is_another(tmp_path: Path) -> None:
    first = member(NAME, render({"a": hashlib.sha256(b"1").hexdigest()}).encode())
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(tar_of([first, member("a", b"2")])))
    with pytest.raises(ScxvalError, match="a is not what SHA256SUMS has the digest of"):
        unpack(tmp_path / "a.tar.xz", tmp_path / "out")
    assert [f.name for f in tmp_path.iterdir()] == ["a.tar.xz"]


def test_bombs(tmp_path: Path) -> None:
    archive, zeros = tmp_path / "a.tar.xz", bytes(1 << 20)
    small = Limits(total_bytes=1 << 21, member_bytes=1 << 19, members=3)
    with pytest.raises(ScxvalError, match="has 1048576 bytes, more than 524288"):
        verify(forged(archive, [member("a", zeros)]), small)
    half = zeros[: 1 << 19]
    with pytest.raises(ScxvalError, match="more than 3 members"):
        verify(forged(archive, [member(c) for c in "abcd"]), small)
    assert verify(forged(archive, [member(c, half) for c in "abc"]), small)
    tight = Limits(total_bytes=3 << 18, member_bytes=1 << 19, members=3)
    with pytest.raises(ScxvalError, match="more than 786432 bytes once unpacked"):
        unpack(archive, tmp_path / "out", tight)
    # A header that is all of it, and one that claims more than there is.
    archive.write_bytes(lzma.compress(tar_of([member("x" * (1 << 22))], tarfile.GNU_FORMAT)))
    with pytest.raises(ScxvalError, match="more than 2097152 bytes once unpacked"):
        verify(archive, small)
    header = member(NAME)[0]
    header.size = 1 << 18
    archive.write_bytes(lzma.compress(header.tobuf()))
    with pytest.raises(ScxvalError, match=r"not a whole tar\.xz"):
        verify(archive, small)
    # Headers that go before headers, each of which tarfile reads by calling itself.
    chain = tarfile.TarInfo("././@LongLink")
    chain.type, chain.size = tarfile.GNUTYPE_LONGNAME, 0
    archive.write_bytes(lzma.compress(chain.tobuf(tarfile.GNU_FORMAT) * 3000))
    with pytest.raises(ScxvalError, match="refused"):
        verify(archive, small)


def test_a_stream_that_asks_for_much_memory(packed: Path, tmp_path: Path) -> None:
    plain = lzma.decompress(packed.read_bytes())
    chain = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}
    made = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[chain])
    (tmp_path / "a.tar.xz").write_bytes(made.compress(plain) + made.flush())
    with pytest.raises(ScxvalError, match=r"not a whole tar\.xz: Memory usage limit"):
        verify(tmp_path / "a.tar.xz")


@given(st.data())
def test_any_changed_byte_is_noticed(packed: Path, tmp_path_factory, data: st.DataObject) -> None:
    good = packed.read_bytes()
    where = data.draw(st.integers(0, len(good) - 1))
    flip = data.draw(st.integers(1, 255))
    bad = tmp_path_factory.mktemp("bad") / "a.tar.xz"
    bad.write_bytes(good[:where] + bytes([good[where] ^ flip]) + good[where + 1 :])
    with pytest.raises(ScxvalError):
        unpack(bad, bad.parent / "out")
    assert list(bad.parent.iterdir()) == [bad]


@given(st.data())
def test_any_changed_byte_within_is_noticed(packed, tmp_path_factory, data: st.DataObject) -> None:
    # As above, where whoever changed it has packed it anew: times and owners alone are of no account.
    plain = lzma.decompress(packed.read_bytes())
    where = data.draw(st.integers(0, len(plain) - 1))
    changed = (
        plain[:where] + bytes([plain[where] ^ data.draw(st.integers(1, 255))]) + plain[where + 1 :]
    )
    bad = tmp_path_factory.mktemp("bad") / "a.tar.xz"
    bad.write_bytes(lzma.compress(changed))
    try:
        unpack(bad, bad.parent / "out")
    except ScxvalError:
        assert list(bad.parent.iterdir()) == [bad]
        return
    out = bad.parent / "out"
    found = {f.relative_to(out).as_posix(): f.read_bytes() for f in out.rglob("*") if f.is_file()}
    assert found == GOOD


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=20))
def test_cut_off_or_longer(packed, tmp_path_factory, cut: int, more: bytes) -> None:
    good = packed.read_bytes()
    bad = tmp_path_factory.mktemp("bad") / "a.tar.xz"
    for wrong in (good[: cut % len(good)], good + more, good + good):
        bad.write_bytes(wrong)
        with pytest.raises(ScxvalError):
            verify(bad)


def test_what_stood_there_stays_until_all_is_good(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("old")
    bad = forged(tmp_path / "bad.tar.xz", [member("a", b"1"), member("b", type=tarfile.SYMTYPE)])
    with pytest.raises(ScxvalError):
        unpack(bad, tmp_path / "out")
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["old"]
    unpack(packed, tmp_path / "out")
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["a", "b.csv"]


def test_a_link_in_its_place_is_not_followed(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/keep").write_text("mine")
    (tmp_path / "out").symlink_to(tmp_path / "mine")
    (tmp_path / "out.part").symlink_to(tmp_path / "mine")
    unpack(packed, tmp_path / "out")
    assert [f.name for f in (tmp_path / "mine").iterdir()] == ["keep"]
    assert not (tmp_path / "out").is_symlink()


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ScxvalError, match="cannot read"):
        verify(tmp_path / "none.tar.xz")
    with pytest.raises(ScxvalError, match="cannot read"):
        verify(tmp_path)
