"""Races: what a container's mounts rest on is exchanged while containers start. Each attack starts
`count` containers and returns the harm it saw, as those of attacks.py do."""

import json
import os
import stat

import bundles
from facts import Facts


def up_to(path):
    """A relative link that leads to `path` from any depth."""
    return "../" * 12 + path.lstrip("/")


def bare_proc(facts):
    """Whether a proc is mounted without its masks. A mount moves along with its renamed directory,
    so what counts is that wherever proc is, its masks are: paths in mountinfo may change between
    its lines, the parents of mounts do not."""
    mounts = facts.all_mounts()
    proc = [m for m in mounts if m.type == "proc" and m.root == "/"]
    if not proc:
        return True
    within = [m for m in mounts if m.parent == proc[0].id]
    read_only = any(m.root == "/sys" and "ro" in m.options for m in within)
    return not read_only or not any(m.type != "proc" for m in within)


def outcomes(box, run_bundles, count):
    """Starts the bundles in turn; the facts of those that started and could read mountinfo."""
    for number in range(count):
        result = box.run(run_bundles[number % len(run_bundles)])
        lines = [line for line in result.out.splitlines() if line.startswith("{")]
        if result.rc == 0 and lines and json.loads(lines[0]).get("mountinfo"):
            yield Facts(result.out)


def exchanged_target(box, count, pause):
    """A19: the parent of a mount point is a directory and a link to the host in turn."""
    shared = box.directory("shared")
    box.directory("shared/target")
    link = os.path.join(shared, "link")
    os.symlink(up_to(os.path.join(box.canary.path, "sub")), link)
    box.give(link)

    def edit(config, _):
        config["mounts"] += [
            {"destination": "/vol", "type": "bind", "source": shared, "options": ["rbind"]},
            {"destination": "/vol/target/in", "type": "tmpfs", "source": "raced"}]

    bundle = box.bundle("facts", edit=edit)
    box.guest("swap", os.path.join(shared, "target"), link, str(pause))
    lost = sum(not any(mount.source == "raced" for mount in facts.all_mounts())
               for facts in outcomes(box, [bundle], count))
    harm = [f"{lost} started containers lack a mount"] if lost else []
    return harm + [f"host: {text}" for text in box.canary.changes()]


def renamed_proc(box, count):
    """A19 of /proc: a directory and a link in turn."""
    def edit(_, bundle):
        bundle.directory("proc")
        bundle.directory("evil")
        bundle.symlink("swapped", "/evil")

    bundle = box.bundle("facts", edit=edit)
    box.guest("swap", os.path.join(bundle.rootfs, "proc"), os.path.join(bundle.rootfs, "swapped"),
              "200")
    bare = [facts for facts in outcomes(box, [bundle], count) if bare_proc(facts)]
    return [f"{len(bare)} without masks, such as {bare[0].all_mounts()}"] if bare else []


def shared_proc(box, count):
    """T3: two bundles share a volume, and /proc of both is a directory and a link into the volume
    in turn. What the link leads to is exchanged for another directory."""
    shared = box.directory("shared")
    for name in ("one", "one/proc", "two", "two/proc", "two/proc/sys"):
        box.directory(f"shared/{name}")

    def edit(config, bundle):
        bundle.directory("evil")
        bundle.directory("proc")
        bundle.symlink("swapped", "/evil/one/proc")
        config["mounts"].insert(0, {"destination": "/evil", "type": "bind", "source": shared,
                                    "options": ["rbind"]})

    pair = [box.bundle("facts", edit=edit), box.bundle("facts", edit=edit)]
    box.guest("swap", os.path.join(shared, "one"), os.path.join(shared, "two"), "50")
    for bundle in pair:
        box.guest("swap", os.path.join(bundle.rootfs, "proc"),
                  os.path.join(bundle.rootfs, "swapped"), "500")
    bare = [facts for facts in outcomes(box, pair, count) if bare_proc(facts)]
    harm = [f"{len(bare)} without masks, such as {bare[0].all_mounts()}"] if bare else []
    return harm + [f"host: {text}" for text in box.canary.changes()]


def exchanged_null(box, count):
    """T4: /dev is the attacker's; its null is the device and a link to core_pattern in turn."""
    def edit(config, bundle):
        dev = bundle.directory("attacker-dev")
        bundle.symlink("attacker-dev/link", "/proc/sys/kernel/core_pattern")
        if os.geteuid() == 0:
            os.mknod(os.path.join(dev, "null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        else:
            bundle.file("attacker-dev/null")
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        config["mounts"].append({"destination": "/dev", "type": "bind", "source": dev,
                                 "options": ["rbind", "rw"]})

    bundle = box.bundle("facts", edit=edit)
    dev = os.path.join(bundle.rootfs, "attacker-dev")
    box.guest("swap", os.path.join(dev, "null"), os.path.join(dev, "link"), "20")
    windows = [mount for facts in outcomes(box, [bundle], count) for mount in facts.all_mounts()
               if "core_pattern" in mount.root]
    harm = [f"{len(windows)} windows on core_pattern, such as {windows[0]}"] if windows else []
    return harm + [f"host: {text}" for text in box.canary.changes()]


def _make_source(box, name, kind):
    path = os.path.join(box.dir, name)
    if kind == "directory":
        box.directory(name)
    else:
        with open(path, "w", encoding="ascii") as file:
            file.write(name)
        os.chmod(path, 0o666)  # so that only the mount's being read-only keeps one from writing
        box.give(path)
    return path


def exchanged_source(box, count, kinds, change=None):
    """T17: the source of a read-only bind mount is exchanged for another. The container sees one of
    the two, of the kind it is, and cannot write to it. `change` may alter the configuration."""
    one, two = (_make_source(box, name, kind) for name, kind in zip(("one", "two"), kinds))
    known = {(os.stat(path).st_dev, os.stat(path).st_ino) for path in (one, two)}

    def edit(config, bundle):
        if change:
            change(config, bundle)
        config["mounts"].append({"destination": "/vol", "type": "bind", "source": one,
                                 "options": ["rbind", "ro"]})

    bundle = box.bundle("also", "stat", "/vol", "--", "find-writable", "/vol", "--", "try-open",
                        "w", "/vol", edit=edit)
    box.guest("swap", one, two, "20")
    harm, ran = [], 0
    for _ in range(count):
        result = box.run(bundle)
        if result.rc != 0:
            continue
        ran += 1
        first, *others = result.out.splitlines()
        entry = json.loads(first)
        if (entry.get("dev"), entry.get("ino")) not in known:
            harm.append(f"something else is bound: {first}")
        if len(others) != 1 or others[0] not in ("/vol EROFS", "/vol EISDIR"):
            harm.append(f"it can be written: {others}")
    return harm if ran else ["no container has run"]
