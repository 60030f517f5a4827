"""Hosts that forbid something, made around one call: namespaces, chroots, seccomp filters."""

import contextlib
import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
UNSHARE = {"x86_64": 272, "aarch64": 97, "riscv64": 97, "ppc64le": 282, "s390x": 303}
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


@contextlib.contextmanager
def around(box, *wrap):
    """The runtime is called by the command `wrap`, as the user of the box."""
    before = box.runtime.prefix
    box.runtime.prefix = [*before[:-1], *wrap, before[-1]]
    try:
        yield
    finally:
        box.runtime.prefix = before


@contextlib.contextmanager
def beneath(box, *wrap):
    """The same, but `wrap` is still root where the tests are."""
    before = box.runtime.prefix
    box.runtime.prefix = [*wrap, *before]
    try:
        yield
    finally:
        box.runtime.prefix = before


def shell(commands):
    """The head of an argv that runs `commands`, then what follows."""
    return ["sh", "-c", f"set -e; {commands}; exec \"$@\"", "sh"]


def user_namespace(commands=":"):
    """Root of a user namespace of one's own, with a mount namespace."""
    return ["unshare", "--user", "--map-root-user", "--mount", *shell(commands)]


def nested(config, _=None):
    """For a bundle that is used by the root of such a user namespace."""
    for key in ("uidMappings", "gidMappings"):
        for entry in config["linux"].get(key, []):
            entry["hostID"] = 0


def no_unshare(flag):
    """A command line under which unshare(2) with `flag` is answered with EPERM."""
    return [sys.executable, os.path.abspath(__file__), str(flag)]


def install_filter(flag):
    load, equal, isset, answer = 0x20, 0x15, 0x45, 0x06
    program = [(load, 0, 0, 0), (equal, 0, 3, UNSHARE[platform.machine()]), (load, 0, 0, 16),
               (isset, 0, 1, flag), (answer, 0, 0, RET_ERRNO | 1), (answer, 0, 0, RET_ALLOW)]
    data = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(data, len(data))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    whole = Program(len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
       libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(whole)) != 0:
        raise SystemExit("no filter")


if __name__ == "__main__":
    install_filter(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
