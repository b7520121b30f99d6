# SPDX-License-Identifier: MIT
"""The record of where a run happened and with what: written in the job, on the machine that ran it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """A file's digest in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(files: list[Path]) -> str:
    """One digest over several files' names and contents, in the order given."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + bytes.fromhex(sha256(file)))
    return digest.hexdigest()


def host_facts() -> dict[str, Any]:
    """This host: kernel, CPU, memory, load."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = (line.partition(":") for line in info.split("\n\n")[0].splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    return {
        "kernel": f"{platform.release()} {platform.version()}",
        "cmdline": _read(Path("/proc/cmdline")),
        "cpu_model": fields.get("model name", ""),
        "microcode": fields.get("microcode", ""),
        "cpus": os.cpu_count(),
        "memory_mib": memory_mib(),
        "load_1m": os.getloadavg()[0],
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "smt": _read(Path("/sys/devices/system/cpu/smt/control")),
    }


def memory_mib() -> int:
    """Memory of this host in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def git_state(root: Path) -> str:
    """The checkout's commit, with -dirty when it has changes; "" outside of git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
