"""On kernels and in outer containers that refuse system calls: the result is the same.

Each test runs the runtime under coracle-refuse (tests/guest/refuse.c), which the container inherits:
its guest must not need what is refused.
"""

import os

import pytest

import harness

pytestmark = pytest.mark.fallback

REFUSE = os.path.join(harness.BUILD, "tests/guest/coracle-refuse")
OPTIONAL = ("clone3", "close_range", "copy_file_range", "execveat", "faccessat2", "fsconfig", "fsmount",
            "fsopen", "fspick", "keyctl", "memfd_create", "mount_setattr", "move_mount", "open_tree",
            "openat2", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "sendfile", "statx")
SHAPES = [[f"{errno}:{name}"] for name in OPTIONAL for errno in ("ENOSYS", "EPERM")]
SHAPES += [[f"{errno}:{name}" for name in OPTIONAL] for errno in ("ENOSYS", "EPERM")]
SHAPES += [["linux-5.10"], ["docker-19.03"]]


def shape_name(shape):
    return shape[0] if len(shape) == 1 else f"{shape[0].split(':')[0]}:all"


@pytest.fixture(params=SHAPES, ids=shape_name)
def shape(request):
    return request.param


def refuse(box, shape):
    box.runtime.prefix = [REFUSE, *shape, "--", *box.runtime.prefix]


def rich(config, _):
    """Of each kind of mount, path and node one that takes its own way."""
    config["mounts"] += [
        {"destination": "/ro", "type": "tmpfs", "source": "t", "options": ["ro", "nosuid", "size=64k"]},
        {"destination": "/noatime", "type": "tmpfs", "source": "t", "options": ["noatime", "nodev"]},
        {"destination": "/made/on/demand", "type": "bind", "source": "/dev",
         "options": ["rbind", "rro", "rnoexec", "rprivate"]},
        {"destination": "/one", "type": "bind", "source": "/dev", "options":
            ["bind" if os.geteuid() == 0 and config["linux"].get("uidMappings") is None else "rbind",
             "nosuid", "ro", "slave"]},
        {"destination": "/file", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]}]
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
    for key in ("ns", "environ", "env", "cgroup", "stat", "cmdline", "limits"):
        raw.pop(key, None)
    return raw


def test_a_container_is_the_same_whatever_is_refused(make_box, mode, shape):
    plain, box = make_box(mode), make_box(mode)
    wanted = describe(plain.facts(rich), plain)
    refuse(box, shape)
    got = describe(box.facts(rich), box)
    for key, value in wanted.items():
        if isinstance(value, dict):
            assert got[key].keys() == value.keys(), key
            for part in value:
                assert got[key][part] == value[part], (key, part)
        assert got[key] == value, key


def lost(box, container):
    return set(box.state(container.id).get("degradations", []))


def test_a_life_is_the_same_whatever_is_refused(make_box, mode, shape):
    plain, box = make_box(mode), make_box(mode)
    lost_anyway = lost(plain, plain.create("pause"))
    refuse(box, shape)
    container = box.create("trap", "3", "10")
    assert container.status() == "created"
    more = lost(box, container) - lost_anyway
    assert len(more) == ("EPERM:keyctl" in shape) and all("session keyring" in text for text in more)
    box.must("start", container.id)
    container.wait_for("ready")
    assert container.status() == "running"
    box.must("kill", container.id, "USR1")
    container.wait_for("caught 10")
    container.wait_stopped()
    box.must("delete", container.id)
    other = box.start("pause")
    box.fails("delete", other.id)
    box.must("delete", "--force", other.id)


def test_a_failure_is_the_same_whatever_is_refused(make_box, mode, shape):
    def missing(config, _):
        config["process"]["args"] = ["/bin/none"]

    plain, box = make_box(mode), make_box(mode)
    refuse(box, shape)
    assert box.run(box.bundle(edit=missing)).err == plain.run(plain.bundle(edit=missing)).err
