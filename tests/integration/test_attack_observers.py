"""What a program may find open, writable or readable that should not be."""

import os
import shutil

import pytest

import attack_observers
import attacks

PASSWD_LIMIT = (1 << 20) + 1  # bytes: the last tells that there are more
STARTS = int(os.environ.get("CORACLE_RACES", "25"))


def test_a05_descriptors_of_the_caller_do_not_reach_the_program(box):
    assert attack_observers.leaked_descriptors(box) == []


@pytest.mark.parametrize("without", [(), ("cgroup",), ("network",), ("cgroup", "network")],
                         ids=lambda names: "-".join(names) or "none")
def test_a18_sys_and_cgroup_are_read_only(box, without):
    assert attack_observers.writable_sys(box, without) == []


@pytest.mark.modes("user")
@pytest.mark.parametrize("without", [(), ("cgroup",), ("network",), ("cgroup", "network")],
                         ids=lambda names: "-".join(names) or "none")
def test_a18_sys_and_cgroup_are_read_only_within_an_unshared_user_namespace(box, without):
    edit = attack_observers.in_unshared_user_namespace(box)
    assert attack_observers.writable_sys(box, without, edit) == []


def test_a21_no_link_of_a_starting_process_leads_to_the_host(box):
    def join(config, pid):
        for entry in config["linux"]["namespaces"]:
            if entry["type"] in ("pid", "user"):
                entry["path"] = f"/proc/{pid}/ns/{entry['type']}"
        if box.uid is not None:
            del config["linux"]["uidMappings"], config["linux"]["gidMappings"]

    assert attack_observers.spied_links(box, STARTS, join) == []


@pytest.mark.modes("root", "userns-root")
@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("additional", [[], [30], [30, 40, 30], list(range(100, 400))],
                         ids=["none", "one", "twice", "many"])
def test_a22_the_groups_are_exactly_those_asked_for(box, additional, uid):
    result, groups = attack_observers.groups_given(box, additional, uid)
    assert result.rc == 0, result
    assert sorted(set(groups)) == sorted(set(additional))


@pytest.mark.modes("user")
def test_a22_a_user_is_told_that_the_groups_stay(box):
    """The kernel denies setgroups to who writes a map without privilege."""
    result, groups = attack_observers.groups_given(box, [])
    assert result.rc == 0, result
    assert groups == [65534] * 3
    container = box.create("exit", "0")
    assert "supplementary groups stay" in box.must("state", container.id).out


@pytest.mark.modes("user")
def test_a22_a_user_gets_no_group_instead_of_another(box):
    result, groups = attack_observers.groups_given(box, [30])
    assert groups is None and "additionalGids" in result.err


def big_passwd(text):
    return lambda bundle, path: bundle.file("etc/passwd", text)


COSTLY = {**attacks.PASSWD,
          "a MiB of fields": big_passwd(":" * (1 << 20)),
          "a MiB of lines": big_passwd("\n" * ((1 << 20) - 1)),
          "a link through a deep tree": lambda bundle, path: (
              bundle.file("d/" * 500 + "passwd", "x"),
              os.symlink("../" + "d/" * 500 + "passwd", path)),
          "a link to the kernel log": lambda bundle, path: os.symlink("/proc/kmsg", path)}


@pytest.mark.parametrize("kind", COSTLY)
def test_a13_a_hostile_passwd_costs_little(box, kind):
    """No more is read than the limit, by no more calls than a few: the rest is linear."""
    if shutil.which("strace") is None:
        pytest.skip("machine: no strace")

    def harmless(config, _):
        config["process"]["env"] = ["PATH=/bin"]

    path = os.path.join(box.directory("calls", 0o777), "calls")

    def calls_of(edit):
        return attack_observers.calls_of(box, box.bundle("exit", "0", edit=edit), path)

    calls = calls_of(attack_observers.without_home(COSTLY[kind]))
    assert attack_observers.bytes_read(calls, "passwd") <= PASSWD_LIMIT
    assert len(calls) < len(calls_of(harmless)) + 100


def test_a13_a_link_is_not_read(box):
    """It may lead to a file of /proc that acts when it is read."""
    def make(bundle, path):
        bundle.file("etc/other", "root:x:0:0::/elsewhere:/\n")
        os.symlink("other", path)

    assert box.facts(attack_observers.without_home(make)).environment["HOME"] == "/"
