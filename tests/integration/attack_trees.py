"""Hostile root file systems: at each path that a runtime touches, each thing that may be in its way.
As those of attacks.py, the attack returns the harm it saw."""

import os
import socket
import stat

import attacks
import bundles
from facts import Facts


def _fifo(bundle, path, _):
    os.mkfifo(path)
    bundle.own(path)


def _socket(bundle, path, _):
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(os.path.basename(path))
    finally:
        os.chdir(here)
    bundle.own(path)


def _device(kind, major, minor):
    def make(bundle, path, _):
        if os.geteuid() == 0:
            os.mknod(path, kind | 0o666, os.makedev(major, minor))
        else:
            _fifo(bundle, path, None)
    return make


def _closed_directory(bundle, path, _):
    os.mkdir(path)
    bundle.own(path)
    os.chmod(path, 0)


def _file(bundle, path, _):
    with open(path, "w", encoding="ascii") as file:
        file.write("a file\n")
    bundle.own(path)


def _directory(bundle, path, _):
    os.makedirs(os.path.join(path, "full"))
    bundle.own(path)
    bundle.own(os.path.join(path, "full"))


def _chain(bundle, path, _):
    """40 links, of which the last leads to the host. The kernel follows 40."""
    directory = bundle.directory("chain")
    for number in range(39):
        os.symlink(f"/chain/{number + 1}", os.path.join(directory, str(number)))
    os.symlink("../" * 12 + _, os.path.join(directory, "39"))
    os.symlink("/chain/0", path)


def _link(make_target):
    def make(bundle, path, canary):
        os.symlink(make_target(canary), path)
        bundle.own(path)
    return make


KINDS = {
    "an absolute link": _link(lambda canary: canary),
    "an absolute link to a file": _link(lambda canary: f"{canary}/secret"),
    "a link upwards": _link(lambda canary: "../" * 12 + canary.lstrip("/")),
    "a dangling link": _link(lambda canary: f"{canary}/made"),
    "a dangling link inside": _link(lambda canary: "/no/such/place"),
    "a loop": _link(lambda canary: "loop-a"),
    "a magic link to the root": _link(lambda canary: f"/proc/self/root{canary}"),
    "a magic link to a directory": _link(lambda canary: "/proc/1/cwd"),
    "a magic link to a descriptor": _link(lambda canary: "/proc/self/fd/3"),
    "a FIFO": _fifo,
    "a socket": _socket,
    "the device zero": _device(stat.S_IFCHR, 1, 5),
    "a device of no driver": _device(stat.S_IFCHR, 240, 77),
    "a block device of no driver": _device(stat.S_IFBLK, 240, 77),
    "a closed directory": _closed_directory,
    "a file": _file,
    "a full directory": _directory,
    "a chain of 40 links": _chain,
    "a link of 4095 bytes": _link(lambda canary: "./" * 1000 + "x" * 250 + "/" * 1845),
    "a link through a long name": _link(lambda canary: "y" * 255 + "/../" + canary),
}


def _without_dev(config, bundle):
    bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    bundle.directory("dev")


def _with_mount(destination, kind):
    def change(config, bundle):
        source = bundle.rootfs + ("/etc/passwd" if kind == "file" else "/bin")
        entry = {"destination": destination, "type": "tmpfs", "source": "tmpfs"}
        if kind != "tmpfs":
            entry = {"destination": destination, "type": "bind", "source": source,
                     "options": ["rbind", "ro"]}
        config["mounts"].append(entry)
    return change


def _process(**changes):
    return lambda config, _: config["process"].update(changes)


def _hidden(config, _):
    config["linux"]["maskedPaths"] = ["/there", "/there/in"]


def _read_only(config, _):
    config["linux"]["readonlyPaths"] = ["/there", "/there/in"]


def _device_of_the_configuration(config, bundle):
    _without_dev(config, bundle)
    config["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]


# {name: (the path that is hostile, what makes the runtime touch it)}
PATHS = {
    "proc": ("proc", None),
    "sys": ("sys", None),
    "dev": ("dev", None),
    "dev without a mount": ("dev", lambda config, _: bundles.remove_mount(
        config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")),
    "null": ("dev/null", _without_dev),
    "tty": ("dev/tty", _without_dev),
    "ptmx": ("dev/ptmx", _without_dev),
    "fd": ("dev/fd", _without_dev),
    "stdout": ("dev/stdout", _without_dev),
    "pts": ("dev/pts", lambda config, bundle: bundles.remove_mount(config, "/dev")),
    "a device": ("dev/mine", _device_of_the_configuration),
    "passwd": ("etc/passwd", _process(env=["PATH=/bin"])),
    "etc": ("etc", _process(env=["PATH=/bin"])),
    "the working directory": ("job", _process(cwd="/job")),
    "above the working directory": ("job", _process(cwd="/job/a/b")),
    "a tmpfs": ("vol", _with_mount("/vol", "tmpfs")),
    "a bind mount": ("vol", _with_mount("/vol", "directory")),
    "a bind mount of a file": ("vol", _with_mount("/vol", "file")),
    "above a bind mount": ("vol", _with_mount("/vol/a/b", "directory")),
    "a masked path": ("there", _hidden),
    "a read-only path": ("there", _read_only),
    "the program": ("bin/tool", _process(args=["tool", "facts"])),
    "a directory of the search path": ("tools", _process(env=["PATH=/tools:/bin"],
                                                         args=["guest", "facts"])),
}


def hostile_path(box, name, kind):
    """One thing at one path. A refusal is fine and so is a container; harm to the host, a hang, a
    crash, or a container with anything of the host in it is not."""
    path, change = PATHS[name]

    def edit(config, bundle):
        if change:
            change(config, bundle)
        parent = os.path.dirname(path)
        if parent:
            bundle.directory(parent)
        full = os.path.join(bundle.rootfs, path)
        if os.path.isdir(full) and not os.path.islink(full):
            for entry in os.listdir(full):
                os.unlink(os.path.join(full, entry))
            os.rmdir(full)
        elif os.path.lexists(full):
            os.unlink(full)
        os.symlink("loop-b", os.path.join(bundle.rootfs, "loop-a"))
        os.symlink("loop-a", os.path.join(bundle.rootfs, "loop-b"))
        KINDS[kind](bundle, full, box.canary.path)

    result, harm = attacks.attempt(box, box.bundle("also", "facts", "--", "ls", ".", edit=edit))
    if result is not None and result.out.startswith("{"):
        facts, *names = result.out.splitlines()
        harm += [f"mounted: {mount}" for mount in Facts(facts).all_mounts()
                 if box.canary.path in mount.root]
        if "secret" in names:
            harm.append("the working directory is that of the host")
    return [f"{name} is {kind}: {text}" for text in harm + attacks.host_harm(box)]
