# SPDX-License-Identifier: MIT
"""trace-cmd: the sched tracepoints of the kernel's ring buffers, drained to trace.dat while they fill."""

from __future__ import annotations

from collections.abc import Mapping, Set

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand
from scxval.tracers.sched_records import FIELDS

RAW_FILE = "trace.dat"
# Printed when the recorders run and tracing is on. To a file its stdout is buffered, hence stdbuf.
READY_FILE = "{out}/tracer.log"
READY_PATTERN = r"^Hit Ctrl\^C to stop recording$"
# One line a CPU that lost any, from its stats: "CPU 0: 12 events lost".
LOST_PATTERN = r" (\d+) events lost"
DEFAULT_BUFFER_KIB = 4096


def buffer_kib(tracer: str, options: Mapping[str, int | str | bool]) -> int:
    """The option `buffer_kib`: KiB of ring buffer for each CPU. Raises ScxvalError for anything else."""
    for name in options:
        if name != "buffer_kib":
            raise unknown_name(f"option of tracer {tracer}", name, ["buffer_kib"])
    size = options.get("buffer_kib", DEFAULT_BUFFER_KIB)
    if type(size) is not int or not 4 <= size <= 1 << 22:
        raise ScxvalError(f"tracer {tracer}: buffer_kib is {size!r}; expected 4 to 4194304 (KiB)")
    return size


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run trace-cmd record; any kernel with tracepoints will do.

    The one option is `buffer_kib`, KiB of ring buffer for each CPU. Raises ScxvalError for another.
    """
    del functions
    size = buffer_kib("trace-cmd", options)
    events = [word for name in FIELDS for word in ("-e", f"sched:{name}")]
    return TracerCommand(
        argv=[
            *("stdbuf", "-oL", "trace-cmd", "record", "-C", "mono", "-b", str(size)),
            *events,
            *("-o", f"{{raw}}/{RAW_FILE}"),
        ],
        ready_file=READY_FILE,
        ready_pattern=READY_PATTERN,
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["dpkg-query", "-W", "-f", "${Version}", "trace-cmd"],
        lost_pattern=LOST_PATTERN,
    )
