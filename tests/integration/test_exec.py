"""One more process in a living container."""

import array
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

import attacks
from facts import Facts, capability_mask
from harness import eventually

pytestmark = pytest.mark.machine("native", "systemd")

BASE = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
NAMESPACES = ("mnt", "uts", "ipc", "net", "pid", "cgroup", "user", "time")


def process_of(**changes):
    return lambda config, _: config["process"].update(changes)


def guest(box, container, *args, options=(), **kw):
    return box.must("exec", *options, container.id, "/bin/guest", *args, **kw)


def facts(box, container, options=(), **kw):
    return Facts(guest(box, container, "facts", options=options, **kw).out)


def process_file(box, **changes):
    document = {"args": ["/bin/guest", "facts"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                "env": ["PATH=/bin"], **changes}
    path = os.path.join(box.dir, f"process-{time.monotonic_ns()}.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.chmod(path, 0o644)
    return path


# ---- where it runs


def test_it_is_in_every_namespace_of_the_container(box):
    container = box.start("pause")
    inside = facts(box, container).ns
    for kind in NAMESPACES:
        if inside[kind]:
            assert inside[kind] == os.readlink(f"/proc/{container.pid}/ns/{kind}"), kind


def test_it_sees_the_containers_root_and_processes(box):
    container = box.start("pause", edit=lambda _, bundle: bundle.file("mark", "of this one"))
    assert guest(box, container, "cat", "/mark").out == "of this one"
    assert guest(box, container, "cat", "/proc/1/cmdline").out.startswith("/bin/guest\0pause")


def test_it_works_in_a_created_container(box):
    container = box.create("pause")
    assert guest(box, container, "echo", "early").out == "early\n"
    assert container.status() == "created"
    box.must("start", container.id)
    container.wait_for("ready")


def test_it_works_in_a_container_without_pivot(box):
    container = box.start("pause", options=["--no-pivot"],
                          edit=lambda _, bundle: bundle.file("mark", "moved"))
    assert guest(box, container, "cat", "/mark").out == "moved"


def test_it_works_where_the_pid_namespace_is_shared(box):
    def edit(config, _):
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [n for n in spaces if n["type"] != "pid"]
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/proc"]

    container = box.start("pause", edit=edit)
    assert guest(box, container, "echo", "there").out == "there\n"


def test_it_has_no_controlling_terminal_of_the_caller(box):
    assert facts(box, box.start("pause")).tty_number() == 0


# ---- what it is


def test_it_has_the_configurations_process_by_default(box):
    container = box.start("pause", edit=process_of(cwd="/proc", env=["PATH=/bin", "A=1", "HOME=/h"]))
    seen = facts(box, container)
    assert seen.cwd == "/proc"
    assert seen.env == ["PATH=/bin", "A=1", "HOME=/h"]
    caps = seen.caps()
    for name in ("Prm", "Eff", "Bnd"):
        assert caps[name] == capability_mask(BASE), name
    assert caps["Inh"] == caps["Amb"] == 0
    assert seen.status["NoNewPrivs"] == "1"
    assert seen.rlimits["NOFILE"] == [1024, 1024]


def test_the_configuration_is_that_of_creation(box):
    container = box.start("pause", edit=process_of(env=["PATH=/bin", "OF=creation"]))
    container.bundle.config["process"]["env"] = ["OF=later"]
    with open(os.path.join(container.bundle.path, "config.json"), "w", encoding="utf-8") as file:
        json.dump(container.bundle.config, file)
    assert "OF=creation" in facts(box, container).env


def test_a_bundle_that_is_gone_does_not_matter(box):
    container = box.start("pause")
    os.rename(os.path.join(container.bundle.path, "config.json"), os.path.join(box.dir, "moved"))
    assert guest(box, container, "echo", "here").out == "here\n"


def test_options_change_the_process(box):
    container = box.start("pause")
    seen = facts(box, container, ["--cwd", "/proc", "-e", "A=1", "--env=B=x=y", "-e", "TERM=dumb"])
    assert seen.cwd == "/proc"
    assert seen.environment["A"] == "1"
    assert seen.environment["B"] == "x=y"
    assert [e for e in seen.env if e.startswith("TERM=")] == ["TERM=dumb"]


def test_a_capability_is_added_but_never_inheritable(box):
    """A07: CVE-2022-29162."""
    container = box.start("pause")
    caps = facts(box, container, ["--cap", "CAP_NET_RAW", "-c", "CAP_CHOWN"]).caps()
    wanted = capability_mask([*BASE, "CAP_NET_RAW", "CAP_CHOWN"])
    assert caps["Prm"] == caps["Eff"] == caps["Bnd"] == wanted
    assert caps["Inh"] == caps["Amb"] == 0


def test_no_new_privs_can_be_added_and_not_taken_away(box):
    loose = box.start("pause", edit=process_of(noNewPrivileges=False))
    assert facts(box, loose).status["NoNewPrivs"] == "0"
    assert facts(box, loose, ["--no-new-privs"]).status["NoNewPrivs"] == "1"


@pytest.mark.modes("root", "userns-root")
def test_the_user_and_groups_are_set(box):
    container = box.start("pause")
    seen = facts(box, container, ["--user", "1000:1001", "-g", "7", "--additional-gids=8"])
    assert seen.status["Uid"].split() == ["1000"] * 4
    assert seen.status["Gid"].split() == ["1001"] * 4
    assert seen.status["Groups"].split() == ["7", "8"]
    assert seen.caps()["Eff"] == 0


@pytest.mark.parametrize("user", ["", "root", "0x0", "-1", "0:", ":0", "0:0:0", "4294967295", "0 ",
                                  "+0", "99999999999"])
def test_a_user_must_be_numbers(box, user):
    container = box.start("pause")
    result = box.fails("exec", "--user", user, container.id, "/bin/guest", "echo", "no")
    assert result.rc == 255
    assert result.out == ""


@pytest.mark.modes("user")
def test_an_unmapped_user_is_said(box):
    result = box.fails("exec", "--user", "5", box.start("pause").id, "/bin/guest",
                       says=["uid 5", "unmapped"])
    assert result.rc == 255


def test_a_process_document_replaces_the_process(box):
    container = box.start("pause")
    path = process_file(box, env=["PATH=/bin", "ONLY=this", "HOME=/x"], cwd="/bin",
                        capabilities={"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"],
                                      "effective": ["CAP_KILL"]})
    seen = Facts(box.must("exec", "--process", path, container.id).out)
    assert seen.env == ["PATH=/bin", "ONLY=this", "HOME=/x"]
    assert seen.cwd == "/bin"
    assert seen.caps()["Eff"] == capability_mask(["CAP_KILL"])
    assert seen.status["NoNewPrivs"] == "0"


def test_the_filter_of_the_container_binds_it(box):
    def edit(config, _):
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}

    for nnp in (True, False):
        def both(config, bundle):
            edit(config, bundle)
            config["process"]["noNewPrivileges"] = nnp
        if not nnp and box.mode == "user":
            continue
        container = box.start("pause", edit=both)
        assert "99" in guest(box, container, "try-syscall", "getppid").out or \
            "EADDRNOTAVAIL" in guest(box, container, "try-syscall", "getppid").out
        assert facts(box, container).status["Seccomp"] == "2"


