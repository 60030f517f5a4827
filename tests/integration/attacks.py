"""Attacks on a runtime. Each builds a hostile bundle, runs it, and returns what harm it saw, as
sentences; an empty list is what a runtime must give. The same functions run against published
runtimes that are known to fail some of them, which proves that they can see harm."""

import array
import fcntl
import json
import os
import signal
import socket
import subprocess
import termios

import bundles
from facts import Facts

SLOW = 3.0


def attempt(box, bundle, *options, timeout=10.0, **kw):
    """Runs it; a refusal is fine, a hang or a crash is harm. Returns (result or None, harm)."""
    try:
        result = box.call("run", *options, "--bundle", bundle.path, box.new_id(), timeout=timeout,
                          **kw)
    except AssertionError as error:
        return None, [str(error).splitlines()[0]]
    harm = []
    if result.rc < 0 or result.rc in (128 + signal.SIGSEGV, 128 + signal.SIGABRT):
        harm.append(f"crashed: {result}")
    return result, harm


def host_harm(box):
    return [f"host: {text}" for text in box.canary.changes()]


def escape_targets(box, name):
    """Ways to write a link out of the root filesystem: absolute, and up from any depth."""
    inside = os.path.join(box.canary.path, name)
    return {"absolute": inside, "upwards": "../" * 12 + inside.lstrip("/")}


# ---- A01, A23, A24: the /dev of the image


def dev_is_a_link(box, kind):
    """A01: /dev of the image leads to the host; default devices and links are made there."""
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.symlink("dev", escape_targets(box, "empty")[kind])

    _, harm = attempt(box, box.bundle("facts", edit=edit))
    return harm + host_harm(box)


def dev_is_a_link_below_mounts(box, kind):
    """A01 with the mounts on and below /dev of the base configuration."""
    def edit(config, bundle):
        bundle.symlink("dev", escape_targets(box, "empty")[kind])

    _, harm = attempt(box, box.bundle("facts", edit=edit))
    return harm + host_harm(box)


def dev_null_is_a_link(box, kind):
    """A23: /dev/null of the image leads to a host file, which stdio handling may chown or open."""
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.directory("dev")
        for name in ("null", "zero", "ptmx", "fd"):
            bundle.symlink(f"dev/{name}", escape_targets(box, "null")[kind])

    result, harm = attempt(box, box.bundle("try-open", "w", "/dev/null", edit=edit))
    del result
    return harm + host_harm(box)


def closed_streams(box, kind, closed):
    """A23: the caller has closed some of 0, 1 and 2. What takes their place is the host's null, not
    the link of the image, and not a descriptor of the runtime."""
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.symlink("attacker-dev/null", escape_targets(box, "null")[kind])
        config["mounts"].append({"destination": "/dev", "type": "bind",
                                 "source": os.path.join(bundle.rootfs, "attacker-dev"),
                                 "options": ["rbind", "rw"]})

    shell = ["bash", "-c", f'exec "$@" {closed}', "bash"]
    result, harm = attempt(box, box.bundle("facts", edit=edit), wrap=shell)
    if result is not None and result.rc != 0:
        harm.append(f"did not run: {result}")
    elif result is not None and result.out:
        fds = Facts(result.out).fds
        given = {name: target for name, target in fds.items()
                 if not target.startswith((result.out_path, result.err_path))}
        harm += [f"{name} is {target}" for name, target in given.items()
                 if name not in "012" or target != "/dev/null"]
    return harm + host_harm(box)


def receive_terminal(listener):
    """The descriptor that a runtime sends to its console socket; None if it sends none."""
    listener.settimeout(5)
    try:
        connection, _ = listener.accept()
        connection.settimeout(5)
        fds = array.array("i")
        _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[:len(data) - len(data) % 4])
        connection.close()
        return fds[0] if fds else None
    except OSError:
        return None


def with_terminal(box, bundle):
    """Creates and starts with a console socket; returns the text of the container's terminal."""
    path = os.path.join(box.dir, "console.sock")
    name = box.new_id()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        box.give(path)
        listener.listen()
        created = box.call("create", "--console-socket", path, "--bundle", bundle.path, name)
        if created.rc != 0:
            return ""
        master = receive_terminal(listener)
    os.unlink(path)
    if master is None or box.call("start", name).rc != 0:
        return ""
    text = b""
    try:
        while chunk := os.read(master, 65536):
            text += chunk
    except OSError:
        pass
    os.close(master)
    return text.decode(errors="replace")


