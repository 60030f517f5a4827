"""A host without room: a small or full state directory, low limits, no further namespaces.

Each time the verb succeeds, or fails with one line and leaves nothing."""

import contextlib
import os
import subprocess
import tempfile

import pytest

import bundles
import residue


@contextlib.contextmanager
def small_tmpfs(box, options):
    """Not below the directory of the test: who sees a mount there is taken for one of its
    processes, and everybody sees this one."""
    owner = box.owner[0]
    place = tempfile.mkdtemp(prefix="coracle-small-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=700,uid={owner},gid={owner},{options}",
                    "small", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        os.rmdir(place)


@contextlib.contextmanager
def small_state(box, options):
    """The state root on a tmpfs of its own."""
    with small_tmpfs(box, options) as place:
        usual, box.runtime.root = box.runtime.root, place
        try:
            yield
        finally:
            for name in os.listdir(place):
                box.call("delete", "--force", name)
            box.runtime.root = usual


def need_root():
    if os.geteuid() != 0:
        pytest.skip("not started as root")


def no_limits(config, _):
    config["process"]["rlimits"] = []


def must_be_clean(box, name):
    box.must("delete", "--force", name)
    assert os.listdir(box.runtime.root) == []
    left = residue.wait_for_none(lambda: [text for _, text in box.processes()])
    assert not left, left


def try_create(box, bundle, says=(), **kw):
    """Whether a creation went well; if not it must have said so in one line that has `says`."""
    name = box.new_id()
    result = box.call("create", "--bundle", bundle.path, name, **kw)
    if result.rc != 0:
        assert 0 < result.rc < 128, f"died of a signal: {result}"
        lines = result.err.splitlines()
        assert len(lines) == 1, f"not one line: {result}"
        assert lines[0].startswith("coracle: ") or "shared libraries" in lines[0], str(result)
        assert name not in os.listdir(box.runtime.root), f"its directory stays: {result}"
        assert any(text in result.err for text in says) or not says, str(result)
    must_be_clean(box, name)
    return result.rc == 0


# ---- the state directory


@pytest.mark.modes("user", "root")
def test_a_state_directory_with_few_inodes(box):
    need_root()
    bundle = box.bundle("pause")
    went = []
    for inodes in range(2, 9):
        with small_state(box, f"nr_inodes={inodes}"):
            went.append(try_create(box, bundle, ["no space left on device"]))
    assert went == sorted(went) and not went[0] and went[-1]


@pytest.mark.modes("user", "root")
def test_a_state_directory_with_few_pages(box):
    need_root()

    def edit(config, _):
        config["annotations"] = {"large": "x" * 30000}

    bundle = box.bundle("pause", edit=edit)
    went = []
    for size in (4, 16, 32, 64, 128):
        with small_state(box, f"size={size}k"):
            went.append(try_create(box, bundle, ["no space left on device"]))
    assert went == sorted(went) and not went[1] and went[-1]


@pytest.mark.modes("user", "root")
def test_a_full_state_directory_hinders_nothing_but_create(box):
    need_root()
    with small_state(box, "size=64k"):
        bundle = box.bundle("pause")
        container = box.create("pause")
        with open(os.path.join(box.runtime.root, ".fill"), "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
        assert container.status() == "created"
        name = box.new_id()
        box.fails("create", "--bundle", bundle.path, name, says=["record.json", "no space left"])
        assert name not in os.listdir(box.runtime.root)
        box.must("start", container.id)
        container.wait_for("ready")
        box.must("kill", container.id, "KILL")
        container.wait_stopped()
        box.must("delete", container.id)
        os.unlink(os.path.join(box.runtime.root, ".fill"))
        assert try_create(box, bundle)


@pytest.mark.modes("user", "root")
def test_a_full_directory_for_the_pid_file(box):
    need_root()
    with small_tmpfs(box, "nr_inodes=1") as place:
        name = box.new_id()
        box.fails("create", "--pid-file", f"{place}/pid", "--bundle", box.bundle("pause").path,
                  name, says=[f"{place}/pid", "no space left on device"])
        assert os.listdir(place) == []
        must_be_clean(box, name)


# ---- limits of the caller


@pytest.mark.parametrize("verb", ["create", "run"])
def test_few_file_descriptors(box, verb):
    """Some number is enough, and below it each failure is clean."""
    bundle = box.bundle("exit", "0", edit=no_limits)
    went = []
    for limit in range(4, 33):
        name = box.new_id()
        result = box.call(verb, "--bundle", bundle.path, name,
                          wrap=["prlimit", f"--nofile={limit}:{limit}"])
        assert result.rc < 128, f"died of a signal: {result}"
        if result.rc != 0:
            assert len(result.err.splitlines()) == 1, str(result)
            # A shared library, the state root, or an fd that 64 is too high a number for.
            assert "too many open files" in result.err or "shared libraries" in result.err, result
        must_be_clean(box, name)
        went.append(result.rc == 0)
    assert went == sorted(went) and went[-1], went


@pytest.mark.modes("user")
def test_few_processes(box):
    need_root()
    bundle = box.bundle("pause", edit=no_limits)
    went = [try_create(box, bundle, ["RLIMIT_NPROC"], wrap=["prlimit", f"--nproc={limit}"])
            for limit in range(1, 6)]
    assert went == sorted(went) and not went[0] and went[-1], went


@pytest.mark.parametrize("limit", [300, 4096, 100000, 10000000])
def test_files_that_may_not_grow(box, limit):
    """The signal SIGXFSZ, which would end the runtime in the midst, must not come."""
    went = try_create(box, box.bundle("pause", edit=no_limits), ["file too large"],
                      wrap=["prlimit", f"--fsize={limit}:{limit}"])
    assert went == (limit > 2000000)


def test_the_program_gets_the_signals_that_the_runtime_ignores(box):
    assert box.facts().ignored_signals == []


def test_little_memory(box):
    bundle = box.bundle("pause", edit=no_limits)
    went = []
    for size in (12, 14, 16, 18, 20, 24, 32, 64, 256):
        name = box.new_id()
        result = box.call("create", "--bundle", bundle.path, name,
                          wrap=["prlimit", f"--as={size << 20}:{size << 20}"])
        assert result.rc < 128, f"{size} MiB: died of a signal: {result}"
        assert len(result.err.splitlines()) == (result.rc != 0), str(result)
        must_be_clean(box, name)
        went.append(result.rc == 0)
    assert went == sorted(went) and went[-1], went


# ---- limits on namespaces


@pytest.mark.parametrize("kind", ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"])
def test_a_namespace_that_may_not_be_made(box, kind):
    """In a user namespace of the test's own, so that nobody else is held back."""
    base = bundles.base_config(0, 0)

    def edit(config, _):
        config.clear()
        config.update(base)

    bundle = box.bundle("pause", edit=edit)
    name = box.new_id()
    limit = f"/proc/sys/user/max_{kind}_namespaces"
    argv = box.runtime.argv("create", "--bundle", bundle.path, name)
    own = len(box.runtime.prefix) - 1
    argv[own:own] = ["unshare", "-Ur", "sh", "-c", f'echo "$0" > {limit} && shift 0 && exec "$@"']
    for value, fails in (("0", True), ("1000", False)):
        shell = own + 5
        with open(os.path.join(box.dir, f"err-{value}"), "w+b") as err:
            command = [*argv[:shell], value, *argv[shell:]]
            rc = box.runtime.popen(command, err, err).wait(20)
            err.seek(0)
            text = err.read().decode()
        if fails:
            assert rc == 1 and len(text.splitlines()) == 1, text
            assert f"user.max_{kind}_namespaces" in text and "no space left on device" in text
            assert os.listdir(box.runtime.root) == []
        else:
            assert rc == 0, text
        must_be_clean(box, name)
