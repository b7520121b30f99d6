# SPDX-License-Identifier: MIT
"""A cache between working folders, for what is provisioned and converted: same content in, same files out.

`python -m scxval.cache --inputs I... --outputs O... -- COMMAND` runs the command, or takes its outputs from
the folder that SCXVAL_CACHE names. The key is the command itself, with inputs by their content and outputs by
their place, so that nothing which decides a result can be left out of it. Snakemake's own cache is not used:
its key has no wildcards, and stands for a trace by the recipe of the run that made it, so that two nights'
runs of one cell would share one table (docs/caching.md). A run is never cached: it is no function of files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from scxval.errors import ScxvalError
from scxval.files import read_record, sha256, write_json

SCHEMA = 1
FOLDER = "SCXVAL_CACHE"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Job:
    """A command with the files that it reads and writes; `code` is a digest of the program behind it.

    `also` are files that it reads if they are there.
    """

    command: tuple[str, ...]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    code: str = ""
    also: tuple[Path, ...] = ()

    def key(self) -> str:
        """What decides the outputs: the command, the content of what it reads, the outputs' places in it."""
        places = {str(path): f"<input {k}>" for k, path in enumerate(self.inputs)}
        places |= {str(path): f"<output {k}>" for k, path in enumerate(self.outputs)}
        asked = {
            "schema": SCHEMA,
            # It writes the tables: another version may write other bytes.
            "pyarrow": version("pyarrow"),
            "code": self.code,
            "command": [places.get(word, word) for word in self.command],
            "outputs": [path.name for path in self.outputs],
            "inputs": [content(path) for path in self.inputs],
            "also": [content(path) if path.exists() else None for path in self.also],
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def content(path: Path) -> str:
    """Digest of a file, or of all files of a folder with their names below it. Raises OSError."""
    if not path.is_dir():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    named = [[file.relative_to(path).as_posix(), sha256(file)] for file in files]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def cached(job: Job, cache: Path | None) -> tuple[int, str]:
    """Make the outputs of a job, from the cache or by its command; the exit status, and what was done.

    An entry that is damaged is removed and made anew. A cache that cannot be written costs a line, not the
    outputs.
    """
    if cache is None:
        return subprocess.run(job.command, check=False).returncode, ""
    entry = entry_of(cache, job.key())
    said = ""
    if entry.exists():
        try:
            restore(entry, job.outputs)
            return 0, f"cache: taken from {entry}"
        except (ScxvalError, OSError) as error:
            shutil.rmtree(entry, ignore_errors=True)
            said = f"cache: {error}: entry removed, made anew; "
    status = subprocess.run(job.command, check=False).returncode
    if status:
        return status, f"{said}cache: not kept, the command failed"
    try:
        keep(entry, job)
    except OSError as error:
        return 0, f"{said}cache: cannot keep {entry}: {error}"
    return 0, f"{said}cache: kept as {entry}"


def entry_of(cache: Path, key: str) -> Path:
    """The folder of a key."""
    return cache / key[:2] / key


def keep(entry: Path, job: Job) -> None:
    """Copy a job's outputs into an entry, which appears whole or not at all. Raises OSError."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=entry.parent))
    try:
        files = []
        for number, path in enumerate(job.outputs):
            shutil.copy(path, part / str(number))
            files.append({"name": path.name, "sha256": sha256(part / str(number))})
        write_json(part / MANIFEST, {"schema": SCHEMA, "files": files, "command": job.command})
        # mkdtemp's is for one user only.
        part.chmod(0o755)
        part.rename(entry)
    except OSError:
        # Another job that made the same was first: what is there is as good.
        if not entry.exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def restore(entry: Path, outputs: Sequence[Path]) -> None:
    """Copy an entry's files to the outputs, each checked against its digest before any takes its place.

    Raises ScxvalError for an entry that is not what its manifest says, OSError for a full disk.
    """
    record = read_record(entry / MANIFEST, "manifest of the cache")
    try:
        files = [(str(one["name"]), str(one["sha256"])) for one in record["files"]]
    except (KeyError, TypeError) as error:
        raise ScxvalError(f"{entry / MANIFEST}: not a manifest of the cache: {error!r}") from error
    if [name for name, _ in files] != [path.name for path in outputs]:
        raise ScxvalError(f"{entry}: has other files than are asked for")
    parts = [path.with_name(f".{path.name}.part") for path in outputs]
    try:
        for number, (part, (name, digest)) in enumerate(zip(parts, files, strict=True)):
            part.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(entry / str(number), part)
            if sha256(part) != digest:
                raise ScxvalError(f"{entry}: {name} is damaged")
        for part, path in zip(parts, outputs, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    # When it was used last, for `scxval cache prune`.
    os.utime(entry)


def entries(cache: Path) -> Iterator[tuple[Path, int, float]]:
    """Every entry with its bytes and the days since it was used last."""
    now = time.time()
    for manifest in sorted(cache.glob(f"??/*/{MANIFEST}")):
        entry = manifest.parent
        size = sum(file.stat().st_size for file in entry.iterdir())
        yield entry, size, (now - entry.stat().st_mtime) / 86400


def prune(cache: Path, days: float) -> tuple[int, int]:
    """Remove entries that were not used for so many days; how many, and their bytes."""
    old = [(entry, size) for entry, size, unused in entries(cache) if unused > days]
    for entry, _ in old:
        shutil.rmtree(entry)
    return len(old), sum(size for _, size in old)


def folder() -> Path | None:
    """The folder that SCXVAL_CACHE names; None without one."""
    name = os.environ.get(FOLDER, "")
    return Path(name).expanduser() if name else None


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of rules; the command's own exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="python -m scxval.cache", description=__doc__)
    parser.add_argument("--inputs", type=Path, nargs="*", default=[])
    parser.add_argument("--outputs", type=Path, nargs="+", required=True)
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="read if they are there")
    parser.add_argument("--code", default="", help="digest of the program's files")
    args = parser.parse_args(words[:at])
    if not words[at + 1 :]:
        parser.error("no command after --")
    job = Job(
        tuple(words[at + 1 :]), tuple(args.inputs), tuple(args.outputs), args.code, tuple(args.also)
    )
    status, said = cached(job, folder())
    if said:
        print(said, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