def test_limits_and_umask_and_oom_score_are_the_configurations(box):
    def edit(config, _):
        config["process"]["user"]["umask"] = 0o77
        config["process"]["oomScoreAdj"] = 500
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 77, "soft": 66}]

    container = box.start("pause", edit=edit)
    seen = facts(box, container)
    assert seen.rlimits["NOFILE"] == [66, 77]
    assert seen.status["Umask"] == "0077"
    assert guest(box, container, "cat", "/proc/self/oom_score_adj").out.strip() == "500"


def test_it_is_in_the_session_keyring_of_the_container(box):
    def edit(config, _):
        config["linux"]["maskedPaths"].remove("/proc/keys")

    container = box.start("pause", edit=edit)

    def rings():
        lines = guest(box, container, "cat", "/proc/keys").out.splitlines()
        return [line.split()[0] for line in lines if f"_ses.{container.id}" in line]

    assert len(rings()) == 1
    assert rings() == rings()


@pytest.mark.parametrize("options", [["--no-new-keyring"]])
def test_it_makes_no_keyring_where_the_container_has_none(box, options):
    def edit(config, _):
        config["linux"]["maskedPaths"].remove("/proc/keys")

    container = box.start("pause", edit=edit, options=options)
    assert f"_ses.{container.id}" not in guest(box, container, "cat", "/proc/keys").out


def test_the_cpus_of_exec_are_set(box):
    container = box.start("pause", edit=process_of(execCPUAffinity={"initial": "0-1", "final": "0"}))
    assert facts(box, container).status["Cpus_allowed_list"] == "0"


def test_the_first_cpus_stay_where_no_last_ones_are_named(box):
    container = box.start("pause", edit=process_of(execCPUAffinity={"initial": "1"}))
    assert facts(box, container).status["Cpus_allowed_list"] == "1"
    assert Facts(guest(box, container, "facts").out).status["Cpus_allowed_list"] == "1"


def test_cpus_that_are_not_there_are_an_error(box):
    container = box.start("pause", edit=process_of(execCPUAffinity={"initial": "4000-4001"}))
    result = box.fails("exec", container.id, "/bin/guest", says=["/process/execCPUAffinity/initial",
                                                                 "4000-4001", "invalid argument"])
    assert result.rc == 255


