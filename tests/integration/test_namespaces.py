"""Namespaces, names and identity that the configuration asks for."""

import os

import pytest

import bundles

pytestmark = pytest.mark.machine("native", "systemd")

KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt",
         "cgroup": "cgroup"}


def link(kind):
    return os.readlink(f"/proc/self/ns/{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_namespace_asked_for_is_new(box, kind):
    if kind == "cgroup" and box.kind != "coracle":
        pytest.xfail("not asked of the peers on a hybrid host")
    assert box.facts().ns[KINDS[kind]] != link(KINDS[kind])


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup"])
def test_a_namespace_not_asked_for_is_that_of_the_host(box, kind):
    def edit(config, _):
        bundles.drop_namespace(config, kind)
        if kind == "uts":
            del config["hostname"]
        if kind == "ipc":
            bundles.remove_mount(config, "/dev/mqueue")
        if kind == "network":
            bundles.remove_mount(config, "/sys", "/sys/fs/cgroup")
        if kind == "cgroup":
            bundles.remove_mount(config, "/sys/fs/cgroup")

    assert box.facts(edit).ns[KINDS[kind]] == link(KINDS[kind])


@pytest.mark.modes("user")
def test_the_user_namespace_is_new_for_a_user(box):
    facts = box.facts()
    assert facts.ns["user"] != link("user")
    assert facts.uid_map.split() == ["0", str(box.uid), "1"]
    assert facts.gid_map.split() == ["0", str(box.uid), "1"]
    assert facts.setgroups == "deny\n"


@pytest.mark.modes("root")
def test_root_stays_in_the_user_namespace_of_the_host_unless_told(box):
    assert box.facts().ns["user"] == link("user")


@pytest.mark.modes("root")
def test_root_can_give_a_user_namespace_with_any_mapping(box):
    def edit(config, bundle):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 1000}]
        for base, names, files in os.walk(bundle.rootfs):
            for name in [".", *names, *files]:
                os.chown(os.path.join(base, name), 100000, 200000, follow_symlinks=False)

    facts = box.facts(edit)
    assert facts.uid_map.split() == ["0", "100000", "1000"]
    assert facts.gid_map.split() == ["0", "200000", "1000"]
    assert facts.uids == [0, 0, 0]


@pytest.mark.modes("user")
def test_a_user_can_be_another_id_than_root_inside(box):
    def edit(config, _):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        config["process"]["capabilities"] = {}
        config["linux"]["uidMappings"][0]["containerID"] = 1000
        config["linux"]["gidMappings"][0]["containerID"] = 1000

    facts = box.facts(edit)
    assert facts.uids == [1000, 1000, 1000] and facts.gids == [1000, 1000, 1000]


def test_the_program_is_the_first_process_of_its_pid_namespace(box):
    facts = box.facts()
    assert (facts.pid, facts.ppid) == (1, 0)


def test_the_program_leads_a_session(box):
    facts = box.facts()
    assert facts.sid == facts.pid


def test_without_a_pid_namespace_the_program_is_a_process_of_the_host(box):
    def edit(config, _):
        bundles.drop_namespace(config, "pid")
        if box.mode != "root":  # else proc is mounted only for a pid namespace of its own
            bundles.mount_at(config, "/proc").update(
                type="bind", source="/proc", options=["rbind", "nosuid", "noexec", "nodev"])
            config["linux"]["maskedPaths"] = []
            config["linux"]["readonlyPaths"] = []

    facts = box.facts(edit)
    assert facts.ns["pid"] == link("pid")
    assert facts.pid > 1


def test_the_loopback_interface_of_a_new_network_namespace_is_up(box):
    facts = box.facts()
    assert facts.lo_up and facts.interfaces == ["lo"]


def test_without_a_network_namespace_the_interfaces_are_those_of_the_host(box):
    def edit(config, _):
        bundles.drop_namespace(config, "network")
        bundles.remove_mount(config, "/sys", "/sys/fs/cgroup")

    assert set(box.facts(edit).interfaces) == set(os.listdir("/sys/class/net"))


def test_the_hostname_is_set(box):
    assert box.facts(lambda config, _: config.update(hostname="a-name")).hostname == "a-name"


def test_the_domainname_is_set(box):
    facts = box.facts(lambda config, _: config.update(domainname="example.org"))
    assert facts.domainname == "example.org"


def test_the_hostname_of_the_host_stays(box):
    before = os.uname().nodename
    box.facts(lambda config, _: config.update(hostname="a-name"))
    assert os.uname().nodename == before


