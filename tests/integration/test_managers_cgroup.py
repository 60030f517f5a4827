"""The exact calls of CRI-O, conmon-rs and BuildKit with their cgroup managers, from create to delete."""

import json
import os
import signal

import pytest

import cgroups
from callers import Manager, pid_of
from harness import eventually

pytestmark = [pytest.mark.machine("systemd", "uml"), pytest.mark.place("manager")]
# How each manager names a cgroup, and what it says before the verb.
PLACES = {"systemd": ("lab-MARK.slice:PREFIX:ID", ("--systemd-cgroup",)),
          "cgroupfs": ("/lab-MARK/PREFIX-ID", ())}
both = pytest.mark.parametrize("manager", PLACES)


class Caller(Manager):
    """A manager that chooses the container's cgroup."""

    def __init__(self, box, manager, prefix, *args, options=(), **kw):
        path, first = PLACES[manager]
        own = cgroups.managers_cgroup(box)
        if manager == "cgroupfs":
            path = own + path
        for word, value in (("MARK", box.mark), ("PREFIX", prefix), ("ID", box.mark)):
            path = path.replace(word, value)

        def edit(config, _):
            config["linux"]["cgroupsPath"] = path
        super().__init__(box, *args, options=[*first, *options], edit=edit, **kw)
        self.manager = manager
        # Of the verbs that CRI-O and the shims call without it.
        self.bare_options = [word for word in self.options if word != "--systemd-cgroup"]
        if manager == "systemd":
            self.cgroup = f"{own}/lab.slice/lab-{box.mark}.slice/{prefix}-{box.mark}.scope"
        else:
            self.cgroup = path

    def state(self):
        return json.loads(self.must("state", self.id).out)

    def assert_in_cgroup(self, *pids):
        for pid in pids:
            assert cgroups.of(pid) == self.cgroup

    def update(self):
        """CRI-O: `update --resources - ID`, without the manager's option."""
        has_pids = os.path.exists(f"{cgroups.MOUNT}{self.cgroup}/pids.max")
        path = os.path.join(self.box.dir, "resources")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"pids": {"limit": 33}} if has_pids else {}, file)
        with open(path, "rb") as file:
            self.box.must("update", "--resources", "-", self.id, options=self.bare_options, stdin=file)
        if has_pids:
            assert cgroups.read(f"{cgroups.MOUNT}{self.cgroup}/pids.max") == "33"

    def assert_gone(self):
        assert not os.path.exists(cgroups.MOUNT + self.cgroup)
        if self.manager == "systemd":
            assert not any(name.endswith(".scope") for name in cgroups.units(self.box))
            cgroups.systemctl(self.box, "stop", f"lab-{self.box.mark}.slice")
        else:  # the pod's is its manager's to remove
            os.rmdir(os.path.dirname(cgroups.MOUNT + self.cgroup))


@both
def test_cri_o(box, manager):
    """Through conmon, which says the manager at create only; exec and update are without."""
    calls = Caller(box, manager, "crio", "pause", log="text")
    env = {**box.runtime.env, "CRI_O_EXTERNAL": "1"}
    pid_file, exec_pid_file = box.pid_file(), box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file, calls.id, env=env)
    pid = pid_of(pid_file)
    calls.must("start", calls.id, env=env)
    assert calls.state()["status"] == "running"
    calls.assert_in_cgroup(pid)
    document = calls.process_document("pause")
    box.must("exec", "--pid-file", exec_pid_file, "--process", document, "--detach", calls.id,
             options=calls.bare_options, env=env)
    calls.assert_in_cgroup(pid, pid_of(exec_pid_file))
    calls.update()
    calls.must("pause", calls.id, env=env)
    assert calls.state()["status"] == "paused"
    assert cgroups.read(f"{cgroups.MOUNT}{calls.cgroup}/cgroup.freeze") == "1"
    calls.must("resume", calls.id, env=env)
    document = calls.process_document("exit", "4")  # a probe
    assert box.call("exec", "--process", document, calls.id, options=calls.options, env=env).rc == 4
    calls.must("kill", "-a", calls.id, "KILL", env=env)
    for name in (exec_pid_file, pid_file):  # init ends when all of its pid namespace are reaped
        assert os.waitstatus_to_exitcode(os.waitpid(pid_of(name), 0)[1]) == -signal.SIGKILL
    assert calls.state()["status"] == "stopped"
    calls.must("delete", "--force", calls.id, env=env)
    calls.assert_gone()


@both
def test_cri_o_gives_up(box, manager):
    """It force-deletes what runs, and again what is gone."""
    calls = Caller(box, manager, "crio", "pause", log="text")
    pid_file = box.pid_file()
    calls.must("create", "--bundle", calls.bundle.path, "--pid-file", pid_file, calls.id)
    calls.must("start", calls.id)
    calls.must("delete", "--force", calls.id)
    os.waitpid(pid_of(pid_file), 0)
    calls.assert_gone()
    calls.must("delete", "--force", calls.id)


@both
def test_conmon_rs(box, manager):
    """create and exec with the manager, all options in the form --name=value."""
    calls = Caller(box, manager, "crio", "pause", log=None)
    pid_file, exec_pid_file = box.pid_file(), box.pid_file()
    calls.must("create", f"--bundle={calls.bundle.path}", f"--pid-file={pid_file}", calls.id)
    calls.must("start", calls.id)
    calls.must("exec", "-d", f"--pid-file={exec_pid_file}", calls.id, "/bin/guest", "pause")
    pids = [pid_of(pid_file), pid_of(exec_pid_file)]
    calls.assert_in_cgroup(*pids)
    calls.must("kill", calls.id, "KILL")
    for pid in reversed(pids):  # init ends when all of its pid namespace are reaped
        os.waitpid(pid, 0)
    calls.must("delete", calls.id)
    calls.assert_gone()


@both
def test_buildkit(box, manager):
    """run in the foreground with --keep; the cgroup is there until delete, for its statistics."""
    calls = Caller(box, manager, "buildkit", "pause")
    out = os.path.join(box.dir, "run-out")
    with open(out, "wb") as file:
        os.fchmod(file.fileno(), 0o666)
        argv = box.runtime.argv("run", "--bundle", calls.bundle.path, "--keep", calls.id,
                                options=calls.options)
        running = box.runtime.popen(argv, file, file)
    assert eventually(lambda: "ready" in open(out, encoding="utf-8").read())
    calls.assert_in_cgroup(calls.state()["pid"])
    document = calls.process_document("exit", "6")
    result = box.call("exec", "--process", document, "--pid-file", box.pid_file(), calls.id,
                      options=calls.options)
    assert result.rc == 6
    calls.must("kill", calls.id, str(int(signal.SIGKILL)))
    assert running.wait(20) == 128 + signal.SIGKILL
    assert calls.state()["status"] == "stopped"
    calls.must("delete", calls.id)
    calls.assert_gone()
