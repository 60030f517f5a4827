"""Hostile images and configurations: nothing on the host may change, be seen or be reached."""

import os

import pytest

import attacks
import bundles
from facts import Facts

KINDS = pytest.mark.parametrize("kind", ["absolute", "upwards"])


@KINDS
def test_a01_devices_are_not_made_through_a_dev_that_is_a_link(box, kind):
    assert attacks.dev_is_a_link(box, kind) == []


@KINDS
def test_a01_mounts_are_not_made_through_a_dev_that_is_a_link(box, kind):
    assert attacks.dev_is_a_link_below_mounts(box, kind) == []


@pytest.mark.parametrize("path", ["proc", "sys"])
@pytest.mark.parametrize("target", ["/evil/place", "evil", "/no/such", "/", ".."])
def test_a02_proc_and_sys_are_not_mounted_through_a_link(box, path, target):
    assert attacks.proc_is_a_link(box, path, target) == []


def test_a03_masks_are_not_taken_from_the_containers_dev_null(box):
    assert attacks.mask_source_is_a_link(box) == []


TARGETS = {
    "tmpfs": {"destination": "/a/b/c", "type": "tmpfs", "source": "t"},
    "bind directory": {"destination": "/a/b/c", "type": "bind", "source": "@DIR@",
                       "options": ["rbind"]},
    "bind file": {"destination": "/a/newfile", "type": "bind", "source": "@FILE@",
                  "options": ["bind"]},
    "bind file on the link": {"destination": "/last", "type": "bind", "source": "@FILE@",
                              "options": ["bind"]},
    "tmpfs on the link": {"destination": "/last", "type": "tmpfs", "source": "t"},
    "destination upwards": {"destination": "/../../../../../../a/x", "type": "tmpfs",
                            "source": "t"},
    "existing file": {"destination": "/a/file", "type": "bind", "source": "@FILE@",
                      "options": ["bind"]},
}


@KINDS
@pytest.mark.parametrize("target", TARGETS)
def test_a04_mount_points_are_not_made_through_links(box, kind, target):
    assert attacks.mount_target_through_a_link(box, kind, TARGETS[target]) == []


@pytest.mark.parametrize("number", range(3, 13))
def test_a05_no_descriptor_of_the_runtime_is_a_working_directory(box, number):
    assert attacks.working_directory_is_a_descriptor(box, number) == []


@pytest.mark.parametrize("path", ["/proc/self/cwd", "/proc/1/cwd", "/proc/self/root/..",
                                  "/proc/thread-self/fd/9", "/../../.."])
def test_a05_no_working_directory_is_outside_the_root(box, path):
    bundle = box.bundle("facts", edit=lambda config, _: config["process"].update(cwd=path))
    result, harm = attacks.attempt(box, bundle)
    assert harm == []
    if result.rc == 0:
        cwd = Facts(result.out).cwd
        assert cwd == "/" or cwd.startswith("/proc"), cwd


@pytest.mark.parametrize("name", ["../canary", "../../canary", "/canary", "..", ".", "a/../../x"])
def test_a09_an_id_is_not_a_path(box, name):
    before = box.canary.before
    bundle = box.bundle("exit", "0")
    assert box.call("run", "--bundle", bundle.path, name).rc != 0
    box.call("delete", "--force", name)
    box.call("kill", name, "KILL")
    assert box.canary.snapshot() == before
    assert os.listdir(box.runtime.root) == []


@pytest.mark.parametrize("key", ["kernel.shm_rmid_forced/../core_pattern", "kernel/../kernel/core_pattern",
                                 "net.ipv4/../../kernel/core_pattern", "../../etc/passwd",
                                 "net.core_pattern", "kernel.core_pattern", "vm.overcommit_memory",
                                 "", "net."])
def test_a11_a_sysctl_does_not_leave_its_namespace(box, key):
    paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory"]
    before = [open(path, encoding="ascii").read() for path in paths]
    bundle = box.bundle("exit", "0", edit=lambda config, _: config["linux"].update(
        sysctl={key: "|/evil"}))
    result, harm = attacks.attempt(box, bundle)
    assert harm == [] and result.rc != 0
    assert [open(path, encoding="ascii").read() for path in paths] == before


@pytest.mark.parametrize("value", ["1+kernel.core_pattern=|/evil", "1\nkernel.core_pattern=|/evil",
                                   "1 ../../../kernel/core_pattern=|/evil", "1" * 70000])
