# SPDX-License-Identifier: MIT
"""Raw ftrace: the sched tracepoints by tracefs alone, saved from the kernel's buffers after the run.

The recorder sleeps while the kernel traces into memory, so that it adds no event of its own; what does
not fit is overwritten and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand
from scxval.tracers.sched_records import FIELDS

RAW_FILE = "ftrace.tar"
RECORDER_FILE = "ftrace_recorder.py"
READY_FILE = "{out}/tracer.log"
READY_PATTERN = r"^ftrace: recording$"
# Printed once, when the buffers have been saved.
LOST_PATTERN = r"^ftrace: (\d+) events lost$"
DEFAULT_BUFFER_KIB = 8192


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run the recorder; any kernel with tracepoints will do.

    The one option is `buffer_kib`, KiB of ring buffer for each CPU, which must hold the whole run.
    Raises ScxvalError for another option or an impossible size.
    """
    del functions
    for name in options:
        if name != "buffer_kib":
            raise unknown_name("option of tracer ftrace", name, ["buffer_kib"])
    size = options.get("buffer_kib", DEFAULT_BUFFER_KIB)
    if type(size) is not int or not 4 <= size <= 1 << 22:
        raise ScxvalError(f"tracer ftrace: buffer_kib is {size!r}; expected 4 to 4194304 (KiB)")
    return TracerCommand(
        # Without site and its folders the recorder starts in half the time.
        argv=[
            *("python3", "-I", "-S", f"{{in}}/{RECORDER_FILE}", f"{{raw}}/{RAW_FILE}", str(size)),
            *(f"sched/{name}" for name in FIELDS),
        ],
        ready_file=READY_FILE,
        ready_pattern=READY_PATTERN,
        outputs=[f"{{raw}}/{RAW_FILE}"],
        version_argv=["uname", "-r"],
        lost_pattern=LOST_PATTERN,
        files={RECORDER_FILE: Path(__file__).with_name("recorder.py").read_text(encoding="utf-8")},
    )
