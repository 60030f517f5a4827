"""Attacks by a program that looks and tries: what is open to it that should not be. As those of
attacks.py, each returns the harm it saw."""

import os
import re

import bundles
from facts import Facts
from harness import GUEST


# ---- A05: descriptors of the caller


def leaked_descriptors(box):
    """A05: the caller leaks directories of the host under all low numbers; ls shows 0, 1 and 2."""
    leak = os.open(box.canary.path, os.O_RDONLY | os.O_DIRECTORY)
    again = " ".join(f"{number}>&{leak}" for number in range(3, 40) if number != leak)
    shell = ["bash", "-c", f'exec {again}; exec "$@"', "bash"]
    bundle = box.bundle("facts")
    harm = []
    try:
        direct = box.run(bundle, pass_fds=[leak], wrap=shell)
        container = box.create("facts", pass_fds=[leak], wrap=shell)
        box.must("start", container.id, pass_fds=[leak], wrap=shell)
        container.wait_stopped()
    finally:
        os.close(leak)
    for text in (direct.out, container.out):
        fds = Facts(text).fds
        if set(fds) != {"0", "1", "2"}:
            harm.append(f"open: {fds}")
    return harm


# ---- A18: what is to be read-only


def writable_sys(box, namespaces, edit_more=None):
    """A18: /sys and /sys/fs/cgroup are asked for read-only; `namespaces` are not made anew."""
    def edit(config, bundle):
        bundles.drop_namespace(config, *namespaces)
        if not any(m["destination"] == "/sys/fs/cgroup" for m in config["mounts"]):
            config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup",
                                     "source": "cgroup", "options": ["nosuid", "ro"]})
        if edit_more:
            edit_more(config, bundle)

    bundle = box.bundle("also", "facts", "--", "find-writable", "/sys", "/sys/fs/cgroup",
                        edit=edit)
    result = box.run(bundle)
    if result.rc != 0:
        return [f"did not run: {result}"]
    harm = [f"can be written: {line}" for line in result.out.splitlines() if line.startswith("/")]
    mounts = [m for m in Facts(result.out).all_mounts()
              if (m.destination + "/").startswith("/sys/")]
    if not any(m.destination == "/sys/fs/cgroup" for m in mounts):
        harm.append("/sys/fs/cgroup is not mounted")
    return harm + [f"not read-only: {m}" for m in mounts
                   if "ro" not in m.options and m.root != "/null"]


def in_unshared_user_namespace(box):
    """Makes `box`, of a plain user, run its runtime below `unshare -Ur`: one id, no helper."""
    at = box.runtime.prefix.index(box.runtime.path)
    box.runtime.prefix[at:at] = ["unshare", "--user", "--map-root-user", "--mount"]

    def edit(config, _):
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key][0]["hostID"] = 0
    return edit


# ---- A21: the links of other processes


def _identity(path):
    info = os.stat(path)
    return f"{info.st_dev}:{info.st_ino}"


def _below(path):
    for base, names, files in os.walk(path):
        for name in [".", *names, *files]:
            full = os.path.normpath(os.path.join(base, name))
            if not os.path.islink(full):
                yield full


def _host_objects(box, bundle_list):
    """{identity: path} of what a container must not reach: the tree of the test and the program,
    but for root file systems and the streams that containers are given."""
    found = {_identity(path): path for path in ("/", "/proc", "/run", "/tmp", "/etc", "/etc/passwd")}
    for path in (box.runtime.path, GUEST, os.getcwd()):
        found[_identity(path)] = path
    for path in _below(box.dir):
        name = os.path.relpath(path, box.dir)
        inside = any((path + "/").startswith(bundle.rootfs + "/") for bundle in bundle_list)
        if not inside and not name.startswith(("out-", "err-")):
            found[_identity(path)] = path
    for bundle in bundle_list:
        for path in _below(bundle.rootfs):
            found.pop(_identity(path), None)
    return found


def spied_links(box, count, join, capabilities=None):
    """A21: a program in a pid namespace that `count` further containers join looks at the links of
    every process in it. `join(config, pid)` makes a configuration that joins its namespaces."""
    def edit(config, _):
        if capabilities:
            config["process"]["capabilities"] = {name: capabilities for name in
                                                 ("bounding", "effective", "permitted")}

    watcher = box.start("watch-links", edit=edit)
    bundle = box.bundle("exit", "0", edit=lambda config, _: join(config, watcher.pid))
    for _ in range(count):
        result = box.run(bundle)
        assert result.rc == 0, result
    host = _host_objects(box, [watcher.bundle, bundle])
    state = os.path.join(box.runtime.root, watcher.id)
    host[_identity(state)] = state
    box.must("kill", watcher.id, "TERM")
    watcher.wait_for("rounds ")
    lines = [line.split(" ", 2) for line in watcher.out.splitlines() if line.count(" ") >= 2]
    harm = [f"{kind} of a process leads to {host[identity]}" for kind, identity, _ in lines
            if identity in host]
    if not any(kind == "exe" for kind, _, _ in lines):
        harm.append("the watcher saw nothing, not even itself")
    return harm


# ---- A22: supplementary groups


def groups_given(box, additional, uid=0):
    """A22: the caller is in groups of the host. Returns (result, groups of the program)."""
    def edit(config, _):
        config["process"]["user"] = {"uid": uid, "gid": uid, "additionalGids": additional}

    if "--clear-groups" in box.runtime.prefix:
        at = box.runtime.prefix.index("--clear-groups")
        box.runtime.prefix[at] = "--groups=7,8,9"
        wrap = []
    else:
        wrap = ["setpriv", "--groups=7,8,9"]
    result = box.run(box.bundle("facts", edit=edit), wrap=wrap)
    return result, sorted(Facts(result.out).groups) if result.rc == 0 else None


# ---- A13: what a hostile file costs


def without_home(make):
    """Changes a bundle so that HOME is looked up, and `make(bundle, path)` makes etc/passwd."""
    def edit(config, bundle):
        path = os.path.join(bundle.rootfs, "etc/passwd")
        os.unlink(path)
        make(bundle, path)
        config["process"]["env"] = ["PATH=/bin"]
    return edit


def calls_of(box, bundle, path):
    """The system calls of a run, as strace writes them to `path`, descriptors with their paths."""
    prefix = box.runtime.prefix
    where = prefix.index(box.runtime.path)
    box.runtime.prefix = [*prefix[:where], "strace", "-f", "-y", "-qq", "-o", path, *prefix[where:]]
    try:
        result = box.run(bundle, timeout=60)
    finally:
        box.runtime.prefix = prefix
    assert result.rc == 0, result
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def bytes_read(calls, name):
    """How much was read of files that are called so."""
    found = (re.search(rf" (?:read|pread64)\(\d+<[^>]*/{name}>.* = (\d+)$", call) for call in calls)
    return sum(int(match.group(1)) for match in found if match)
