# SPDX-License-Identifier: MIT
"""The guest's root file system: a small Debian with the workload generator and the tracers, as erofs."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scxval.errors import run_step
from scxval.provision.lock import check_lock, format_lock, installed_packages
from scxval.provision.mmdebstrap import bootstrap, work_folder
from scxval.provision.settings import Settings, settings_argument, settings_from

# A fixed UUID and time make the image's bytes depend on the packages alone.
UUID = "73637876-616c-4000-8000-000000000001"

# Drivers that a library of stress-ng's could load; bpftrace needs their libLLVM.
GRAPHICS = ("/usr/lib/*/libgallium*", "/usr/lib/*/dri/*")

# proc, sys and dev are mounted while hooks run, and must be empty in the image.
MAKE_EROFS = (
    f"mkfs.erofs --quiet -T0 -U {UUID} -x-1 --exclude-path=guest.erofs "
    """--exclude-regex='^(proc|sys|dev)/.' "$1/guest.erofs" "$1\""""
)

# The image's files all have time 0, so Python's cache must not be checked against it: compiling the
# standard library anew at every start costs 6 s of an emulated guest's time.
COMPILE_PYTHON = (
    'chroot "$1" sh -c '
    "'python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3.*'"
)


def read_packages(path: Path) -> list[str]:
    """Package names of a list file, one a line, comments after #."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def make_image(settings: Settings, packages: Path, output: Path, lock: Path, meant: Path) -> None:
    """Write the image and its lock."""
    with collected_lock(settings, "guest image", lock, meant) as (work, hooks):
        bootstrap(
            settings,
            variant="essential",
            include=read_packages(packages),
            exclude=GRAPHICS,
            hooks=[
                *hooks,
                'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*',
                'mkdir -p "$1/job"',
                COMPILE_PYTHON,
                MAKE_EROFS,
                f"download /guest.erofs {shlex.quote(str(work / 'guest.erofs'))}",
            ],
        )
        shutil.move(work / "guest.erofs", output)


def make_build_root(
    settings: Settings, packages: Path, output: Path, lock: Path, meant: Path
) -> None:
    """Write the build root as a tarball, and its lock."""
    with collected_lock(settings, "build root", lock, meant) as (work, hooks):
        part = work / "root.tar"
        bootstrap(
            settings,
            variant="apt",
            include=read_packages(packages),
            hooks=hooks,
            target=part,
        )
        shutil.move(part, output)


@contextmanager
def collected_lock(
    settings: Settings, about: str, lock: Path, meant: Path
) -> Iterator[tuple[Path, list[str]]]:
    """A work folder, and hooks that save what dpkg and apt know in it; the lock is made from that."""
    with work_folder() as work:
        quoted = shlex.quote(str(work))
        yield (
            work,
            [
                f"download /var/lib/dpkg/status {quoted}/status",
                f"copy-out /var/lib/apt/lists {quoted}",
            ],
        )
        status = (work / "status").read_text(encoding="utf-8")
        lists = sorted((work / "lists").glob("*_Packages*"))
        text = format_lock(installed_packages(status, lists), about)
        lock.write_text(text, encoding="utf-8")
        check_lock(text, meant, settings.lock)


def main() -> None:
    """Command line of the image and build root rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    settings_argument(parser)
    parser.add_argument("what", choices=["guest", "build-root"])
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--used", type=Path, required=True, help="the lock to write")
    parser.add_argument("--lock", type=Path, required=True, help="the committed lock")
    args = parser.parse_args()
    make = make_image if args.what == "guest" else make_build_root
    make(settings_from(args.settings), args.packages, args.output, args.used, args.lock)


if __name__ == "__main__":
    sys.exit(run_step(main))