def console_is_a_link(box, kind):
    """A24a: nothing is mounted on /dev and /dev/console of the image is a link to the host."""
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.directory("dev/pts")
        bundle.symlink("dev/console", escape_targets(box, "made-by-console")[kind])
        config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                 "options": ["newinstance", "ptmxmode=0666", "mode=0620"]})
        config["process"]["terminal"] = True

    with_terminal(box, box.bundle("exit", "0", edit=edit))
    return host_harm(box)


def pts_is_full_of_links(box):
    """A24b: /dev/pts is a volume of links, one for every terminal number."""
    def edit(config, bundle):
        pts = os.path.join(bundle.path, "pts")
        os.mkdir(pts)
        bundle.own(pts)
        bundle.kept.add(pts)
        for number in range(64):
            os.symlink("/proc/sys/kernel/core_pattern", os.path.join(pts, str(number)))
        mount = bundles.mount_at(config, "/dev/pts")
        mount.update(type="bind", source=pts, options=["rbind"])
        config["process"]["terminal"] = True

    text = with_terminal(box, box.bundle("stat", "/dev/console", edit=edit))
    harm = host_harm(box)
    for line in text.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            if entry.get("type") != "char" or not 136 <= entry["rdev"][0] <= 143:
                harm.append(f"/dev/console is not a terminal: {line}")
    return harm


# ---- A02, A03, A12: /proc, /sys and what masks them


def proc_is_a_link(box, path, target):
    """A02: /proc or /sys of the image is a link, so that masks are applied elsewhere."""
    def edit(_, bundle):
        bundle.directory("evil/place")
        bundle.symlink(path, target)

    result, harm = attempt(box, box.bundle("facts", edit=edit))
    if result is not None and result.rc == 0:
        facts = Facts(result.out)
        if facts.mount(f"/{path}") is None:
            harm.append(f"started without /{path}: {facts.destinations()}")
        elif path == "proc" and facts.mount("/proc/keys") is None:
            harm.append("started without masks")
    return harm + host_harm(box)


def mask_source_is_a_link(box):
    """A03: /dev is the attacker's and null a link, so that a mask shows and opens core_pattern."""
    def edit(config, bundle):
        bundle.directory("attacker-dev")
        bundle.symlink("attacker-dev/null", "/proc/sys/kernel/core_pattern")
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        config["mounts"].append({"destination": "/dev", "type": "bind",
                                 "source": os.path.join(bundle.rootfs, "attacker-dev"),
                                 "options": ["rbind", "rw"]})

    result, harm = attempt(box, box.bundle("facts", edit=edit))
    if result is not None and result.rc == 0:
        for mount in Facts(result.out).all_mounts():
            if "core_pattern" in mount.root:
                harm.append(f"a mask is a window on core_pattern: {mount}")
    return harm + host_harm(box)


def volume_on_proc(box, destination, kind):
    """A12: a volume on /proc or in it takes the place of what the runtime writes to and masks."""
    def edit(config, bundle):
        source = bundle.directory("fake")
        for name in ("self/attr/exec", "self/attr/current", "self/status", "sys/kernel/x"):
            bundle.file(f"fake/{name}", "")
        entry = {"destination": destination, "type": kind, "source": source}
        if kind == "bind":
            entry["options"] = ["rbind", "rw"]
        config["mounts"].append(entry)

    result, harm = attempt(box, box.bundle("facts", edit=edit))
    if result is not None and result.rc == 0:
        harm.append(f"started with a {kind} on {destination}")
    return harm + host_harm(box)


# ---- A04, A14, A15: mount targets and directories through links


def mount_target_through_a_link(box, kind, entry):
    """A04: a mount point is to be made behind a link to the host."""
    def edit(config, bundle):
        for name, target in (("a", "sub"), ("last", "made-by-mount")):
            bundle.symlink(name, escape_targets(box, target)[kind])
        config["mounts"].append({key: value.replace("@FILE@", f"{bundle.rootfs}/etc/passwd")
                                 .replace("@DIR@", f"{bundle.rootfs}/etc")
                                 if isinstance(value, str) else value
                                 for key, value in entry.items()})

    _, harm = attempt(box, box.bundle("exit", "0", edit=edit))
    return harm + host_harm(box)


