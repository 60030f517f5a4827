"""The annotations org.coracle.*: walls behind those of the namespaces, and who dies with whom."""

import ctypes
import errno
import json
import os
import random
import signal
import socket
import time

import pytest

import bundles
import harness

pytestmark = pytest.mark.machine("native", "systemd")

LANDLOCK = "org.coracle.landlock"
NESTED = "org.coracle.nested-user-namespaces"
CORES = "org.coracle.core-scheduling"
DEATH = "org.coracle.parent-death-signal"
NEW_USER = "0x10000000"  # CLONE_NEWUSER

FILES = {"fs": [{"path": "/", "access": "ro"}, {"path": "/free", "access": "rw"},
                {"path": "/more", "access": "rw"}, {"path": "/one", "access": "rw"},
                {"path": "/dev/null", "access": "rw"}]}
by = pytest.mark.parametrize("by", ["run", "exec"])


def landlock_abi():
    """The version of this kernel's Landlock; 0 if there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, None, 0, 1))


def annotate(then=None, **annotations):
    """`landlock` is JSON, the others are as they are."""
    names = {"landlock": LANDLOCK, "nested": NESTED, "cores": CORES, "death": DEATH}

    def edit(config, bundle):
        config["annotations"] = {names[key]: value if isinstance(value, str) else json.dumps(value)
                                 for key, value in annotations.items()}
        if then:
            then(config, bundle)
    return edit


def furnish(config, bundle):
    for name in ("free", "more", "closed"):
        bundle.directory(name)
        bundle.file(f"{name}/file", "x")
    bundle.file("one", "x")
    bundle.symlink("link", "closed")


def without(*kinds):
    """The namespaces are the host's; proc and sysfs are not made without them."""
    def then(config, bundle):
        furnish(config, bundle)
        if kinds:
            bundles.drop_namespace(config, *kinds)
            bundles.remove_mount(config, "/proc", "/sys", "/sys/fs/cgroup")
            config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    return then


def own_users(config, bundle):
    """A user namespace of its own, whoever asks."""
    if any(n["type"] == "user" for n in config["linux"]["namespaces"]):
        return
    fresh = bundles.base_config(0, 0)
    config["mounts"], config["linux"] = fresh["mounts"], fresh["linux"]


def capable(*names):
    def then(config, bundle):
        furnish(config, bundle)
        for kind in ("bounding", "effective", "permitted"):
            config["process"]["capabilities"][kind] += names
    return then


def knock(box, by, edit, *probes):
    """The line that each probe, words of the guest, says in a container made with `edit`."""
    words = []
    for probe in probes:
        words += (["--"] if words else []) + probe.split()
    if by == "run":
        out = box.output("also", *words, edit=edit)
    else:
        out = box.must("exec", box.start("pause", edit=edit).id, "/bin/guest", "also", *words).out
    lines = [line.split()[-1] for line in out.splitlines() if line != "ready"]
    assert len(lines) == len(probes), out
    return dict(zip(probes, lines))


ASKED = {
    "try-open r /closed/file": "ok",
    "try-open w /closed/file": "EACCES",
    "try-open w /free/file": "ok",
    "try-open w /one": "ok",
    "try-file list /closed": "ok",
    "try-file truncate /closed/file": "EACCES",
    "try-file truncate /free/file": "ok",
    "try-file truncate /one": "ok",
    "try-file mkdir /closed/new": "EACCES",
    "try-file mkdir /free/new": "ok",
    "try-file unlink /closed/file": "EACCES",
    "try-file rename /closed/file /free/moved": "EACCES",
    "try-file rename /free/file /closed/moved": "EACCES",
    "try-file link /closed/file /free/linked": "EXDEV",  # it would gain rights
    "try-file rename /free/file /more/moved": "ok",
    "try-file symlink /closed /free/closed": "ok",
    "try-open w /free/closed/file": "EACCES",
    "try-file ioctl /dev/zero": "EACCES",
    "try-file ioctl /dev/null": "ok",
}


@by
def test_landlock_lets_nothing_be_done_but_what_the_rules_say(box, by):
    assert landlock_abi() >= 5
    got = knock(box, by, annotate(furnish, landlock=FILES), *ASKED)
    assert got == ASKED


def test_without_landlock_all_of_that_could_be_done(box):
    got = knock(box, "run", annotate(furnish), *ASKED)
    assert not {"EACCES", "EPERM", "EXDEV"} & set(got.values())


