"""Where people run it: cron, after logout, without streams, with hostile signals, limits, masks."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

from facts import Facts
from harness import TIMEOUT, eventually
from surroundings import around, beneath, shell

# Each makes the surroundings that it needs.
pytestmark = pytest.mark.modes("user", "root")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="machine: not started as root")


def environment(box, **values):
    """The environment of the box with these values; None takes one away."""
    env = dict(box.runtime.env, **{key: value for key, value in values.items() if value})
    return {key: value for key, value in env.items() if values.get(key, "") is not None}


def lives_through_all_verbs(box, root=True, **kw):
    """create, start, state, kill, delete, each with `kw`."""
    bundle = box.bundle("pause")
    name = box.new_id()
    box.must("create", "--bundle", bundle.path, name, root=root, **kw)
    box.must("start", name, root=root, **kw)
    assert '"running"' in box.must("state", name, root=root, **kw).out
    assert name in box.must("list", root=root, **kw).out
    box.must("kill", name, "KILL", root=root, **kw)
    assert eventually(lambda: '"stopped"' in box.must("state", name, root=root, **kw).out)
    box.must("delete", name, root=root, **kw)
    assert name not in box.must("list", root=root, **kw).out


# ---- no session: cron, su, batch, after logout


def test_an_empty_environment_is_enough(box):
    lives_through_all_verbs(box, env={})


@pytest.mark.modes("user")
def test_without_a_session_the_state_root_is_a_private_directory_in_tmp(box):
    uid = box.uid
    if os.path.exists(f"/run/user/{uid}"):
        pytest.skip("machine: the user has a session")
    place = f"/tmp/coracle-{uid}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        lives_through_all_verbs(box, root=False, env=environment(box, XDG_RUNTIME_DIR=None))
        found = os.stat(place)
        assert (found.st_uid, found.st_mode & 0o7777) == (uid, 0o700)
        assert os.listdir(place) == []
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make_foreign(place, _):
    os.mkdir(place, 0o777)
    os.chmod(place, 0o777)


def make_writable(place, uid):
    os.mkdir(place)
    os.chown(place, uid, uid)
    os.chmod(place, 0o770)


def make_link(place, uid):
    os.symlink("/tmp", place)
    os.chown(place, uid, uid, follow_symlinks=False)


def make_file(place, uid):
    with open(place, "wb"):
        os.chown(place, uid, uid)


@root_only
@pytest.mark.modes("user")
@pytest.mark.parametrize("make, says", [
    (make_foreign, "owner 0"), (make_writable, "writable by nobody else"),
    (make_link, "a symbolic link or a file is refused"),
    (make_file, "a symbolic link or a file is refused")])
def test_what_others_may_have_put_in_tmp_is_refused(box, make, says):
    place = f"/tmp/coracle-{box.uid}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        make(place, box.uid)
        for verb in (["create", "--bundle", box.bundle().path, "x"], ["list"], ["state", "x"],
                     ["delete", "--force", "x"]):
            result = box.fails(*verb, root=False, env=environment(box, XDG_RUNTIME_DIR=None),
                               says=[place, says])
            assert result.rc == 1, result
    finally:
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        else:
            os.unlink(place)


@root_only
@pytest.mark.modes("user")
def test_after_logout_the_missing_directory_is_named(box):
    gone = f"{box.dir}/run/user/{box.uid}"
    os.makedirs(os.path.dirname(gone))
    result = box.fails("create", "--bundle", box.bundle().path, "x", root=False,
                       env=environment(box, XDG_RUNTIME_DIR=gone),
                       says=["state root", gone, "permission denied", "XDG_RUNTIME_DIR", "--root",
                             "has no w for others"])
    assert result.rc == 1
    assert not os.path.exists(gone)
    assert box.must("list", root=False, env=environment(box, XDG_RUNTIME_DIR=gone)).out
    box.fails("state", "x", root=False, env=environment(box, XDG_RUNTIME_DIR=gone),
              says="does not exist")


@root_only
@pytest.mark.modes("user")
def test_the_session_of_another_user_is_refused(box):
    other = box.directory("other", 0o700)
    os.chown(other, 4711, 4711)
    box.fails("create", "--bundle", box.bundle().path, "x", root=False,
              env=environment(box, XDG_RUNTIME_DIR=other),
              says=["state root", "permission denied", f"{other} (owner 4711:4711, mode 0700)"])


@pytest.mark.modes("user")
def test_a_relative_session_directory_is_named_as_such(box):
    result = box.fails("create", "--bundle", box.bundle().path, "x", root=False,
                       env=environment(box, XDG_RUNTIME_DIR="run"),
                       says=["XDG_RUNTIME_DIR=run", "absolute"])
    assert result.rc == 2


@pytest.mark.modes("user")
def test_home_need_not_exist(box):
    lives_through_all_verbs(box, env=environment(box, HOME="/no/such/home"))


# ---- the working directory


def in_deleted_directory(box):
    path = box.directory("gone")
    return around(box, *shell(f"cd {path}; rmdir {path}"))


def test_a_deleted_working_directory_is_no_obstacle_with_absolute_paths(box):
    bundle = box.bundle("echo", "here")
    with in_deleted_directory(box):
        result = box.run(bundle)
    assert (result.rc, result.out) == (0, "here\n"), result


def test_a_deleted_working_directory_as_bundle_is_named(box):
    with in_deleted_directory(box):
        box.fails("create", box.new_id(), says=["bundle", "no such file or directory", "deleted"])


def test_a_deleted_working_directory_with_a_relative_root_is_named(box):
    bundle = box.bundle()
    with in_deleted_directory(box):
        box.fails("--root", "state", "create", "--bundle", bundle.path, "x", root=False,
                  says=["current directory", "no such file or directory", "deleted"])


# ---- standard streams


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_a_closed_stream_is_dev_null_in_the_container(box, closed):
    report = box.directory("report", 0o777)

    def edit(config, _):
        config["mounts"].append({"destination": "/report", "type": "bind", "source": report,
                                 "options": ["rbind"]})
        config["process"]["args"] = ["/bin/sh", "-c", "ls -l /proc/self/fd >/report/fds"]

    bundle = box.bundle(edit=edit, busybox=True)
    with around(box, *shell("exec " + " ".join(f"{fd}>&-" for fd in closed))):
        result = box.run(bundle)
    assert result.rc == 0, result
    with open(f"{report}/fds", encoding="ascii") as file:
        fds = dict(line.rsplit(None, 3)[1::2] for line in file if "->" in line)
    shown = {int(number): target for number, target in fds.items()}
    for fd in closed:
        if fd != 1:  # the shell has put its report there
            assert shown[fd] == "/dev/null", shown
    # 3 is the directory that ls reads.
    assert set(shown) <= {0, 1, 2, 3}, shown


@pytest.mark.parametrize("closed", [(2,), (1, 2), (0, 1, 2)])
def test_an_error_without_standard_error_goes_into_no_other_file(box, closed):
    bundle = box.bundle(edit=lambda config, _: config["process"].update(args=["/no/such"]))
    pid_file = box.pid_file()
    log = os.path.join(box.dir, "log")
    with around(box, *shell("exec " + " ".join(f"{fd}>&-" for fd in closed))):
        result = box.call("run", "--bundle", bundle.path, "--pid-file", pid_file, box.new_id(),
                          options=("--log", log))
    assert (result.rc, result.err) == (1, ""), result
    with open(log, encoding="ascii") as file:
        assert "/no/such" in file.read()
    assert not os.path.exists(pid_file)
    with open(f"{bundle.path}/config.json", encoding="ascii") as file:
        assert "coracle:" not in file.read()


@pytest.mark.parametrize("verb", [["features"], ["--version"], ["--help"], ["state"], ["list"],
                                  ["list", "--format", "json"], ["create", "--help"], ["dry-run"]])
def test_a_full_standard_output_is_an_error(box, verb):
    if verb == ["state"]:
        verb = ["state", box.create("pause").id]
    elif verb == ["dry-run"]:
        verb = ["create", "--dry-run", "--bundle", box.bundle().path, "x"]
    argv = box.runtime.argv(*verb)
    with open("/dev/full", "wb") as full:
        result = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, env=box.runtime.env,
                                check=False, text=True)
    assert result.returncode == 1, result
    assert "write standard output: no space left on device" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_full_file_system_leaves_no_part_of_a_template(box):
    place = box.directory("full")
    with beneath_tmpfs(box, place, "size=4k", fill=True) as call:
        result = call("spec", "--bundle", place)
        left = call.run(["ls", "-A", place])
    assert result.returncode == 1, result
    assert "config.json: no space left on device" in result.stderr
    assert left.stdout.split() == ["filler"]


# ---- signals


def signals(blocked=(), ignored=()):
    def set_up():
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return set_up


EVERY = set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}


@pytest.mark.parametrize("set_up", [signals(blocked=EVERY), signals(ignored=EVERY),
                                    signals(ignored={signal.SIGCHLD}),
                                    signals(blocked=EVERY, ignored=EVERY)],
                         ids=["blocked", "ignored", "sigchld", "both"])
def test_signals_that_the_caller_blocks_or_ignores_are_no_obstacle(box, set_up):
    lives_through_all_verbs(box, preexec_fn=set_up)
    result = box.run(box.bundle("exit", "7"), preexec_fn=set_up)
    assert result.rc == 7, result
    facts = Facts(box.must("run", "--bundle", box.bundle("facts").path, box.new_id(),
                           preexec_fn=set_up).out)
    assert int(facts.status["SigBlk"], 16) == 0 and int(facts.status["SigIgn"], 16) == 0


def test_a_run_in_the_foreground_is_ended_by_a_signal_that_was_blocked(box):
    bundle = box.bundle("sleep", "20")
    name = box.new_id()
    argv = box.runtime.argv("run", "--bundle", bundle.path, name)
    with open(os.devnull, "wb") as out:
        process = box.runtime.popen(argv, out, out, preexec_fn=signals(blocked=EVERY))
    assert eventually(lambda: box.call("state", name).rc == 0
                      and box.state(name)["status"] == "running")
    box.must("kill", name, "KILL")
    assert process.wait(5) == 128 + signal.SIGKILL


# ---- limits, priority, umask


def limits(**values):
    def set_up():
        for name, value in values.items():
            _, hard = resource.getrlimit(getattr(resource, name))
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(getattr(resource, name), (limit, limit))
    return set_up


def without_rlimits(config, _=None):
    config["process"].pop("rlimits", None)


@pytest.mark.parametrize("values", [dict(RLIMIT_CORE=0), dict(RLIMIT_STACK=128 << 10),
                                    dict(RLIMIT_NOFILE=32), dict(RLIMIT_AS=64 << 20),
                                    dict(RLIMIT_FSIZE=64 << 20), dict(RLIMIT_MEMLOCK=0)],
                         ids=lambda values: next(iter(values)))
def test_a_low_limit_is_no_obstacle(box, values):
    result = box.run(box.bundle("exit", "7", edit=without_rlimits), preexec_fn=limits(**values))
    assert result.rc == 7, result


def under_limits(box, verb, bundle, **values):
    """Its streams are pipes: RLIMIT_FSIZE would count for files."""
    argv = box.runtime.argv(verb, "--bundle", bundle.path, box.new_id())
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL, env=box.runtime.env, cwd=box.dir,
                          preexec_fn=limits(**values))


@pytest.mark.parametrize("values, says", [
    (dict(RLIMIT_NOFILE=5), ["too many open files", "rlimit_nofile"]),
    (dict(RLIMIT_NOFILE=8), ["too many open files", "rlimit_nofile"]),
    (dict(RLIMIT_FSIZE=0), ["file too large", "rlimit_fsize"]),
    (dict(RLIMIT_FSIZE=100), ["file too large", "rlimit_fsize"]),
], ids=["nofile5", "nofile8", "fsize0", "fsize100"])
def test_a_limit_that_is_too_low_is_named(box, values, says):
    bundle = box.bundle("exit", "7", edit=without_rlimits)
    for verb in ("run", "create"):
        result = under_limits(box, verb, bundle, **values)
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        for words in says:
            assert words in result.stderr.lower(), result
        assert box.leavings() == []


def test_every_limit_on_descriptors_gives_a_start_or_an_error(box):
    bundle = box.bundle("exit", "7", edit=without_rlimits)
    seen = set()
    for number in range(4, 33):
        result = under_limits(box, "run", bundle, RLIMIT_NOFILE=number)
        assert result.returncode in (1, 7, 127), (number, result)
        assert result.returncode == 7 or len(result.stderr.splitlines()) == 1, (number, result)
        if result.returncode == 1:
            assert "too many open files (raise RLIMIT_NOFILE" in result.stderr, (number, result)
        assert box.leavings() == [], number
        seen.add(result.returncode)
    assert seen >= {1, 7}


def test_every_limit_on_memory_gives_a_start_or_an_error(box):
    """Below the size of the executable itself the kernel ends it in the middle of execve(2), by
    SIGSEGV, and the runtime cannot even say so."""
    bundle = box.bundle("exit", "7", edit=without_rlimits)
    seen = set()
    for mebibytes in range(6, 40, 2):
        result = box.run(bundle, preexec_fn=limits(RLIMIT_AS=mebibytes << 20))
        seen.add(result.rc)
        if result.rc == -signal.SIGSEGV:
            assert seen == {result.rc}, result  # with less memory only
            continue
        assert result.rc in (1, 7), result
        assert result.rc == 7 or len(result.err.splitlines()) == 1, result
        if result.rc == 1:
            assert "memory" in result.err.lower(), result
    assert 7 in seen
    assert box.leavings() == []


def test_priority_and_affinity_of_the_caller_are_the_containers(box):
    one = min(os.sched_getaffinity(0))

    def set_up():
        os.nice(7)
        os.sched_setaffinity(0, {one})

    report = box.run(box.bundle("facts"), preexec_fn=set_up)
    facts = Facts(report.out)
    assert facts.status["Cpus_allowed_list"] == str(one)
    stat = facts.raw["stat"]
    assert stat[stat.rindex(")") + 2:].split()[16] == "7"


@pytest.mark.parametrize("mask", [0o777, 0o700, 0o277, 0])
def test_every_umask_of_the_caller_leaves_a_usable_container(box, mask):
    lives_through_all_verbs(box, umask=mask)
    pid_file = box.pid_file()
    bundle = box.bundle("pause")
    name = box.new_id()
    box.must("create", "--bundle", bundle.path, "--pid-file", pid_file, name, umask=mask)
    directory = os.stat(os.path.join(box.runtime.root, name))
    assert directory.st_mode & 0o7777 == 0o700
    assert os.stat(pid_file).st_mode & 0o7777 == 0o644 & ~(mask & 0o077)


def test_a_state_root_is_made_usable_under_every_umask(box):
    root = f"{box.dir}/xdg/a/b"
    bundle = box.bundle("exit", "7")
    result = box.call("--root", root, "run", "--bundle", bundle.path, "x", root=False, umask=0o777)
    assert result.rc == 7, result
    assert os.stat(root).st_mode & 0o7777 == 0o700


# ---- file systems of the state directory


class Caller:
    """Calls of the runtime in one mount namespace."""

    def __init__(self, box, process):
        self.box = box
        self.process = process

    def run(self, argv):
        enter = ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--"]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run([*enter, *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                  check=False, timeout=TIMEOUT, env=self.box.runtime.env,
                                  cwd=self.box.dir)
            for file in (out, err):
                file.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
            return done

    def __call__(self, *args):
        return self.run(self.box.runtime.argv(*args, root=False))


@contextlib.contextmanager
def mounted(box, commands):
    """A mount namespace in which `commands` have been run as root: calls in it."""
    if os.geteuid() != 0:
        pytest.skip("machine: not started as root")
    process = subprocess.Popen(["unshare", "--mount", "--propagation", "private",
                                *shell(commands), "sh", "-c", "echo ready; exec sleep 60"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    box.helpers.append(process)
    try:
        if process.stdout.readline() != "ready\n":
            pytest.skip(f"machine: {process.stderr.read().strip()}")
        yield Caller(box, process)
    finally:
        process.kill()
        process.wait()


def beneath_tmpfs(box, place, options, fill=False):
    owner = box.uid or 0
    commands = f"mount -t tmpfs -o {options},uid={owner},gid={owner},mode=0700 tmpfs {place}"
    if fill:
        commands += f"; head -c 1M /dev/zero >{place}/filler 2>/dev/null || true"
    return mounted(box, commands)


def run_on(call, box, place, program=("exit", "7")):
    bundle = box.bundle(*program)
    return call("--root", f"{place}/state", "run", "--bundle", bundle.path, "x")


@pytest.mark.parametrize("options", ["size=4k", "nr_inodes=3"])
def test_a_full_state_file_system_is_named_and_left_clean(box, options):
    place = box.directory("full")
    with beneath_tmpfs(box, place, options, fill=options.startswith("size")) as call:
        result = run_on(call, box, place)
        left = call.run(["find", place, "-mindepth", "1"])
    assert result.returncode == 1, result
    assert "no space left on device" in result.stderr and place in result.stderr, result
    assert len(result.stderr.splitlines()) == 1
    assert set(left.stdout.split()) <= {f"{place}/filler", f"{place}/state"}, left


def all_verbs(call, box, place):
    bundle = box.bundle("pause")
    root = ["--root", f"{place}/state"]
    for verb in (["create", "--bundle", bundle.path, "x"], ["start", "x"], ["state", "x"],
                 ["list"], ["kill", "x", "KILL"], ["delete", "--force", "x"]):
        result = call(*root, *verb)
        assert result.returncode == 0, (verb, result)
    assert call.run(["find", f"{place}/state", "-mindepth", "1"]).stdout == ""


def test_a_state_directory_on_overlayfs_serves(box):
    place = box.directory("overlay")
    owner = box.uid or 0
    commands = (f"mount -t tmpfs tmpfs {place}; mkdir {place}/l {place}/u {place}/w {place}/m; "
                f"mount -t overlay -o lowerdir={place}/l,upperdir={place}/u,workdir={place}/w "
                f"overlay {place}/m; chown {owner}:{owner} {place}/m")
    with mounted(box, commands) as call:
        all_verbs(call, box, f"{place}/m")


def test_a_state_directory_on_ramfs_without_attributes_serves(box):
    place = box.directory("ram")
    owner = box.uid or 0
    with mounted(box, f"mount -t ramfs ramfs {place}; chown {owner}:{owner} {place}") as call:
        all_verbs(call, box, place)


def test_a_state_directory_that_takes_no_socket_is_named(box):
    place = box.directory("fat")
    owner = box.uid or 0
    commands = (f"truncate -s 8M {box.dir}/image; mkfs.vfat {box.dir}/image >/dev/null; "
                f"mount -o loop,uid={owner},gid={owner},umask=077 {box.dir}/image {place}")
    with mounted(box, commands) as call:
        bundle = box.bundle("pause")
        result = call("--root", f"{place}/state", "create", "--bundle", bundle.path, "x")
        assert result.returncode == 1, result
        assert "operation not permitted" in result.stderr and "--root" in result.stderr, result
        assert "socket" in result.stderr, result
        assert run_on(call, box, place).returncode == 7
        assert call.run(["find", f"{place}/state", "-mindepth", "1"]).stdout == ""


def test_a_read_only_state_file_system_is_named(box):
    place = box.directory("ro")
    with mounted(box, f"mount -t tmpfs -o ro tmpfs {place}") as call:
        result = run_on(call, box, place)
    assert result.returncode == 1
    assert "read-only file system" in result.stderr and place in result.stderr


# ---- clocks


def test_another_boot_time_clock_does_not_change_what_is_running(box):
    """The start time of a process is counted in the time namespace of who reads it."""
    container = box.start("pause")
    namespace = ["unshare", "--user", "--map-current-user", "--time", "--boottime", "100000",
                 "--fork"] if box.uid is not None else ["unshare", "--time", "--boottime",
                                                        "100000", "--fork"]
    with around(box, *namespace):
        assert '"running"' in box.must("state", container.id).out
        box.fails("delete", container.id, says="not stopped")
        lives_through_all_verbs(box)
    assert container.status() == "running"


def test_a_container_made_under_another_boot_time_clock_is_known_outside(box):
    name = box.new_id()
    namespace = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "100000", "--fork"]

    def edit(config, _):
        for key in ("uidMappings", "gidMappings"):
            for entry in config["linux"].get(key, []):
                entry["hostID"] = 0

    bundle = box.bundle("pause", edit=edit)
    with around(box, *namespace):
        result = box.call("create", "--bundle", bundle.path, name)
    if result.rc != 0:
        pytest.skip(f"machine: {result.err}")
    assert box.state(name)["status"] == "created"
