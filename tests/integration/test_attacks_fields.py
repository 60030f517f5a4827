"""Attacks on what the configuration's fields make init do: writes to /proc, capabilities, links."""

import json
import os
import re
import shutil
import subprocess

import pytest

import bundles

SOCKET_FAMILY = 38  # AF_ALG


def trace(box, calls, edit, tmp, expect=0):
    """The system calls of a run, as strace writes them, descriptors with their paths."""
    if shutil.which("strace") is None:
        pytest.skip("machine: no strace")
    path = os.path.join(tmp, "trace")
    wrap = ["strace", "-f", "-y", "-s", "200", "-o", path, "-e", "trace=" + calls]
    result = box.run(box.bundle("exit", "0", edit=edit), wrap=wrap, timeout=60)
    assert result.rc == expect, result
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


# ---- T5: writes to /proc (CVE-2025-52881, CVE-2019-16884)


def test_t05_proc_is_written_through_an_instance_of_inits_own_only(box, tmp_path):
    def edit(config, _):
        config["process"]["oomScoreAdj"] = 900
        config["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80"}

    lines = trace(box, "open,openat,openat2,creat", edit, str(tmp_path))
    writes = [line for line in lines if re.search(r"O_(WRONLY|RDWR)", line)]
    by_path = [line for line in writes if re.search(r'\(AT_FDCWD[^,]*, "/proc/|open\("/proc/', line)]
    assert by_path == []
    own = [line for line in writes if re.search(r'"(self/|sys/)', line)]
    assert any("oom_score_adj" in line for line in own), writes
    assert any("port_start" in line for line in own), writes
    # The path of a mount that is attached nowhere is "/"; the host's is "/proc".
    assert [line for line in own if re.search(r"\(\d+</proc>", line)] == []


# ---- T18: CVE-2014-8989


@pytest.mark.modes("user")
def test_t18_setgroups_is_denied_before_a_map_is_written(box, tmp_path):
    lines = trace(box, "openat,openat2", lambda config, _: None, str(tmp_path))
    names = [match.group(1) for line in lines
             for match in [re.search(r'"\d+/(setgroups|uid_map|gid_map)", O_WRONLY', line)] if match]
    assert names and names[0] == "setgroups" and sorted(names) == ["gid_map", "setgroups",
                                                                  "uid_map"], names


# ---- T7, A07: capabilities


def test_t07_an_unknown_capability_is_said(box):
    def edit(config, _):
        config["process"]["capabilities"]["bounding"].append("CAP_NO_SUCH")

    container = box.create("pause", edit=edit)
    assert any("CAP_NO_SUCH" in text for text in box.state(container.id)["degradations"])


def test_t07_an_unknown_capability_is_an_error_with_strict(box):
    def edit(config, _):
        config["process"]["capabilities"] = {"bounding": ["CAP_NO_SUCH"]}

    bundle = box.bundle("exit", "0", edit=edit)
    box.fails("create", "--bundle", bundle.path, box.new_id(), options=["--strict"], says="--strict")


@pytest.mark.modes("root")
def test_a07_no_capability_is_inherited_from_the_caller(box):
    wrap = ["setpriv", "--inh-caps=+all", "--ambient-caps=+all"]
    if subprocess.run([*wrap, "true"], check=False, capture_output=True).returncode != 0:
        wrap = ["setpriv", "--inh-caps=+chown,+kill", "--ambient-caps=+chown,+kill"]
    facts = box.facts(wrap=wrap)
    assert facts.caps()["Inh"] == 0 and facts.caps()["Amb"] == 0


# ---- T11: a link on both sides


def test_t11_a_source_and_a_destination_through_var_run(box):
    """Sources are resolved in the host's root, destinations in the container's."""
    host = box.directory("host")
    os.makedirs(os.path.join(host, "run"))
    os.symlink(os.path.join(host, "run"), os.path.join(host, "varrun"))
    with open(os.path.join(host, "run/socket"), "w", encoding="ascii") as file:
        file.write("of the host")
    os.chmod(os.path.join(host, "run"), 0o755)

    def edit(config, bundle):
        bundle.directory("run")
        bundle.symlink("var/run", "/run")
        config["mounts"].append({"destination": "/var/run/socket", "type": "bind",
                                 "source": os.path.join(host, "varrun/socket"),
                                 "options": ["bind", "ro"]})

    assert box.output("cat", "/run/socket", edit=edit) == "of the host"


# ---- T16: the environment


@pytest.mark.parametrize("entry", ["A", "", "=", "=x", "A\0=1", "A=\0"])
def test_t16_an_entry_of_the_environment_without_a_name_is_refused(box, entry):
    bundle = box.bundle("exit", "0", edit=lambda c, _: c["process"].update(env=["B=1", entry]))
    box.fails("create", "--bundle", bundle.path, box.new_id(), says="config.json")
    assert os.listdir(box.runtime.root) == []