def test_a11_a_value_is_written_to_one_file_only(box, value):
    paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/shm_rmid_forced"]
    before = [open(path, encoding="ascii").read() for path in paths]
    bundle = box.bundle("exit", "0", edit=lambda config, _: config["linux"].update(
        sysctl={"kernel.shm_rmid_forced": value}))
    _, harm = attacks.attempt(box, bundle)
    assert harm == []
    assert [open(path, encoding="ascii").read() for path in paths] == before


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
@pytest.mark.parametrize("destination", ["/proc", "/proc/self", "/proc/self/attr", "/proc/sys",
                                         "/proc/1", "/proc/thread-self/attr/exec"])
def test_a12_a_volume_does_not_replace_proc(box, destination, kind):
    assert attacks.volume_on_proc(box, destination, kind) == []


@pytest.mark.parametrize("kind", attacks.PASSWD)
def test_a13_a_hostile_passwd_does_not_stop_the_runtime(box, kind):
    assert attacks.hostile_passwd(box, kind) == []


@KINDS
def test_a14_the_working_directory_is_not_made_through_a_link(box, kind):
    assert attacks.working_directory_through_a_link(box, kind) == []


@KINDS
def test_a15_nothing_is_copied_up_through_a_link(box, kind):
    assert attacks.copy_up_through_a_link(box, kind) == []


def test_a16_the_terminal_of_the_caller_is_out_of_reach(box):
    assert attacks.terminal_of_the_caller(box) == []


def huge_path(config):
    next(n for n in config["linux"]["namespaces"] if n["type"] == "ipc")["path"] = "/" + "n" * 70000


def huge_destination(config):
    config["mounts"].append({"destination": "/" + "d" * 70000, "type": "tmpfs", "source": "t"})


def deep_destination(config):
    config["mounts"].append({"destination": "/d" * 4000, "type": "tmpfs", "source": "t"})


def huge_options(config):
    bundles.mount_at(config, "/dev")["options"].append("x" * 70000)


def many_mappings(config):
    one = {"containerID": 0, "hostID": 1, "size": 1}
    config["linux"].setdefault("namespaces", []).append({"type": "user"})
    config["linux"]["uidMappings"] = [dict(one, containerID=i, hostID=i + 5) for i in range(20000)]
    config["linux"]["gidMappings"] = config["linux"]["uidMappings"]


def many_groups(config):
    config["process"]["user"]["additionalGids"] = list(range(1, 100001))


def huge_argument(config):
    config["process"]["args"] = ["/bin/guest", "echo", "x" * (4 << 20)]


def huge_hostname(config):
    config["hostname"] = "h" * 70000


@pytest.mark.parametrize("change", [huge_path, huge_destination, deep_destination, huge_options,
                                    many_mappings, many_groups, huge_argument, huge_hostname])
def test_a17_a_field_larger_than_any_buffer_is_refused(box, change):
    result, harm = attacks.attempt(box, box.bundle("exit", "0", edit=lambda c, _: change(c)))
    assert harm == [] and result.rc != 0
    assert len(result.err) < 100000
    assert attacks.host_harm(box) == []


@KINDS
def test_a23_dev_null_of_the_image_is_not_followed(box, kind):
    assert attacks.dev_null_is_a_link(box, kind) == []


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&- 2>&-"])
def test_a23_closed_streams_are_not_those_of_the_image(box, closed):
    assert attacks.closed_streams(box, "absolute", closed) == []


@KINDS
def test_a24_the_console_is_not_made_through_a_link(box, kind):
    assert attacks.console_is_a_link(box, kind) == []


def test_a24_the_console_is_not_taken_from_the_containers_pts(box):
    assert attacks.pts_is_full_of_links(box) == []


@pytest.mark.parametrize("name", ["etc/mtab", "run/notify", "dev/core", "proc/self"])
@KINDS
def test_t06_no_planted_link_is_written_through(box, kind, name):
    def edit(_, bundle):
        bundle.symlink(name, attacks.escape_targets(box, "made")[kind])

    _, harm = attacks.attempt(box, box.bundle("exit", "0", edit=edit))
    assert harm + attacks.host_harm(box) == []


@KINDS
def test_masked_and_read_only_paths_do_not_leave_the_root(box, kind):
    """A mask on a link to the host would be lost at the pivot, or hide what is not ours."""
    def edit(config, bundle):
        bundle.symlink("gone", attacks.escape_targets(box, "secret")[kind])
        bundle.symlink("gone-dir", attacks.escape_targets(box, "sub")[kind])
        config["linux"]["maskedPaths"] = ["/gone", "/gone-dir"]
        config["linux"]["readonlyPaths"] = ["/gone-dir"]

    result, harm = attacks.attempt(box, box.bundle("facts", edit=edit))
    assert harm + attacks.host_harm(box) == []
    if result.rc == 0:
        assert not any(box.canary.path in mount.root for mount in Facts(result.out).all_mounts())