# ---- descriptors


def test_no_descriptor_leaks(box):
    fds = facts(box, box.start("pause")).fds
    assert set(fds) == {"0", "1", "2"}, fds


def test_preserved_descriptors_are_passed(box):
    container = box.start("pause")
    path = os.path.join(box.dir, "passed")
    with open(path, "w", encoding="ascii") as file:
        os.chmod(path, 0o666)
        shell = ["bash", "-c", f'exec 3>"$0"; shift 0; exec "$@"', path]
        result = box.call("exec", "--preserve-fds", "1", container.id, "/bin/guest", "facts",
                          wrap=shell)
        assert result.rc == 0, result
        del file
    assert set(Facts(result.out).fds) == {"0", "1", "2", "3"}


def test_a_missing_descriptor_is_an_error(box):
    result = box.fails("exec", "--preserve-fds", "3", box.start("pause").id, "/bin/guest", "echo",
                       says="is not open")
    assert result.rc == 255


@pytest.mark.modes("root")
def test_a_file_that_is_only_read_keeps_its_owner(box):
    container = box.start("pause")
    path = os.path.join(box.dir, "secret")
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    os.chmod(path, 0o600)
    with open(path, "rb") as file:
        guest(box, container, "exit", "0", options=["--user", "1000"], stdin=file)
    assert os.stat(path).st_uid == 0


# ---- how it ends


@pytest.mark.parametrize("code", [0, 1, 7, 42, 254])
def test_the_exit_status_is_the_programs(box, code):
    assert box.call("exec", box.start("pause").id, "/bin/guest", "exit", code).rc == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_signals_end_is_128_and_its_number(box, name):
    number = getattr(signal, f"SIG{name}")
    container = box.start("pause")
    result = box.call("exec", container.id, "/bin/guest", "signal-self", int(number))
    assert result.rc == 128 + number, result


def test_a_signal_is_forwarded(box):
    container = box.start("pause")
    argv = box.runtime.argv("exec", container.id, "/bin/guest", "trap", 9, int(signal.SIGTERM))
    out = os.path.join(box.dir, "trapped")
    with open(out, "wb") as file:
        os.fchmod(file.fileno(), 0o666)
        process = box.runtime.popen(argv, file, file)
    assert eventually(lambda: "ready" in open(out, encoding="ascii").read())
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == 9


def test_detached_it_lives_on(box):
    container = box.start("pause")
    pid_file = box.pid_file()
    result = box.must("exec", "--detach", "--pid-file", pid_file, container.id, "/bin/guest",
                      "pause")
    pid = int(open(pid_file, encoding="ascii").read())
    assert eventually(lambda: "ready" in result.out)
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{container.pid}/ns/pid")
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[0] == pid, "it is not the caller's to reap"


def test_it_dies_with_the_container(box):
    container = box.start("pause")
    pid_file = box.pid_file()
    box.must("exec", "-d", "--pid-file", pid_file, container.id, "/bin/guest", "pause")
    pid = int(open(pid_file, encoding="ascii").read())
    box.must("kill", container.id, "KILL")
    assert eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)


# ---- what fails


@pytest.mark.parametrize("args,says", [
    (["/no/such"], "no such file or directory"),
    (["nosuch"], "executable file not found in $PATH"),
    (["/etc/passwd"], "permission denied"),
    (["/"], ""),
])
def test_what_cannot_be_executed_leaves_no_pid_file(box, args, says):
    container = box.start("pause")
    path = os.path.join(box.dir, "pids", "of-failed")
    result = box.fails("exec", "--pid-file", path, container.id, *args, says=says)
    assert result.rc == 255
    assert not os.path.exists(path)
    result = box.fails("exec", "--detach", "--pid-file", path, container.id, *args, says=says)
    assert result.rc == 255
    assert not os.path.exists(path)


def test_an_unwritable_pid_file_ends_the_program(box):
    container = box.start("pause")
    result = box.fails("exec", "-d", "--pid-file", os.path.join(box.dir, "no/such/dir/pid"),
                       container.id, "/bin/guest", "pause", says="no such file or directory")
    assert result.rc == 255
    assert guest(box, container, "ls", "/proc").out.split().count("2") == 0


