# SPDX-License-Identifier: MIT
"""Function names from a kernel's own type information (BTF).

A tracer picks its probes by these names, so that the choice follows the guest's kernel and not its
version number.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from scxval.errors import answer
from scxval.formats.btf import Btf, read_btf


def function_names(blob: bytes) -> frozenset[str]:
    """Names of all FUNC types in a raw BTF blob.

    Raises ScxvalError when the blob is not BTF, is cut off, or holds a type of a kind unknown here.
    """
    return Btf(blob).functions()


def main(argv: list[str] | None = None) -> int:
    """Write the sorted function names of a BTF file, one a line; 0, or 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="python -m scxval.tracers.btf", description=__doc__)
    parser.add_argument(
        "blob", type=Path, help="vmlinux, or raw BTF such as /sys/kernel/btf/vmlinux"
    )
    parser.add_argument("--output", type=Path, required=True, help="text file to write")
    args = parser.parse_args(argv)
    return answer("scxval btf", partial(_write_names, args.blob, args.output))


def _write_names(blob: Path, output: Path) -> None:
    names = read_btf(blob).functions()
    output.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
