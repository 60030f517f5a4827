"""On kernels and in outer containers that refuse system calls: the result is the same.

Each test runs the runtime under coracle-refuse (tests/guest/refuse.c), which the container inherits:
its guest must not need what is refused.
"""

import os
import socket

import pytest

import bundles
import harness
import modes

pytestmark = pytest.mark.fallback

REFUSE = os.path.join(harness.BUILD, "tests/guest/coracle-refuse")
OPTIONAL = ("clone3", "close_range", "copy_file_range", "execveat", "faccessat2", "fsconfig", "fsmount",
            "fsopen", "fspick", "keyctl", "memfd_create", "mount_setattr", "move_mount", "open_tree",
            "openat2", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "renameat2", "sendfile",
            "statx")
ERRNOS = ("ENOSYS", "EPERM")
SINGLE = [[f"{errno}:{name}"] for name in OPTIONAL for errno in ERRNOS]
WHOLE = [[f"{errno}:{name}" for name in OPTIONAL] for errno in ERRNOS] + [["linux-5.10"], ["docker-19.03"]]
CASES = [(shape, mode) for shape in SINGLE for mode in ("user", "root")]
CASES += [(shape, mode) for shape in WHOLE for mode in modes.ALL]


def case_name(case):
    shape, mode = case
    return (shape[0] if len(shape) == 1 else shape[0].split(":")[0]) + "-" + mode


def pytest_generate_tests(metafunc):
    if "shape" in metafunc.fixturenames:
        metafunc.parametrize(("shape", "mode"), CASES, ids=[case_name(case) for case in CASES])
    elif "box" in metafunc.fixturenames:
        metafunc.parametrize("mode", ("user", "root"))


def refuse(box, shape):
    box.runtime.prefix = [REFUSE, *shape, "--", *box.runtime.prefix]


def rich(config, bundle):
    """Of each kind of mount, path and node one that takes its own way."""
    with open(os.path.join(bundle.path, "host-file"), "w", encoding="ascii"):
        bundle.kept.add(os.path.join(bundle.path, "host-file"))
    config["mounts"] += [
        {"destination": "/ro", "type": "tmpfs", "source": "t", "options": ["ro", "nosuid", "size=64k"]},
        {"destination": "/noatime", "type": "tmpfs", "source": "t", "options": ["noatime", "nodev"]},
        {"destination": "/made/on/demand", "type": "bind", "source": "/dev",
         "options": ["rbind", "rro", "rnoexec", "rprivate"]},
        {"destination": "/file", "type": "bind", "source": "host-file",
         "options": ["bind", "nosuid", "ro", "slave"]}]
    config["linux"]["maskedPaths"] += ["/proc/version", "/made/on/demand/shm"]
    config["linux"]["readonlyPaths"] += ["/noatime", "/dev/shm"]
    config["process"]["cwd"] = "/made/by/init"
    config["root"]["readonly"] = True


def describe(facts, box):
    """What the payload sees, without what differs from one run to the next."""
    raw = dict(facts.raw)
    mounts = {}
    for mount in facts.all_mounts(): # the last at a place: one that it covers is reached by nobody
        root = mount.root.replace(box.dir, "").split("/bundle-")[0]
        mounts[mount.destination] = (mount.type, mount.source, root, sorted(mount.options),
                                     sorted(mount.super_options),
                                     sorted(text.split(":")[0] for text in mount.propagation))
    raw["mountinfo"] = mounts
    raw["status"] = {key: value for key, value in facts.status.items()
                     if key in ("Name", "Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "ShdPnd", "SigBlk",
                                "SigIgn", "SigCgt", "Cpus_allowed") or key.startswith("Cap")}
    raw["fds"] = sorted(raw["fds"])
    # The guest may not ask for its keyring where keyctl is refused.
    for key in ("ns", "env", "cgroup", "stat", "session_keyring"):
        raw.pop(key, None)
    return raw


