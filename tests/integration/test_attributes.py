"""Scheduling, I/O priority, memory policy, execution domain and labels of the program."""

import fcntl
import os
import re
import socket
import struct
import termios

import pytest

BATCH, IDLE, FIFO = 3, 5, 1


def process(**changes):
    return lambda config, _: config["process"].update(changes)


def linux(**changes):
    return lambda config, _: config["linux"].update(changes)


def refused(box, edit, says):
    name = box.new_id()
    box.fails("create", "--bundle", box.bundle("exit", "0", edit=edit).path, name, says=says)
    assert not os.listdir(box.runtime.root)


# ---- scheduler


def test_scheduler_policy_and_nice_are_set(box):
    facts = box.facts(process(scheduler={"policy": "SCHED_BATCH", "nice": 7}))
    assert facts.scheduler[:4] == [BATCH, 0, 7, 0] and facts.nice == 7


def test_scheduler_flags_are_set(box):
    facts = box.facts(process(scheduler={"policy": "SCHED_IDLE",
                                         "flags": ["SCHED_FLAG_RESET_ON_FORK"]}))
    assert facts.scheduler[:2] == [IDLE, 1]


def test_scheduler_of_the_caller_stays_without_the_field(box):
    facts = box.facts(preexec_fn=lambda: os.nice(3))
    assert facts.nice == 3


@pytest.mark.modes("root")
def test_scheduler_nice_of_root_may_be_lower(box):
    assert box.facts(process(scheduler={"policy": "SCHED_OTHER", "nice": -5})).nice == -5


def try_real_time(policy, **values):
    """Whether this host gives root such a policy: CPU cgroups may have no time for it."""
    param = os.sched_param(values.get("priority", 0))
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setscheduler(0, policy, param)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.modes("root")
def test_scheduler_priority_of_a_real_time_policy_is_set(box):
    if not try_real_time(FIFO, priority=5):
        pytest.skip("machine: no time for real-time processes in this CPU cgroup")
    facts = box.facts(process(scheduler={"policy": "SCHED_FIFO", "priority": 5}))
    assert facts.scheduler[0] == FIFO and facts.scheduler[3] == 5


@pytest.mark.modes("root")
def test_scheduler_deadline_runtime_and_period_are_set(box):
    times = {"runtime": 1000000, "deadline": 20000000, "period": 30000000}
    result = box.run(box.bundle("facts", edit=process(
        scheduler={"policy": "SCHED_DEADLINE", **times})))
    if result.rc != 0 and "/process/scheduler: set the scheduler" in result.err:
        pytest.skip("machine: no SCHED_DEADLINE here: " + result.err)
    assert '"scheduler":[6,0,0,0,1000000,20000000,30000000]' in result.out, result


@pytest.mark.modes("user", "userns-root")
@pytest.mark.parametrize("values", [{"policy": "SCHED_OTHER", "nice": -5},
                                    {"policy": "SCHED_FIFO", "priority": 5}])
def test_scheduler_that_needs_privilege_is_refused_with_the_cure(box, values):
    refused(box, process(scheduler=values),
            ["/process/scheduler", "operation not permitted", "CAP_SYS_NICE"])


@pytest.mark.parametrize("values, says", [
    ({"policy": "SCHED_NO"}, "/process/scheduler/policy"),
    ({}, "/process/scheduler"),
    ({"policy": 1}, "/process/scheduler/policy"),
    ({"policy": "SCHED_OTHER", "nice": 20}, "/process/scheduler/nice"),
    ({"policy": "SCHED_OTHER", "nice": "1"}, "/process/scheduler/nice"),
    ({"policy": "SCHED_OTHER", "priority": 1}, "/process/scheduler/priority"),
    ({"policy": "SCHED_FIFO", "priority": 100}, "/process/scheduler/priority"),
    ({"policy": "SCHED_OTHER", "flags": ["X"]}, "/process/scheduler/flags/0"),
    ({"policy": "SCHED_OTHER", "runtime": 1}, "/process/scheduler"),
    ({"policy": "SCHED_DEADLINE", "runtime": 5000, "deadline": 4000}, "/process/scheduler"),
    ({"policy": "SCHED_DEADLINE", "runtime": 4000, "deadline": 4000, "period": 3000},
     "/process/scheduler"),
    ({"policy": "SCHED_DEADLINE", "runtime": -1}, "/process/scheduler/runtime"),
])
def test_scheduler_wrong_values_are_refused(box, values, says):
    refused(box, process(scheduler=values), says)


