# SPDX-License-Identifier: MIT
"""Tries many mutants of a capture in a process of their own, which may crash, hang or eat memory.

`python -m tests.mutants.run CAPTURE SOURCE SEED [COUNT]`, from the checkout's folder, is that process:
it tries COUNT mutants from SEED on and prints a line of JSON when it begins one and when it is done.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import selectors
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.captures import Capture
from tests.mutants.check import Subject
from tests.mutants.make import mutant

ROOT = Path(__file__).resolve().parents[2]
# Converting a capture of some megabytes takes well below a second; a busy machine is slower.
LIMIT_S = 60
# The first conversion imports, and compiles loops.
START_S = 240
# Captures are some megabytes at most, and no converter needs a hundred times its file.
MEMORY_BYTES = 600 << 20
KILL_BYTES = 3 << 30
MODULE = "tests.mutants.run"


@dataclass(frozen=True)
class Result:
    """How one mutant fared: refused, lossy, whole, or failed; `said` is the refusal or the failure."""

    seed: int
    made_by: str
    result: str
    said: str = ""
    seconds: float = 0.0
    events: int = 0


def replay(capture: Capture, seed: int) -> str:
    """The command that tries one mutant again."""
    path = capture.path.relative_to(ROOT)
    return f"PYTHONPATH=src python -m {MODULE} {path} {capture.source} {seed}"


def save(capture: Capture, seed: int, folder: Path) -> Path:
    """Keep a mutant's bytes in a folder; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{capture.source}-{capture.path.name}-{seed}"
    with tempfile.TemporaryDirectory() as work:
        subject = Subject(capture, Path(work) / "x")
        file.write_bytes(mutant(subject.original, seed).data)
    return file


def run(capture: Capture, first: int, count: int) -> Iterator[Result]:
    """Try mutants `first` to `first + count`, a result each; a process that ends is started anew."""
    seed = first
    while seed < first + count:
        for result in _child(capture, seed, first + count - seed):
            yield result
            seed = result.seed + 1


def _child(capture: Capture, first: int, count: int) -> Iterator[Result]:
    """Results of one process, until it is through or a mutant ended it."""
    command = [sys.executable, "-m", MODULE, str(capture.path), capture.source, str(first)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [*command, str(count)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert child.stdout is not None
        seed, limit_s, done = first, float(START_S), 0
        try:
            for line in _lines(child.stdout.fileno(), limit_s):
                if line is None:
                    yield Result(seed, "", "failed", f"no answer for {LIMIT_S} s")
                    return
                told = json.loads(line)
                if "result" in told:
                    done += 1
                    yield Result(**told)
                seed = told["seed"] + ("result" in told)
            if done < count:
                code = child.wait(LIMIT_S)
                errors.seek(0)
                tail = errors.read().decode("utf-8", "replace").strip()[-600:]
                yield Result(seed, "", "failed", f"the process ended with {code}: {tail}")
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def _lines(descriptor: int, first_s: float) -> Iterator[bytes | None]:
    """Lines as they come; None when none came in time."""
    limit_s, rest = first_s, b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(limit_s):
                yield None
                return
            data = os.read(descriptor, 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from whole
            limit_s = LIMIT_S


def _memory_bytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _try(subject: Subject, seed: int, again: bool) -> Result:
    made = mutant(subject.original, seed)
    # Resets VmHWM (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory_bytes("VmRSS")
    try:
        found = subject.attempt(made, again)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{Path(where.filename).name}:{where.lineno}"
        return Result(seed, made.made_by, "failed", f"{type(error).__name__}: {error} ({at})"[:600])
    grown = _memory_bytes("VmHWM") - before
    if grown > MEMORY_BYTES:
        return Result(seed, made.made_by, "failed", f"took {grown >> 20} MiB")
    return Result(seed, made.made_by, **asdict(found))


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("source")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, nargs="?", default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(Capture(args.source, args.capture.resolve()), Path(folder) / "x")
        assert subject.reference is not None
        limit = _memory_bytes("VmData") + KILL_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        for seed in range(args.seed, args.seed + args.count):
            print(json.dumps({"seed": seed}), flush=True)
            # The second conversion, with both files written, costs more than the first.
            result = _try(subject, seed, again=args.count == 1 or seed % 8 == 0)
            print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
