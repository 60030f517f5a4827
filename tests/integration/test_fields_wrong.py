"""A wrong value for each field of config.json that this program reads: wrong type, out of range or
in conflict with another. tests/fields.md names the rows; tests/lint/fields.py compares."""

import json
import os

import pytest

HOOK = {"path": "/bin/true"}
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW",
           "syscalls": [{"names": ["getcpu"], "action": "SCMP_ACT_ERRNO",
                         "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}
DEVICE = {"path": "/dev/x", "type": "c", "major": 1, "minor": 3}
RULE = {"allow": False, "access": "rwm"}
LIMIT = {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}
MAP = {"containerID": 0, "hostID": 0, "size": 1}
SCHEDULER = {"policy": "SCHED_OTHER"}
TMPFS = {"destination": "/m", "type": "tmpfs", "source": "x"}
BIND = {"destination": "/m", "type": "bind", "source": "/", "options": ["bind"],
        "uidMappings": [MAP], "gidMappings": [MAP]}

# Field: what stands around it, the pointer to the value, the wrong value. The error names the
# pointer, or a prefix of it that ends at a "|".
WRONG = {
    "ociVersion": ({}, "/ociVersion", 1),
    "root.path": ({}, "/root/path", ""),
    "root.readonly": ({}, "/root/readonly", "yes"),
    "hostname": ({}, "/hostname", "x" * 65),
    "domainname": ({}, "/domainname", ["a"]),
    "annotations": ({}, "/annotations", {"a": 1}),
    "process": ({}, "/process", []),
    "process.terminal": ({}, "/process/terminal", 1),
    "process.consoleSize.height": ({"/process/terminal": True,
                                    "/process/consoleSize": {"height": 1, "width": 1}},
                                   "/process/consoleSize/height", 65536),
    "process.consoleSize.width": ({"/process/consoleSize": {"height": 1, "width": 1}},
                                  "/process/consoleSize/width", -1),
    "process.cwd": ({}, "/process/cwd", "tmp"),
    "process.env": ({}, "/process/env", ["A"]),
    "process.args": ({}, "/process/args", [1]),
    "process.user.uid": ({}, "/process/user/uid", 4294967295),
    "process.user.gid": ({}, "/process/user/gid", -1),
    "process.user.umask": ({}, "/process/user/umask", 512),
    "process.user.additionalGids": ({}, "/process/user/additionalGids", [4294967296]),
    "process.capabilities.bounding": ({}, "/process/capabilities/bounding", "CAP_KILL"),
    "process.capabilities.effective": ({}, "/process/capabilities/effective", [1]),
    "process.capabilities.inheritable": ({}, "/process/capabilities/inheritable", {}),
    "process.capabilities.permitted": ({}, "/process/capabilities/permitted", True),
    "process.capabilities.ambient": ({}, "/process/capabilities/ambient", 1),
    "process.rlimits[].type": ({"/process/rlimits": [LIMIT]}, "/process/rlimits/0/type", "CORE"),
    "process.rlimits[].hard": ({"/process/rlimits": [LIMIT]}, "/process/rlimits/0/hard", -1),
    "process.rlimits[].soft": ({"/process/rlimits": [LIMIT]}, "/process/rlimits/0/soft", 1),
    "process.noNewPrivileges": ({}, "/process/noNewPrivileges", "true"),
    "process.apparmorProfile": ({}, "/process/apparmorProfile", "a\nb"),
    "process.selinuxLabel": ({}, "/process/selinuxLabel", 1),
    "process.oomScoreAdj": ({}, "/process/oomScoreAdj", 1001),
    "process.scheduler.policy": ({}, "/process/scheduler", {"policy": "SCHED_FAST"}),
    "process.scheduler.nice": ({"/process/scheduler": SCHEDULER}, "/process/scheduler/nice", 20),
    "process.scheduler.priority": ({"/process/scheduler": SCHEDULER},
                                   "/process/scheduler/priority", 1),
    "process.scheduler.flags": ({"/process/scheduler": SCHEDULER}, "/process/scheduler/flags",
                                ["SCHED_FLAG_FAST"]),
    "process.scheduler.runtime": ({"/process/scheduler": SCHEDULER},
                                  "/process/scheduler|/runtime", 5000),
    "process.scheduler.deadline": ({"/process/scheduler": SCHEDULER},
                                   "/process/scheduler/deadline", "1"),
    "process.scheduler.period": ({"/process/scheduler": SCHEDULER},
                                 "/process/scheduler/period", -1),
    "process.ioPriority.class": ({}, "/process/ioPriority", {"class": "IOPRIO_CLASS_NONE"}),
    "process.ioPriority.priority": ({"/process/ioPriority": {"class": "IOPRIO_CLASS_BE"}},
                                    "/process/ioPriority/priority", 8),
    "process.execCPUAffinity.initial": ({}, "/process/execCPUAffinity", {"initial": "1-"}),
    "process.execCPUAffinity.final": ({}, "/process/execCPUAffinity", {"final": "x"}),
    "hooks.prestart": ({}, "/hooks/prestart", HOOK),
    "hooks.createRuntime": ({}, "/hooks/createRuntime", [{"path": "true"}]),
    "hooks.createContainer": ({}, "/hooks/createContainer", [{}]),
    "hooks.startContainer": ({}, "/hooks/startContainer", "x"),
    "hooks.poststart": ({}, "/hooks/poststart", [1]),
    "hooks.poststop": ({}, "/hooks/poststop", {}),
    "hooks.*[].path": ({"/hooks/poststop": [HOOK]}, "/hooks/poststop/0/path", "true"),
    "hooks.*[].args": ({"/hooks/poststop": [HOOK]}, "/hooks/poststop/0/args", "x"),
    "hooks.*[].env": ({"/hooks/poststop": [HOOK]}, "/hooks/poststop/0/env", ["A"]),
    "hooks.*[].timeout": ({"/hooks/poststop": [HOOK]}, "/hooks/poststop/0/timeout", 0),
    "mounts": ({}, "/mounts", {}),
    "mounts[].destination": ({"/mounts": [TMPFS]}, "/mounts/0/destination", ""),
    "mounts[].source": ({"/mounts": [TMPFS]}, "/mounts/0/source", 1),
    "mounts[].type": ({"/mounts": [TMPFS]}, "/mounts/0/type", ["tmpfs"]),
    "mounts[].options": ({"/mounts": [TMPFS]}, "/mounts/0/options", "ro"),
    "mounts[].uidMappings": ({"/mounts": [BIND]}, "/mounts/0|/uidMappings", []),
    "mounts[].gidMappings": ({"/mounts": [BIND]}, "/mounts/0/gidMappings", [MAP, MAP]),
    "linux": ({}, "/linux", []),
    "linux.namespaces[].type": ({}, "/linux/namespaces", [{"type": "moon"}]),
    "linux.namespaces[].path": ({}, "/linux/namespaces", [{"type": "mount", "path": "x"}]),
    "linux.uidMappings[].containerID": ({"/linux/uidMappings": [MAP]},
                                        "/linux/uidMappings/0/containerID", -1),
    "linux.uidMappings[].hostID": ({"/linux/uidMappings": [MAP]},
                                   "/linux/uidMappings/0/hostID", "0"),
    "linux.uidMappings[].size": ({"/linux/uidMappings": [MAP],
                                  "/linux/namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "uts"}]},
                                 "/linux/uidMappings/0/size", 0),
    "linux.gidMappings": ({"/linux/namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "uts"}],
                           "/linux/uidMappings": [MAP]}, "/linux/gidMappings", []),
    "linux.timeOffsets": ({}, "/linux/timeOffsets", {"realtime": {"secs": 1}}),
    "linux.timeOffsets.*.secs": ({"/linux/timeOffsets": {"monotonic": {}}},
                                 "/linux/timeOffsets/monotonic/secs", 0.5),
    "linux.timeOffsets.*.nanosecs": ({"/linux/timeOffsets": {"monotonic": {}}},
                                     "/linux/timeOffsets/monotonic/nanosecs", -1),
    "linux.devices[].path": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/path", "dev/x"),
    "linux.devices[].type": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/type", "x"),
    "linux.devices[].major": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/major", 4096),
    "linux.devices[].minor": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/minor", -1),
    "linux.devices[].fileMode": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/fileMode", "0666"),
    "linux.devices[].uid": ({"/linux/devices": [DEVICE]}, "/linux/devices/0|/uid", 4294967295),
    "linux.devices[].gid": ({"/linux/devices": [DEVICE]}, "/linux/devices/0/gid", -1),
    "linux.cgroupsPath": ({}, "/linux/cgroupsPath", "/a/../b"),
    "linux.resources.devices[].allow": ({"/linux/resources": {"devices": [RULE]}},
                                        "/linux/resources/devices/0/allow", 1),
    "linux.resources.devices[].type": ({"/linux/resources": {"devices": [RULE]}},
                                       "/linux/resources/devices/0/type", "x"),
    "linux.resources.devices[].major": ({"/linux/resources": {"devices": [RULE]}},
                                        "/linux/resources/devices/0/major", -2),
    "linux.resources.devices[].minor": ({"/linux/resources": {"devices": [RULE]}},
                                        "/linux/resources/devices/0/minor", "1"),
    "linux.resources.devices[].access": ({"/linux/resources": {"devices": [RULE]}},
                                         "/linux/resources/devices/0/access", "x"),
    "linux.sysctl": ({}, "/linux/sysctl", {"net.ipv4.ip_forward": 1}),
    "linux.seccomp.defaultAction": ({"/linux/seccomp": SECCOMP}, "/linux/seccomp/defaultAction",
                                    "SCMP_ACT_DENY"),
    "linux.seccomp.defaultErrnoRet": ({"/linux/seccomp": SECCOMP},
                                      "/linux/seccomp/defaultErrnoRet", 1),
    "linux.seccomp.architectures": ({"/linux/seccomp": SECCOMP}, "/linux/seccomp/architectures",
                                    ["SCMP_ARCH_VAX"]),
    "linux.seccomp.flags": ({"/linux/seccomp": SECCOMP}, "/linux/seccomp/flags", ["X"]),
    "linux.seccomp.listenerPath": ({"/linux/seccomp": SECCOMP}, "/linux/seccomp/listenerPath", 1),
    "linux.seccomp.listenerMetadata": ({"/linux/seccomp": SECCOMP},
                                       "/linux/seccomp/listenerMetadata", {}),
    "linux.seccomp.syscalls[].names": ({"/linux/seccomp": SECCOMP},
                                       "/linux/seccomp/syscalls/0/names", []),
    "linux.seccomp.syscalls[].action": ({"/linux/seccomp": SECCOMP},
                                        "/linux/seccomp/syscalls/0/action", "X"),
    "linux.seccomp.syscalls[].errnoRet": ({"/linux/seccomp": SECCOMP},
                                          "/linux/seccomp/syscalls/0/errnoRet", 4095),
    "linux.seccomp.syscalls[].args[].index": ({"/linux/seccomp": SECCOMP},
                                              "/linux/seccomp/syscalls/0/args/0/index", 6),
    "linux.seccomp.syscalls[].args[].value": ({"/linux/seccomp": SECCOMP},
                                              "/linux/seccomp/syscalls/0/args/0/value", -1),
    "linux.seccomp.syscalls[].args[].valueTwo": ({"/linux/seccomp": SECCOMP},
                                                 "/linux/seccomp/syscalls/0/args/0/valueTwo", "1"),
    "linux.seccomp.syscalls[].args[].op": ({"/linux/seccomp": SECCOMP},
                                           "/linux/seccomp/syscalls/0/args/0/op", "=="),
    "linux.rootfsPropagation": ({}, "/linux/rootfsPropagation", "public"),
    "linux.maskedPaths": ({}, "/linux/maskedPaths", ["proc"]),
    "linux.readonlyPaths": ({}, "/linux/readonlyPaths", "/proc"),
    "linux.mountLabel": ({}, "/linux/mountLabel", "a\nb"),
    "linux.personality.domain": ({}, "/linux/personality", {"domain": "BSD"}),
    "linux.personality.flags": ({"/linux/personality": {"domain": "LINUX"}},
                                "/linux/personality/flags", ["X"]),
    "linux.intelRdt.closID": ({"/linux/intelRdt": {}}, "/linux/intelRdt/closID", "a/b"),
    "linux.intelRdt.l3CacheSchema": ({"/linux/intelRdt": {}}, "/linux/intelRdt/l3CacheSchema", 1),
    "linux.intelRdt.memBwSchema": ({"/linux/intelRdt": {}}, "/linux/intelRdt/memBwSchema", "L3:0"),
    "linux.intelRdt.schemata": ({"/linux/intelRdt": {}}, "/linux/intelRdt/schemata", ["a\nb"]),
    "linux.intelRdt.enableMonitoring": ({"/linux/intelRdt": {}},
                                        "/linux/intelRdt/enableMonitoring", "yes"),
    "linux.memoryPolicy.mode": ({}, "/linux/memoryPolicy", {"mode": "MPOL_BEST"}),
    "linux.memoryPolicy.nodes": ({"/linux/memoryPolicy": {"mode": "MPOL_BIND"}},
                                 "/linux/memoryPolicy/nodes", "1024"),
    "linux.memoryPolicy.flags": ({"/linux/memoryPolicy": {"mode": "MPOL_LOCAL"}},
                                 "/linux/memoryPolicy/flags", ["X"]),
    "linux.netDevices.*.name": ({"/linux/netDevices": {"eth0": {}}},
                                "/linux/netDevices/eth0/name", "a/b"),
}


def put(config, pointer, value):
    """Sets what a JSON pointer names; missing objects on the way are made."""
    *path, last = pointer.replace("|", "").strip("/").split("/")
    for part in path:
        config = config[int(part)] if isinstance(config, list) else config.setdefault(part, {})
    config[int(last) if isinstance(config, list) else last] = value


def wrong(field):
    around, pointer, value = WRONG[field]

    def edit(config, _):
        for place, good in around.items():
            put(config, place, json.loads(json.dumps(good)))
        put(config, pointer, value)

    return edit, pointer.split("|")[0]


@pytest.mark.parametrize("field", WRONG)
def test_field_with_a_wrong_value_is_refused_by_name(box, field):
    edit, says = wrong(field)
    bundle = box.bundle("exit", "0", edit=edit)
    box.fails("create", "--bundle", bundle.path, box.new_id(), says=says)
    assert os.listdir(box.runtime.root) == []
