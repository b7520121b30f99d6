# SPDX-License-Identifier: MIT
"""Runs in the guest: `recorder.py FILE KIB SYSTEM/EVENT...` traces events until SIGINT, then saves all.

It makes a tracing instance, says "ftrace: recording", and sleeps. On SIGINT it turns tracing off and
writes one ustar file: each CPU's ring-buffer pages as they are, and what is needed to read them.
Of the standard library only what the interpreter holds anyway is imported: every other module would
cost an emulated guest some 50 ms.
"""

import os
import sys
from _signal import SIG_BLOCK, SIGINT, SIGTERM, pthread_sigmask, sigwait  # type: ignore[import-not-found]

TRACEFS = "/sys/kernel/tracing"
INSTANCE = f"{TRACEFS}/instances/scxval"
SIZE = f"{TRACEFS}/saved_cmdlines_size"
# The kernel remembers 128 names by default. All of a table are found in the records, but for those of
# tasks that never switched.
CMDLINES = 8192
BLOCK = 512


def read(path: str) -> bytes:
    """All of a small file."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def write(path: str, text: str) -> None:
    """Write a setting."""
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


def start(kib: str, events: list[str]) -> str:
    """Set the instance up and turn tracing on; how many names the kernel remembered before."""
    if not os.path.isdir(f"{TRACEFS}/events"):  # noqa: PTH112
        os.spawnvp(os.P_WAIT, "mount", ["mount", "-t", "tracefs", "nodev", TRACEFS])
    if os.path.isdir(INSTANCE):  # noqa: PTH112
        # A recorder that was killed left it.
        os.rmdir(INSTANCE)  # noqa: PTH106
    os.mkdir(INSTANCE)  # noqa: PTH102
    write(f"{INSTANCE}/tracing_on", "0")
    write(f"{INSTANCE}/trace_clock", "mono")
    write(f"{INSTANCE}/buffer_size_kb", kib)
    names = read(SIZE).decode()
    write(SIZE, str(CMDLINES))
    write(f"{INSTANCE}/options/record-tgid", "1")
    for event in events:
        write(f"{INSTANCE}/events/{event}/enable", "1")
    write(f"{INSTANCE}/tracing_on", "1")
    return names


class Tar:
    """A ustar file, written member by member."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "wb")  # noqa: PTH123, SIM115

    def add(self, name: str, source: str) -> bytes:
        """Add a file of which no more than its text is wanted; the text."""
        text = read(source)
        self._head(name, len(text))
        self.file.write(text)
        self._fill(len(text))
        return text

    def add_pages(self, name: str, source: str, page: int) -> None:
        """Add all pages that there are to read; their number is known only afterwards."""
        place = self.file.tell()
        self._head(name, 0)
        size = 0
        pages = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
        try:
            while chunk := os.read(pages, page):
                self.file.write(chunk)
                size += len(chunk)
        except BlockingIOError:
            pass
        os.close(pages)
        self._fill(size)
        end = self.file.tell()
        self.file.seek(place)
        self._head(name, size)
        self.file.seek(end)

    def end(self) -> None:
        """Write what ends a tar file."""
        self.file.write(bytes(2 * BLOCK))
        self.file.close()

    def _head(self, name: str, size: int) -> None:
        head = bytearray(BLOCK)
        for at, text in (
            (0, name),
            (100, "0000644\0"),
            (108, "0000000\0"),
            (116, "0000000\0"),
            (124, f"{size:011o}\0"),
            (136, "00000000000\0"),
            (148, " " * 8),
            (156, "0"),
            (257, "ustar\00000"),
        ):
            head[at : at + len(text)] = text.encode()
        head[148:156] = f"{sum(head):06o}\0 ".encode()
        self.file.write(head)

    def _fill(self, size: int) -> None:
        self.file.write(bytes(-size % BLOCK))


def save(path: str, events: list[str]) -> int:
    """Write the file; how many events the kernel says were lost."""
    tar = Tar(path)
    # The first member is what the file is recognised by.
    tar.add("scxval-ftrace/trace_clock", f"{INSTANCE}/trace_clock")
    tar.add("scxval-ftrace/uname", "/proc/version")
    for name in ("header_page", "header_event"):
        tar.add(f"scxval-ftrace/events/{name}", f"{INSTANCE}/events/{name}")
    for event in events:
        tar.add(f"scxval-ftrace/events/{event}/format", f"{INSTANCE}/events/{event}/format")
    for name in ("saved_cmdlines", "saved_tgids"):
        tar.add(f"scxval-ftrace/{name}", f"{TRACEFS}/{name}")
    page = 4096
    if os.path.exists(f"{INSTANCE}/buffer_subbuf_size_kb"):  # noqa: PTH110
        page = 1024 * int(tar.add("scxval-ftrace/subbuf_kib", f"{INSTANCE}/buffer_subbuf_size_kb"))
    cpus = sorted(int(name[3:]) for name in os.listdir(f"{INSTANCE}/per_cpu"))  # noqa: PTH208
    lost = 0
    for cpu in cpus:
        stats = tar.add(f"scxval-ftrace/cpu{cpu}/stats", f"{INSTANCE}/per_cpu/cpu{cpu}/stats")
        for line in stats.decode().splitlines():
            name, _, value = line.partition(": ")
            if name in ("overrun", "commit overrun", "dropped events"):
                lost += int(value)
    for cpu in cpus:
        pages = f"{INSTANCE}/per_cpu/cpu{cpu}/trace_pipe_raw"
        tar.add_pages(f"scxval-ftrace/cpu{cpu}/pages", pages, page)
    tar.end()
    return lost


def main() -> None:
    """Trace until a signal, save, and leave the kernel as it was."""
    path, kib, *events = sys.argv[1:]
    pthread_sigmask(SIG_BLOCK, [SIGINT, SIGTERM])
    names = start(kib, events)
    print("ftrace: recording", flush=True)
    sigwait([SIGINT, SIGTERM])
    write(f"{INSTANCE}/tracing_on", "0")
    print(f"ftrace: {save(path, events)} events lost", flush=True)
    for event in events:
        write(f"{INSTANCE}/events/{event}/enable", "0")
    os.rmdir(INSTANCE)  # noqa: PTH106
    write(SIZE, names)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"ftrace: {error.filename}: {error.strerror}")
