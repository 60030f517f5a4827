"""`sandbox`: a program runs with no bundle, and may see and change little."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import harness

pytestmark = pytest.mark.machine("native", "systemd")

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/bin:/usr/bin:/bin"


def place(box, name):
    """A directory of the caller's below the box's."""
    path = box.dir
    for part in name.split("/"):
        path = os.path.join(path, part)
        if not os.path.isdir(path):
            os.mkdir(path, 0o755)
            box.give(path)
    return path


def environment(box, **more):
    return {**box.runtime.env, "PATH": PATH, "HOME": place(box, "home"),
            "LANG": "C.UTF-8", "SECRET": "x", **more}


def sandbox(box, *args, command=("true",), cwd=None, **kw):
    kw.setdefault("env", environment(box))
    result = box.call("sandbox", *args, "--", *command, cwd=cwd or place(box, "work"), **kw)
    assert box.leavings() == []
    return result


def made(box, name, text):
    """A file of the caller's below the box's directory."""
    path = os.path.join(box.dir, name)
    place(box, os.path.dirname(name))
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    box.give(path)
    return path


def said(box, script, *args, rc=0, **kw):
    result = sandbox(box, *args, command=("sh", "-c", script), **kw)
    assert result.rc == rc, result
    return result.out


# ---- what is there


def test_the_hosts_files_are_there_read_only(box):
    text = said(box, "id -u; ls -d /usr/bin/env /etc/passwd; touch /usr/x /etc/x x; ls -A /tmp /run/ "
                     "/var/tmp ~ | sort -u; ls -d /boot /root /home/*", rc=2)
    assert "/usr/bin/env" in text and "/etc/passwd" in text
    assert not os.path.exists("/usr/x") and not os.path.exists("/etc/x")
    assert "/boot\n" not in text and "/root\n" not in text


def test_what_is_its_own_can_be_written_and_goes_away(box):
    said(box, "for d in /tmp /var/tmp /run ~ /dev/shm; do echo x >$d/f && cat $d/f || exit 9; done; "
              "echo >/dev/null; test $(pwd) = %s" % place(box, "work"))
    assert not os.path.exists("/var/tmp/f") and os.listdir(place(box, "home")) == []


def test_the_working_directory_is_shown_read_only(box):
    path = made(box, "work/file", "here")
    assert said(box, "cat file") == "here"
    said(box, "echo there >file", rc=2)
    said(box, "echo there >file", "--rw", ".")
    assert open(path, encoding="ascii").read() == "there\n"


def test_the_home_directory_is_hidden_even_from_within_it(box):
    home = place(box, "home")
    made(box, "home/key", "private")
    assert said(box, "ls -A . ~; pwd", cwd=home) == f".:\n\n{home}:\n{home}\n"
    assert "key" in said(box, "ls -A ~", "--ro", "~")


def test_the_environment_is_the_usual_few(box):
    names = {line.partition("=")[0] for line in said(box, "exec env").splitlines()}
    assert {"PATH", "HOME", "LANG"} <= names <= {"PATH", "HOME", "LANG", "TERM", "USER", "LOGNAME",
                                                 "SHELL", "TZ", "LC_ALL", "COLORTERM", "PWD",
                                                 "LANGUAGE", "NO_COLOR"}
    assert said(box, "echo $A$SECRET", "--env", "A=b", "--pass-env", "SECRET") == "bx\n"
    # HOME is what every container gets, PWD is the shell's.
    cleared = said(box, "exec env", "--clear-env", "--env", "A=b", "--env", f"PATH={PATH}")
    assert {line.partition("=")[0] for line in cleared.splitlines()} <= {"A", "HOME", "PATH", "PWD"}


def test_it_has_no_privilege_and_no_network(box):
    text = said(box, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; "
                     "cat /proc/net/dev | grep -c :; cat /proc/sys/user/max_user_namespaces")
    lines = text.split("\n")
    assert [line for line in lines if line.startswith("Cap")] == [
        f"Cap{name}:\t{'0' * 16}" for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    assert "NoNewPrivs:\t1" in lines and "Seccomp:\t2" in lines
    assert lines[-3:-1] == ["1", "0"]


# ---- the escape checklist


def test_each_way_out_is_refused(box):
    shutil.copy(os.path.join(HERE, "escapes.py"), place(box, "work"))
    name = f"coracle-{os.getpid()}-{box.mode}"
    outside = subprocess.Popen(["sleep", "300"])
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0" + name)
            listener.listen()
            result = sandbox(box, "--net", "host",
                             command=("python3", "escapes.py", str(outside.pid), name), timeout=120)
        assert outside.poll() is None
    finally:
        outside.kill()
        outside.wait()
    lines = result.out.splitlines()
    assert result.rc == 0 and len(lines) > 55, result
    assert [line for line in lines if ": refused" not in line] == []


def test_a_wall_less_and_the_checklist_says_so(box):
    """The control: what the walls are for is possible without them."""
    shutil.copy(os.path.join(HERE, "escapes.py"), place(box, "work"))
    result = sandbox(box, "--seccomp", "none", "--allow-userns", "--landlock", "off",
                     command=("python3", "escapes.py", "1000000", "none"))
    done = {line.partition(":")[0] for line in result.out.splitlines() if line.endswith(": DONE")}
    assert {"make a user namespace", "NETLINK_XFRM"} <= done, result


# ---- paths


def test_what_is_put_there(box):
    work = place(box, "work")
    text = said(box, "cat /run/f; readlink /tmp/l; stat -c %a /tmp/d /tmp/t; cat /tmp/deep/er/file",
                "--file", "/run/f=text", "--symlink", "/usr/bin:/tmp/l", "--dir", "/tmp/d",
                "--tmpfs", "/tmp/t:1m", "--file", "/tmp/deep/er/file=deep", "--ro", f"{work}:/tmp/w")
    assert text == "text/usr/bin\n755\n1777\ndeep"


def test_a_parent_comes_before_what_is_in_it(box):
    work = place(box, "work")
    place(box, "work/a/b")
    text = said(box, "ls -A a; ls -A a/b", "--ro", "a/b", "--tmpfs", "a")
    assert text == "b\n"


def state_root_in(box, directory):
    path = tempfile.mkdtemp(prefix="coracle-it-", dir=directory)
    box.give(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def in_memory(box):
    """A state root on tmpfs."""
    yield from state_root_in(box, "/dev/shm")


@pytest.fixture
def on_disk(box):
    yield from state_root_in(box, "/var/tmp")


def test_secrets_are_files_of_the_user_alone(box, in_memory):
    made(box, "work/pw", "hunter2")
    result = sandbox(box, "--secret", "db=pw", "--name", "keeps", "--keep", root=False,
                     options=["--root", in_memory], command=(
                         "sh", "-c", "stat -c '%a %u' /run/secrets/db; cat /run/secrets/db; env; "
                         "tr '\\0' ' ' </proc/1/cmdline; echo x >/run/secrets/db"))
    assert result.rc == 2 and result.out.startswith(f"400 {box.host_uid if box.mode == 'user' else 0}\n")
    assert result.out.count("hunter2") == 1
    state = box.must("state", "keeps", root=False, options=["--root", in_memory]).out
    assert "hunter2" not in state
    for name in ("config.json", "record.json"):
        with open(os.path.join(in_memory, "keeps", name), encoding="utf-8") as file:
            assert "hunter2" not in file.read()
    box.must("delete", "keeps", root=False, options=["--root", in_memory])
    assert os.listdir(in_memory) == [".filters"]  # of programs, which tell nothing of a container


@pytest.mark.machine("native")  # elsewhere there is no disk
def test_a_secret_is_never_on_a_disk(box, on_disk):
    made(box, "work/pw", "hunter2")
    result = sandbox(box, "--secret", "db=pw", root=False, options=["--root", on_disk])
    assert result.rc == 125 and "is on a disk" in result.err and "XDG_RUNTIME_DIR" in result.err


@pytest.mark.parametrize("where", ["thrown away", "kept"])
def test_an_overlay_keeps_the_hosts_files(box, where):
    made(box, "work/tree/old", "old")
    tree = os.path.join(box.dir, "work/tree")
    layer = ["--overlay-to", place(box, "layers")] if where == "kept" else []
    said(box, "echo new >tree/new && cat tree/old", "--overlay", "tree", *layer)
    assert os.listdir(tree) == ["old"]
    again = said(box, "ls tree", "--overlay", "tree", *layer)
    assert again == ("new\nold\n" if where == "kept" else "old\n")


def test_a_layer_is_thrown_away_whatever_is_in_it(box):
    """Deeper than a path can be, and closed to its owner."""
    made(box, "work/tree/old", "old")
    script = ("import os\nos.chdir('tree')\nos.makedirs('closed/in')\n"
              "open('closed/in/f', 'w').close()\nos.chmod('closed/in', 0)\nos.chmod('closed', 0)\n"
              "for _ in range(1500):\n os.mkdir('d')\n os.chdir('d')\n")
    result = sandbox(box, "--overlay", "tree", command=("python3", "-c", script))
    assert result.rc == 0, result


def test_hidden_is_empty(box):
    assert said(box, "ls -A /usr/share; wc -c </etc/passwd", "--hide", "/usr/share", "--hide",
                "/etc/passwd") == "0\n"


def test_a_root_of_its_own(box):
    bundle = box.bundle("pause", busybox=True)
    text = said(box, "pwd; echo $HOME; touch /x 2>/dev/null || echo read-only", "--rootfs",
                bundle.rootfs)
    assert text.splitlines()[0] == "/" and "read-only" in text


# ---- the end


@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("handled", ["not handled", "handled"])
def test_a_signal_ends_what_does_not_handle_it(box, signum, handled):
    trap = f"trap 'exit 9' {signal.Signals(signum).name[3:]}; " if handled == "handled" else ""
    out = open(os.path.join(box.dir, "signals"), "w+b")
    process = box.runtime.popen(box.runtime.argv(
        "sandbox", "--", "sh", "-c", trap + "echo up; while :; do /bin/true; done"), out, out,
        env=environment(box), cwd=place(box, "work"))
    harness.eventually(lambda: os.path.getsize(out.name) > 0, 20)
    process.send_signal(signum)
    assert process.wait(20) == (9 if handled == "handled" else 128 + signum)
    out.close()


@pytest.mark.modes("user", "root")
def test_a_signal_that_the_program_waits_for_is_its_own(box):
    script = ("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
              "print('up', flush=True)\ntime.sleep(0.5)\n"
              "assert signal.sigwait({signal.SIGTERM}) == signal.SIGTERM\nraise SystemExit(8)\n")
    out = open(os.path.join(box.dir, "waits"), "w+b")
    process = box.runtime.popen(box.runtime.argv("sandbox", "--", "python3", "-c", script), out, out,
                                env=environment(box), cwd=place(box, "work"))
    harness.eventually(lambda: os.path.getsize(out.name) > 0, 20)
    process.terminate()
    assert process.wait(20) == 8
    out.close()


@pytest.mark.modes("user", "root")
def test_it_ends_with_coracle(box):
    out = open(os.path.join(box.dir, "killed"), "w+b")
    process = box.runtime.popen(box.runtime.argv("sandbox", "--name", "k", "--", "sh", "-c",
                                                 "echo up; exec sleep 300"), out, out,
                                env=environment(box), cwd=place(box, "work"))
    harness.eventually(lambda: os.path.getsize(out.name) > 0, 20)
    process.kill()
    process.wait()
    out.close()
    harness.eventually(lambda: json.loads(box.must("state", "k").out)["status"] == "stopped", 20)
    box.must("delete", "k")


def test_its_time_is_limited(box):
    start = time.monotonic()
    result = sandbox(box, "--timeout", "300ms", command=("sleep", "300"))
    assert result.rc == 124 and "--timeout" in result.err and time.monotonic() - start < 20


def test_its_exit_code_is_the_programs(box):
    assert sandbox(box, command=("sh", "-c", "exit 7")).rc == 7
    assert sandbox(box, command=("python3", "-c", "import ctypes; ctypes.string_at(0)")).rc == 139


def test_the_status_is_told(box):
    read, write = os.pipe()
    result = sandbox(box, "--json-status-fd", str(write), command=("sh", "-c", "exit 3"),
                     pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as file:
        first, last = [json.loads(line) for line in file]
    assert result.rc == 3 and last == {"exit-code": 3}
    assert first["child-pid"] > 0 and {"mnt-namespace", "pid-namespace", "net-namespace",
                                       "user-namespace"} <= set(first)


def test_the_exit_code_is_not_lost_with_the_reader_of_the_status(box):
    read, write = os.pipe()
    process = box.runtime.popen(box.runtime.argv(
        "sandbox", "--json-status-fd", str(write), "--", "sh", "-c", "sleep 0.5; exit 7"),
        subprocess.DEVNULL, subprocess.DEVNULL, env=environment(box), cwd=place(box, "work"),
        pass_fds=[write])
    os.close(write)
    os.read(read, 1)
    os.close(read)
    assert process.wait(20) == 7


def test_the_plan_is_printed(box):
    text = sandbox(box, "--dry-run").out
    assert "namespaces" in text and "/usr" in text


# ---- bad input


BAD = [
    (["--ro", "/no/such"], ["/no/such", "No such file", "ro-try"]),
    (["--rw", "/"], ["rw /", "read-only"]),
    (["--tmpfs", "/tmp/a", "--dir", "/tmp/a"], ["/tmp/a", "two options"]),
    (["--tmpfs", "/opt/nowhere"], ["/opt/nowhere", "Read-only file system", "below /tmp"]),
    (["--user", "root"], ["--user", "UID"]),
    (["--cap", "fly"], ["--cap", "fly"]),
    (["--env", "NOVALUE"], ["--env", "NAME=VALUE"]),
    (["--pass-env", "NO_SUCH"], ["NO_SUCH"]),
    (["--net", "pigeon"], ["--net", "none, host, pasta"]),
    (["--net", "pasta", "--publish", "0"], ["--publish", "1 to 65535"]),
    (["--publish", "8080"], ["publish needs net pasta"]),
    (["--memory", "0"], ["--memory"]),
    (["--cpus", "-1"], ["--cpus"]),
    (["--timeout", "soon"], ["--timeout"]),
    (["--rlimit", "x=1"], ["--rlimit"]),
    (["--nofile", "9:3"], ["--nofile", "soft"]),
    (["--json"], ["--json is for --plan"]),
    (["--secret", "x=/no/such"], ["--secret", "/no/such"]),
    (["--secret", "../x=/etc/passwd"], ["--secret"]),
    (["--secret", "x=fd:99"], ["--secret", "fd:99"]),
    (["--secret", "x=credential:y"], ["CREDENTIALS_DIRECTORY"]),
    (["--file", "/proc/x=y"], ["/proc"]),
    (["--seccomp", "+nosuchcall"], ["nosuchcall"]),
    (["--seccomp", "/no/such.json"], ["/no/such.json"]),
    (["--rootfs", "/no/such"], ["/no/such"]),
    (["--rootfs", "/"], ["rootfs /"]),
    (["--overlay", "/"], ["overlay /"]),
    (["--overlay-to", "/tmp/x"], ["overlay-to"]),
    (["--tmps", "x"], ["--tmps", "did you mean --tmpfs"]),
    (["--json-status-fd", "77"], ["--json-status-fd 77", "Bad file descriptor"]),
]


@pytest.mark.parametrize("args, says", BAD, ids=lambda value: " ".join(value))
def test_bad_input_is_named(box, args, says):
    result = sandbox(box, *args)
    assert result.rc == 125, result
    for text in says:
        assert text.lower() in result.err.lower(), result
    assert result.err.count("\n") == 1, result
