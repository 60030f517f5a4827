"""The device filter of a root container: what its rules do not name is refused, whatever the node's mode."""

import os

import pytest

import cgroups

pytestmark = [pytest.mark.machine("native", "systemd", "vm"), pytest.mark.modes("root")]
DENY = {"allow": False, "access": "rwm"}
MEM = {"allow": True, "type": "c", "major": 1, "minor": 1, "access": "r"}
KMSG = "/tmp/kmsg"  # 1:11, a device of every kernel that root may open


def with_rules(*rules):
    """An edit: these rules, CAP_MKNOD, and a node of /dev/kmsg that nobody has asked for."""
    def edit(config, bundle):
        config["linux"]["resources"] = {"devices": list(rules)}
        for names in config["process"]["capabilities"].values():
            names += ["CAP_MKNOD"]
        bundle.directory("tmp", 0o1777)
        os.mknod(os.path.join(bundle.rootfs, "tmp/kmsg"), 0o20666, os.makedev(1, 11))
    return edit


def start(box, *rules):
    return box.start("pause", edit=with_rules(*rules))


def test_default_devices_are_usable(box):
    container = start(box, DENY)
    for name in ("null", "zero", "random", "urandom"):
        box.must("exec", container.id, "/bin/guest", "write", f"/dev/{name}", "x")
    full = box.call("exec", container.id, "/bin/guest", "write", "/dev/full", "x")
    assert "ENOSPC" in full.err
    assert cgroups.path_of(container).startswith("/")


def test_a_device_without_a_rule_is_refused_by_the_filter(box):
    """With the same node, mode and capabilities it works once the filter allows it."""
    denied = start(box, DENY)
    result = box.call("exec", denied.id, "/bin/guest", "write", KMSG, "<7>coracle test")
    assert result.rc != 0 and "EPERM" in result.err, result
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"}
    allowed = start(box, DENY, rule)
    result = box.call("exec", allowed.id, "/bin/guest", "write", KMSG, "<7>coracle test")
    assert result.rc == 0, result
    result = box.call("exec", allowed.id, "/bin/guest", "cat", KMSG, timeout=20)
    assert result.rc != 0 and "EPERM" in result.err, result


def test_a_vpn_may_make_its_device(box):
    """Engines' users count on it; the node does nothing without CAP_NET_ADMIN."""
    def edit(config, bundle):
        with_rules(DENY)(config, bundle)
        os.mknod(os.path.join(bundle.rootfs, "tmp/tun"), 0o20666, os.makedev(10, 200))
    container = box.start("pause", edit=edit)
    result = box.call("exec", container.id, "/bin/guest", "cat", "/tmp/tun", timeout=20)
    assert result.rc != 0 and "EPERM" not in result.err, result  # a tun without a name: EBADFD


def test_init_is_under_the_filter_too(box):
    result = box.run(box.bundle("write", KMSG, "<7>coracle test", edit=with_rules(DENY)))
    assert result.rc != 0 and "EPERM" in result.err


def test_the_last_rule_has_the_word(box):
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rwm"}
    deny = {**allow, "allow": False}
    for rules, works in (((DENY, allow), True), ((DENY, allow, deny), False),
                         ((DENY, deny, allow), True), ((allow, DENY), False)):
        container = start(box, *rules)
        result = box.call("exec", container.id, "/bin/guest", "write", KMSG, "<7>coracle test")
        assert (result.rc == 0) == works, (rules, result)


@pytest.mark.parametrize("rules", [[], [{"allow": True, "access": "rwm"}],
                                   [DENY, {"allow": True, "type": "a", "access": "rwm"}]], ids=str)
def test_where_all_is_allowed_there_is_no_filter(box, rules):
    container = start(box, *rules)
    result = box.call("exec", container.id, "/bin/guest", "write", KMSG, "<7>coracle test")
    # No rules at all: the default is that of a container, not of the host.
    assert (result.rc == 0) == bool(rules), result


def test_a_configured_device_needs_its_rule(box):
    """A node of linux.devices is made, but without a rule of its own it is not usable."""
    def edit(config, bundle):
        with_rules(DENY)(config, bundle)
        config["linux"]["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11,
                                       "fileMode": 0o666, "uid": 0, "gid": 0}]

    container = box.start("pause", edit=edit)
    result = box.call("exec", container.id, "/bin/guest", "write", "/dev/kmsg", "<7>coracle test")
    assert result.rc != 0 and "EPERM" in result.err


@pytest.mark.modes("user", "userns-root")
def test_without_the_rights_it_is_said(box):
    def edit(config, _):
        config["linux"]["resources"] = {"devices": [DENY, MEM]}

    container = box.create("pause", edit=edit)
    assert "/linux/resources/devices" in str(box.state(container.id)["degradations"])
