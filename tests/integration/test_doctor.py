"""`doctor`: what the host lacks, with its consequence and its cure."""

import json
import os

import pytest

from surroundings import CLONE_NEWNS, CLONE_NEWUSER, around, beneath, no_unshare, user_namespace
from test_restrictions import fake_sysctls, outer_container, root_only

pytestmark = pytest.mark.machine("native", "systemd")

NEEDED = {"namespaces", "id map", "filesystem proc", "filesystem tmpfs", "filesystem devpts"}
CONTROLLERS = {f"controller {name}" for name in ("cpu", "cpuset", "io", "memory", "pids")}


def examine(box, *args, rc=0):
    result = box.call("doctor", "--json", *args)
    assert result.rc == rc and result.err == "", result
    assert box.leavings() == []
    report = json.loads(result.out)
    assert report["well"] == (rc == 0)
    for finding in report["findings"]:
        if finding["health"] != "ok":
            assert finding["consequence"] and finding["cure"], finding
    names = [finding["name"] for finding in report["findings"]]
    assert len(names) == len(set(names)), names
    return {finding["name"]: finding for finding in report["findings"]}, report["steps"]


def test_a_host_that_makes_containers_is_well(box):
    found, steps = examine(box)
    assert steps == []
    assert {name for name, entry in found.items() if entry["needed"]} == NEEDED
    assert all(found[name]["health"] == "ok" for name in NEEDED), found
    assert CONTROLLERS | {"overlay", "idmapped mounts", "openat2", "pidfd", "mount API", "Landlock",
                          "seccomp notify", "memfd exec", "core scheduling", "clone into cgroup",
                          "nested AppArmor", "pasta", "nft", "newuidmap", "systemd", "cgroup v2",
                          "id ranges", "filesystem sysfs", "posture swap"} <= set(found)
    # This kernel has them, and nothing here takes them away.
    for name in ("seccomp notify", "openat2", "pidfd", "memfd exec"):
        assert found[name]["health"] == "ok", found[name]
    assert box.must("doctor").out.endswith("\nnothing that is needed is missing\n")


@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("kind", ["user", "net"])
def test_a_limit_of_namespaces_is_found_with_its_cure(box, kind):
    with around(box, *user_namespace(f"echo 0 >/proc/sys/user/max_{kind}_namespaces")):
        found, _ = examine(box, rc=1)
    assert found["namespaces"]["health"] == "broken"
    assert f"user.max_{kind}_namespaces is 0" in found["namespaces"]["cure"]
    assert "sysctl -w" in found["namespaces"]["cure"]
    assert found["filesystem proc"]["health"] == "missing"


@root_only
@pytest.mark.modes("user")
def test_user_namespaces_for_root_only_are_found(box):
    with beneath(box, *fake_sysctls(box, unprivileged_userns_clone=0)), \
         around(box, *no_unshare(CLONE_NEWUSER)):
        found, _ = examine(box, rc=1)
    assert "kernel.unprivileged_userns_clone is 0" in found["namespaces"]["cure"]


@root_only
@pytest.mark.modes("user")
def test_apparmor_that_restricts_user_namespaces_is_found(box):
    with beneath(box, *fake_sysctls(box, apparmor_restrict_unprivileged_userns=1)), \
         around(box, *no_unshare(CLONE_NEWNS)):
        found, _ = examine(box, rc=1)
    assert "contrib/apparmor" in found["namespaces"]["cure"]


@pytest.mark.modes("user", "root")
def test_a_proc_that_an_outer_container_masks_is_found(box):
    with around(box, *outer_container("mount --bind /dev/null /proc/interrupts")):
        found, _ = examine(box, rc=1)
    assert found["namespaces"]["health"] == "ok"
    assert found["filesystem proc"]["health"] == "broken"
    assert "/proc/interrupts" in found["filesystem proc"]["found"]
    assert "systempaths=unconfined" in found["filesystem proc"]["cure"]


@root_only
@pytest.mark.modes("user", "root")
def test_a_weak_posture_is_found_and_is_not_what_is_needed(box):
    with beneath(box, *fake_sysctls(box, unprivileged_bpf_disabled=0, dmesg_restrict=1,
                                    core_pattern="|/x\x1b[2J")):
        found, _ = examine(box, rc=1)  # the fake itself hides a part of /proc
        out = box.call("doctor").out
    assert "\x1b" not in out
    assert {name for name, entry in found.items() if entry["needed"] and entry["health"] != "ok"} \
        == {"filesystem proc"}
    weak = found["posture kernel.unprivileged_bpf_disabled"]
    assert weak["health"] == "broken"
    assert weak["cure"] == "sysctl -w kernel.unprivileged_bpf_disabled=2"
    assert found["posture kernel.dmesg_restrict"]["health"] == "ok"
    assert found["posture kernel.core_pattern"]["health"] == "broken"


def test_a_program_that_is_missing_is_found_with_its_package(box):
    box.runtime.env["PATH"], kept = box.directory("empty"), box.runtime.env["PATH"]
    before = box.runtime.prefix
    box.runtime.prefix = ["/usr/bin/env", f"PATH={kept}", *before[:-1], "/usr/bin/env",
                          f"PATH={box.dir}/empty", before[-1]]
    try:
        found, _ = examine(box)
    finally:
        box.runtime.prefix = before
        box.runtime.env["PATH"] = kept
    if os.path.exists("/usr/sbin/nft"):
        assert found["nft"]["found"] == "/usr/sbin/nft", "sbin is in few users' PATH"
    for name, package in [("pasta", "passt"), ("newuidmap", "uidmap")]:
        assert found[name]["health"] == "missing"
        assert found[name]["cure"] == f"apt-get install {package}"


def test_for_a_bundle_only_what_it_needs_is_told(box):
    bundle = box.bundle()
    found, steps = examine(box, "--for", bundle.path)
    assert steps == []
    assert all(entry["needed"] for entry in found.values())
    assert "overlay" not in found and "posture swap" not in found
    assert ("namespaces" in found) == (box.mode == "user")


def test_for_a_bundle_that_will_fail_the_step_is_told(box):
    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such",
                                 "options": ["bind"]})

    _, steps = examine(box, "--for", box.bundle(edit=edit).path, rc=1)
    [step] = steps
    assert step["outlook"] == "will fail" and "/no/such" in step["why"]
    box.call("doctor", "--for", "/no/such")
    _, steps = examine(box, "--for", "/no/such", rc=1)
    assert "no such file or directory" in steps[0]["why"]
