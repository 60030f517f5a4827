"""Attacks that need time: races, observers, traces. CORACLE_RACES sets the number of starts."""

import hashlib
import os
import re

import pytest

import attack_swaps
from test_mount_sources import in_user_namespace

RACES = int(os.environ.get("CORACLE_RACES", "25"))
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
    watcher = box.start("watch-links", "exe")
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


# ---- A19, T3, T4, T17: what mounts rest on is exchanged while the container is set up


@pytest.mark.parametrize("pause", [0, 50])
def test_a19_an_exchanged_mount_target_never_leads_to_the_host(box, pause):
    assert attack_swaps.exchanged_target(box, RACES, pause) == []


def test_a19_a_renamed_proc_never_loses_its_masks(box):
    assert attack_swaps.renamed_proc(box, RACES) == []


def test_t03_a_proc_in_a_shared_volume_never_loses_its_masks(box):
    assert attack_swaps.shared_proc(box, RACES) == []


def test_t04_an_exchanged_dev_null_is_never_a_mask(box):
    assert attack_swaps.exchanged_null(box, RACES) == []


@pytest.mark.parametrize("kinds", [("directory", "directory"), ("file", "file"),
                                   ("directory", "file")], ids="-".join)
def test_t17_an_exchanged_source_is_one_of_the_two(box, kinds):
    assert attack_swaps.exchanged_source(box, RACES, kinds) == []


@pytest.mark.modes("root")
@pytest.mark.parametrize("kinds", [("directory", "directory"), ("file", "file")], ids="-".join)
def test_t17_an_exchanged_source_that_the_parent_opens_is_one_of_the_two(box, kinds):
    """The container's root is another user, so the parent opens the sources."""
    assert attack_swaps.exchanged_source(box, RACES, kinds, in_user_namespace) == []


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