def test_scheduler_that_the_kernel_does_not_have_is_refused(box):
    refused(box, process(scheduler={"policy": "SCHED_ISO"}),
            ["/process/scheduler", "this kernel does not have"])


# ---- ioPriority


@pytest.mark.parametrize("name, number", [("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)])
def test_io_priority_is_set(box, name, number):
    facts = box.facts(process(ioPriority={"class": name, "priority": 6}))
    assert facts.io_priority == number << 13 | 6


@pytest.mark.modes("root")
def test_io_priority_of_root_may_be_real_time(box):
    facts = box.facts(process(ioPriority={"class": "IOPRIO_CLASS_RT", "priority": 1}))
    assert facts.io_priority == 1 << 13 | 1


@pytest.mark.modes("user", "userns-root")
def test_io_priority_that_needs_privilege_is_refused_with_the_cure(box):
    refused(box, process(ioPriority={"class": "IOPRIO_CLASS_RT"}),
            ["/process/ioPriority", "operation not permitted", "CAP_SYS_NICE"])


@pytest.mark.parametrize("values, says", [
    ({"class": "IOPRIO_CLASS_NONE"}, "/process/ioPriority/class"),
    ({"priority": 1}, "/process/ioPriority"),
    ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "/process/ioPriority/priority"),
    ({"class": "IOPRIO_CLASS_BE", "priority": -1}, "/process/ioPriority/priority"),
    ({"class": "IOPRIO_CLASS_BE", "priority": "1"}, "/process/ioPriority/priority"),
])
def test_io_priority_wrong_values_are_refused(box, values, says):
    refused(box, process(ioPriority=values), says)


# ---- execCPUAffinity: for exec, so the first program keeps the caller's


@pytest.mark.parametrize("value", ["0", "0-3,7", " 0 - 1 , 3 ", "1024-8191", ""])
def test_exec_cpu_affinity_is_no_affair_of_the_first_process(box, value):
    status = box.facts(process(execCPUAffinity={"initial": value, "final": value})).status
    with open("/proc/self/status", encoding="ascii") as file:
        own = re.search(r"Cpus_allowed_list:\t(.*)", file.read()).group(1)
    assert status["Cpus_allowed_list"] == own


@pytest.mark.parametrize("value", ["a", "1-", "3-1", ",", "0,", "-1", "65536", "0x1", 1, ["0"]])
@pytest.mark.parametrize("which", ["initial", "final"])
def test_exec_cpu_affinity_wrong_values_are_refused(box, which, value):
    refused(box, process(execCPUAffinity={which: value}), "/process/execCPUAffinity/" + which)


# ---- personality


def test_personality_linux32_is_set(box):
    facts = box.facts(linux(personality={"domain": "LINUX32"}))
    assert facts.personality == 8 and facts.machine in ("i686", "armv8l", os.uname().machine)


def test_personality_linux_is_set(box):
    facts = box.facts(linux(personality={"domain": "LINUX", "flags": []}))
    assert facts.personality == 0 and facts.machine == os.uname().machine


def test_personality_is_set_before_the_filter_forbids_it(box):
    def edit(config, _):
        config["linux"].update(
            personality={"domain": "LINUX32"},
            seccomp={"defaultAction": "SCMP_ACT_ALLOW",
                     "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO"}]})

    facts = box.facts(edit)
    assert facts.personality == -1 and facts.machine in ("i686", "armv8l", os.uname().machine)


