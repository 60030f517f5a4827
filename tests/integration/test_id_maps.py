"""Id maps: written directly, by newuidmap and newgidmap, and of user namespaces that are joined."""

import os
import shutil
import subprocess
import time

import pytest

import bundles
from id_ranges import COUNT, FIRST, Host, give_tree, use_maps, use_range

user_only = pytest.mark.modes("user")


def numbers(text):
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def make_host(box, *args, **kw):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    if not os.path.exists("/etc/subuid"):
        pytest.skip("machine: no /etc/subuid to cover")
    return Host(box, *args, **kw)


@pytest.fixture
def host(box):
    return make_host(box, f"{{name}}:{FIRST}:{COUNT}\n")


@user_only
def test_ranges_are_mapped_by_the_helpers(box, host):
    facts = box.facts(use_range([[0, FIRST, COUNT]]), wrap=host.wrap)
    assert numbers(facts.uid_map) == numbers(facts.gid_map) == [[0, FIRST, COUNT]]
    assert facts.uids == [0, 0, 0] and facts.setgroups == "allow\n"


@user_only
def test_the_own_id_and_a_range(box, host):
    lines = [[0, box.uid, 1], [1, FIRST, COUNT]]

    def edit(config, _):
        use_maps(config, lines)
        config["process"]["user"] = {"uid": 33, "gid": 34, "additionalGids": [35, 36]}

    facts = box.facts(edit, wrap=host.wrap)
    assert numbers(facts.uid_map) == lines
    assert facts.uids == [33, 33, 33] and facts.gids == [34, 34, 34]
    assert sorted(facts.groups) == [35, 36]


@user_only
def test_keep_id_gives_the_caller_the_own_id_inside(box, host):
    """The shape of `podman run --userns keep-id`."""
    own = box.uid
    lines = [[0, FIRST, own], [own, own, 1], [own + 1, FIRST + own, COUNT - own]]
    work = box.directory("work")

    def edit(config, _):
        use_maps(config, lines)
        config["process"]["user"] = {"uid": own, "gid": own}
        config["mounts"].append({"destination": "/data", "source": work, "type": "bind",
                                 "options": ["bind", "rw"]})

    box.output("write", "/data/file", "text", edit=edit, wrap=host.wrap)
    assert os.stat(os.path.join(work, "file")).st_uid == own


@user_only
def test_nomap_leaves_the_own_id_out(box, host):
    """The shape of `podman run --userns nomap`: the caller's files are nobody's inside."""
    facts = box.facts(use_range([[0, FIRST, 1000]]), wrap=host.wrap)
    assert numbers(facts.uid_map) == [[0, FIRST, 1000]]


@user_only
def test_many_lines_arrive_whole(box, host):
    lines = [[i * 10, FIRST + i * 10, 10] for i in range(40)]
    facts = box.facts(use_range(lines), wrap=host.wrap)
    assert numbers(facts.uid_map) == numbers(facts.gid_map) == lines


@user_only
def test_only_the_gids_are_of_a_range(box, host):
    facts = box.facts(lambda config, _: use_maps(config, [[0, box.uid, 1]], [[0, FIRST, 10]]),
                      wrap=host.wrap)
    assert numbers(facts.uid_map) == [[0, box.uid, 1]]
    assert numbers(facts.gid_map) == [[0, FIRST, 10]]


def without_maps(config, _):
    config["linux"].pop("uidMappings", None)
    config["linux"].pop("gidMappings", None)


@user_only
def test_without_mappings_the_own_id_is_0_and_the_ranges_follow(box):
    host = make_host(box, f"other:1:2\n{{name}}:{FIRST}:1000\n{{uid}}:{FIRST + 5000}:5\n")
    facts = box.facts(without_maps, wrap=host.wrap)
    wanted = [[0, box.uid, 1], [1, FIRST, 1000], [1001, FIRST + 5000, 5]]
    assert numbers(facts.uid_map) == numbers(facts.gid_map) == wanted


@user_only
def test_without_mappings_and_ranges_the_own_id_is_mapped_and_that_is_said(box):
    host = make_host(box, "other:1:2\n")
    container = box.create("pause", edit=without_maps, wrap=host.wrap)
    with open(f"/proc/{container.pid}/uid_map", encoding="ascii") as file:
        assert numbers(file.read()) == [[0, box.uid, 1]]
    said = str(box.state(container.id))
    assert "/linux/uidMappings" in said and "has no range in /etc/subuid" in said
    box.fails("run", "--bundle", box.bundle(edit=without_maps).path, box.new_id(), wrap=host.wrap,
              options=["--strict"], says=["/linux/uidMappings", "/etc/subuid", "--strict"])


