"""The exact calls of each manager, one after the other, without what needs a cgroup manager."""

import json
import os
import signal

import pytest

import attacks
from callers import Manager, listen, pid_of
from harness import eventually

pytestmark = pytest.mark.machine("native", "systemd")


@pytest.mark.parametrize("manager", [["--cgroup-manager", "disabled"], []])
def test_podman_through_conmon(box, manager):
    """conmon is a subreaper, waits for the pid of the pid file, and reads it when create is done."""
    calls = Manager(box, "pause", options=manager)
    pid_file = box.pid_file()
    created = calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file,
                         "--no-new-keyring", calls.id)
    pid = pid_of(pid_file)
    calls.must("start", calls.id, env={**calls.bare, "PATH": "/usr/bin:/bin"})
    assert eventually(lambda: "ready" in created.out)

    document = calls.process_document("exit", "9")
    exec_pid_file = box.pid_file()
    calls.must("exec", "--pid-file", exec_pid_file, "--process", document, "--detach", calls.id)
    exec_pid = pid_of(exec_pid_file)
    assert os.waitstatus_to_exitcode(os.waitpid(exec_pid, 0)[1]) == 9

    listener, path = listen(box, "attach")
    with listener:
        document = calls.process_document("facts", terminal=True)
        calls.must("exec", "--pid-file", exec_pid_file, "--process", document, "--detach",
                   "--console-socket", path, calls.id)
        master = attacks.receive_terminal(listener)
    assert master is not None
    os.close(master)
    os.waitpid(pid_of(exec_pid_file), 0)

    failed = os.path.join(box.dir, "pids", "none")
    document = calls.process_document()
    with open(document, "w", encoding="utf-8") as file:
        json.dump({"args": ["/no/such"], "cwd": "/"}, file)
    calls.fails("exec", "--pid-file", failed, "--process", document, "--detach", calls.id,
                says="no such file or directory")
    assert not os.path.exists(failed)
    assert [line["level"] for line in calls.logged()] == ["error"]

    os.kill(pid, 0)
    calls.must("kill", calls.id, "15", env=calls.bare)
    calls.must("kill", "--all", calls.id, "9", env=calls.bare)
    os.waitpid(pid, 0)
    calls.must("delete", "--force", calls.id, env=calls.bare)
    calls.must("delete", "--force", calls.id, env=calls.bare)


def test_containerd(box):
    """Its shim reads the log as a stream of JSON and keeps the last error."""
    calls = Manager(box, "pause")
    init_pid, exec_pid = box.pid_file(), box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", init_pid, calls.id)
    calls.must("start", calls.id)
    document = calls.process_document("exit", "3")
    calls.must("exec", "--process", document, "--detach", "--pid-file", exec_pid, calls.id)
    assert os.waitstatus_to_exitcode(os.waitpid(pid_of(exec_pid), 0)[1]) == 3
    calls.must("kill", calls.id, "9")
    os.waitpid(pid_of(init_pid), 0)
    calls.fails("kill", calls.id, "9", says="container not running")
    calls.must("kill", "--all", calls.id, "9")
    calls.must("delete", calls.id)
    calls.fails("delete", calls.id, says="does not exist")
    calls.must("delete", "--force", calls.id)
    messages = [line["msg"] for line in calls.logged() if line["level"] == "error"]
    assert len(messages) == 2 and "does not exist" in messages[-1]
    features = calls.must("features")
    assert features.err == "" and json.loads(features.out)["ociVersionMax"]


def test_cri_o_through_conmon(box):
    calls = Manager(box, "pause", log="text")
    env = {**box.runtime.env, "CRI_O_EXTERNAL": "1"}
    pid_file = box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file, calls.id, env=env)
    state = json.loads(calls.must("state", calls.id, env=env).out)
    assert state["status"] == "created" and state["pid"] == pid_of(pid_file)
    calls.must("start", calls.id, env=env)
    assert json.loads(calls.must("state", calls.id, env=env).out)["status"] == "running"
    document = calls.process_document("exit", "4")  # a probe: the status passes through
    assert box.call("exec", "--process", document, calls.id, options=calls.options).rc == 4
    calls.must("kill", "-a", calls.id, "KILL", env=env)
    os.waitpid(pid_of(pid_file), 0)
    assert json.loads(calls.must("state", calls.id, env=env).out)["status"] == "stopped"
    calls.must("delete", "--force", calls.id, env=env)


def test_buildah(box):
    """It polls the state each 100 ms and deletes without force once it has stopped."""
    calls = Manager(box, "exit", "5", log=None)
    pid_file = box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file, calls.id)
    calls.must("start", calls.id)
    assert os.waitstatus_to_exitcode(os.waitpid(pid_of(pid_file), 0)[1]) == 5
    assert eventually(
        lambda: json.loads(calls.must("state", calls.id).out)["status"] == "stopped")
    calls.must("delete", calls.id)


def test_buildkit(box):
    """run in the foreground with --keep, exec in the foreground, then state, kill and delete."""
    calls = Manager(box, "pause")
    out = os.path.join(box.dir, "run-out")
    with open(out, "wb") as file:
        os.fchmod(file.fileno(), 0o666)
        argv = box.runtime.argv("run", "--bundle", calls.bundle.path, "--keep", calls.id,
                                options=calls.options)
        running = box.runtime.popen(argv, file, file)
    assert eventually(lambda: "ready" in open(out, encoding="utf-8").read())
    document = calls.process_document("exit", "6")
    exec_pid = box.pid_file()
    result = box.call("exec", "--process", document, "--pid-file", exec_pid, calls.id,
                      options=calls.options)
    assert result.rc == 6 and pid_of(exec_pid) > 0
    assert json.loads(calls.must("state", calls.id).out)["status"] == "running"
    calls.must("kill", calls.id, str(int(signal.SIGKILL)))
    assert running.wait(10) == 128 + signal.SIGKILL
    assert json.loads(calls.must("state", calls.id).out)["status"] == "stopped"
    calls.must("delete", calls.id)


def test_conmon_rs(box):
    calls = Manager(box, "pause", log=None)
    pid_file, exec_pid = box.pid_file(), box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file, calls.id)
    calls.must("start", calls.id)
    listener, path = listen(box, "rs")
    with listener:
        calls.must("exec", "-d", f"--console-socket={path}", "--tty", f"--pid-file={exec_pid}",
                   calls.id, "/bin/guest", "exit", "2")
        master = attacks.receive_terminal(listener)
    assert master is not None
    os.close(master)
    status = os.waitpid(pid_of(exec_pid), 0)[1]
    assert os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGHUP
    calls.must("kill", calls.id, "KILL")
    os.waitpid(pid_of(pid_file), 0)
    calls.must("delete", calls.id)


def test_moby_asks_for_version_and_features(box):
    version = box.must("--version", root=False)
    assert version.out.startswith("coracle version ") and version.err == ""
    features = box.must("features", root=False)
    assert features.err == "" and json.loads(features.out)


@pytest.mark.parametrize("program, words", [("/no/such", "no such file or directory"),
                                            ("none", "executable file not found in $PATH"),
                                            ("/etc", "permission denied")])
def test_docker_takes_its_exit_code_from_our_words(box, program, words):
    """Its client looks for these in small letters: 127, 127 and 126, of anything else it makes 125."""
    def edit(config, _):
        config["process"]["args"] = [program]
    calls = Manager(box, edit=edit)
    calls.fails("create", "--bundle", calls.bundle.path, calls.id)
    (message,) = [line["msg"] for line in calls.logged()]
    assert words in message