@pytest.mark.parametrize("args,says", [
    (["exec"], "no container named"),
    (["exec", "ID"], "no command given"),
    (["exec", "--no-such", "ID", "/bin/guest"], "--no-such"),
    (["exec", "--env", "NOVALUE", "ID", "/bin/guest"], "NAME=VALUE"),
    (["exec", "--process", "/dev/null", "ID", "/bin/guest"], "not both"),
    (["exec", "--process", "/no/such", "ID"], "no such file or directory"),
    (["exec", "--process", "/dev/null", "ID"], ""),
    (["exec", "--cwd", "relative", "ID", "/bin/guest"], "absolute"),
    (["exec", "--cwd", "/no/such", "ID", "/bin/guest"], "no such file or directory"),
    (["exec", "--cgroup", "/no-such", "ID", "/bin/guest"], "cgroup"),
    (["exec", "--console-socket", "/no/such", "ID", "/bin/guest"], ""),
    (["exec", "-d", "-t", "ID", "/bin/guest"], "--console-socket"),
])
def test_a_wrong_call_is_an_error_of_255(box, args, says):
    container = box.start("pause")
    words = [container.id if word == "ID" else word for word in args]
    assert box.fails(*words, says=says).rc == 255


def test_an_unknown_container_is_an_error_of_255(box):
    assert box.fails("exec", "no-such", "/bin/true", says="does not exist").rc == 255


def test_a_stopped_container_is_an_error_of_255(box):
    container = box.start("pause")
    box.must("kill", container.id, "KILL")
    container.wait_stopped()
    result = box.fails("exec", container.id, "/bin/guest", "echo",
                       says=["cannot exec in a stopped container", "container not running"])
    assert result.rc == 255


def test_options_end_at_the_containers_id(box):
    container = box.start("pause")
    assert guest(box, container, "echo", "--help", "-t", "--", "-x").out == "--help -t -- -x\n"


# ---- terminals


def test_a_terminal_is_sent_to_the_console_socket(box):
    container = box.start("pause")
    path = os.path.join(box.dir, "console.sock")
    pid_file = box.pid_file()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        box.give(path)
        listener.listen()
        box.must("exec", "--tty", "--detach", "--console-socket", path, "--pid-file", pid_file,
                 container.id, "/bin/guest", "facts")
        master = attacks.receive_terminal(listener)
    assert master is not None
    text = b""
    try:
        while chunk := os.read(master, 65536):
            text += chunk
    except OSError:
        pass
    os.close(master)
    seen = Facts(text.decode())
    assert seen.tty_number() != 0
    for stream in "012":
        assert seen.fds[stream].startswith("/dev/pts/"), seen.fds
    os.waitpid(int(open(pid_file, encoding="ascii").read()), 0)


def test_the_terminal_of_a_process_document_has_its_size(box):
    container = box.start("pause")
    path = os.path.join(box.dir, "console.sock")
    pid_file = box.pid_file()
    document = process_file(box, terminal=True, consoleSize={"height": 31, "width": 77},
                            args=["/bin/guest", "pause"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        box.give(path)
        listener.listen()
        box.must("exec", "--process", document, "--detach", "--console-socket", path, "--pid-file",
                 pid_file, container.id)
        master = attacks.receive_terminal(listener)
    size = array.array("h", [0, 0, 0, 0])
    fcntl.ioctl(master, termios.TIOCGWINSZ, size)
    os.close(master)  # the terminal hangs up
    pid = int(open(pid_file, encoding="ascii").read())
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGHUP
    assert list(size)[:2] == [31, 77]


# ---- hostile containers


def test_the_container_cannot_look_into_it_before_it_is_the_program(box):
    """A21: nothing of the host is seen through its /proc/PID. A plain user's container may not even
    with CAP_SYS_PTRACE: the memory of what joins belongs to the caller's user namespace."""
    def edit(config, _):
        if box.mode == "user":
            for names in config["process"]["capabilities"].values():
                names.append("CAP_SYS_PTRACE")

    container = box.start("watch-links", edit=edit)
    for _ in range(25):
        box.must("exec", container.id, "/bin/guest", "exit", "0")
    seen = [line.split(" ", 2) for line in container.out.splitlines()[1:]]
    strange = [words for words in seen
               if words[2] and not words[2].startswith(("/bin/guest", box.dir)) and words[2] != "/"]
    assert strange == []


def test_hostile_passwd_and_pts_do_not_matter(box):
    def edit(config, bundle):
        os.unlink(os.path.join(bundle.rootfs, "etc/passwd"))
        bundle.symlink("etc/passwd", "/proc/self/environ")
        config["process"]["env"] = ["PATH=/bin"]

    container = box.start("pause", edit=edit)
    assert facts(box, container).environment["HOME"] == "/"


def test_many_at_once(box):
    container = box.start("pause")
    argv = box.runtime.argv("exec", container.id, "/bin/guest", "exit", "3")
    with open(os.devnull, "wb") as null:
        running = [box.runtime.popen(argv, null, null) for _ in range(40)]
        codes = [process.wait(60) for process in running]
    assert codes == [3] * 40
