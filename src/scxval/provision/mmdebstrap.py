# SPDX-License-Identifier: MIT
"""One way to make a root and run things in it: mmdebstrap with hooks, as root or unprivileged.

Files go in and out by mmdebstrap's own copy-in, upload, download and copy-out hooks, which work in
either mode; nothing is mounted from the host.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scxval.errors import HarnessError
from scxval.provision.settings import Settings

# Documentation and translations are not needed in a guest or a build root.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
)


def bootstrap(
    settings: Settings,
    *,
    variant: str,
    include: Sequence[str] = (),
    hooks: Sequence[str] = (),
    target: Path | None = None,
    suites: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> None:
    """Make a root of the configured suite and run customize hooks in it.

    apt knows the packages of `suites` too; files by the patterns `exclude` are left out. `target` is a
    tarball to leave behind; None throws the root away after the hooks. Raises HarnessError when mmdebstrap
    fails; its own output is on stderr.
    """
    argv = [
        f"--variant={variant}",
        # Device nodes in a tarball could not be unpacked without root; `enter` makes its own.
        "--skip=output/dev",
        *(f"--aptopt={line}" for line in settings.apt_options),
        *(f"--dpkgopt={line}" for line in SLIM),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in exclude),
        *([f"--include={','.join(include)}"] if include else []),
        *(f"--customize-hook={hook}" for hook in hooks),
        f"--format={'tar' if target else 'null'}",
        settings.suite,
        str(target) if target else "-",
        *(
            f"deb {settings.mirror} {suite} main"
            for suite in dict.fromkeys((settings.suite, *suites))
        ),
    ]
    _run(argv, settings)


def enter(
    settings: Settings,
    root_tar: Path,
    inputs: Mapping[str, Path],
    script: str,
    out: Path,
    shared: Path | None = None,
) -> None:
    """Unpack a root made by `bootstrap`, run a shell script in it, and keep what it leaves.

    `inputs` are host files by the absolute path that they get in the root; the script runs in /build
    and leaves its results in /build/out, which becomes `out`/out. Nothing else of the root is kept, but
    /build/shared: it comes from the tarball `shared` and goes back there when the script succeeded.
    """
    with work_folder() as work:
        file = work / "run.sh"
        file.write_text(f"set -eu\nmkdir -p /build/out\ncd /build\n{script}\n", encoding="utf-8")
        files = {**inputs, "/build/run.sh": file}
        argv = [
            "--variant=custom",
            # The root is complete: apt and dpkg have nothing to do.
            "--skip=update,cleanup",
            f"--setup-hook=tar-in {_quoted(root_tar)} /",
            '--customize-hook=mkdir -p "$1/build"',
            *(f"--customize-hook=upload {_quoted(src)} {dst}" for dst, src in files.items()),
            *_shared_in(shared),
            '--customize-hook=chroot "$1" sh /build/run.sh',
            *_shared_out(shared),
            f"--customize-hook=copy-out /build/out {_quoted(out)}",
            "--format=null",
            settings.suite,
            "-",
            settings.mirror,
        ]
        _run(argv, settings)
        if shared is not None:
            # Whole or not at all, should the host lose its power in between.
            _part(shared).replace(shared)


def _shared_in(shared: Path | None) -> list[str]:
    if shared is None:
        return []
    hooks = ['--customize-hook=mkdir -p "$1/build/shared"']
    if shared.exists():
        hooks.append(f"--customize-hook=tar-in {_quoted(shared)} /build")
    return hooks


def _shared_out(shared: Path | None) -> list[str]:
    if shared is None:
        return []
    shared.parent.mkdir(parents=True, exist_ok=True)
    return [f"--customize-hook=tar-out /build/shared {_quoted(_part(shared))}"]


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder that an unprivileged mmdebstrap can read too; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="scxval-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def _quoted(path: Path) -> str:
    return shlex.quote(str(path.resolve()))


def _run(argv: list[str], settings: Settings) -> None:
    command = ["mmdebstrap", *argv]
    print("+", shlex.join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, env=settings.environment(), stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise HarnessError("mmdebstrap not found: run `scxval doctor`") from error
    if done.returncode != 0:
        raise HarnessError(f"mmdebstrap ended with {done.returncode}; its output is above")