@pytest.mark.parametrize("values, says", [
    ({"domain": "BSD"}, "/linux/personality/domain"),
    ({}, "/linux/personality"),
    ({"domain": 8}, "/linux/personality/domain"),
    ({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}, "/linux/personality/flags"),
    ({"domain": "LINUX", "flags": "x"}, "/linux/personality/flags"),
])
def test_personality_wrong_values_are_refused(box, values, says):
    refused(box, linux(personality=values), says)


# ---- memoryPolicy

DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, MANY = range(6)
STATIC = 1 << 15


@pytest.mark.parametrize("values, seen", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, [BIND, 1]),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, [PREFERRED, 1]),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
     [INTERLEAVE | STATIC, 1]),
    ({"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}, [MANY, 1]),
    ({"mode": "MPOL_LOCAL"}, [LOCAL, 0]),
    ({"mode": "MPOL_DEFAULT", "nodes": ""}, [DEFAULT, 0]),
])
def test_memory_policy_is_set(box, values, seen):
    if not os.path.exists("/sys/devices/system/node/node0"):
        pytest.skip("machine: a kernel without NUMA")
    assert box.facts(linux(memoryPolicy=values)).memory_policy == seen


def test_memory_policy_for_a_node_that_is_not_there_is_refused(box):
    refused(box, linux(memoryPolicy={"mode": "MPOL_BIND", "nodes": "1023"}),
            ["/linux/memoryPolicy", "nodes 1023", "invalid argument", "a node is not there"])


@pytest.mark.parametrize("values, says", [
    ({}, "/linux/memoryPolicy"),
    ({"mode": "MPOL_BIN"}, "/linux/memoryPolicy/mode"),
    ({"mode": 2}, "/linux/memoryPolicy/mode"),
    ({"mode": "MPOL_BIND"}, "/linux/memoryPolicy/nodes"),
    ({"mode": "MPOL_LOCAL", "nodes": "0"}, "/linux/memoryPolicy/nodes"),
    ({"mode": "MPOL_BIND", "nodes": "0-"}, "/linux/memoryPolicy/nodes"),
    ({"mode": "MPOL_BIND", "nodes": "1024"}, "/linux/memoryPolicy/nodes"),
    ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["X"]}, "/linux/memoryPolicy/flags/0"),
    ({"mode": "MPOL_BIND", "nodes": "0",
      "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}, "/linux/memoryPolicy/flags"),
])
def test_memory_policy_wrong_values_are_refused(box, values, says):
    refused(box, linux(memoryPolicy=values), says)


# ---- labels


def has_apparmor():
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as file:
            return file.read().startswith("Y")
    except OSError:
        return False


def has_selinux():
    with open("/proc/filesystems", encoding="ascii") as file:
        return "selinuxfs" in file.read()


def test_apparmor_profile_without_apparmor_is_refused(box):
    if has_apparmor():
        pytest.skip("machine: AppArmor is enabled")
    refused(box, process(apparmorProfile="coracle-test"),
            ["/process/apparmorProfile", "AppArmor is not enabled", "coracle-test"])


def test_apparmor_profile_that_is_not_loaded_is_refused(box):
    if not has_apparmor():
        pytest.skip("machine: AppArmor is not enabled")
    refused(box, process(apparmorProfile="coracle-no-such-profile"),
            ["/process/apparmorProfile", "coracle-no-such-profile"])


def test_apparmor_profile_unconfined_is_no_profile(box):
    assert box.run(box.bundle("exit", "0", edit=process(apparmorProfile="unconfined"))).rc == 0


@pytest.mark.parametrize("value", [1, "a\nb", ["x"]])
def test_apparmor_profile_wrong_values_are_refused(box, value):
    refused(box, process(apparmorProfile=value), "/process/apparmorProfile")


def test_selinux_label_without_selinux_is_refused(box):
    if has_selinux():
        pytest.skip("machine: SELinux is enabled")
    refused(box, process(selinuxLabel="system_u:system_r:container_t:s0"),
            ["/process/selinuxLabel", "SELinux is not enabled", "container_t"])


