# SPDX-License-Identifier: MIT
"""bpftrace: scheduler tracepoints, and kprobes on sched_ext's operations and kfuncs, as text lines.

Kprobes, not fentry: on 7.1 and later most kfuncs have a hidden last argument that the type
information does not show, and only kprobes are safe with that on every kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand
from scxval.tracers.bpftrace.probes import choose, script

RAW_FILE = "bpftrace.txt"
SCRIPT_FILE = "trace.bt"
# bpftrace runs BEGIN before it attaches anything; only this line of its log says that it has
# attached everything. The agent keeps that log beside the folder of the job's files.
READY_FILE = "{out}/tracer.log"
READY_PATTERN = r"^Attached \d+ probes?$"
# Printed once per report with the events lost since the last one, so the numbers add up.
LOST_PATTERN = r"^Lost (\d+) events$"


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run bpftrace in a guest whose kernel has these functions.

    The one option is `buffer_pages`, pages of the ring buffer that all CPUs share. Raises
    ScxvalError for an option that is unknown or not a power of two.
    """
    for name in options:
        if name != "buffer_pages":
            raise unknown_name("option of tracer bpftrace", name, ["buffer_pages"])
    pages = options.get("buffer_pages", 4096)
    if type(pages) is not int or pages < 1 or pages & (pages - 1):
        raise ScxvalError(f"tracer bpftrace: buffer_pages is {pages!r}; expected a power of two")
    return TracerCommand(
        argv=["bpftrace", "-o", f"{{raw}}/{RAW_FILE}", f"{{in}}/{SCRIPT_FILE}"],
        ready_file=READY_FILE,
        ready_pattern=READY_PATTERN,
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["bpftrace", "--version"],
        lost_pattern=LOST_PATTERN,
        files={SCRIPT_FILE: script(choose(functions))},
        env={"BPFTRACE_PERF_RB_PAGES": str(pages)},
    )
