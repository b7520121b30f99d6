# SPDX-License-Identifier: MIT
"""Makes what a guest left in its output folder safe to read: plain files and folders, nothing else.

A guest is root inside, and its 9p share makes what it asks for: symbolic links to host paths, pipes, and,
when QEMU runs as root, device nodes and setuid files. Nothing on the host may open one of those: a link
named job.json would have the harness write through it.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from scxval.errors import HarnessError

# rt-app's logs are the deepest that a job makes: one.
DEPTH = 16
# A file that is larger than this and nearly all holes is only there to be read for hours.
SPARSE_BYTES = 1 << 30
SPARSE_RATIO = 64


def keep_plain_files(folder: Path) -> list[str]:
    """Remove all but plain files and folders below `folder`; one line for each that was removed.

    What stays belongs to this user, is readable and has no special bits. Only for a folder that no guest
    uses any more. Raises HarnessError for folders nested so deeply that nobody could remove them safely.
    """
    removed = []
    for here, folders, files, at in os.fwalk(folder):
        inside = Path(here).relative_to(folder)
        if len(inside.parts) > DEPTH:
            raise HarnessError(f"the guest left folders nested deeper than {DEPTH} in {folder}")
        for name in [*folders, *files]:
            info = os.stat(name, dir_fd=at, follow_symlinks=False)
            is_folder = stat.S_ISDIR(info.st_mode)
            why = refusal(name, info)
            if not why:
                _own(name, info, at)
                continue
            removed.append(f"removed {str(inside / name)!r}: {why}")
            if is_folder:
                shutil.rmtree(name, dir_fd=at)
            else:
                os.unlink(name, dir_fd=at)
            if name in folders:
                folders.remove(name)
    return removed


def refusal(name: str, info: os.stat_result) -> str:
    """Why an entry may not stay; "" when it may."""
    if not name.isprintable():
        return "its name is not printable"
    if stat.S_ISDIR(info.st_mode):
        return ""
    if not stat.S_ISREG(info.st_mode):
        return f"not a plain file ({stat.filemode(info.st_mode)})"
    if info.st_size > max(SPARSE_BYTES, SPARSE_RATIO * 512 * info.st_blocks):
        return f"{info.st_size} bytes, nearly all of them a hole"
    return ""


def _own(name: str, info: os.stat_result, at: int) -> None:
    """Give a plain file or folder to this user, without special bits."""
    if (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
        os.chown(name, os.geteuid(), os.getegid(), dir_fd=at, follow_symlinks=False)
    wanted = 0o755 if stat.S_ISDIR(info.st_mode) else 0o644
    if stat.S_IMODE(info.st_mode) != wanted:
        os.chmod(name, wanted, dir_fd=at)
