"""Root of a user namespace, as rootless engines run the runtime: what it may and what it may not."""

import json
import os

import pytest

import bundles
import modes
from facts import Mount

pytestmark = [pytest.mark.modes("userns-root"), pytest.mark.machine("native", "systemd", "uml")]


def nested(uid_mappings, gid_mappings=None):
    """A user namespace of the container's own; [(inside, outside, size)] relative to the one that
    the runtime is in."""
    def convert(mappings):
        return [{"containerID": inside, "hostID": outside, "size": size}
                for inside, outside, size in mappings]

    def edit(config, _):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = convert(uid_mappings)
        config["linux"]["gidMappings"] = convert(gid_mappings or uid_mappings)
    return edit


def map_lines(text):
    return [tuple(int(word) for word in line.split()) for line in text.splitlines()]


def node(box, path, edit):
    return json.loads(box.output("stat", path, edit=edit))


def state_text(box, edit):
    container = box.create("exit", "0", edit=edit)
    return box.must("state", container.id).out


def test_without_a_user_namespace_the_container_is_in_that_of_the_runtime(box):
    facts = box.facts()
    assert facts.ns["user"] == os.readlink(f"/proc/{modes.holder(None)}/ns/user")
    assert facts.ns["user"] != os.readlink("/proc/self/ns/user")
    assert map_lines(facts.uid_map) == modes.namespace_map()
    assert facts.setgroups == "allow\n"


def test_a_nested_user_namespace_with_one_id(box):
    def edit(config, bundle):
        nested([(0, 0, 1)])(config, bundle)
        bundles.mount_at(config, "/dev/pts")["options"].remove("gid=5")

    facts = box.facts(edit)
    assert map_lines(facts.uid_map) == [(0, 0, 1)] and facts.uids == [0, 0, 0]


KEEP_ID = [(0, 1, 1000), (1000, 0, 1), (1001, 1001, 64000)]


def test_a_user_that_keeps_its_id(box):
    """The maps of podman --userns=keep-id: the caller is 1000 inside, and not root."""
    def edit(config, bundle):
        nested(KEEP_ID)(config, bundle)
        config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [10, 20]}
        config["process"]["cwd"] = "/job"

    facts = box.facts(edit)
    assert map_lines(facts.uid_map) == KEEP_ID and map_lines(facts.gid_map) == KEEP_ID
    assert facts.uids == [1000] * 3 and facts.groups == [10, 20]


def test_a_user_that_is_not_mapped_itself(box):
    """The maps of podman --userns=nomap: the caller's id is not in the container."""
    def edit(config, bundle):
        nested([(0, 1, 65000)])(config, bundle)
        for base, names, files in os.walk(bundle.path):
            for name in [".", *names, *files]:
                os.chown(os.path.join(base, name), modes.FIRST_SUBID, modes.FIRST_SUBID,
                         follow_symlinks=False)
        bundle.own(bundle.path)

    facts = box.facts(edit)
    assert map_lines(facts.uid_map) == [(0, 1, 65000)] and facts.uids == [0, 0, 0]


def test_different_maps_of_users_and_groups(box):
    def edit(config, bundle):
        nested([(0, 0, 1), (5, 7, 10)], [(0, 0, 1), (1, 1, 19)])(config, bundle)
        config["process"]["user"] = {"uid": 6, "gid": 19}

    facts = box.facts(edit)
    assert (facts.uids, facts.gids) == ([6] * 3, [19] * 3)


def test_an_id_that_the_runtime_does_not_have_cannot_be_mapped(box):
    bundle = box.bundle(edit=nested([(0, 0, 1), (1, 100000, 10)]))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["id_map", "operation not permitted"])