def test_a_hostname_without_a_uts_namespace_is_refused(box):
    bundle = box.bundle(edit=lambda config, _: bundles.drop_namespace(config, "uts"))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="uts")


def test_a_named_namespace_is_joined(box):
    first = box.start("pause")

    def edit(config, _):
        for entry in config["linux"]["namespaces"]:
            if entry["type"] in ("ipc", "network"):
                kind = KINDS[entry["type"]]
                entry["path"] = f"/proc/{first.pid}/ns/{kind}"
            if entry["type"] == "user":
                entry["path"] = f"/proc/{first.pid}/ns/user"
        if box.uid is not None:
            del config["linux"]["uidMappings"], config["linux"]["gidMappings"]

    wanted = {kind: os.readlink(f"/proc/{first.pid}/ns/{kind}") for kind in ("ipc", "net", "pid")}
    facts = box.facts(edit)
    assert facts.ns["ipc"] == wanted["ipc"] and facts.ns["net"] == wanted["net"]
    assert facts.ns["pid"] != wanted["pid"]


def test_a_pid_namespace_can_be_joined(box):
    first = box.start("pause")

    def edit(config, _):
        for entry in config["linux"]["namespaces"]:
            if entry["type"] in ("pid", "user"):
                entry["path"] = f"/proc/{first.pid}/ns/{entry['type']}"
        if box.uid is not None:
            del config["linux"]["uidMappings"], config["linux"]["gidMappings"]

    facts = box.facts(edit)
    assert facts.ns["pid"] == os.readlink(f"/proc/{first.pid}/ns/pid")
    assert facts.pid > 1


@pytest.mark.modes("root")
def test_a_network_namespace_prepared_by_the_user_namespace_of_the_host_is_joined(box):
    """As `ip netns exec` would give it: joined before the new user namespace is made."""
    first = box.start("pause")
    path = f"/proc/{first.pid}/ns/net"

    def edit(config, bundle):
        next(n for n in config["linux"]["namespaces"] if n["type"] == "network")["path"] = path
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
        bundles.remove_mount(config, "/sys", "/sys/fs/cgroup")
        for base, names, files in os.walk(bundle.rootfs):
            for name in [".", *names, *files]:
                os.chown(os.path.join(base, name), 100000, 100000, follow_symlinks=False)

    wanted = os.readlink(path)
    assert box.facts(edit).ns["net"] == wanted


def test_a_namespace_path_of_another_kind_is_refused(box):
    def edit(config, _):
        spaces = config["linux"]["namespaces"]
        next(n for n in spaces if n["type"] == "ipc")["path"] = "/proc/self/ns/uts"

    box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id())


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"])
@pytest.mark.parametrize("path", [None, "/proc/self/ns/uts"], ids=["new", "path"])
def test_a_namespace_that_is_given_twice_is_refused(box, kind, path):
    def edit(config, _):
        spaces = [space for space in config["linux"]["namespaces"] if space["type"] != kind]
        second = {"type": kind, "path": path} if path else {"type": kind}
        config["linux"]["namespaces"] = spaces + [{"type": kind}, second]

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=[f"/linux/namespaces/{len(bundle.config['linux']['namespaces']) - 1}/type",
                    f'"{kind}" is given twice'])



def test_a_namespace_path_that_does_not_exist_is_refused(box):
    def edit(config, _):
        spaces = config["linux"]["namespaces"]
        next(n for n in spaces if n["type"] == "ipc")["path"] = "/no/such/ns"

    box.fails("run", "--bundle", box.bundle(edit=edit).path, box.new_id(),
              says="no such file or directory")


@pytest.mark.modes("root")
def test_a_sysctl_of_a_new_namespace_is_set(box):
    out = box.output("cat", "/proc/sys/kernel/msgmax", "/proc/sys/net/ipv4/ip_forward",
                     edit=lambda config, _: config["linux"].update(
                         sysctl={"kernel.msgmax": "4242", "net.ipv4.ip_forward": "1"}))
    assert out.split() == ["4242", "1"]


def test_a_sysctl_of_the_host_is_refused(box):
    bundle = box.bundle(edit=lambda config, _: config["linux"].update(
        sysctl={"kernel.core_pattern": "/evil"}))
    before = open("/proc/sys/kernel/core_pattern", encoding="ascii").read()
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="kernel.core_pattern")
    assert open("/proc/sys/kernel/core_pattern", encoding="ascii").read() == before
