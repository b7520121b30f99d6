# SPDX-License-Identifier: MIT
"""wprof: context switches, wakeups, new tasks and, where it sees them, sched_ext dispatch queues.

wprof is in no package registry: its binary is the user's. It records into a dump of its own; the same
binary replays that to JSON in the guest once it has been stopped, so that whoever converts a run
needs no wprof (and a dump is only good for the build that wrote it).
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand

RAW_FILE = "wprof.ndjson"
DUMP_FILE = "wprof.data"
SCRIPT_FILE = "wprof.sh"
READY_FILE = "{out}/tracer.log"
# Printed once everything is attached; it is the session's time 0.
READY_PATTERN = r"^Running\.\.\.$"
# One line for each sort of loss. Drops are told by CPU and by ring too: only their sum counts.
LOST_PATTERN = (
    r"^!!! (?:Drops \(TOTAL\)|Ringbuf fetch misses|Task state drops|Request state drops"
    r"|\w+(?=: \d+ recursion misses)): (\d+)"
)
# Longer than any run: one SIGINT ends the session, and without -d it would end after a second.
_DURATION_MS = 86_400_000
# The agent signals the whole process group: the shell must outlive that, and a child of a shell that
# catches a signal does not. What the replay prints repeats the losses, so it stays out of the log.
_SCRIPT = f"""\
#!/bin/sh
trap : INT
wprof=$1 raw=$2
shift 2
"$wprof" -D "$raw/{DUMP_FILE}" "$@" || exit
"$wprof" -R -D "$raw/{DUMP_FILE}" -J "$raw/{RAW_FILE}" >"$raw/replay.log" 2>&1 && exit
code=$?
cat "$raw/replay.log"
exit $code
"""


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run wprof in a guest, and to replay what it recorded once it has been stopped.

    The one option is `ringbuf_mib`, the size of each of its ring buffers (wprof's own choice, 16, where
    it is not given; there are four on up to 32 CPUs, never more than CPUs). Raises ScxvalError for an
    option that is unknown or no positive number.
    """
    for name in options:
        if name != "ringbuf_mib":
            raise unknown_name("option of tracer wprof", name, ["ringbuf_mib"])
    arguments = ["-d", str(_DURATION_MS), "-f", "scx"]
    if "ringbuf_mib" in options:
        size = options["ringbuf_mib"]
        if type(size) is not int or not 1 <= size <= 1 << 14:
            raise ScxvalError(
                f"tracer wprof: ringbuf_mib is {size!r}; expected MiB, a number from 1 to {1 << 14}"
            )
        # Without a unit wprof takes kilobytes.
        arguments += ["--ringbuf-size", str(size << 10)]
    return TracerCommand(
        argv=["sh", f"{{in}}/{SCRIPT_FILE}", "{in}/wprof", "{raw}", *arguments],
        ready_file=READY_FILE,
        ready_pattern=READY_PATTERN,
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["{in}/wprof", "--version"],
        lost_pattern=LOST_PATTERN,
        files={SCRIPT_FILE: _SCRIPT},
        binary="wprof",
    )
