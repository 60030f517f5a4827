"""The session keyring of a container: keyrings(7), session-keyring(7)."""

import subprocess
import sys
import threading

import pytest

CALLS = """import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
user = int(sys.argv[1])
if user != os.getuid():
    os.setgroups([]); os.setgid(user); os.setuid(user)
def keyring(name, place):
    return libc.syscall(248, b"keyring", name.encode(), None, 0, place)
"""
USER_KEYRING, PROCESS_KEYRING = -4, -2


def as_user(uid, code, *words):
    """Python code that may use CALLS, as that user; its standard output."""
    return subprocess.Popen([sys.executable, "-c", CALLS + code, str(uid), *map(str, words)],
                            stdout=subprocess.PIPE, stdin=subprocess.PIPE)


def said_by(process):
    return process.communicate()[0].decode().strip()


@pytest.mark.machine("native")  # a service of systemd has no way to another user's keyring
@pytest.mark.modes("root")
def test_one_that_another_user_has_planted_is_not_joined(box):
    """Names of keyrings are shared by the users of a user namespace."""
    name = box.new_id()
    plant = (f"key = keyring(sys.argv[2], {USER_KEYRING})\n"
             "assert key > 0 and libc.syscall(250, 5, key, 0x3f3f3f3f) == 0\n"
             "print(key)\n")
    key = int(said_by(as_user(47311, plant, f"_ses.{name}")))
    try:
        box.must("create", "--bundle", box.bundle("pause").path, name)
        assert any("keyring" in text for text in box.state(name)["degradations"])
        with open("/proc/keys", encoding="utf-8") as file:
            line = next(line for line in file if line.startswith(f"{key & 0xffffffff:08x}"))
        assert " 3f3f3f3f " in line, "it was changed"
    finally:
        said_by(as_user(47311, f"libc.syscall(250, 9, int(sys.argv[2]), {USER_KEYRING})\n", key))


class Hoarder:
    """Holds all the keys that the user may have, until it has been told to end for `seconds`."""

    CODE = (f"def fill(): return keyring(f'hoard{{time.monotonic()}}', {PROCESS_KEYRING}) > 0\n"
            "while fill():\n"
            "    while fill(): pass\n"
            "    time.sleep(0.2)\n"  # others that have ended may still be collected
            "print('full', flush=True)\n"
            "sys.stdin.readline(); time.sleep(float(sys.argv[2]))\n")

    def __init__(self, uid, seconds):
        self.process = as_user(uid, self.CODE, seconds)
        assert self.process.stdout.readline() == b"full\n"

    def end(self):
        """It ends by and by, and is reaped: who is dead only still counts."""
        self.process.stdin.close()
        threading.Thread(target=self.process.wait).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.mark.machine("native")
@pytest.mark.modes("user")
def test_a_quota_that_is_full_for_a_moment_is_waited_for(box):
    """Keyrings of containers that have ended count until the kernel has collected them."""
    with Hoarder(box.uid, 0.2) as hoarder:
        hoarder.end()
        assert box.run(box.bundle("exit", "0")).rc == 0


@pytest.mark.machine("native")
@pytest.mark.modes("user")
def test_a_quota_that_stays_full_is_an_error(box):
    with Hoarder(box.uid, 60):
        box.fails("create", "--bundle", box.bundle("pause").path, box.new_id(),
                  says=["session keyring", "kernel.keys.maxkeys", "--no-new-keyring",
                        "disk quota exceeded"])
        assert box.run(box.bundle("exit", "0"), "--no-new-keyring").rc == 0