def missing(config, _):
    config["process"]["args"] = ["/bin/none"]


def lost(box, container):
    return set(box.state(container.id).get("degradations", []))


_unrefused = {}


def unrefused(make_box, mode):
    """What there is with nothing refused; asked once."""
    if mode not in _unrefused:
        box = make_box(mode)
        _unrefused[mode] = (describe(box.facts(rich), box), lost(box, box.create("pause")),
                            box.run(box.bundle(edit=missing)).err)
    return _unrefused[mode]


def test_a_container_is_the_same_whatever_is_refused(make_box, mode, shape):
    wanted, _, _ = unrefused(make_box, mode)
    box = make_box(mode)
    refuse(box, shape)
    got = describe(box.facts(rich), box)
    for key, value in wanted.items():
        if isinstance(value, dict):
            assert got[key].keys() == value.keys(), key
            for part in value:
                assert got[key][part] == value[part], (key, part)
        assert got[key] == value, key


def test_a_life_is_the_same_whatever_is_refused(make_box, mode, shape):
    _, lost_anyway, failure = unrefused(make_box, mode)
    box = make_box(mode)
    refuse(box, shape)
    container = box.create("trap", "3", "10")
    assert container.status() == "created"
    more = lost(box, container) - lost_anyway
    assert len(more) == ("EPERM:keyctl" in shape) and all("session keyring" in text for text in more)
    box.must("start", container.id)
    container.wait_for("ready")
    assert container.status() == "running"
    box.fails("delete", container.id)
    box.must("kill", container.id, "USR1")
    container.wait_for("caught 10")
    container.wait_stopped()
    box.must("delete", container.id)
    box.must("delete", "--force", box.start("pause").id)
    assert box.run(box.bundle(edit=missing)).err == failure


@pytest.mark.parametrize("errno", ERRNOS)
@pytest.mark.parametrize("call", ["mount", "umount2", "pivot_root", "unshare", "seccomp"])
def test_what_cannot_be_done_without_is_named_with_the_cure(box, call, errno):
    def with_filter(config, _):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}

    refuse(box, [f"{errno}:{call}"])
    words = {"ENOSYS": "function not implemented", "EPERM": "operation not permitted"}[errno]
    box.fails("run", "--bundle", box.bundle("exit", "0", edit=with_filter).path, box.new_id(),
              says=[call if call != "seccomp" else "load the filter", "outer container", words])


