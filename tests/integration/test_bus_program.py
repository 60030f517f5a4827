"""coracle-bus, the program that speaks with systemd: what it is given, and what befalls it."""

import json
import os
import re
import subprocess
import sys

import pytest

import bus_proxy
import cgroups
import machines
from harness import BUILD

pytestmark = pytest.mark.machine("systemd")


# ---- the host has no use for it


def find_library(how, pattern):
    text = subprocess.run(how, check=True, text=True, stdout=subprocess.PIPE).stdout
    return os.path.realpath(re.search(pattern, text)[1])


# What is missing: where it is, and what the runtime, which is static, says of it.
MISSING = {
    "libsystemd": (["/sbin/ldconfig", "-p"], r"libsystemd\.so\.0 .*=> (\S+)",
                   "a systemd cgroup needs libsystemd: ", "install libsystemd0"),
    "loader": (["ldd", "/bin/true"], r"(/\S*/ld-linux\S*)",
               "it needs the host's dynamic loader", "coracle-bus"),
    "libc": (["ldd", "/bin/true"], r"libc\.so\.6 => (\S+)",
             "it needs the host's dynamic loader", "coracle-bus"),
}


@pytest.fixture(params=MISSING)
def missing(box, request):
    """An empty file stands for a library that is not there, too old, or of another kind: what is
    said of it."""
    how, pattern, *says = MISSING[request.param]
    empty = os.path.join(box.dir, "empty")
    open(empty, "w", encoding="ascii").close()
    hide = f"mount --bind {empty} {find_library(how, pattern)} && exec \"$@\""
    box.runtime.prefix[:0] = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide,
                              "sh"]
    return says


@pytest.mark.modes("root")
def test_without_it_a_limit_is_an_error(box, missing):
    bundle = box.bundle("pause", edit=cgroups.limited(pids={"limit": 50}))
    result = box.call("create", "--bundle", bundle.path, box.new_id(), options=["-s"])
    assert result.rc == 1, result
    last = result.err.splitlines()[-1]  # of the loader itself there may be some before
    assert last.startswith("coracle: ") and last.endswith("give --cgroup-manager=cgroupfs"), result
    assert all(text in last for text in missing), result
    assert cgroups.units(box) == []


@pytest.mark.modes("root")
def test_without_it_a_container_that_can_do_without_says_why(box, missing):
    container = box.create("pause")
    degradations = box.state(container.id)["degradations"]
    assert any(missing[0] in text for text in degradations), degradations
    assert cgroups.units(box) == []


@pytest.mark.modes("root")
def test_without_it_doctor_says_so(box, missing):
    report = json.loads(box.must("doctor", "--json").out)
    found = next(finding for finding in report["findings"] if finding["name"] == "systemd")
    assert found["health"] == "missing"
    assert missing[0] in found["cure"]


@pytest.mark.parametrize("refusal", ["ENOSYS:memfd_create", "EPERM:memfd_create", "ENOSYS:close_range"])
def test_where_a_memory_file_is_refused_it_is_had_elsewhere(box, refusal):
    box.runtime.prefix[:0] = [os.path.join(BUILD, "tests/guest/coracle-refuse"), refusal, "--"]
    container = box.create("pause", before=["-s"])
    assert cgroups.path_of(container) == cgroups.scope_of(box, f"coracle-{container.id}")
    box.must("delete", "--force", container.id)
    assert cgroups.units(box) == []


def least_memory(box):
    """KiB of address space that suffice to say the version."""
    enough = next((size for size in range(1000, 64000, 250)
                   if box.call("--version", wrap=["prlimit", f"--as={size << 10}"]).rc == 0), None)
    assert enough, "no limit suffices"
    return enough


@pytest.mark.modes("user", "root")
def test_with_little_memory_a_creation_ends_with_a_sentence_and_leaves_nothing(box):
    bundle = box.bundle("pause")
    least, went = least_memory(box), []
    for size in range(least, least + 4000, 200):
        name = box.new_id()
        result = box.call("create", "--bundle", bundle.path, name, options=["-s"],
                          wrap=["prlimit", f"--as={size << 10}"])
        went.append(result.rc)
        assert result.rc in (0, 1), (size, result)
        assert result.rc == 0 or result.err.splitlines()[-1].startswith("coracle: "), (size, result)
        listed = box.must("list", "--quiet").out.split()
        assert listed == ([name] if result.rc == 0 else []), (size, result)
        if result.rc == 0:
            box.must("delete", "--force", name)
    assert went[0] != 0, "the least was no want of memory"
    assert cgroups.units(box) == []


# ---- between it and systemd


@pytest.fixture
def proxy(box, request):
    """(the environment that leads to the proxy, what it has seen)."""
    runtime = box.directory("runtime", 0o700)
    real = f"{box.runtime.env['XDG_RUNTIME_DIR']}/bus"
    seen = os.path.join(runtime, "seen")
    command = [*machines.as_user(box.host_uid), sys.executable, bus_proxy.__file__,
               f"{runtime}/bus", real, request.param, seen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"

        def read_seen():
            with open(seen, encoding="utf-8") as file:
                return json.load(file)

        yield dict(box.runtime.env, XDG_RUNTIME_DIR=runtime), read_seen
        process.kill()


@pytest.mark.modes("user")
@pytest.mark.parametrize("proxy", ["pass"], indirect=True)
def test_it_has_nothing_of_the_callers(box, proxy):
    env, read_seen = proxy
    env["SECRET"] = "of the caller"
    # Among what it passes on to the container there is a file.
    box.create("pause", before=["-s"], options=["--preserve-fds=1"], env=env,
               wrap=["sh", "-c", "exec \"$@\" 3</etc/passwd", "sh"])
    seen = read_seen()
    assert seen["name"] == "coracle-bus"
    assert seen["environment"] == ""
    files = [path for fd, path in seen["files"].items() if int(fd) > 2]
    assert all(path.startswith(("socket:", "anon_inode:")) for path in files), files


@pytest.mark.modes("user")
@pytest.mark.parametrize("proxy", ["lose", "kill"], indirect=True)
def test_a_scope_whose_answer_is_lost_is_the_containers(box, proxy):
    env, _ = proxy
    container = box.create("pause", before=["-s"], env=env)
    path = cgroups.scope_of(box, f"coracle-{container.id}")
    assert cgroups.path_of(container) == path == cgroups.of(container.pid)
    box.must("delete", "--force", container.id, env=env)
    assert cgroups.units(box) == []


@pytest.mark.modes("user")
@pytest.mark.parametrize("proxy", ["refuse"], indirect=True)
def test_a_connection_that_ends_before_the_scope_is_an_error_where_limits_are_asked(box, proxy):
    env, _ = proxy
    bundle = box.bundle("pause", edit=cgroups.limited(pids={"limit": 50}))
    name = box.new_id()
    box.fails("create", "--bundle", bundle.path, name, options=["-s"], env=env,
              says=[f"coracle-{name}.scope"])
    assert cgroups.units(box) == []
    assert box.must("list", "--quiet").out == ""


@pytest.mark.modes("user")
@pytest.mark.parametrize("proxy", ["refuse"], indirect=True)
def test_a_connection_that_ends_before_the_scope_is_said_where_none_are(box, proxy):
    env, _ = proxy
    container = box.create("pause", env=env)
    assert box.state(container.id)["cgroup"].startswith("none: ")
    assert cgroups.units(box) == []
