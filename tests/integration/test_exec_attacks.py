"""What a hostile container, image or caller may try with exec, and what exec must carry and bear."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import termios

import pytest

import harness
import residue
from facts import Facts
from harness import eventually
from test_attack_races import runtime_identity
from test_seccomp_notify import CALL, agents, profile, refuse_getcpu  # noqa: F401: a fixture

EXECS = int(os.environ.get("CORACLE_EXECS", "200"))
PIPE_BYTES = int(os.environ.get("CORACLE_PIPE_BYTES", str(16 << 20)))
EXEC_FACTS = ("/bin/guest", "facts")


# ---- descriptors and directories of the caller: A05


def test_a05_descriptors_of_the_caller_do_not_reach_an_exec(box):
    container = box.start("pause")
    leak = os.open(box.canary.path, os.O_RDONLY | os.O_DIRECTORY)
    again = " ".join(f"{number}>&{leak}" for number in range(3, 40) if number != leak)
    try:
        result = box.call("exec", container.id, *EXEC_FACTS, pass_fds=[leak],
                          wrap=["bash", "-c", f'exec {again}; exec "$@"', "bash"])
    finally:
        os.close(leak)
    assert result.rc == 0, result
    assert set(Facts(result.out).fds) == {"0", "1", "2"}


@pytest.mark.parametrize("path", [*(f"/proc/self/fd/{n}" for n in range(3, 13)), "/proc/self/cwd",
                                  "/proc/1/cwd", "/proc/self/root/..", "/../../.."])
def test_a05_no_working_directory_of_an_exec_is_outside_the_root(box, path):
    container = box.start("pause")
    leak = os.open(box.canary.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        result = box.call("exec", "--cwd", path, container.id, *EXEC_FACTS, pass_fds=[leak],
                          wrap=["bash", "-c", f'exec 9>&{leak}; exec "$@"', "bash"])
    finally:
        os.close(leak)
    if result.rc == 0:
        cwd = Facts(result.out).cwd
        assert cwd == "/" or cwd.startswith("/proc"), cwd
    else:
        assert result.rc == 255, result
    assert box.canary.changes() == []


# ---- the executable of the runtime: A06


@pytest.mark.parametrize("program", ["/proc/self/exe", "/bin/script"])
def test_a06_the_executable_of_the_runtime_is_not_seen_by_exec(box, program):
    identity, digest = runtime_identity(box.runtime.path)
    watcher = box.start("watch-links", "exe",
                        edit=lambda _, bundle: bundle.file("bin/script", "#!/proc/self/exe\n", 0o755))
    for _ in range(60):
        box.call("exec", watcher.id, program, "write", "/proc/self/exe", "overwritten")
    box.must("kill", watcher.id, "TERM")
    watcher.wait_for("rounds ")
    seen = {line.split()[1] for line in watcher.out.splitlines() if line.startswith("exe ")}
    assert seen and identity not in seen
    assert runtime_identity(box.runtime.path) == (identity, digest)


# ---- users: A08


@pytest.mark.modes("root", "userns-root")
@pytest.mark.parametrize("uid", [1, 31337])
def test_a08_a_number_is_no_name_of_the_images_passwd(box, uid):
    passwd = f"{uid}:x:0:0::/root:/bin/sh\n31337:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/\n"
    container = box.start("pause", edit=lambda _, bundle: bundle.file("etc/passwd", passwd))
    result = box.must("exec", "--user", str(uid), container.id, *EXEC_FACTS)
    assert Facts(result.out).status["Uid"].split() == [str(uid)] * 4


@pytest.mark.parametrize("user", ["4294967295", "4294967296", "18446744073709551616", "-1",
                                  "0:4294967296", "4294967296:0", "0 ", "00x0"])
def test_a08_an_id_that_is_none_is_refused(box, user):
    container = box.start("pause")
    assert box.fails("exec", "--user", user, container.id, *EXEC_FACTS, says="--user").rc == 255


# ---- terminals: A16, T9


def test_a16_an_exec_has_no_way_into_the_callers_terminal(box):
    container = box.start("pause")
    master, slave = os.openpty()
    out = os.path.join(box.dir, "tty-out")
    with open(out, "ab") as file:
        os.fchmod(file.fileno(), 0o666)
        process = subprocess.Popen(
            box.runtime.argv("exec", container.id, "/bin/guest", "also", "facts", "--", "try-tty"),
            stdin=slave, stdout=file, stderr=file, env=box.runtime.env, cwd=box.dir,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0))
        assert process.wait(20) == 0
    os.close(slave)
    os.close(master)
    text = open(out, encoding="utf-8").read()
    assert Facts(text).tty_number() == 0
    assert [line for line in text.splitlines() if line.endswith(" ok")] == []


# ---- who calls: T8, T10, T12


@contextlib.contextmanager
def set_uid(box):
    """The runtime is set-uid root meanwhile."""
    copy = shutil.copy(box.runtime.path, os.path.join(box.dir, "coracle"))
    os.chown(copy, 0, 0)
    os.chmod(copy, 0o4755)
    at = box.runtime.prefix.index(box.runtime.path)
    box.runtime.prefix[at] = copy
    try:
        yield
    finally:
        box.runtime.prefix[at] = box.runtime.path
        os.unlink(copy)


@pytest.mark.modes("user")
@pytest.mark.parametrize("verb", [["exec", "x", "/bin/true"], ["run", "x"], ["state", "x"],
                                  ["delete", "--force", "x"]])
def test_t08_a_runtime_that_is_set_uid_refuses_to_work(box, verb):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    with set_uid(box):
        result = box.fails(*verb, says="set-uid")
    assert result.rc in (1, 255), result


@pytest.mark.modes("user")
@pytest.mark.parametrize("kind", ["foreign", "writable", "link"])
def test_t10_exec_refuses_a_state_root_that_others_may_have_made(box, kind):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    container = box.start("pause")
    root, kept = box.runtime.root, box.runtime.root + ".kept"
    os.rename(root, kept)
    try:
        if kind == "link":
            os.symlink(kept, root)
        else:
            shutil.copytree(kept, root, ignore=lambda *_: ["start.sock"])
            for path in [root, os.path.join(root, container.id)]:
                os.chown(path, *((0, 0) if kind == "foreign" else box.owner))
            os.chmod(root, 0o777 if kind == "writable" else 0o755)
        result = box.fails("exec", container.id, "/bin/guest", "exit", "0", says=root)
        assert result.rc == 255, result
    finally:
        os.unlink(root) if kind == "link" else shutil.rmtree(root)
        os.rename(kept, root)


@pytest.mark.modes("user")
@pytest.mark.parametrize("option", ["--process", "--pid-file", "--console-socket"])
def test_t12_errors_do_not_tell_whether_a_hidden_file_is_there(box, option):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    container = box.start("pause")
    hidden = os.path.join(box.dir, "hidden")
    os.mkdir(hidden, 0o700)  # root's
    with open(f"{hidden}/there", "w", encoding="ascii"):
        pass
    assert len(answers_about(box, container, option, hidden)) == 1


@pytest.mark.modes("root")
@pytest.mark.parametrize("option", ["--process", "--pid-file", "--console-socket"])
def test_t12_a_runtime_that_is_set_uid_does_not_tell_it_either(box, option):
    """Called by a plain user, about a container of root's."""
    container = box.start("pause")
    hidden = os.path.join(box.dir, "hidden")
    os.mkdir(hidden, 0o700)
    with open(f"{hidden}/there", "w", encoding="ascii"):
        pass
    with set_uid(box):
        plain = ["setpriv", f"--reuid={harness.TEST_UID}", f"--regid={harness.TEST_UID}",
                 "--clear-groups", "--"]
        assert len(answers_about(box, container, option, hidden, wrap=plain)) == 1


