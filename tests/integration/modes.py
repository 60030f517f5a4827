"""As whom a runtime is run: `root`, a plain `user`, or `userns-root`, which is root of a user
namespace that maps one id and a range, as a rootless engine makes it with newuidmap."""

import os
import subprocess

import machines

ALL = ("user", "root", "userns-root")
if machines.NATIVE:
    # Of this process alone, so that what belongs to a test is known by it.
    TEST_UID = int(os.environ.get("CORACLE_TEST_UID", str(47200 + os.getpid() % 5000)))
    NAMESPACE_UID = TEST_UID + 5000
    FIRST_SUBID = 1000000 + (NAMESPACE_UID % 10000) * 65536
else:
    TEST_UID = NAMESPACE_UID = machines.USERS["tester"]
    FIRST_SUBID = machines.FIRST_SUBID
SUBIDS = 65535
_holder = None


def namespace_map():
    """[(id inside, id of the host, size)]"""
    return [(0, NAMESPACE_UID, 1), (1, FIRST_SUBID, SUBIDS)]


def holder(guest):
    """The process that keeps the user namespace of the mode userns-root; one for the session."""
    global _holder
    if _holder is None:
        _holder = subprocess.Popen([guest, "hold-user-namespace", str(NAMESPACE_UID)], cwd="/",
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert _holder.stdout.readline() == b"ready\n"
        text = "".join(f"{inside} {outside} {size}\n" for inside, outside, size in namespace_map())
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{_holder.pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
    return _holder.pid


def end_holder():
    global _holder
    if _holder is not None:
        _holder.kill()
        _holder.wait()
        _holder.stdout.close()
        _holder = None


def become(mode, guest, uid):
    """What stands before a command line to run it in `mode`."""
    if os.geteuid() != 0 or mode == "root":
        return []
    if mode == "userns-root":
        return [guest, "enter", str(holder(guest))]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