def working_directory_through_a_link(box, kind):
    """A14: the working directory is to be made behind a link to the host."""
    def edit(config, bundle):
        bundle.symlink("job", escape_targets(box, "sub")[kind])
        config["process"]["cwd"] = "/job/made/for/it"

    _, harm = attempt(box, box.bundle("exit", "0", edit=edit))
    return harm + host_harm(box)


def copy_up_through_a_link(box, kind):
    """A15: tmpcopyup of a destination that is a link to a host directory."""
    def edit(config, bundle):
        bundle.symlink("data", escape_targets(box, ".")[kind])
        config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs",
                                 "options": ["tmpcopyup"]})
        config["process"]["args"] = ["/bin/guest", "ls", "/data"]

    result, harm = attempt(box, box.bundle(edit=edit))
    if result is not None and "secret" in result.out.split():
        harm.append("the host's directory was copied into the container")
    return harm + host_harm(box)


# ---- A05, A16: descriptors and terminals of the caller


def working_directory_is_a_descriptor(box, number):
    """A05: the working directory names a descriptor that the runtime may have left open."""
    def edit(config, _):
        config["process"]["cwd"] = f"/proc/self/fd/{number}"

    leak = os.open(box.canary.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        script = f'exec 9>&{leak}; exec "$@"'
        result, harm = attempt(box, box.bundle("facts", edit=edit), pass_fds=[leak],
                               wrap=["bash", "-c", script, "bash"])
    finally:
        os.close(leak)
    if result is not None and result.rc == 0:
        cwd = Facts(result.out).cwd
        if not cwd.startswith("/proc/") and cwd != "/":
            harm.append(f"the working directory is {cwd}")
    return harm + host_harm(box)


def terminal_of_the_caller(box):
    """A16: without a terminal of its own the container must not type into that of the caller."""
    master, slave = os.openpty()
    path = os.path.join(box.dir, "tty-err")

    def become_its_session():
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    out = os.path.join(box.dir, "tty-out")
    bundle = box.bundle("also", "facts", "--", "try-tty")
    argv = box.runtime.argv("run", "--bundle", bundle.path, box.new_id())
    with open(path, "ab") as err, open(out, "ab") as outfile:
        process = subprocess.Popen(argv, stdin=slave, stdout=outfile, stderr=err,
                                   env=box.runtime.env, cwd=box.dir, start_new_session=True,
                                   preexec_fn=become_its_session)
        status = process.wait(20)
    os.close(slave)
    os.close(master)
    text = open(out, encoding="utf-8").read()
    harm = [] if status == 0 else [f"did not run: {open(path, encoding='utf-8').read()}"]
    harm += [f"could {line}" for line in text.splitlines() if line.endswith(" ok")]
    if status == 0 and Facts(text).tty_number() != 0:
        harm.append("has the caller's controlling terminal")
    return harm


# ---- A13: a hostile /etc/passwd


def _fifo(bundle, path):
    os.mkfifo(path)
    bundle.own(path)


def _sparse(bundle, path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    bundle.own(path)


def _long_line(bundle, path):
    with open(path, "wb") as file:
        file.write(b"x" * (8 << 20))
    bundle.own(path)


PASSWD = {
    "a FIFO": _fifo,
    "a link to a FIFO": lambda bundle, path: (_fifo(bundle, path + ".fifo"),
                                              os.symlink("passwd.fifo", path)),
    "a link to /dev/zero": lambda bundle, path: os.symlink("/dev/zero", path),
    "a link to itself": lambda bundle, path: os.symlink("passwd", path),
    "a link to the host": lambda bundle, path: os.symlink("../" * 12 + "etc/passwd", path),
    "a directory": lambda bundle, path: os.mkdir(path),
    "a sparse file of 1 TiB": _sparse,
    "a line of 8 MiB": _long_line,
}


def hostile_passwd(box, kind):
    """A13: HOME is looked up in a file that blocks for ever or never ends."""
    def edit(config, bundle):
        path = os.path.join(bundle.rootfs, "etc/passwd")
        os.unlink(path)
        PASSWD[kind](bundle, path)
        config["process"]["env"] = ["PATH=/bin"]

    result, harm = attempt(box, box.bundle("facts", edit=edit), timeout=SLOW)
    del result
    return harm + host_harm(box)