def answers_about(box, container, option, hidden, **kw):
    """What exec says of a file that is there and of one that is not, without their names."""
    more = ["--tty", "--detach"] if option == "--console-socket" else []
    answers = set()
    for name in ("there", "gone"):
        program = [] if option == "--process" else ["/bin/guest", "exit", "0"]
        result = box.fails("exec", option, f"{hidden}/{name}", *more, container.id, *program, **kw)
        answers.add((result.rc, result.err.replace(name, "NAME")))
    return answers


# ---- what it must carry


def pattern(path, size):
    """A file of `size` bytes in which a lost or doubled block shows; its digest."""
    digest, line = hashlib.sha256(), 0
    with open(path, "wb") as file:
        while file.tell() < size:
            block = b"".join(b"%015d\n" % (line + i) for i in range(65536))
            block = block[:size - file.tell()]
            file.write(block)
            digest.update(block)
            line += 65536
    os.chmod(path, 0o644)
    return digest.hexdigest()


def digest_through(box, argv, path, change=lambda block: block):
    """The digest of what a process writes that reads the file from a pipe."""
    digest = hashlib.sha256()
    with open(os.path.join(box.dir, "pipe-err"), "ab") as err:
        os.fchmod(err.fileno(), 0o666)
        feeder = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        process = box.runtime.popen(argv, subprocess.PIPE, err, stdin=feeder.stdout)
        feeder.stdout.close()
        while block := process.stdout.read(1 << 20):
            digest.update(change(block))
        assert process.wait(30) == 0, open(err.name, encoding="utf-8").read()
        assert feeder.wait(30) == 0
    return digest.hexdigest()


