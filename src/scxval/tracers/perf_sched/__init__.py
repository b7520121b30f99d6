# SPDX-License-Identifier: MIT
"""perf sched record: the kernel's sched tracepoints as perf.data, in one ring buffer a CPU."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Set
from pathlib import Path

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand

RAW_FILE = "perf.data"
# perf says nothing when its events are on. But it starts its own child only after that
# (__cmd_record, tools/perf/builtin-record.c: evlist__enable before evlist__start_workload), so the
# child's first word is the sign. It then sleeps, until the signal that stops perf ends it too.
READY_PATTERN = r"^perf: events are on$"
_SIGN = "echo 'perf: events are on'; exec sleep infinity"
# perf ends itself by the signal that stopped it, once its file is whole (record__sig_exit).
EXIT_CODES = (-signal.SIGINT,)


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run perf sched record; it needs none of the kernel's `functions`.

    The one option is `buffer_pages`, pages of each CPU's ring buffer. Raises ScxvalError for an
    option that is unknown or not a power of two.
    """
    for name in options:
        if name != "buffer_pages":
            raise unknown_name("option of tracer perf-sched", name, ["buffer_pages"])
    pages = options.get("buffer_pages", 1024)
    if type(pages) is not int or pages < 1 or pages & (pages - 1):
        raise ScxvalError(f"tracer perf-sched: buffer_pages is {pages!r}; expected a power of two")
    return TracerCommand(
        # Options after `record` are those of perf record; a later -m replaces perf sched's own.
        # What perf writes for symbols is left out: it costs an emulated guest seconds.
        argv=[
            *("perf", "sched", "record", "-k", "CLOCK_MONOTONIC", "-m", str(pages)),
            *("--synth=task", "--no-buildid", "--no-bpf-event"),
            *("-o", f"{{raw}}/{RAW_FILE}", "--", "sh", "-c", _SIGN),
        ],
        ready_file="{out}/tracer.log",
        ready_pattern=READY_PATTERN,
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["perf", "--version"],
        lost_pattern="",
        exit_codes=EXIT_CODES,
    )


def lost_events(file: Path) -> int:
    """Events that the ring buffers had no room for, by the file's own records.

    perf prints no number of them. Raises ScxvalError when the file cannot be read.
    """
    # Loaded only here: whoever starts perf needs no reader.
    from scxval.tracers.perf_sched.convert import count_lost

    return count_lost(file)