@by
def test_landlock_lets_no_file_system_be_mounted(box, by):
    """Else a mount over what a rule is for would undo it."""
    probe = "try-mount tmpfs /free tmpfs 0"
    edit = capable("CAP_SYS_ADMIN")
    assert knock(box, by, annotate(edit), probe) == {probe: "ok"}
    assert knock(box, by, annotate(edit, landlock=FILES), probe) == {probe: "EPERM"}


@by
@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("has_filter", [True, False])
def test_landlock_needs_neither_no_new_privileges_nor_the_filters_leave(box, by, no_new_privileges,
                                                                        has_filter):
    def then(config, bundle):
        furnish(config, bundle)
        config["process"]["noNewPrivileges"] = no_new_privileges
        if has_filter:  # it is applied before that
            config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["landlock_create_ruleset", "landlock_restrict_self"],
                 "action": "SCMP_ACT_KILL_PROCESS"}]}
    probe = "try-open w /closed/file"
    assert knock(box, by, annotate(then, landlock=FILES), probe) == {probe: "EACCES"}


def test_landlock_read_is_without_execution(box):
    def then(config, bundle):
        furnish(config, bundle)
        config["process"]["args"] = ["/bin/guest", "exit", "0"]
    look = {"fs": [{"path": "/", "access": "read"}]}
    result = box.run(box.bundle(edit=annotate(then, landlock=look)))
    assert result.rc == 1
    assert 'exec "/bin/guest": permission denied' in result.err and LANDLOCK in result.err
    look["fs"].append({"path": "/bin/guest", "access": "ro"})
    assert box.run(box.bundle(edit=annotate(then, landlock=look))).rc == 0


@by
def test_landlock_lets_only_the_ports_be_used(box, by):
    asked = {"try-port bind 8080": "ok", "try-port bind 8081": "EACCES",
             "try-port connect 9": "ECONNREFUSED", "try-port connect 8080": "EACCES"}
    edit = annotate(furnish, landlock={"net": {"bind": [8080], "connect": [9]}})
    assert knock(box, by, edit, *asked) == asked
    none = annotate(furnish, landlock={"net": {}})
    assert set(knock(box, by, none, *asked).values()) == {"EACCES"}
    assert "EACCES" not in knock(box, by, annotate(furnish), *asked).values()


@by
def test_landlock_scope_hides_abstract_sockets_of_the_host(box, by):
    name = f"walls-{os.getpid()}-{box.mark}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0" + name)
        server.listen(8)
        probe = f"try-abstract {name}"
        host = without("network")
        assert knock(box, by, annotate(host), probe) == {probe: "ok"}
        scope = {"scope": ["abstract-unix-socket"]}
        assert knock(box, by, annotate(host, landlock=scope), probe) == {probe: "EPERM"}


@by
def test_landlock_scope_lets_no_process_outside_be_signalled(box, by):
    host = without("pid")
    other = box.start("pause", edit=annotate(host))
    probe = f"try-kill {other.pid} 0"
    assert knock(box, by, annotate(host), probe) == {probe: "ok"}
    scope = {"scope": ["signal"]}
    assert knock(box, by, annotate(host, landlock=scope), probe) == {probe: "EPERM"}


def test_landlock_scope_of_exec_is_its_own(box):
    """No process can enter the domain of another: the container's first process is outside."""
    container = box.start("pause", edit=annotate(furnish, landlock={"scope": ["signal"]}))
    out = box.must("exec", container.id, "/bin/guest", "try-kill", "1", "0").out
    assert out == "EPERM\n"
    box.must("kill", container.id, "KILL")  # who runs it is not restricted
    container.wait_stopped()


def test_a_program_of_the_container_does_not_choose_what_exec_may_do(box):
    """A directory with a rule of its own becomes a link to one that must not be written."""
    rules = {"fs": FILES["fs"] + [{"path": "/free/own", "access": "rw"}]}

    def then(config, bundle):
        furnish(config, bundle)
        bundle.directory("free/own")
    container = box.start("pause", edit=annotate(then, landlock=rules))
    rootfs = container.bundle.rootfs
    box.must("exec", container.id, "/bin/guest", "try-file", "rename", "/free/own", "/free/old")
    os.symlink("/closed", f"{rootfs}/free/own")
    result = box.fails("exec", container.id, "/bin/guest", "touch", "/closed/made",
                       says=(LANDLOCK, "/free/own", "symbolic link"))
    assert result.rc == 255
    assert not os.path.exists(f"{rootfs}/closed/made")


