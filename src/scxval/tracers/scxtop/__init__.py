# SPDX-License-Identifier: MIT
"""scxtop trace: sched tracepoints, and a sample of the task's dispatch queue at each switch, as Perfetto.

It traces for a given time, holds everything in memory until then, and loses all of it at any signal. So
SIGINT does not reach it: the run waits for its end, which has to come after the workload's.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from scxval.errors import ScxvalError, unknown_name
from scxval.tracers.base import TracerCommand

RAW_FILE = "scxtop.pb"
BINARY = "scxtop"
_SCRIPT_FILE = "scxtop.sh"
# Of its log: every probe is attached, and the time runs.
READY_PATTERN = r"waiting for trace duration"
# The last but one line of its log; all counters of lost events are in it.
LOST_PATTERN = r"dropped_\w+: (\d+)"
# The number of its error that the workload was still running.
TOO_SHORT_CODE = 3
# 100 days: more would not fit its sleep's milliseconds everywhere, and no job lasts that long.
_MAX_TRACE_MS = 100 * 24 * 3600 * 1000

_SCRIPT = f"""\
#!/bin/sh
# scxtop in the background, out of reach of the SIGINT that stops a tracer: it would lose its trace.
log=$1 time_ms=$2
shift
over() {{ grep -q 'trace duration complete' "$log"; }}
early=yes
trap 'over || early=' INT
(trap '' INT; exec "${{0%/*}}/{BINARY}" trace --trace-ms "$@") &
wait $!
code=$?
# A wait that a signal ended says so by a code above 128; the next one has scxtop's own.
if [ $code -gt 128 ]; then wait $!; code=$?; fi
if [ $code -eq 0 ] && [ -n "$early" ]; then
    echo "scxtop's $time_ms ms were over before the workload: give the tracer's entry a greater trace_ms"
    exit {TOO_SHORT_CODE}
fi
exit $code
"""


def command(options: Mapping[str, int | str | bool], functions: Set[str]) -> TracerCommand:
    """How to run scxtop in a guest; its program is built from its crate.

    The one option is `trace_ms`, how long it traces from when it is ready: longer than the workload runs,
    and below limits.stop_s. Raises ScxvalError for another option or value.
    """
    del functions
    for name in options:
        if name != "trace_ms":
            raise unknown_name("option of tracer scxtop", name, ["trace_ms"])
    time_ms = options.get("trace_ms", 10_000)
    if type(time_ms) is not int or not 0 < time_ms <= _MAX_TRACE_MS:
        raise ScxvalError(f"tracer scxtop: trace_ms is {time_ms!r}; expected milliseconds, e.g. 10000")
    return TracerCommand(
        argv=[
            "sh",
            f"{{in}}/{_SCRIPT_FILE}",
            "{out}/tracer.log",
            str(time_ms),
            "--output-file",
            f"{{raw}}/{RAW_FILE}",
        ],
        ready_file="{out}/tracer.log",
        ready_pattern=READY_PATTERN,
        # Its losses are in its log only: the trace itself need not be searched.
        outputs=[],
        version_argv=[f"{{in}}/{BINARY}", "--version"],
        lost_pattern=LOST_PATTERN,
        files={_SCRIPT_FILE: _SCRIPT},
        binary=BINARY,
    )
