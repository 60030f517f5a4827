"""Attacks that need time: races, observers, traces. CORACLE_RACES sets the number of starts."""

import hashlib
import os
import re

import pytest

from facts import Facts

RACES = int(os.environ.get("CORACLE_RACES", "100"))
HARMFUL = re.compile(r"\.so(\.|$)|nsswitch|gconv|locale|ld\.so|/etc/(passwd|group)-")


# ---- A06: the runtime's own executable


def runtime_identity(path):
    info = os.stat(path)
    with open(path, "rb") as file:
        return f"{info.st_dev}:{info.st_ino}", hashlib.sha256(file.read()).hexdigest()


def join(config, box, pid):
    for entry in config["linux"]["namespaces"]:
        if entry["type"] in ("pid", "user"):
            entry["path"] = f"/proc/{pid}/ns/{entry['type']}"
    if box.uid is not None:
        del config["linux"]["uidMappings"], config["linux"]["gidMappings"]


@pytest.mark.parametrize("program", ["/proc/self/exe", "/bin/script"])
def test_a06_the_executable_of_the_runtime_is_never_seen_or_changed(box, program):
    identity, digest = runtime_identity(box.runtime.path)

    def edit(config, bundle):
        bundle.file("bin/script", "#!/proc/self/exe\n", 0o755)
        config["process"]["args"] = [program, "write", "/proc/self/exe", "overwritten"]

    for _ in range(20):
        box.run(box.bundle(edit=edit), timeout=10)
    assert runtime_identity(box.runtime.path) == (identity, digest)


def test_a06_no_process_of_the_container_sees_the_inode_of_the_runtime(box):
    """A watcher in a pid namespace that further containers join looks at every /proc/PID/exe."""
    identity, digest = runtime_identity(box.runtime.path)
    watcher = box.start("watch-exe")
    bundle = box.bundle("exit", "0", edit=lambda config, _: join(config, box, watcher.pid))
    for _ in range(60):
        result = box.run(bundle)
        assert result.rc == 0, f"failed: {result}"
    box.must("kill", watcher.id, "TERM")
    watcher.wait_for("rounds ")
    seen = {line.split()[1]: line for line in watcher.out.splitlines() if line.startswith("exe ")}
    assert len(seen) >= 1, "the watcher saw nothing, not even itself"
    assert identity not in seen, seen[identity]
    assert runtime_identity(box.runtime.path)[1] == digest


# ---- A19: a mount target exchanged for a link while the container is set up


def misplaced(box, pause_between):
    """Starts with a swapped target; returns (started, harm)."""
    shared = box.directory("shared")
    box.directory("shared/target")
    link = os.path.join(shared, "link")
    os.symlink("../" * 12 + os.path.join(box.canary.path, "sub").lstrip("/"), link)
    box.give(link)

    def edit(config, _):
        config["mounts"] += [
            {"destination": "/vol", "type": "bind", "source": shared, "options": ["rbind"]},
            {"destination": "/vol/target/in", "type": "tmpfs", "source": "raced"}]

    bundle = box.bundle("facts", edit=edit)
    box.guest("swap", os.path.join(shared, "target"), link, str(pause_between))
    started, lost = 0, 0
    for _ in range(RACES):
        result = box.run(bundle)
        if result.rc == 0:
            started += 1
            lost += not any(mount.source == "raced" for mount in Facts(result.out).all_mounts())
    harm = [f"{lost} of {started} started containers lack a mount"] if lost else []
    return started, harm + [f"host: {text}" for text in box.canary.changes()]


@pytest.mark.parametrize("pause_between", [0, 50])
def test_a19_an_exchanged_mount_target_never_leads_to_the_host(box, pause_between):
    _, harm = misplaced(box, pause_between)
    assert harm == []


def test_a19_a_renamed_proc_never_loses_its_masks(box):
    """The race form of A02: /proc is a directory and a link in turn. A mount moves along with its
    renamed directory, so what counts is that wherever proc is, its masks are: paths in mountinfo
    may change between its lines, the parents of mounts do not."""
    def edit(_, bundle):
        bundle.directory("proc")
        bundle.directory("evil")
        bundle.symlink("swapped", "/evil")

    bundle = box.bundle("facts", edit=edit)
    box.guest("swap", os.path.join(bundle.rootfs, "proc"), os.path.join(bundle.rootfs, "swapped"),
              "20")
    bare = []
    for _ in range(RACES):
        result = box.run(bundle)
        if result.rc == 0 and Facts(result.out).raw["mountinfo"]:
            facts = Facts(result.out)
            proc = [m for m in facts.all_mounts() if m.type == "proc" and m.root == "/"]
            assert proc, facts.destinations()
            within = [m for m in facts.all_mounts() if m.parent == proc[0].id]
            if not any(m.root == "/sys" and "ro" in m.options for m in within) \
                    or len([m for m in within if m.type != "proc"]) == 0:
                bare.append(facts.all_mounts())
    assert not bare, f"{len(bare)} of {RACES} without masks, such as {bare[0]}"


# ---- A20: nothing of the container is loaded into the runtime


def trace(box, *args, calls="execve,openat,openat2,open,pivot_root,chroot,mmap,move_mount"):
    path = os.path.join(box.directory(f"trace-{len(os.listdir(box.dir))}", 0o777), "t")
    wrap = ["strace", "-f", "-qq", "-s", "300", "-e", f"trace={calls}", "-o", path]
    box.must(*args, wrap=wrap if box.uid is None or box.kind == "crun" else wrap)
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def calls_after_pivot(lines):
    """What each process does between its pivot_root and the execve of the payload."""
    pivoted, found = set(), []
    for line in lines:
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.startswith(("pivot_root(", "chroot(")) and "= 0" in call:
            pivoted.add(pid)
        elif pid in pivoted:
            if call.startswith("execve("):
                pivoted.discard(pid)
                found.append(call)
            else:
                found.append(call)
    return found


def test_a20_no_library_or_catalogue_of_the_container_is_opened(box):
    def edit(_, bundle):
        for name in ("etc/nsswitch.conf", "etc/ld.so.cache", "etc/ld.so.preload", "etc/group",
                     "lib/x86_64-linux-gnu/libnss_files.so.2", "usr/lib/locale/locale-archive",
                     "usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache"):
            bundle.file(name, "hostile")

    bundle = box.bundle("exit", "0", edit=edit)
    lines = trace(box, "run", "--bundle", bundle.path, box.new_id())
    after = calls_after_pivot(lines)
    assert any("pivot_root(" in line or "chroot(" in line for line in lines), "nothing was traced"
    assert any(call.startswith("execve(\"/bin/guest\"") or call.startswith("execve(") for call in after)
    opened = [call for call in after if call.startswith("open") and HARMFUL.search(call)]
    assert opened == []


def test_a20_the_payload_is_the_only_program_run_after_the_pivot(box):
    bundle = box.bundle("exit", "0")
    lines = trace(box, "run", "--bundle", bundle.path, box.new_id())
    programs = [call for call in calls_after_pivot(lines) if call.startswith("execve(")]
    assert len(programs) == 1 and '"/bin/guest"' in programs[0], programs