def test_a_pidfd_that_cannot_be_had_is_an_error(box):
    path = os.path.join(box.dir, "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        box.give(path)
        server.listen()
        refuse(box, ["EPERM:pidfd_open"])
        box.fails("create", "--pidfd-socket", path, "--bundle", box.bundle("pause").path, box.new_id(),
                  says=["--pidfd-socket", "pidfd_open"])


LANDLOCK = "org.coracle.landlock"


def wall(config, _):
    config["annotations"] = {LANDLOCK: '{"fs": [{"path": "/", "access": "ro"}], "net": {}}'}


@pytest.mark.parametrize("refusal", ["ENOSYS:landlock_create_ruleset", "EPERM:landlock_create_ruleset",
                                     "linux-5.10", "docker-19.03"])
def test_without_landlock_the_container_runs_and_says_so(box, refusal):
    refuse(box, [refusal])
    container = box.start("pause", edit=wall)
    said = [text for text in lost(box, container) if LANDLOCK in text]
    why = "outer container" if "EPERM" in refusal or "docker" in refusal else "older than Linux 5.13"
    assert len(said) == 2 and all("not restricted" in text and why in text for text in said)
    assert box.must("exec", container.id, "/bin/guest", "touch", "/made").rc == 0
    made = box.bundle("pause", edit=wall)
    box.fails("create", "--bundle", made.path, box.new_id(), options=("--strict",),
              says=(LANDLOCK, "--strict"))


@pytest.mark.parametrize("name, stage", [("landlock_add_rule", "identity"),
                                         ("landlock_restrict_self", "landlock")])
def test_a_wall_that_is_refused_halfway_lets_nothing_run(box, name, stage):
    refuse(box, [f"EPERM:{name}"])
    result = box.run(box.bundle("echo", "hello", edit=wall))
    assert result.rc == 1 and "hello" not in result.out
    assert f"init: {stage}: " in result.err and "operation not permitted" in result.err
    assert box.leavings() == []


CORES = "org.coracle.core-scheduling"


@pytest.mark.parametrize("host, says", [("one-thread", "no core runs more than one thread"),
                                        ("core-scheduling", None), ("own-cookies", None)])
def test_core_scheduling_is_had_or_said_to_be_missing(box, host, says):
    refuse(box, [host])
    edit = lambda config, _: config.update(annotations={CORES: "true"})
    container = box.start("pause", edit=edit)
    said = [text for text in lost(box, container) if CORES in text]
    assert len(said) == (1 if says else 0) and all(says in text for text in said)
    strict = ("--strict",)
    words = ("exec", container.id, "/bin/guest", "exit", "0")
    if host == "core-scheduling":
        box.must(*words, options=strict)
    else:
        box.must(*words)
        box.fails(*words, options=strict,
                  says=(CORES, says or "a cookie of its own, since that of the container"))


CLOSED = """mount -t tmpfs -o mode=700 closed "$0" && mkdir "$0/inner" &&
mount -t tmpfs -o mode=755 inner "$0/inner" && exec "$@"
"""


def close(box, directory):
    """Where the runtime runs, the host has a mount there that root alone may enter, and one in it."""
    box.runtime.prefix[:0] = ["unshare", "-m", "--propagation", "private", "sh", "-c", CLOSED, directory]


def with_sysfs_of_the_host(config, _):
    bundles.drop_namespace(config, "network")
    bundles.remove_mount(config, "/sys/fs/cgroup")


def test_of_the_hosts_sysfs_what_nobody_can_reach_is_left_out(make_box):
    box = make_box("user")
    refuse(box, ["linux-5.10"])
    before = lost(box, box.create("pause", edit=with_sysfs_of_the_host))
    close(box, "/sys/bus")
    container = box.start("pause", edit=with_sysfs_of_the_host)
    more = lost(box, container) - before
    words = ("/sys/bus/inner", "keeps the host's mount options", "Linux >= 5.12")
    assert len(more) == 1 and all(word in text for text in more for word in words), more
    facts = box.facts(with_sysfs_of_the_host)
    assert all("ro" in facts.mount(path).options for path in ("/sys", "/sys/bus"))
    assert "rw" in facts.mount("/sys/bus/inner").options
    for path in ("/sys/bus", "/sys/bus/inner"):
        assert box.output("try-open", "r", path, edit=with_sysfs_of_the_host) == f"{path} EACCES\n"


def test_an_option_for_a_whole_tree_names_the_mount_that_nobody_can_reach(make_box):
    box = make_box("user")
    source = box.directory("tree")
    os.makedirs(f"{source}/closed", exist_ok=True)

    def bind(option):
        return lambda config, _: config["mounts"].append(
            {"destination": "/vol", "type": "bind", "source": source, "options": ["rbind", option]})

    close(box, f"{source}/closed")
    facts = box.facts(bind("rro"))
    assert "ro" in facts.mount("/vol/closed/inner").options # the kernel needs no path
    refuse(box, ["linux-5.10"])
    facts = box.facts(bind("ro"))
    assert "rw" in facts.mount("/vol/closed/inner").options and "ro" in facts.mount("/vol").options
    box.fails("run", "--bundle", box.bundle("pause", edit=bind("rro")).path, box.new_id(),
              says=("/vol/closed/inner", "mount_setattr(2), Linux >= 5.12", "permission denied",
                    "/vol/closed (owner", "mode 0700"))