@user_only
def test_ranges_of_another_source_are_asked_of_getsubids(box):
    host = make_host(box, "", nsswitch="passwd: files\nsubid: elsewhere\n")
    tools = box.directory("tools")
    with open(os.path.join(tools, "getsubids"), "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\n[ "$1" = -g ] && shift\necho "0: $1 {FIRST} 77"\n')
    os.chmod(file.name, 0o755)
    env = {**box.runtime.env, "PATH": f"{tools}:{box.runtime.env['PATH']}"}
    plan = box.must("run", "--dry-run", "--bundle", box.bundle(edit=without_maps).path,
                    box.new_id(), wrap=host.wrap, env=env).out
    assert f"uid 1 = host {FIRST} size 77" in plan and f"gid 1 = host {FIRST} size 77" in plan


@user_only
def test_a_range_of_somebody_else_is_refused_and_the_helper_quoted(box, host):
    bundle = box.bundle(edit=lambda config, _: use_maps(config, [[0, FIRST + COUNT, 10]]))
    box.fails("run", "--bundle", bundle.path, box.new_id(), wrap=host.wrap,
              says=["newgidmap", f"[0-10) -> [{FIRST + COUNT}-", "not allowed",
                    "may map, by /etc/subgid,", f"{FIRST}-{FIRST + COUNT - 1}"])


@user_only
def test_no_range_at_all_names_the_file_and_the_cure(box):
    host = make_host(box, "")
    bundle = box.bundle(edit=lambda config, _: use_maps(config, [[0, FIRST, 10]]))
    box.fails("run", "--bundle", bundle.path, box.new_id(), wrap=host.wrap,
              says=[f"user{box.uid} has no range in /etc/subgid", "usermod --add-subuids"])


@user_only
def test_missing_helpers_are_named_with_where_they_were_looked_for(box):
    bundle = box.bundle(edit=lambda config, _: use_maps(config, [[0, FIRST, 10]]))
    # env after setpriv, which is itself found by PATH.
    argv = [*box.runtime.prefix[:-1], "env", "PATH=/nonexistent:/nothing", box.runtime.path,
            "--root", box.runtime.root, "run", "--bundle", bundle.path, box.new_id()]
    result = subprocess.run(argv, env=box.runtime.env, capture_output=True, text=True, check=False)
    assert result.returncode > 0
    for text in ("newuidmap is not in /nonexistent:/nothing", "package uidmap",
                 "/linux/uidMappings"):
        assert text in result.stderr


@user_only
def test_a_helper_without_its_privilege_is_named(box, host):
    tools = box.directory("tools")
    for name in ("newuidmap", "newgidmap"):
        copy = shutil.copyfile(shutil.which(name), os.path.join(tools, name))
        os.chmod(copy, 0o755)  # without the set-uid bit
    env = {**box.runtime.env, "PATH": f"{tools}:{box.runtime.env['PATH']}"}
    bundle = box.bundle(edit=lambda config, _: use_maps(config, [[0, FIRST, 10]]))
    box.fails("run", "--bundle", bundle.path, box.new_id(), wrap=host.wrap, env=env,
              says=[f"{tools}/newgidmap", "operation not permitted", "set-uid root"])


@user_only
def test_an_unmapped_user_is_refused_before_anything_is_made(box, host):
    def edit(config, _):
        use_maps(config, [[0, FIRST, 10]])
        config["process"]["user"] = {"uid": 10, "gid": 0}

    box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id(), wrap=host.wrap,
              says="cannot setuid to unmapped uid 10")


# ---- user and mount namespaces that are joined


def join(config, pid, *kinds):
    for entry in config["linux"]["namespaces"]:
        if entry["type"] in kinds:
            name = {"network": "net", "mount": "mnt"}.get(entry["type"], entry["type"])
            entry["path"] = f"/proc/{pid}/ns/{name}"


def add_user_namespace(box, config):
    """For root, whose containers have none; the user's have one."""
    if box.uid is None:
        config["linux"]["namespaces"].append({"type": "user"})
        use_maps(config, [[0, 0, 1], [1, 1, 1000]])


def test_the_mappings_beside_the_path_of_a_user_namespace_say_nothing(box):
    """podman writes one, since another runtime wants it."""
    first = box.start("pause", edit=lambda config, _: add_user_namespace(box, config))

    def edit(config, _):
        add_user_namespace(box, config)
        join(config, first.pid, "user")
        use_maps(config, [[0, 7, 1]])

    wanted = os.readlink(f"/proc/{first.pid}/ns/user")
    with open(f"/proc/{first.pid}/uid_map", encoding="ascii") as file:
        uid_map = numbers(file.read())
    facts = box.facts(edit)
    assert facts.ns["user"] == wanted
    assert [line[::2] for line in numbers(facts.uid_map)] == [line[::2] for line in uid_map]