@pytest.mark.parametrize("path, says", [
    ("/none", ("/none", "no such file")), ("/link", ("/link", "name what it leads to")),
    ("/one/below", ("/one/below", "not a directory")), ("none", ("/fs/0/path", "absolute"))])
def test_a_path_of_landlock_that_cannot_be_had_is_an_error(box, path, says):
    rules = {"fs": [{"path": path, "access": "rw"}]}
    made = box.bundle("pause", edit=annotate(furnish, landlock=rules))
    box.fails("create", "--bundle", made.path, box.new_id(), says=(LANDLOCK, *says))
    assert box.leavings() == []


@pytest.mark.parametrize("text", ["", "{}", '{"fs":1}', '{"fs":[{"path":"/"}]}', '{"file":[]}',
                                  '{"net":{"bind":[70000]}}', '{"scope":["all"]}'])
def test_what_is_no_landlock_annotation_is_refused(box, text):
    made = box.bundle("pause", edit=annotate(landlock=text))
    box.fails("create", "--bundle", made.path, box.new_id(), says=f"/annotations/{LANDLOCK}: ")
    assert box.leavings() == []


@by
def test_no_user_namespace_is_made_in_one_that_denies_it(box, by):
    probe = f"try-syscall unshare {NEW_USER}"
    assert knock(box, by, annotate(own_users), probe) == {probe: "ok"}
    assert knock(box, by, annotate(own_users, nested="deny"), probe) == {probe: "ENOSPC"}


@by
def test_the_limit_of_user_namespaces_stays_without_cap_sys_resource(box, by):
    def writable(*names):
        def then(config, bundle):
            own_users(config, bundle)
            config["linux"]["readonlyPaths"] = []
            for kind in ("bounding", "effective", "permitted"):
                config["process"]["capabilities"][kind] += names
        return annotate(then, nested="deny")
    probe = "try-open w /proc/sys/user/max_user_namespaces"
    assert knock(box, by, writable(), probe) == {probe: "EACCES"}
    assert knock(box, by, writable("CAP_SYS_RESOURCE"), probe) == {probe: "ok"}
    container = box.create("pause", edit=writable("CAP_SYS_RESOURCE"))
    assert any(NESTED in text for text in box.state(container.id)["degradations"])
    made = box.bundle("pause", edit=writable("CAP_SYS_RESOURCE"))
    box.fails("create", "--bundle", made.path, box.new_id(), options=("--strict",),
              says=("CAP_SYS_RESOURCE", "--strict"))


@pytest.mark.modes("root", "userns-root")
def test_user_namespaces_of_the_caller_are_not_limited(box):
    made = box.bundle("pause", edit=annotate(nested="deny"))
    box.fails("create", "--bundle", made.path, box.new_id(), says=(NESTED, "add a new one"))


def core_cookie(pid):
    """(errno, cookie)"""
    libc = ctypes.CDLL(None, use_errno=True)
    cookie = ctypes.c_ulonglong(0)
    answer = libc.prctl(62, 0, pid, 0, ctypes.byref(cookie))
    return (ctypes.get_errno() if answer else 0), cookie.value


def test_core_scheduling_is_there_or_said_to_be_missing(box):
    container = box.start("pause", edit=annotate(cores="true"))
    said = [text for text in box.state(container.id).get("degradations", []) if CORES in text]
    error, cookie = core_cookie(container.pid)
    if error:
        assert error in (errno.ENODEV, errno.EINVAL) and len(said) == 1
        assert "one thread" in said[0] or "CONFIG_SCHED_CORE" in said[0]
        box.must("exec", container.id, "/bin/guest", "exit", "0")
        made = box.bundle("pause", edit=annotate(cores="true"))
        box.fails("create", "--bundle", made.path, box.new_id(), options=("--strict",), says=CORES)
        return
    assert not said and cookie not in (0, core_cookie(0)[1])
    pid_file = box.pid_file()
    box.must("exec", "--detach", "--pid-file", pid_file, container.id, "/bin/guest", "pause")
    with open(pid_file, encoding="ascii") as file:
        assert core_cookie(int(file.read()))[1] == cookie


def run_in_background(box, edit, *args):
    """A foreground run, its process and the container's id."""
    made, name = box.bundle(*args, edit=edit), box.new_id()
    with open(os.devnull, "wb") as null:
        process = box.runtime.popen(box.runtime.argv("run", "--bundle", made.path, name), null,
                                    null)
    return process, name