def test_t16_strange_names_and_values_arrive_as_they_are(box):
    env = ["A B=1", "C==", "D= x\n", "e.f=\\", "A B=2", "LD_PRELOAD=", "G=\u00e4"]
    assert box.facts(lambda c, _: c["process"].update(env=[*env, "HOME=/"])).env[:7] == env


# ---- T19: AF_ALG by both entries (CVE-2026-31431)


def test_t19_a_family_of_sockets_is_denied_by_the_32_bit_entry_too(box):
    def edit(config, _):
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [
                {"names": ["socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
                {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                 "args": [{"index": 0, "value": SOCKET_FAMILY, "op": "SCMP_CMP_EQ"}]}]}

    if os.uname().machine != "x86_64":
        pytest.skip("machine: not x86_64")
    out = box.output("also", "try-syscall", "socket", str(SOCKET_FAMILY), "5", "0", "--",
                     "try-syscall32", "359", str(SOCKET_FAMILY), "5", "0", edit=edit)
    assert out.count("EPERM") == 2, out
    out = box.output("try-syscall32", "102", "1", "0", edit=edit)
    assert "EPERM" in out, out


# ---- cost


@pytest.mark.modes("root")
def test_mounts_cost_grows_linearly(box, tmp_path):
    """System calls, not time: 100 more mounts cost the same wherever they start."""
    def calls(count):
        def edit(config, bundle):
            bundle.directory("m")
            config["mounts"] += [{"destination": f"/m/{i}", "type": "tmpfs", "source": "tmpfs",
                                  "options": ["nosuid", "size=4k"]} for i in range(count)]

        return len(trace(box, "all", edit, str(tmp_path)))

    few, some, many = calls(40), calls(140), calls(240)
    assert abs((many - some) - (some - few)) <= (some - few) // 20, (few, some, many)
    assert (some - few) / 100 < 40, (few, some, many)


@pytest.mark.modes("root", "user")
def test_mounts_a_thousand_work(box):
    def edit(config, bundle):
        bundle.directory("m")
        bundles.remove_mount(config, "/dev/mqueue")
        config["mounts"] += [{"destination": f"/m/{i}", "type": "tmpfs", "source": "tmpfs",
                              "options": ["size=4k"]} for i in range(1000)]

    found = [m for m in box.facts(edit, timeout=120).all_mounts() if m.destination.startswith("/m/")]
    assert len(found) == 1000


# ---- intelRdt: nothing is mounted on most hosts


def has_resctrl():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return " - resctrl " in file.read()


@pytest.mark.parametrize("value", [{}, {"closID": "x"}, {"enableMonitoring": True},
                                   {"enableCMT": True, "enableMBM": True},
                                   {"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"},
                                   {"schemata": ["L3:0=f"]}])
def test_intel_rdt_without_resctrl_is_refused_with_the_cure(box, value):
    if has_resctrl():
        pytest.skip("machine: resctrl is mounted")
    bundle = box.bundle("exit", "0", edit=lambda c, _: c["linux"].update(intelRdt=value))
    box.fails("create", "--bundle", bundle.path, box.new_id(),
              says=["/linux/intelRdt", "resctrl is not mounted", "mount -t resctrl"])
    assert os.listdir(box.runtime.root) == []


@pytest.mark.parametrize("value, says", [
    ({"closID": 1}, "/linux/intelRdt/closID"),
    ({"closID": ".."}, "/linux/intelRdt/closID"),
    ({"closID": "a/b"}, "/linux/intelRdt/closID"),
    ({"memBwSchema": "L3:0=f"}, "/linux/intelRdt/memBwSchema"),
    ({"l3CacheSchema": "L3:0=f\nMB:0=1"}, "/linux/intelRdt/l3CacheSchema"),
    ({"schemata": ["MB:0=1\n"]}, "/linux/intelRdt/schemata/0"),
    ({"schemata": "MB:0=1"}, "/linux/intelRdt/schemata"),
    ({"enableMonitoring": 1}, "/linux/intelRdt/enableMonitoring"),
])
def test_intel_rdt_wrong_values_are_refused(box, value, says):
    bundle = box.bundle("exit", "0", edit=lambda c, _: c["linux"].update(intelRdt=value))
    box.fails("create", "--bundle", bundle.path, box.new_id(), says=says)


def test_features_name_what_is_supported(box):
    linux = json.loads(box.must("features", root=False).out)["linux"]
    assert all(linux[name]["enabled"]
               for name in ("apparmor", "selinux", "intelRdt", "netDevices", "seccomp"))
