"""Bundles: a config.json like the one `runc spec` writes, and a root filesystem with the guest."""

import copy
import json
import os
import shutil

NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
          "/proc/scsi"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def _mount(destination, kind, source, *options):
    entry = {"destination": destination, "type": kind, "source": source}
    if options:
        entry["options"] = list(options)
    return entry


def _mounts(rootless):
    gid = [] if rootless else ["gid=5"]
    return [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
               "ptmxmode=0666", "mode=0620", *gid),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777",
               "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime",
               "ro"),
    ]


def base_config(uid=None, gid=None):
    """The configuration for real root, or with `uid` and `gid` the rootless one."""
    rootless = uid is not None
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/guest", "exit", "0"],
            "env": list(ENVIRONMENT),
            "cwd": "/",
            "capabilities": {name: list(CAPABILITIES)
                             for name in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "box",
        "mounts": _mounts(rootless),
        "linux": {
            "namespaces": [{"type": name} for name in NAMESPACES],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READONLY),
        },
    }
    if rootless:
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    return config


def without_cgroup(config):
    """For the peers, which cannot take the cgroup namespace of a hybrid host."""
    spaces = config["linux"]["namespaces"]
    config["linux"]["namespaces"] = [n for n in spaces if n["type"] != "cgroup"]
    config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    return config


def drop_namespace(config, *kinds):
    spaces = config["linux"]["namespaces"]
    config["linux"]["namespaces"] = [n for n in spaces if n["type"] not in kinds]


def mount_at(config, destination):
    return next(m for m in config["mounts"] if m["destination"] == destination)


def remove_mount(config, *destinations):
    config["mounts"] = [m for m in config["mounts"] if m["destination"] not in destinations]


class Bundle:
    """A bundle directory; `config` may be changed until `write`."""

    def __init__(self, path, config, owner):
        self.path = path
        self.config = config
        self.owner = owner
        self.rootfs = os.path.join(path, "rootfs")
        self.kept = {os.path.join(path, "config.json"), self.rootfs}

    def own(self, path):
        if os.geteuid() == 0:
            os.chown(path, *self.owner, follow_symlinks=False)
        return path

    def directory(self, name, mode=0o755):
        """Makes a directory in the root filesystem, its parents too."""
        path = self.rootfs
        for part in name.strip("/").split("/"):
            path = os.path.join(path, part)
            if not os.path.isdir(path):
                os.mkdir(path)
                self.own(path)
        os.chmod(path, mode)
        return path

    def file(self, name, text="", mode=0o644):
        path = os.path.join(self.directory(os.path.dirname(name) or "/"), os.path.basename(name)) \
            if os.path.dirname(name).strip("/") else os.path.join(self.rootfs, name.strip("/"))
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return self.own(path)

    def symlink(self, name, target):
        parent = os.path.dirname(name.strip("/"))
        if parent:
            self.directory(parent)
        path = os.path.join(self.rootfs, name.strip("/"))
        os.symlink(target, path)
        return self.own(path)

    def write(self, text=None):
        path = os.path.join(self.path, "config.json")
        if text is None:
            text = json.dumps(self.config, indent=1)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        self.own(path)
        return self


def make_rootfs(bundle, guest, busybox=None):
    os.mkdir(bundle.rootfs)
    bundle.own(bundle.rootfs)
    bundle.directory("bin")
    shutil.copyfile(guest, os.path.join(bundle.rootfs, "bin/guest"))
    os.chmod(os.path.join(bundle.rootfs, "bin/guest"), 0o755)
    bundle.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/\n")
    bundle.directory("tmp", 0o1777)
    if busybox:
        shutil.copyfile(busybox, os.path.join(bundle.rootfs, "bin/busybox"))
        os.chmod(os.path.join(bundle.rootfs, "bin/busybox"), 0o755)
        for name in ("sh", "cat", "ls", "id", "mount", "echo", "true"):
            bundle.symlink(f"bin/{name}", "busybox")


def make_bundle(path, base, owner, guest, edit=None, busybox=None):
    """A written bundle at `path`; `edit(config, bundle)` changes it first."""
    os.mkdir(path)
    bundle = Bundle(path, copy.deepcopy(base), owner)
    bundle.own(path)
    make_rootfs(bundle, guest, busybox)
    if edit:
        edit(bundle.config, bundle)
    return bundle.write()