def pid_of(box, name):
    result = box.call("state", name)
    return json.loads(result.out)["pid"] if result.rc == 0 and '"running"' in result.out else 0


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize("kinds", [(), ("pid",)], ids=["own-pids", "host-pids"])
def test_the_program_dies_with_the_creator_if_asked_to(box, kinds):
    for annotations in ({}, {"death": "SIGKILL"}):
        process, name = run_in_background(box, annotate(without(*kinds), **annotations), "pause")
        assert harness.eventually(lambda: pid_of(box, name))
        pid = pid_of(box, name)
        os.kill(parent_of(pid), signal.SIGKILL)
        process.wait()
        if annotations:
            assert harness.eventually(lambda: not pid_of(box, name))
        else:
            time.sleep(0.3)
            assert pid_of(box, name) == pid
        box.must("delete", "--force", name)


def test_the_signal_may_be_another(box):
    """Without a pid namespace of its own the program has the default action of each."""
    process, name = run_in_background(box, annotate(without("pid"), death="15"), "pause")
    assert harness.eventually(lambda: pid_of(box, name))
    os.kill(parent_of(pid_of(box, name)), signal.SIGKILL)
    process.wait()
    assert harness.eventually(lambda: not pid_of(box, name))


def test_wherever_the_creator_is_killed_the_program_does_not_stay(box):
    for _ in range(int(os.environ.get("CORACLE_RACES", "25"))):
        process, _ = run_in_background(box, annotate(death="KILL"), "pause")
        time.sleep(random.uniform(0.0, 0.04))
        process.kill()
        process.wait()
    assert harness.eventually(lambda: not box.processes()), box.processes()


def test_a_creator_that_dies_before_its_death_can_be_told_is_noticed(box):
    """Init has taken Start and runs a hook, so that the signal is not asked for yet."""
    def then(config, bundle):
        config["hooks"] = {"startContainer": [{"path": "/bin/guest",
                                               "args": ["guest", "also", "touch", "/in-hook", "--",
                                                        "sleep", "1"]}]}
        config["process"]["args"] = ["/bin/guest", "also", "touch", "/executed", "--", "pause"]
    process, name = run_in_background(box, annotate(then, death="KILL"))
    rootfs = box.bundles[-1].rootfs
    assert harness.eventually(lambda: os.path.exists(f"{rootfs}/in-hook"))
    creator = json.loads(box.must("state", name).out)["pid"]
    os.kill(parent_of(creator), signal.SIGKILL)
    process.wait()
    assert harness.eventually(lambda: not box.processes()), box.processes()
    assert not os.path.exists(f"{rootfs}/executed")


def test_the_creator_must_stay_for_its_death_to_be_told(box):
    made = box.bundle("pause", edit=annotate(death="SIGKILL"))
    for verb in (("create",), ("run", "--detach")):
        box.fails(*verb, "--bundle", made.path, box.new_id(), says=(DEATH, "without --detach"))
    assert box.leavings() == []


def test_all_walls_stand_together(box):
    edit = annotate(lambda config, bundle: (furnish(config, bundle), own_users(config, bundle)),
                    landlock=FILES, nested="deny", cores="true", death="SIGKILL")
    asked = {"try-open w /closed/file": "EACCES", "try-open w /free/file": "ok",
             f"try-syscall unshare {NEW_USER}": "ENOSPC"}
    assert knock(box, "run", edit, *asked) == asked


@pytest.mark.machine("uml", "vm")
def test_landlock_of_an_older_kernel_is_what_that_has_and_the_rest_is_said(box):
    """vm: ABI 2, which does not restrict truncate(2), ioctl(2), ports and scopes; uml: none."""
    abi = landlock_abi()
    assert abi in (0, 2)
    edit = annotate(furnish, landlock={**FILES, "net": {}, "scope": ["signal"]})
    wall = "EACCES" if abi == 2 else "ok"
    asked = {"try-open w /closed/file": wall, "try-file mkdir /closed/new": wall,
             "try-file rename /free/file /more/moved": "ok",
             "try-file truncate /closed/file": "ok", "try-file ioctl /dev/zero": "ok",
             "try-port bind 8080": "ok"}
    assert knock(box, "exec", edit, *asked) == asked
    said = [text for text in box.state(box.ids[-1])["degradations"] if LANDLOCK in text]
    assert len(said) == (4 if abi == 2 else 3)
    assert sum("files are not restricted" in text for text in said) == (0 if abi == 2 else 1)