def test_a_joined_user_namespace_without_a_root(box):
    """Its only id is not 0: init works as that one."""
    inside = 1000

    def make(config, _):
        add_user_namespace(box, config)
        use_maps(config, [[inside, box.uid or 0, 1]])
        config["process"]["user"] = {"uid": inside, "gid": inside}
        pts = bundles.mount_at(config, "/dev/pts")
        pts["options"] = [word for word in pts["options"] if not word.startswith("gid=")]

    first = box.start("pause", edit=make)

    def edit(config, _):
        make(config, None)
        join(config, first.pid, "user")

    facts = box.facts(edit)
    assert facts.uids == [inside] * 3
    assert facts.ns["user"] == os.readlink(f"/proc/{first.pid}/ns/user")


def test_groups_that_a_joined_user_namespace_denies_are_refused(box):
    first = box.start("pause", edit=lambda config, _: add_user_namespace(box, config))

    def edit(config, _):
        add_user_namespace(box, config)
        join(config, first.pid, "user")
        config["process"]["user"]["additionalGids"] = [5]

    if box.uid is None:
        assert box.facts(edit).groups == [5]
    else:
        box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id(),
                  says=["/process/user/additionalGids", "operation not permitted",
                        "setgroups is denied"])


@user_only
def test_the_user_namespace_of_somebody_else_is_not_joined(box, make_box):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    other = make_box("root")

    def make(config, bundle):
        config["linux"]["namespaces"].append({"type": "user"})
        use_maps(config, [[0, 100000, 1000]])
        give_tree(bundle.rootfs, 100000)

    foreign = other.create("pause", edit=make)
    bundle = box.bundle(edit=lambda config, _: join(config, foreign.pid, "user"))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="user namespace")


def holder(box, *unshare):
    """The pid of a process of the host that holds namespaces of the box's user."""
    argv = [*box.runtime.prefix[:-1], "unshare", *unshare, "sleep", "60"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    box.helpers.append(process)
    own = os.readlink("/proc/self/ns/mnt")
    for _ in range(500):
        with open(f"/proc/{process.pid}/comm", encoding="ascii") as file:
            name = file.read()
        if name == "sleep\n" and os.readlink(f"/proc/{process.pid}/ns/mnt") != own:
            return process.pid
        time.sleep(0.01)
    raise AssertionError("no namespaces were made")


def hold_mounts(box):
    user = ["-Ur"] if box.uid is not None else []
    return holder(box, *user, "-m", "--propagation", "private")


def join_mounts(box, config, pid):
    join(config, pid, *(("mount", "user") if box.uid is not None else ("mount",)))


def test_a_mount_namespace_can_be_joined(box):
    pid = hold_mounts(box)
    wanted = os.readlink(f"/proc/{pid}/ns/mnt")
    facts = box.facts(lambda config, _: join_mounts(box, config, pid))
    assert facts.ns["mnt"] == wanted


def test_what_is_masked_is_masked_in_a_joined_mount_namespace(box):
    pid = hold_mounts(box)
    assert box.output("cat", "/proc/keys",
                      edit=lambda config, _: join_mounts(box, config, pid)) == ""


@pytest.mark.parametrize("path", ["/proc/self/ns/mnt", "/proc/1/ns/mnt"])
def test_the_mount_namespace_of_the_host_is_not_taken_over(box, path):
    before = os.listdir("/")

    def edit(config, _):
        next(n for n in config["linux"]["namespaces"] if n["type"] == "mount")["path"] = path

    result = box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id(),
                       says="mount namespace")
    if "permission denied" not in result.err.lower():
        assert "whose root would be replaced" in result.err
    assert os.listdir("/") == before


@pytest.mark.modes("root")
def test_the_current_user_namespace_by_its_path_changes_nothing(box):
    def edit(config, _):
        config["linux"]["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"})

    assert box.facts(edit).ns["user"] == os.readlink("/proc/self/ns/user")


def test_every_namespace_of_another_container_at_once(box):
    first = box.start("pause", edit=lambda config, _: add_user_namespace(box, config))
    kinds = {"user": "user", "network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid",
             "cgroup": "cgroup"}

    def edit(config, _):
        add_user_namespace(box, config)
        join(config, first.pid, *kinds)
        bundles.remove_mount(config, "/sys/fs/cgroup")

    wanted = {name: os.readlink(f"/proc/{first.pid}/ns/{name}") for name in kinds.values()}
    facts = box.facts(edit)
    assert {name: facts.ns[name] for name in wanted} == wanted
