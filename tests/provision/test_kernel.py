# SPDX-License-Identifier: MIT
"""The kernel inside a bzImage; making the rest is done for real by the provision rules."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scxval.errors import HarnessError
from scxval.provision.kernel import download_hook, unpack_vmlinuz

KERNEL = b"\x7fELF" + bytes(range(256)) * 40


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout


def bzimage(packed: bytes, sectors: int = 3) -> bytes:
    """A bzImage as the boot protocol describes it: header fields, then the payload at an offset."""
    payload = packed + struct.pack("<I", len(KERNEL))
    image = bytearray((sectors + 1) * 512 + 100)
    image[0x1F1] = sectors
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 100, len(payload))
    return bytes(image) + payload + b"trailer"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstd])
def test_unpacks(pack: Callable[[bytes], bytes]) -> None:
    assert unpack_vmlinuz(bzimage(pack(KERNEL))) == KERNEL


def test_other_files_are_refused() -> None:
    with pytest.raises(HarnessError, match="not a bzImage"):
        unpack_vmlinuz(b"\0" * 4096)
    with pytest.raises(HarnessError, match="no kernel in vmlinuz"):
        unpack_vmlinuz(bzimage(b"no compression that is known"))


@pytest.mark.parametrize(
    ("version", "picked"),
    [
        ("7.2", "linux-binary-7.2.12+deb14-amd64"),
        ("7.2.9", "linux-binary-7.2.9+deb14-amd64"),
        ("7.3", "linux-binary-7.3.4+deb14-amd64"),
        ("7.21", None),
    ],
)
def test_the_newest_kernel_of_a_version_is_picked(
    tmp_path: Path, version: str, picked: str | None
) -> None:
    """The hook's own shell, with an apt that knows some names."""
    known = ["7.2.9", "7.2.12", "7.2.12-rt", "7.3.4"]
    names = [f"linux-binary-{v.removesuffix('-rt')}+deb14{v[6:]}-amd64" for v in known]
    apt_cache, apt_get = tmp_path / "apt-cache", tmp_path / "apt-get"
    apt_cache.write_text(f"#!/bin/sh\nprintf '%s\\n' {' '.join(names)}\n")
    apt_get.write_text('#!/bin/sh\necho "$@" >args\n')
    for tool in (apt_cache, apt_get):
        tool.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", download_hook(version), "exec", str(tmp_path)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "MMDEBSTRAP_APT_CONFIG": "/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    if picked is None:
        assert done.returncode != 0
        assert f"no kernel {version}" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    args = (tmp_path / "debs/args").read_text().split()
    series = ".".join(version.split(".")[:2])
    parts = [picked.replace("binary", part) for part in ("binary", "modules", "base")]
    assert args == ["download", *parts, f"linux-source-{series}", "busybox-static"]
