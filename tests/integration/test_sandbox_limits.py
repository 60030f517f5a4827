"""Resource bombs in a sandbox end at its limits, and leave the host what it had."""

import pytest

import cgroups
from test_sandbox import sandbox

pytestmark = [pytest.mark.machine("uml", "vm"), pytest.mark.place("session"),
              pytest.mark.modes("user", "root")]
MIB = 1 << 20

# Each prints how far it came, and what stopped it.
FORK_BOMB = """
import os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
    print(made, "unstopped", flush=True)
except OSError as error:
    print(made, error.errno, flush=True)
"""
MEMORY_BOMB = """
print("begun", flush=True)
kept = [b"x" * (1 << 20) for _ in range(256)]
print("unstopped", flush=True)
"""
FILE_BOMB = """
import os
opened = 0
try:
    while opened < 5000:
        os.dup(0)
        opened += 1
    print(opened, "unstopped")
except OSError as error:
    print(opened, error.errno)
"""
# Of memory that files on a tmpfs take.
TMPFS_BOMB = """
with open("/tmp/big", "wb", 0) as file:
    print("begun", flush=True)
    for _ in range(256):
        file.write(b"x" * (1 << 20))
print("unstopped", flush=True)
"""


def python(box, program, *options, rc=0):
    result = sandbox(box, *options, command=("/usr/bin/python3", "-c", program))
    assert result.rc == rc, result
    return result


def test_a_fork_bomb_ends_at_the_limit_of_processes(box):
    cgroups.require_files(["pids.max"])
    made, why = python(box, FORK_BOMB, "--pids", "20").out.split()
    assert why == "11" and 10 <= int(made) < 20


@pytest.mark.parametrize("bomb", [MEMORY_BOMB, TMPFS_BOMB], ids=["memory", "tmpfs"])
def test_a_memory_bomb_is_killed_at_the_limit_of_memory(box, bomb):
    cgroups.require_files(["memory.max"])
    result = python(box, bomb, "--memory", "48M", rc=137)
    assert "begun" in result.out and "unstopped" not in result.out


def test_a_bomb_of_descriptors_ends_at_the_limit_of_files(box):
    opened, why = python(box, FILE_BOMB, "--nofile", "64").out.split()
    assert why == "24" and int(opened) <= 61


def test_the_limits_are_those_of_the_cgroup(box):
    cgroups.require_files(["memory.max", "pids.max"])
    result = sandbox(box, "--memory", "48M", "--pids", "20", command=(
        "sh", "-c", "cd /sys/fs/cgroup && cat memory.max pids.max memory.swap.max"))
    assert result.rc == 0 and result.out.split() == [str(48 * MIB), "20", "0"], result.out
