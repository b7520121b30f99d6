# SPDX-License-Identifier: MIT
"""The tracers' own reporting tools for benches: in the guest's image by chroot, else on PATH.

The guest's image (resources/guest/guest.erofs) holds the tools that made the traces. It is unpacked
once to a folder of the user's under the system's temporary folder (half a gigabyte, made anew when
the image changes). A run has its own mount namespace, in which the folder of the file is bound below
the image's /mnt; nothing of it is left when the tool ends.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import LIMIT_S, one_core

IMAGE = Path(__file__).resolve().parents[1] / "resources/guest/guest.erofs"
# In the namespace: the image gets /dev and /proc, and the file's folder as /mnt.
ENTER = (
    'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && mount --bind "$1" "$0/mnt" '
    '&& root=$0 && shift && exec chroot "$root" "$@"'
)


@dataclass(frozen=True)
class Ran:
    """One run of a tool: CPU and wall-clock seconds, and where its output went."""

    cpu_s: float
    wall_s: float
    output: Path


@dataclass(frozen=True)
class Tool:
    """A tool and where it is: `root` is the unpacked image, None for one on PATH."""

    name: str
    root: Path | None

    def argv(self, file: Path, arguments: Sequence[str]) -> list[str]:
        """The command; "{file}" in the arguments becomes the file as the tool sees it."""
        seen = file.resolve() if self.root is None else Path("/mnt") / file.resolve().name
        words = [self.name, *(word.replace("{file}", str(seen)) for word in arguments)]
        if self.root is None:
            return words
        return [
            *_namespace(),
            "sh",
            "-c",
            ENTER,
            str(self.root),
            str(file.resolve().parent),
            *words,
        ]

    def run(self, file: Path, arguments: Sequence[str], output: Path = Path(os.devnull)) -> Ran:
        """Run it on one core with stdout to `output`. Raises SystemExit when it fails."""
        command = self.argv(file, arguments)
        with output.open("wb") as out, tempfile.TemporaryFile() as errors:
            began, before = time.perf_counter(), _children_cpu_s()
            code = subprocess.run(
                command, stdout=out, stderr=errors, timeout=LIMIT_S, preexec_fn=one_core
            ).returncode
            ran = Ran(_children_cpu_s() - before, time.perf_counter() - began, output)
            errors.seek(0)
            told = errors.read().decode("utf-8", "replace").strip()
        if code:
            raise SystemExit(f"{self.name} on {file} ended with {code}: {told[-1000:]}")
        return ran


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find(
    name: str, sample: Path | None = None, arguments: Sequence[str] = ()
) -> tuple[Tool | None, str]:
    """A tool that reads the sample with these arguments, or None and the reason why there is none.

    The image's comes first: a host's perf may be too old for the guest's files.
    """
    reasons = []
    for candidate, why in (in_image(name), _on_path(name)):
        if candidate is not None and sample is not None:
            try:
                candidate.run(sample, arguments)
            except SystemExit as error:
                candidate, why = None, str(error)
        if candidate is not None:
            return candidate, ""
        reasons.append(why)
    return None, "; ".join(reasons)


def _on_path(name: str) -> tuple[Tool | None, str]:
    return (Tool(name, None), "") if shutil.which(name) else (None, f"no {name} on PATH")


def in_image(name: str) -> tuple[Tool | None, str]:
    """The tool of the guest's image, or None and the reason why there is none."""
    if not IMAGE.exists():
        return None, "no guest image (make provision)"
    for needed in ("fsck.erofs", "unshare", "chroot"):
        if not shutil.which(needed):
            return None, f"no {needed} to run the guest's {name}"
    root = _unpacked()
    if not any((root / folder / name).exists() for folder in ("usr/bin", "usr/sbin")):
        return None, f"no {name} in the guest image"
    entered = subprocess.run(Tool("true", root).argv(root, []), capture_output=True, text=True)
    if entered.returncode:
        return None, f"no way into the guest image: {entered.stderr.strip()}"
    return Tool(name, root), ""


def _namespace() -> list[str]:
    """Whoever is not root gets to mount in a user namespace, where that is allowed."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *user, "--mount", "--propagation", "private"]


def _unpacked() -> Path:
    """The image's tree, unpacked when there is none of this image yet."""
    cache = Path(tempfile.gettempdir()) / f"scxval-tools-{os.geteuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    if cache.stat().st_uid != os.geteuid():
        raise SystemExit(f"{cache} belongs to someone else")
    seen = IMAGE.stat()
    root = cache / f"{seen.st_size}-{seen.st_mtime_ns}"
    if not root.exists():
        for old in cache.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        part = Path(tempfile.mkdtemp(dir=cache))
        subprocess.run(
            ["fsck.erofs", f"--extract={part / 'root'}", str(IMAGE)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (part / "root").rename(root)
        part.rmdir()
    return root
