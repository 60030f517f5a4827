"""A place in memory for what tests make and remove, which on a disk is a third of their time."""

import os
import platform
import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

NEEDED_MIB = 4096
# From here on a tmpfs has what file systems on disks have: extended attributes of users (6.6),
# mounts with other ids (6.3).
LINUX = (6, 6)


def _is_possible():
    release = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
    memory = re.search(r"^MemAvailable: *(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"), re.M)
    return os.geteuid() == 0 and release >= LINUX and memory and int(memory[1]) >= NEEDED_MIB * 1024


@contextmanager
def place():
    """A new directory on a tmpfs, gone afterwards with all that is in it; None where that cannot be."""
    if not _is_possible():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="coracle-memory-") as directory:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777,nr_inodes=0", "tests", directory],
                                 check=False, capture_output=True).returncode == 0
        try:
            yield directory if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", directory], check=True)