@pytest.mark.parametrize("maps", [None, KEEP_ID], ids=["same", "nested"])
def test_devices_are_those_of_the_host(box, maps):
    def edit(config, bundle):
        config["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]
        config["linux"]["devices"][0]["path"] = "/dev/zero"
        if maps:
            nested(maps)(config, bundle)

    entry = node(box, "/dev/zero", edit)
    assert (entry["type"], entry["rdev"]) == ("char", [1, 5])
    facts = box.facts(edit)
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        hosts = next(mount for mount in map(Mount, file) if mount.destination == "/dev")
    # Each is a bind mount of the host's node, whose file system is not the container's /dev.
    for name in ("/dev/zero", "/dev/null"):
        mount = facts.mount(name)
        assert (mount.type, mount.source) == (hosts.type, hosts.source)


def test_a_device_that_the_host_has_elsewhere_is_refused_by_name(box):
    def edit(config, _):
        config["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]

    box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id(), says="/dev/mine")


@pytest.mark.parametrize("maps,host_gid", [(None, modes.FIRST_SUBID + 4),
                                           (KEEP_ID, modes.FIRST_SUBID + 5)],
                         ids=["same", "nested"])
def test_terminals_belong_to_group_5(box, maps, host_gid):
    mount = box.facts(nested(maps) if maps else None).mount("/dev/pts")
    assert f"gid={host_gid}" in mount.super_options  # shown to everybody as the host has it


def test_a_score_below_that_of_the_caller_is_told_not_given(box):
    def edit(config, _):
        config["process"]["oomScoreAdj"] = -500

    assert "oomScoreAdj" in state_text(box, edit)
    assert int(box.facts(edit).oom_score_adj) == int(open("/proc/self/oom_score_adj",
                                                          encoding="ascii").read())


def test_a_limit_above_that_of_the_caller_is_refused(box):
    def edit(config, _):
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 2000, "hard": 2000}]

    result = box.run(box.bundle(edit=edit), wrap=["prlimit", "--nofile=1500:1500"])
    assert result.rc != 0 and "operation not permitted" in result.err.lower(), result


@pytest.mark.parametrize("maps", [None, KEEP_ID], ids=["same", "nested"])
def test_sys_without_a_network_namespace_is_that_of_the_host(box, maps):
    def edit(config, bundle):
        bundles.drop_namespace(config, "network")
        if maps:
            nested(maps)(config, bundle)

    mount = box.facts(edit).mount("/sys")
    assert mount.type == "sysfs" and "ro" in mount.options
    assert "/sys" in state_text(box, edit)


def test_a_queue_of_messages_without_an_ipc_namespace_is_that_of_the_host(box):
    if not os.path.ismount("/dev/mqueue"):
        pytest.skip("machine: no /dev/mqueue")

    def edit(config, _):
        bundles.drop_namespace(config, "ipc")

    assert box.facts(edit).mount("/dev/mqueue").type == "mqueue"


def test_sysctls_of_the_own_network_and_names_can_be_set(box):
    def edit(config, _):
        config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1",
                                     "net.ipv4.ping_group_range": "0 100"}

    out = box.output("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ping_group_range",
                     edit=edit)
    assert out.split() == ["1", "0", "100"]


@pytest.mark.parametrize("user", [None, "someone"])
def test_the_state_is_below_the_runtime_directory_of_the_user(box, user):
    env = {**box.runtime.env, **({"USER": user} if user else {})}
    name = box.new_id()
    box.must("create", "--bundle", box.bundle("exit", "0").path, name, root=False, env=env)
    assert name in os.listdir(os.path.join(box.runtime.env["XDG_RUNTIME_DIR"], "coracle"))
    box.must("delete", "--force", name, root=False, env=env)


def test_a_named_namespace_of_the_engine_is_joined(box):
    """As the containers of a pod are: the first one's namespaces, by path."""
    first = box.start("pause")
    kinds = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid", "cgroup": "cgroup"}

    def edit(config, _):
        del config["hostname"]
        for entry in config["linux"]["namespaces"]:
            if entry["type"] in kinds:
                entry["path"] = f"/proc/{first.pid}/ns/{kinds[entry['type']]}"

    facts = box.facts(edit)
    for kind in kinds.values():
        assert facts.ns[kind] == os.readlink(f"/proc/{first.pid}/ns/{kind}")


def test_the_loopback_interface_is_brought_up(box):
    assert box.facts(nested(KEEP_ID)).lo_up
