# SPDX-License-Identifier: MIT
"""Saves the state of a booted guest, from which a machine with `boot: snapshot` starts in a second.

The guest boots as ever, loads the agent and waits (scxval.agent.held); then QEMU writes its state to a
file. That file holds memory and devices, so it fits one machine, kernel, image, agent and QEMU version.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scxval.catalog.model import Machine
from scxval.errors import HarnessError, run_step
from scxval.files import write_json
from scxval.vm import qemu
from scxval.vm.job import idle_job, write_job
from scxval.vm.launch import VmSpec, guest_arguments, guest_from, running
from scxval.vm.slots import own_slot
from scxval.vm.verdict import tail

HELD = b"scxval: held"
POLL_S = 0.05


class Monitor:
    """QEMU's machine protocol (QMP) over a Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rw")
        self.stream.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """One command's return value; events in between are dropped. Raises HarnessError."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise HarnessError(f"QEMU refuses {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


def save(spec: VmSpec, state: Path, limit_s: float) -> dict[str, float]:
    """Boot a guest that holds, and leave its state in a file: seconds to boot and to save.

    Raises HarnessError when it does not come up within `limit_s`, or QEMU cannot save it.
    """
    control = spec.work / "qmp"
    argv = [*qemu.argv(spec), "-qmp", f"unix:{control},server=on,wait=off"]
    begin = time.monotonic()
    with running(argv, spec.out / "vm.log") as vm:
        _wait_for_hold(vm, spec.out / "console.log", limit_s)
        held = time.monotonic()
        monitor = Monitor(control)
        # The default of 1 Gbit/s is for networks.
        monitor.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        monitor.ask("migrate", uri=f"file:{state}")
        while (status := monitor.ask("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() - held > limit_s:
                raise HarnessError(f"QEMU could not save the guest's state: {status}")
            time.sleep(POLL_S)
        return {"boot_s": held - begin, "save_s": time.monotonic() - held}


def _wait_for_hold(vm: subprocess.Popen[bytes], console: Path, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not (console.exists() and HELD in console.read_bytes()):
        if vm.poll() is not None or time.monotonic() > end:
            lines = "\n".join([*tail(console), *tail(console.with_name("vm.log"))])
            raise HarnessError(f"the guest to be saved did not come up in {limit_s} s\n{lines}")
        time.sleep(POLL_S)


def main() -> None:
    """Command line of the snapshot rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    guest_arguments(parser)
    parser.add_argument("--machine", type=json.loads, required=True, help="catalogue entry, JSON")
    parser.add_argument("--limit-s", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True, help="the state")
    parser.add_argument("--record", type=Path, required=True, help="how it was made, JSON")
    args = parser.parse_args()
    guest = guest_from(args).absolute()
    with (
        own_slot(),
        tempfile.TemporaryDirectory(prefix=".save-", dir=args.output.parent) as name,
    ):
        work = Path(name).resolve()
        write_job(idle_job(), work / "in")
        (work / "out").mkdir()
        spec = VmSpec(Machine(**args.machine), guest, work / "in", work / "out", work)
        times = save(spec, work / "state", args.limit_s)
        write_json(
            args.record,
            {
                **times,
                "bytes": (work / "state").stat().st_size,
                "qemu": qemu.version(),
                "argv": qemu.argv(spec),
            },
        )
        (work / "state").replace(args.output)


if __name__ == "__main__":
    sys.exit(run_step(main))
