# SPDX-License-Identifier: MIT
"""The agent of a guest whose state is saved: everything is loaded, then it waits to be let go.

Each restored copy of the guest goes on from the same wait, with a job folder of its own.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from scxval.agent import tracing  # noqa: F401 (loaded while nothing is measured)
from scxval.agent.__main__ import main

CONSOLE = Path("/dev/ttyS0")
RELEASE = Path("/dev/ttyS1")
MOUNT = ["mount", "-t", "9p", "-o"]
# Linux include/uapi/linux/random.h: _IOW('R', 0x03, int[2]) and _IO('R', 0x07).
RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207


def hold() -> tuple[int, bytes]:
    """Say that the state may be saved, and wait for `go REALTIME_NS SEED` on the second serial line.

    The first characters of that line can be lost to a serial port whose state is still being restored.
    """
    with CONSOLE.open("w") as console:
        console.write("scxval: held\n")
    with RELEASE.open() as lines:
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == "go":
                return int(words[1]), bytes.fromhex(words[2])
    raise EOFError("the second serial line ended before it said go")


def renew(real_ns: int, seed: bytes) -> None:
    """Give a restored guest the time, and randomness of its own: all copies were saved with the same."""
    time.clock_settime_ns(time.CLOCK_REALTIME, real_ns)
    with Path("/dev/urandom").open("wb") as pool:
        fcntl.ioctl(pool, RNDADDENTROPY, struct.pack("ii", 8 * len(seed), len(seed)) + seed)
        fcntl.ioctl(pool, RNDRESEEDCRNG)


def mount_job(inputs: Path, out: Path) -> None:
    """Mount the job's folders, and send what this process says to its log there."""
    options = "trans=virtio,version=9p2000.L,msize=512000"
    subprocess.run([*MOUNT, f"{options},cache=loose,ro", "job_in", str(inputs)], check=True)
    subprocess.run([*MOUNT, options, "job_out", str(out)], check=True)
    log = os.open(out / "agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


if __name__ == "__main__":
    folders = [Path(arg) for arg in sys.argv[1:4]]
    renew(*hold())
    mount_job(*folders[:2])
    sys.exit(main(*folders))
