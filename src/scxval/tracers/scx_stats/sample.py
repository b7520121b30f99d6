# SPDX-License-Identifier: MIT
"""Runs beside a scheduler, alone: asks for statistics over one connection, and keeps each answer as it is.

Usage: sample.py SOCKET OUTPUT INTERVAL_MS. A record (one JSON object a line) has the CLOCK_MONOTONIC times
around one request, what was sent and what came back. SIGINT ends it after a last reading; exit code 0.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TextIO

# A scheduler's answer comes from its main loop, which may be starved, but not for so long.
ANSWER_LIMIT_S = 20.0
RETRY_S = 0.1
META = b'{"req":"stats_meta"}\n'
STATS = b'{"req":"stats","args":{"target":"top"}}\n'


def interrupted(wait_s: float) -> bool:
    """Sleep, unless SIGINT comes; the signal is blocked otherwise, so that no answer is cut by it."""
    return signal.sigtimedwait({signal.SIGINT}, max(0.0, wait_s)) is not None


def connect(path: str) -> socket.socket | None:
    """A connection, once somebody listens: an earlier scheduler leaves its socket's file behind."""
    while True:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.connect(path)
        except OSError:
            stream.close()
            if interrupted(RETRY_S):
                return None
        else:
            stream.settimeout(ANSWER_LIMIT_S)
            return stream


def ask(stream: socket.socket, request: bytes, out: TextIO) -> str:
    """Send a request and keep the record of it; the answer. Raises OSError without a whole answer."""
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    stream.sendall(request)
    answer = b""
    while not answer.endswith(b"\n"):
        piece = stream.recv(1 << 16)
        if not piece:
            raise ConnectionError(f"the scheduler closed the connection after {len(answer)} bytes")
        answer += piece
    after_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    text = answer.decode("utf-8", "replace")
    record = {
        "t_sent_mono_ns": before_ns,
        "t_recv_mono_ns": after_ns,
        "sent": request.decode(),
        "recv": text,
    }
    out.write(json.dumps(record) + "\n")
    out.flush()
    return text


def is_good(answer: str) -> bool:
    """Whether an answer holds statistics and no error."""
    try:
        told = json.loads(answer)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("errno") == 0


def sample(stream: socket.socket, out: TextIO, interval_s: float) -> int:
    """Ask until SIGINT, once more then; the exit code."""
    ask(stream, META, out)
    first = ask(stream, STATS, out)
    if not is_good(first):
        print(f"no statistics: {first.strip()[:200]}", flush=True)
        return 1
    print("first answer", flush=True)
    due_s = time.monotonic()
    stop = False
    while not stop:
        # Missed moments are left out, not made up for.
        late = max(0.0, time.monotonic() - due_s) // interval_s
        due_s += interval_s * (1 + late)
        stop = interrupted(due_s - time.monotonic())
        ask(stream, STATS, out)
    return 0


def main(path: str, output: str, interval_ms: int) -> int:
    """Wait for the scheduler, then sample it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    stream = connect(path)
    if stream is None:
        print(f"nothing answered on {path}", flush=True)
        return 1
    with Path(output).open("w", encoding="utf-8") as out:
        try:
            return sample(stream, out, interval_ms / 1000)
        except OSError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
