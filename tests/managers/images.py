"""Images made here, from busybox alone: nothing is fetched."""

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile

from frame import require

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
    "etc/not-executable": "text\n",
    "data/file": "of the image\n",
}
SLEEPER = """#!/bin/sh
trap 'echo ended; exit 7' TERM
trap 'echo hangup' HUP
echo ready
while :; do sleep 0.05; done
"""
DIRECTORIES = ("bin", "data", "dev", "etc", "home/user", "proc", "root", "run", "sys", "tmp", "usr", "var")


def _static_busybox():
    path = shutil.which("busybox")
    require(path, "busybox is missing (Debian: busybox-static)")
    with open(path, "rb") as file:
        data = file.read()
    require(b"/lib64/ld-linux" not in data, "busybox is not static (Debian: busybox-static)")
    return path, data


def foreign(program):
    """`program`, an ELF file, as one for another architecture."""
    return program[:18] + (0xF3 if program[18] != 0xF3 else 0x3E).to_bytes(2, "little") + program[20:]


def make_tar(path):
    """A root file system of busybox as a tar archive: `podman import`, `docker import`. /bin/foreign
    is for another architecture, /bin/sleeper ends at once at SIGTERM; /data has a file."""
    busybox, data = _static_busybox()
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True,
                             text=True).stdout.split()
    with tarfile.open(path, "w") as tar:
        for name in DIRECTORIES:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if name == "tmp" else 0o755
            if name == "home/user":
                entry.uid = entry.gid = 1000
            tar.addfile(entry)
        programs = {"bin/busybox": (data, 0o755), "bin/foreign": (foreign(data), 0o755),
                    "bin/sleeper": (SLEEPER.encode(), 0o755)}
        texts = {name: (text.encode(), 0o644) for name, text in FILES.items()}
        for name, (content, mode) in {**programs, **texts}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
        # With the host's /usr mounted at /usr, the host's programs run too.
        for name, target in {**links, "lib": "usr/lib", "lib64": "usr/lib64"}.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)


def make_bundle(directory, *args, edit=None):
    """A bundle in the new directory `directory`, whose process is `args`; root may run it, and a
    plain user, who is root in it. `edit` may change the configuration."""
    directory.mkdir()
    make_tar(directory / "box.tar")
    with tarfile.open(directory / "box.tar") as tar:
        tar.extractall(directory / "rootfs")
    rootless = os.geteuid() != 0
    capabilities = ["CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE"]
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": list(args), "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/",
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
            "noNewPrivileges": True},
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
    }
    if rootless:
        config["linux"]["namespaces"].append({"type": "user"})
        for kind, own in (("uidMappings", os.geteuid()), ("gidMappings", os.getegid())):
            config["linux"][kind] = [{"containerID": 0, "hostID": own, "size": 1}]
    if edit:
        edit(config)
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def make_archive(path, layer, name):
    """The tar `layer` as an image archive, `ctr image import`; its command is /bin/sleeper."""
    with open(layer, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    configuration = json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
        "config": {"Cmd": ["/bin/sleeper"],
                   "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name],
                            "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        tar.add(layer, "layer.tar")
        for entry_name, content in (("config.json", configuration), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(entry_name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