@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_pipe_arrives_whole(box, verb):
    """CORACLE_PIPE_BYTES=1073741824 for a GiB."""
    path = os.path.join(box.dir, "data")
    wanted = pattern(path, PIPE_BYTES)
    if verb == "run":
        bundle = box.bundle(edit=lambda config, _: config["process"].update(args=["/bin/cat"]),
                            busybox=True)
        argv = box.runtime.argv("run", "--bundle", bundle.path, box.new_id())
    else:
        container = box.start(bundle=box.bundle("pause", busybox=True))
        argv = box.runtime.argv("exec", container.id, "/bin/cat")
    assert digest_through(box, argv, path) == wanted
    os.unlink(path)


@pytest.mark.modes("user", "root")
def test_what_a_terminal_shows_arrives_whole(box):
    path = os.path.join(box.dir, "data")
    wanted = pattern(path, PIPE_BYTES)
    container = box.start("pause", edit=lambda config, _: config["mounts"].append(
        {"destination": "/data", "type": "bind", "source": path, "options": ["bind", "ro"]}))
    argv = box.runtime.argv("exec", "--tty", container.id, "/bin/guest", "cat", "/data")
    # The line discipline puts a return before each newline; the data has none.
    assert digest_through(box, argv, "/dev/null", lambda block: block.replace(b"\r", b"")) == wanted


@pytest.mark.modes("user", "root")
def test_very_many_execs_at_once(box):
    container = box.start("pause")
    argv = box.runtime.argv("exec", container.id, "/bin/guest", "exit", "3")
    err = os.path.join(box.dir, "execs-err")
    with open(err, "ab") as out:
        os.fchmod(out.fileno(), 0o666)
        running = [box.runtime.popen(argv, out, out) for _ in range(EXECS)]
        codes = [process.wait(120) for process in running]
    assert codes == [3] * EXECS, open(err, encoding="utf-8").read()
    assert container.status() == "running"


def test_an_agent_decides_about_an_exec(box, agents):  # noqa: F811
    agent = agents(refuse_getcpu)
    container = box.start("pause", edit=profile(agent.path, "getcpu"))
    path = box.pid_file()
    process = box.must("exec", "--pid-file", path, container.id, "/bin/guest", *CALL)
    assert process.out == "EACCES\n"
    assert eventually(lambda: len(agent.states) == 2)
    created, state = agent.states
    assert created["state"]["status"] == "created" and state["state"]["status"] == "running"
    assert state["pid"] == int(open(path, encoding="ascii").read())
    assert state["state"]["pid"] == container.pid != state["pid"]


def test_an_exec_without_its_agent_does_not_run(box, agents):  # noqa: F811
    agent = agents(refuse_getcpu)
    container = box.start("pause", edit=profile(agent.path, "getcpu"))
    os.unlink(agent.path)
    path = box.pid_file()
    result = box.fails("exec", "--pid-file", path, container.id, "/bin/guest", "echo", "ran",
                       says="listenerPath")
    assert result.rc == 255 and result.out == ""
    assert not os.path.exists(path)
    assert container.status() == "running"


# ---- the pid file of an exec that is killed




@pytest.mark.modes("user", "root")
def test_a_killed_exec_leaves_no_part_of_a_pid_file(box):
    """Killed at each system call from the opening of the pid file's directory on."""
    container = box.start("pause")
    directory = box.directory("pidfiles")
    path = os.path.join(directory, "pid")
    trace = os.path.join(box.dir, "trace")
    box.must("exec", "--pid-file", path, container.id, "/bin/guest", "exit", "0",
             wrap=["strace", "-o", trace])
    calls = open(trace, encoding="utf-8", errors="replace").read().splitlines()
    first = next(i for i, line in enumerate(calls) if "pidfiles" in line)
    assert os.listdir(directory) == ["pid"]
    os.unlink(path)
    names = [line.split("(")[0] for line in calls]
    killed = 0
    for at in range(first, len(calls) - 1):
        if not names[at].isidentifier() or names[at] in ("exit_group",):
            continue
        nth = names[:at + 1].count(names[at])
        result = box.call("exec", "--pid-file", path, container.id, "/bin/guest", "exit", "0",
                          wrap=["strace", "-o", "/dev/null", "-e",
                                f"inject={names[at]}:signal=KILL:when={nth}"])
        killed += result.rc != 0
        left = os.listdir(directory)
        assert left in ([], ["pid"]), f"killed at {calls[at]}: {left}"
        if left:
            assert open(path, encoding="ascii").read().isdigit()
            os.unlink(path)
    assert killed > 3
    with residue.reaping():  # the programs, orphans now
        box.must("delete", "--force", container.id)
