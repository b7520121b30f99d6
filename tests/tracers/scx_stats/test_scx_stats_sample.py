# SPDX-License-Identifier: MIT
"""The sampler as it runs in a guest, against a socket that gives a real scheduler's recorded answers.

Real schedulers are asked in tests/vm/test_several_tracers.py.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scxval.errors import ScxvalError
from scxval.tracers.scx_stats import RAW_FILE, command
from scxval.tracers.scx_stats.convert import convert

from ...processes import wait_for

FIXTURES = Path(__file__).parents[2] / "fixtures/stats-rusty"
META, *STATS = (FIXTURES / "scx_stats.raw.ndjson").read_bytes().splitlines(keepends=True)[:13]
SAMPLER = Path(sys.modules["scxval.tracers.scx_stats"].__file__ or "").with_name("sample.py")
Answer = Callable[[socket.socket, int], bool]


def recorded(stream: socket.socket, number: int) -> bool:
    """The recorded answers over and over, in two pieces each."""
    answer = STATS[number % len(STATS)]
    stream.sendall(answer[:100])
    stream.sendall(answer[100:])
    return True


class Scheduler:
    """Listens on a socket as scx_stats does: one JSON object a line each way; `requests` is what came."""

    def __init__(self, path: Path, answer: Answer = recorded) -> None:
        self.path = path
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            number = 0
            with stream, stream.makefile("rb") as lines:
                for line in lines:
                    self.requests.append(line)
                    if json.loads(line)["req"] == "stats_meta":
                        stream.sendall(META)
                    elif self.answer(stream, number):
                        number += 1
                    else:
                        break


class Sampler:
    """sample.py as a process, its log in a file as in a guest."""

    def __init__(self, folder: Path, interval_ms: int = 50) -> None:
        self.folder = folder
        self.output = folder / RAW_FILE
        argv = [sys.executable, str(SAMPLER), str(folder / "stats"), str(self.output)]
        with (folder / "tracer.log").open("wb") as log:
            self.process = subprocess.Popen([*argv, str(interval_ms)], stdout=log, stderr=log)

    @property
    def log(self) -> str:
        return (self.folder / "tracer.log").read_text()

    def wait_ready(self) -> None:
        assert wait_for(lambda: "first answer\n" in self.log, 20), self.log

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sampler]]:
    started = []

    def begin(interval_ms: int = 50) -> Sampler:
        started.append(Sampler(tmp_path, interval_ms))
        return started[-1]

    yield begin
    for sampler in started:
        sampler.process.kill()
        sampler.process.wait()


def test_one_connection_at_an_interval(tmp_path: Path, start: Callable[..., Sampler]) -> None:
    scheduler = Scheduler(tmp_path / "stats")
    before_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    sampler = start(100)
    sampler.wait_ready()
    time.sleep(1)
    assert sampler.stop() == 0
    after_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert scheduler.connections == 1
    assert scheduler.requests[0] == b'{"req":"stats_meta"}\n'
    assert set(scheduler.requests[1:]) == {b'{"req":"stats","args":{"target":"top"}}\n'}
    result = convert(sampler.output)
    assert result.capability.unparsed == 0
    readings = len(scheduler.requests) - 1
    assert len(set(result.stats["seq"].to_pylist())) == readings
    # A busy machine may make it fewer, nothing makes it more.
    assert 4 <= readings <= 14
    times = result.stats["time_ns"].to_pylist()
    assert before_ns < times[0] < times[-1] < after_ns
    for line, sent in zip(sampler.output.read_text().splitlines(), scheduler.requests, strict=True):
        sample = json.loads(line)
        assert sample["sent"].encode() == sent
        assert sample["recv"].encode() in (META, *STATS)


def test_it_waits_for_a_scheduler_that_listens(
    tmp_path: Path, start: Callable[..., Sampler]
) -> None:
    """An earlier scheduler's socket is still there, and nobody behind it."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "stats"))
    left.close()
    sampler = start()
    time.sleep(0.5)
    assert sampler.process.poll() is None
    assert sampler.log == ""
    (tmp_path / "stats").unlink()
    Scheduler(tmp_path / "stats")
    sampler.wait_ready()
    assert sampler.stop() == 0


def test_stopped_while_it_waits(tmp_path: Path, start: Callable[..., Sampler]) -> None:
    sampler = start()
    # The signal is blocked once the interpreter is there: a second is not needed then.
    time.sleep(2)
    assert sampler.stop() == 1
    assert sampler.log == f"nothing answered on {tmp_path / 'stats'}\n"


def refuse(stream: socket.socket, _: int) -> bool:
    stream.sendall(b'{"errno":22,"args":{"resp":"Invalid argument (os error 22)"}}\n')
    return True


def cut(stream: socket.socket, number: int) -> bool:
    """Two whole answers, then the scheduler is gone in the middle of one."""
    stream.sendall(STATS[number] if number < 2 else STATS[number][:50])
    return number < 2


def test_a_scheduler_that_refuses_is_no_success(
    tmp_path: Path, start: Callable[..., Sampler]
) -> None:
    Scheduler(tmp_path / "stats", refuse)
    sampler = start()
    assert sampler.process.wait(20) == 1
    assert sampler.log.startswith('no statistics: {"errno":22,')


def test_a_scheduler_that_goes_away(tmp_path: Path, start: Callable[..., Sampler]) -> None:
    Scheduler(tmp_path / "stats", cut)
    sampler = start()
    assert sampler.process.wait(20) == 1
    assert "closed the connection after 50 bytes" in sampler.log
    assert len(set(convert(sampler.output).stats["seq"].to_pylist())) == 2


def sometimes(stream: socket.socket, number: int) -> bool:
    return refuse(stream, number) if number % 2 else recorded(stream, number)


def test_a_refused_answer_later_is_kept_and_counted(
    tmp_path: Path, start: Callable[..., Sampler]
) -> None:
    scheduler = Scheduler(tmp_path / "stats", sometimes)
    sampler = start(20)
    sampler.wait_ready()
    assert wait_for(lambda: len(scheduler.requests) > 6, 20)
    assert sampler.stop() == 0
    result = convert(sampler.output)
    readings = len(scheduler.requests) - 1
    assert result.capability.unparsed == readings // 2
    assert result.stats["window_ns"].null_count == result.stats.num_rows


def test_command() -> None:
    made = command({"interval_ms": 250}, frozenset())
    assert made.argv[-3:] == ["/var/run/scx/root/stats", "{raw}/scx_stats.ndjson", "250"]
    assert made.files == {"sample.py": SAMPLER.read_text()}
    assert command({}, frozenset()).argv[-1] == "500"
    # The guest's Python has no package of ours on its path.
    assert "scxval" not in made.files["sample.py"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"interval": 1}, "unknown option of tracer scx-stats 'interval'; did you mean"),
        ({"interval_ms": 9}, "interval_ms is 9; expected 10 to 60000"),
        ({"interval_ms": True}, "interval_ms is True"),
        ({"interval_ms": "500"}, "interval_ms is '500'"),
    ],
)
def test_bad_options(options: dict[str, int | str | bool], says: str) -> None:
    with pytest.raises(ScxvalError) as caught:
        command(options, frozenset())
    assert says in str(caught.value)
