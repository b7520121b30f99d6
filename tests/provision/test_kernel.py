# SPDX-License-Identifier: MIT
"""The kernel inside a bzImage; making the rest is done for real by the provision rules."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable

import pytest

from scxval.errors import HarnessError
from scxval.provision.kernel import unpack_vmlinuz

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
