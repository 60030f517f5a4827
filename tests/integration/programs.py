"""Files that look like programs, for the tests of what is said when they cannot be executed."""

import os
import platform
import struct

MACHINES = {"x86_64": 62, "aarch64": 183, "riscv64": 243, "ppc64le": 21, "s390x": 22}
NATIVE = MACHINES[platform.machine()]
FOREIGN = ("aarch64", 183) if platform.machine() == "x86_64" else ("x86_64", 62)
EXECUTABLE, OBJECT = 2, 1
PT_LOAD, PT_INTERP = 1, 3


def elf(machine=NATIVE, kind=EXECUTABLE, loader=None, order="<"):
    """A 64-bit ELF file that the kernel takes up to its loader, or up to its machine."""
    headers = []
    name = (loader or "").encode() + b"\0"
    start = 64 + 56 * 2
    headers.append(struct.pack(order + "IIQQQQQQ", PT_LOAD, 5, 0, 0x400000, 0x400000,
                               start + len(name), start + len(name), 0x1000))
    if loader:
        headers.append(struct.pack(order + "IIQQQQQQ", PT_INTERP, 4, start, 0x400000 + start,
                                   0x400000 + start, len(name), len(name), 1))
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    head = ident + struct.pack(order + "HHIQQQIHHHHHH", kind, machine, 1, 0x400000, 64, 0, 0,
                               64, 56, len(headers), 0, 0, 0)
    return (head + b"".join(headers)).ljust(start, b"\0") + name


def elf32(machine=3, kind=EXECUTABLE):
    """The head of a 32-bit ELF file, of i386 unless told."""
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHIIIIIHHHHHH", kind, machine, 1, 0, 52, 0, 0, 52, 32, 0, 0, 0, 0)


def own(path, owner):
    if os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)
