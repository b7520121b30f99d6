# SPDX-License-Identifier: MIT
"""The record of where a run happened and with what: written in the job, on the machine that ran it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from scxval.catalog.matrix import memory_mib


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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
