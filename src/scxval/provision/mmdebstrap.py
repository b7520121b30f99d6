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
from collections.abc import Sequence
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
) -> None:
    """Make a root of the configured suite and run customize hooks in it.

    `target` is a tarball to leave behind; None throws the root away after the hooks. Raises
    HarnessError when mmdebstrap fails; its own output is on stderr.
    """
    argv = [
        f"--variant={variant}",
        *(f"--aptopt={line}" for line in settings.apt_options),
        *(f"--dpkgopt={line}" for line in SLIM),
        *([f"--include={','.join(include)}"] if include else []),
        *(f"--customize-hook={hook}" for hook in hooks),
        f"--format={'tar' if target else 'null'}",
        settings.suite,
        str(target) if target else "-",
        settings.mirror,
    ]
    _run(argv, settings)


def enter(settings: Settings, root_tar: Path, hooks: Sequence[str]) -> None:
    """Unpack a root made by `bootstrap` and run hooks in it; nothing of it is kept."""
    argv = [
        "--variant=custom",
        # The root is complete: apt and dpkg have nothing to do.
        "--skip=check/empty,update,setup,cleanup",
        f"--setup-hook=tar-in {shlex.quote(str(root_tar.resolve()))} /",
        *(f"--customize-hook={hook}" for hook in hooks),
        "--format=null",
        settings.suite,
        "-",
        settings.mirror,
    ]
    _run(argv, settings)


def run_script(script: str) -> list[str]:
    """Hooks that run a shell script inside the root as /build/run.sh."""
    folder = Path(tempfile.mkdtemp(prefix="scxval-"))
    folder.chmod(0o755)
    file = folder / "run.sh"
    file.write_text(f"set -eu\n{script}\n", encoding="utf-8")
    file.chmod(0o644)
    return [
        'mkdir -p "$1/build"',
        f"upload {shlex.quote(str(file))} /build/run.sh",
        'chroot "$1" sh /build/run.sh',
    ]


def _run(argv: list[str], settings: Settings) -> None:
    command = ["mmdebstrap", *argv]
    print("+", shlex.join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, env=settings.environment(), stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise HarnessError("mmdebstrap not found: run `scxval doctor`") from error
    if done.returncode != 0:
        raise HarnessError(f"mmdebstrap ended with {done.returncode}; its output is above")