@pytest.mark.parametrize("value", [1, "a\nb", {}])
def test_selinux_label_wrong_values_are_refused(box, value):
    refused(box, process(selinuxLabel=value), "/process/selinuxLabel")


def test_mount_label_without_selinux_is_refused(box):
    if has_selinux():
        pytest.skip("machine: SELinux is enabled")
    refused(box, linux(mountLabel="system_u:object_r:container_file_t:s0"),
            ["/linux/mountLabel", "SELinux is not enabled"])


@pytest.mark.parametrize("value", [1, "a\nb", []])
def test_mount_label_wrong_values_are_refused(box, value):
    refused(box, linux(mountLabel=value), "/linux/mountLabel")


# ---- oomScoreAdj


def test_oom_score_adj_above_the_callers_is_set(box):
    assert box.facts(process(oomScoreAdj=700)).oom_score_adj == "700\n"


@pytest.mark.modes("root")
def test_oom_score_adj_of_root_may_be_lower(box):
    with open("/proc/self/status", encoding="ascii") as file:
        if int(re.search(r"CapEff:\t(.*)", file.read()).group(1), 16) & 1 << 24 == 0:
            pytest.skip("machine: root without CAP_SYS_RESOURCE")
    assert box.facts(process(oomScoreAdj=-600)).oom_score_adj == "-600\n"


@pytest.mark.modes("user", "userns-root")
def test_oom_score_adj_that_cannot_be_lowered_stays_and_is_said(box):
    container = box.create("pause", edit=process(oomScoreAdj=-600))
    assert any("/process/oomScoreAdj" in text
               for text in box.state(container.id)["degradations"])
    with open(f"/proc/{container.pid}/oom_score_adj", encoding="ascii") as file:
        own = file.read()
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        assert own == file.read()


@pytest.mark.modes("user", "userns-root")
def test_oom_score_adj_that_cannot_be_lowered_is_an_error_with_strict(box):
    bundle = box.bundle("exit", "0", edit=process(oomScoreAdj=-600))
    box.fails("run", "--bundle", bundle.path, box.new_id(), options=["--strict"],
              says=["oomScoreAdj", "--strict"])


@pytest.mark.parametrize("value", [1001, -1001, 1.5, "1", 1 << 40])
def test_oom_score_adj_wrong_values_are_refused(box, value):
    refused(box, process(oomScoreAdj=value), "/process/oomScoreAdj")


# ---- consoleSize


@pytest.mark.parametrize("size", [(25, 90), (65535, 1), None])
def test_console_size_is_that_of_the_terminal(box, size):
    def edit(config, bundle):
        config["process"]["terminal"] = True
        if size:
            config["process"]["consoleSize"] = {"height": size[0], "width": size[1]}

    path = os.path.join(box.dir, "console.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen(1)
        box.create("pause", edit=edit, options=["--console-socket", path])
        listener.settimeout(10)
        with listener.accept()[0] as connection:
            _, fds, _, _ = socket.recv_fds(connection, 100, 1)
    seen = struct.unpack("HHHH", fcntl.ioctl(fds[0], termios.TIOCGWINSZ, bytes(8)))
    os.close(fds[0])
    assert seen[:2] == (size or (0, 0))


def test_console_size_without_a_terminal_is_ignored(box):
    """runtime-spec config.md: "This property is ignored if terminal is false"."""
    facts = box.facts(process(consoleSize={"height": 70000, "width": 70000}))
    assert facts.stdin_is_tty is False


# ---- what needs a cgroup


def test_cgroups_path_and_device_rules_without_a_cgroup_are_said_to_be_without_effect(box):
    def edit(config, _):
        config["linux"].update(cgroupsPath="/coracle/test", resources={"devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]})

    container = box.create("pause", edit=edit, before=("--cgroup-manager=disabled",))
    said = " ".join(box.state(container.id)["degradations"])
    assert "/linux/cgroupsPath" in said and "/linux/resources/devices" in said
