"""Mounts, devices, masked and read-only paths."""

import json
import os

import pytest

import bundles

pytestmark = pytest.mark.machine("native", "systemd")

NODES = {"null": [1, 3], "zero": [1, 5], "full": [1, 7], "random": [1, 8], "urandom": [1, 9],
         "tty": [5, 0]}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}


def stat_of(box, *paths, edit=None):
    return {entry["path"]: entry for entry in
            map(json.loads, box.output("stat", *paths, edit=edit).splitlines())}


def add(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def with_mount(*entry):
    return lambda config, _: config["mounts"].append(add(*entry))


# ---- the mounts of the base configuration


@pytest.mark.parametrize("path,kind,options", [
    ("/proc", "proc", set()),
    ("/dev", "tmpfs", {"nosuid"}),
    ("/dev/pts", "devpts", {"nosuid", "noexec"}),
    ("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev"}),
    ("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
    ("/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
    ("/sys/fs/cgroup", "cgroup2", {"nosuid", "noexec", "nodev", "ro"}),
])
def test_a_mount_of_the_base_configuration_is_there(box, path, kind, options):
    if path == "/sys/fs/cgroup" and box.kind != "coracle":
        pytest.xfail("not asked of the peers on a hybrid host")
    mount = box.facts().mount(path)
    assert mount is not None and mount.type == kind
    assert options <= mount.options, mount


def test_tmpfs_takes_its_size_and_mode(box):
    mount = box.facts().mount("/dev/shm")
    assert {"size=65536k", "mode=1777"} <= mount.super_options or "size=65536k" in mount.super_options
    assert stat_of(box, "/dev/shm")["/dev/shm"]["mode"] == 0o1777


def test_devpts_is_an_instance_of_its_own(box):
    assert {"mode=620", "ptmxmode=666"} <= box.facts().mount("/dev/pts").super_options


def test_mounts_are_made_in_the_order_of_the_configuration(box):
    def edit(config, _):
        config["mounts"] += [add("/data", "tmpfs", "one", "size=1m"),
                             add("/data/in", "tmpfs", "two", "size=2m")]

    facts = box.facts(edit)
    assert facts.mount("/data").source == "one" and facts.mount("/data/in").source == "two"


def test_a_later_mount_covers_an_earlier_one(box):
    def edit(config, _):
        config["mounts"] += [add("/data/in", "tmpfs", "two"), add("/data", "tmpfs", "one")]

    assert box.output("ls", "/data", edit=edit) == ""


def test_the_host_does_not_see_the_mounts(box):
    box.start("pause", edit=with_mount("/data", "tmpfs", "t"))
    assert box.dir not in open("/proc/self/mountinfo", encoding="utf-8").read()


def test_the_container_does_not_see_the_mounts_of_the_host(box):
    host = {line.split()[4] for line in open("/proc/self/mountinfo", encoding="utf-8")}
    assert not set(box.facts().destinations()) & (host - {"/", "/proc", "/dev", "/dev/pts", "/sys",
                                                          "/dev/shm", "/dev/mqueue",
                                                          "/sys/fs/cgroup"})


def test_sysfs_without_a_network_namespace_is_that_of_the_host(box):
    def edit(config, _):
        bundles.drop_namespace(config, "network")
        bundles.remove_mount(config, "/sys/fs/cgroup")

    mount = box.facts(edit).mount("/sys")
    assert mount.type == "sysfs" and "ro" in mount.options


# ---- bind mounts


@pytest.fixture
def shared(box):
    top = box.directory("shared")
    box.directory("shared/inner")
    with open(os.path.join(top, "file"), "w", encoding="ascii") as file:
        file.write("from the host\n")
    box.give(os.path.join(top, "file"))
    return top


def test_a_bind_mount_shows_the_tree_of_the_host(box, shared):
    assert box.output("cat", "/vol/file", edit=with_mount("/vol", "bind", shared, "rbind")) \
        == "from the host\n"


def test_a_bind_mount_can_be_written(box, shared):
    box.output("write", "/vol/new", "x", edit=with_mount("/vol", "bind", shared, "rbind", "rw"))
    assert open(os.path.join(shared, "new"), encoding="ascii").read() == "x"


def test_a_read_only_bind_mount_cannot_be_written(box, shared):
    out = box.output("try-open", "w", "/vol/file",
                     edit=with_mount("/vol", "bind", shared, "rbind", "ro"))
    assert out == "/vol/file EROFS\n"


def test_a_file_is_bound_on_a_file(box, shared):
    out = box.output("cat", "/etc/given",
                     edit=with_mount("/etc/given", "bind", f"{shared}/file", "bind", "ro"))
    assert out == "from the host\n"


def test_a_file_is_bound_over_an_existing_file(box, shared):
    out = box.output("cat", "/etc/passwd",
                     edit=with_mount("/etc/passwd", "bind", f"{shared}/file", "bind"))
    assert out == "from the host\n"


@pytest.mark.parametrize("option", ["nosuid", "nodev", "noexec", "ro"])
def test_a_bind_mount_takes_its_flags(box, shared, option):
    mount = box.facts(with_mount("/vol", "bind", shared, "rbind", option)).mount("/vol")
    assert option in mount.options


@pytest.mark.modes("root")
def test_a_bind_mount_takes_noatime(box, shared):
    """Of root only: the kernel locks the atime flags of what a user namespace inherits."""
    assert "noatime" in box.facts(with_mount("/vol", "bind", shared, "rbind", "noatime")) \
        .mount("/vol").options


def test_noexec_forbids_execution(box):
    def edit(config, bundle):
        config["mounts"].append(add("/vol", "bind", f"{bundle.rootfs}/bin", "bind", "noexec"))
        config["process"]["args"] = ["/bin/guest", "exec", "/vol/guest", "echo", "ran"]

    result = box.run(box.bundle(edit=edit))
    assert result.rc == 1 and "EACCES" in result.err


def test_the_type_none_with_bind_is_a_bind_mount(box, shared):
    assert box.output("cat", "/vol/file", edit=with_mount("/vol", "none", shared, "bind")) \
        == "from the host\n"


def test_a_relative_bind_source_is_below_the_bundle(box):
    def edit(config, bundle):
        path = os.path.join(bundle.path, "data")
        os.mkdir(path)
        bundle.own(path)
        bundle.kept.add(path)
        config["mounts"].append(add("/vol", "bind", "data", "rbind"))

    box.output("ls", "/vol", edit=edit)


@pytest.mark.modes("root")
def test_a_recursive_bind_brings_the_mounts_below_it(box, shared):
    def edit(config, _):
        config["mounts"] += [add("/one", "tmpfs", "t"),
                             add("/vol", "bind", "/proc", "rbind", "ro")]

    box.facts(edit)


def test_a_recursive_read_only_bind_is_read_only_all_the_way(box):
    def edit(config, _):
        config["mounts"].append(add("/vol", "bind", "/dev", "rbind", "rro"))

    # The last of each place: what it covers can be reached by nobody.
    mounts = {m.destination: m for m in box.facts(edit).all_mounts()
              if m.destination.startswith("/vol")}.values()
    assert len(mounts) > 1 and all("ro" in m.options for m in mounts), mounts


def test_the_propagation_of_a_mount_is_as_asked(box, shared):
    facts = box.facts(with_mount("/vol", "bind", shared, "rbind", "rshared"))
    assert any(text.startswith("shared:") for text in facts.mount("/vol").propagation)


def test_mounts_are_private_or_slave_unless_told(box, shared):
    facts = box.facts(with_mount("/vol", "bind", shared, "rbind"))
    assert not any(text.startswith("shared:") for text in facts.mount("/vol").propagation)


@pytest.mark.parametrize("word", ["nocopy", "copy", "z", "Z", "U"])
def test_what_podman_and_buildah_have_done_is_no_option_of_a_bind(box, shared, word):
    assert box.output("cat", "/vol/file", edit=with_mount("/vol", "bind", shared, word, "rbind")) \
        == "from the host\n"


def test_an_overlay_takes_a_list_of_directories_with_long_names(box):
    """fsconfig(2) refuses a value of more than 255 bytes; podman's image mounts have one."""
    places = [box.directory(f"{letter * 120}/{letter * 120}") for letter in "ab"]
    for place in places:
        with open(os.path.join(place, os.path.basename(place)[0]), "w", encoding="ascii") as file:
            file.write("from " + os.path.basename(place)[0])
        box.give(file.name)
    facts = box.output("cat", "/vol/a", "/vol/b", edit=with_mount(
        "/vol", "overlay", "o", "lowerdir=" + ":".join(places), "ro"))
    assert facts == "from afrom b"


def test_a_missing_bind_source_is_an_error_that_names_it(box):
    bundle = box.bundle(edit=with_mount("/vol", "bind", "/no/such/source", "rbind"))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/no/such/source", "no such file or directory"])


def test_tmpcopyup_shows_what_was_below(box):
    def edit(config, bundle):
        bundle.file("data/file", "kept\n", 0o640)
        bundle.symlink("data/link", "file")
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup"))
        config["process"]["args"] += ["--", "realpath", "/data/link"]

    assert box.output("also", "cat", "/data/file", edit=edit) == "kept\n/data/file\n"


# ---- devices


@pytest.mark.parametrize("name", NODES)
def test_a_default_device_is_the_real_one(box, name):
    entry = stat_of(box, f"/dev/{name}")[f"/dev/{name}"]
    assert (entry["type"], entry["rdev"]) == ("char", NODES[name])


def test_the_default_devices_can_be_used(box):
    paths = [f"/dev/{name}" for name in NODES if name != "tty"]
    assert box.output("try-open", "rw", *paths) == "".join(f"{path} ok\n" for path in paths)


@pytest.mark.parametrize("name", LINKS)
def test_a_default_link_is_in_dev(box, name):
    entry = stat_of(box, f"/dev/{name}")[f"/dev/{name}"]
    assert (entry["type"], entry["target"]) == ("symlink", LINKS[name])


def test_no_other_device_is_in_dev(box):
    names = set(box.output("ls", "/dev").split())
    assert names <= {*NODES, *LINKS, "pts", "shm", "mqueue", "core", "console"}


def test_ptmx_gives_a_terminal(box):
    assert box.output("try-open", "rw", "/dev/ptmx") == "/dev/ptmx ok\n"


@pytest.mark.modes("root")
def test_a_device_of_the_configuration_is_made(box):
    def edit(config, _):
        config["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5,
                                       "fileMode": 0o640, "uid": 3, "gid": 4}]

    entry = stat_of(box, "/dev/mine", edit=edit)["/dev/mine"]
    assert (entry["type"], entry["rdev"], entry["mode"]) == ("char", [1, 5], 0o640)
    assert (entry["uid"], entry["gid"]) == (3, 4)


@pytest.mark.modes("user")
def test_a_device_of_the_host_is_bound_for_a_user(box):
    def edit(config, _):
        config["linux"]["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}]

    entry = stat_of(box, "/dev/zero", edit=edit)["/dev/zero"]
    assert (entry["type"], entry["rdev"]) == ("char", [1, 5])


# ---- the root, masked and read-only paths


def test_a_read_only_root_cannot_be_written(box):
    def edit(config, _):
        config["root"]["readonly"] = True

    assert "ro" in box.facts(edit).mount("/").options
    assert box.run(box.bundle("touch", "/new", edit=edit)).rc == 1


def test_the_root_can_be_written_unless_told(box):
    bundle = box.bundle("touch", "/new")
    assert box.run(bundle).rc == 0
    assert os.path.exists(os.path.join(bundle.rootfs, "new"))


def test_the_old_root_is_gone(box):
    facts = box.facts()
    assert [m.destination for m in facts.all_mounts()].count("/") == 1
    assert "/tmp" not in facts.destinations() or facts.mount("/tmp").type == "tmpfs"


def test_a_masked_file_is_empty(box):
    def edit(config, bundle):
        bundle.file("etc/hidden", "hidden\n")
        config["linux"]["maskedPaths"] = ["/etc/hidden", "/proc/timer_list"]

    assert box.output("cat", "/etc/hidden", "/proc/timer_list", edit=edit) == ""


def test_a_masked_directory_is_empty_and_read_only(box):
    def edit(config, bundle):
        bundle.file("hidden/file", "hidden\n")
        config["linux"]["maskedPaths"] = ["/hidden"]

    assert box.output("ls", "/hidden", edit=edit) == ""
    assert box.run(box.bundle("touch", "/hidden/new", edit=edit)).rc == 1


def test_the_masks_of_the_base_configuration_hold(box):
    facts = box.facts()
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"):
        if os.path.exists(path):
            mount = facts.mount(path)
            assert mount is not None, f"{path} is not masked"
            assert mount.type in ("tmpfs", "devtmpfs"), mount


def test_a_masked_path_that_does_not_exist_is_no_error(box):
    box.facts(lambda config, _: config["linux"].update(maskedPaths=["/no/such", "/proc/no/such"]))


@pytest.mark.parametrize("path", ["/proc/sys", "/proc/irq", "/proc/bus", "/proc/sysrq-trigger"])
def test_a_read_only_path_of_the_base_configuration_is_read_only(box, path):
    if not os.path.exists(path):
        pytest.skip(f"machine: no {path}")
    mount = box.facts().mount(path)
    assert mount is not None and "ro" in mount.options


def test_a_read_only_path_in_the_root_is_read_only(box):
    def edit(config, bundle):
        bundle.file("conf/file", "x")
        config["linux"]["readonlyPaths"] = ["/conf"]

    assert box.output("try-open", "w", "/conf/file", edit=edit) == "/conf/file EROFS\n"


def test_sysctls_of_the_host_cannot_be_written(box):
    out = box.output("try-open", "w", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger")
    assert "ok" not in out
