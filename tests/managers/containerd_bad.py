"""containerd: what is wrong is said, and what was killed is cleaned up after."""

import os
import signal

from frame import eventually


def says(containerd, words, *command, options=()):
    """Records the exit code, and whether all of `words` stand in what ctr says."""
    outcome = containerd.run(*command, options=options)
    containerd.note(" ".join(command), f"exit code {outcome.code}")
    containerd.note("the cause is said", all(word in outcome.err.lower() for word in words))


def gone(pid):
    return not os.path.exists(f"/proc/{pid}") or open(
        f"/proc/{pid}/stat", encoding="ascii", errors="replace").read().rpartition(")")[2].split()[0] == "Z"


def add(step):
    @step("bad: the cause arrives", quick=True)
    def _(containerd):
        says(containerd, ["/bin/missing", "no such file or directory"], "/bin/missing")
        says(containerd, ["not-executable", "permission denied"], "/etc/not-executable")
        says(containerd, ["nosuch", "no such file or directory"], "true", options=[
            "--mount", "type=bind,src=/nosuch,dst=/v,options=rbind"])
        says(containerd, ["not a directory"], "true", options=[
            "--mount", f"type=bind,src={containerd.directory},dst=/etc/passwd,options=rbind"])

    @step("bad: containerd is killed; containers live on")
    def _(containerd):
        containerd.started()
        pid = containerd.task()[0]
        containerd.stop_daemon(kill=True)
        containerd.start_daemon()
        containerd.note("the same task", containerd.task() == (pid, "RUNNING"))
        containerd.exec("echo", "in")
        containerd.do("tasks", "kill", "c")
        containerd.wait_for("STOPPED")
        containerd.do("tasks", "delete", "c")

    @step("bad: the shim is killed")
    def _(containerd):
        containerd.started()
        pid, shim = containerd.task()[0], containerd.shim()
        os.kill(shim, signal.SIGKILL)
        eventually(lambda: containerd.task() is None, "its end is noticed")
        eventually(lambda: gone(pid), "the container has ended")
        containerd.do("containers", "rm", "c")
        containerd.started(name="again")
        containerd.exec("echo", "in", name="again")

    @step("bad: all is killed at once, as by a power cut")
    def _(containerd):
        containerd.started()
        pids = [containerd.shim(), containerd.task()[0]]
        containerd.stop_daemon(kill=True)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        containerd.start_daemon()
        containerd.note("no task", containerd.task())
        containerd.do("containers", "rm", "c")
        containerd.started()
        containerd.exec("echo", "in")
