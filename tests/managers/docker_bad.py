"""docker: what is wrong is said, and what was killed is cleaned up after."""

import os
import signal

from docker import IMAGE
from frame import eventually


def says(docker, words, *command):
    """Records the exit code, and whether all of `words` stand in what docker says."""
    outcome = docker.docker(*command)
    docker.note(" ".join(map(str, command)), f"exit code {outcome.code}")
    docker.note("the cause is said", all(word in outcome.err.lower() for word in words))


def add(step):
    @step("bad: the cause arrives", quick=True)
    def _(docker):
        run = ("run", "--rm", "--network=none")
        says(docker, ["/bin/missing", "no such file or directory"], *run, IMAGE, "/bin/missing")
        says(docker, ["/etc/not-executable", "permission denied"], *run, IMAGE, "/etc/not-executable")
        says(docker, ["foreign", "exec format error"], *run, IMAGE, "/bin/foreign")
        says(docker, ["/etc/passwd", "not a directory"], *run,
             f"--volume={docker.directory}/home:/etc/passwd", IMAGE, "true")
        says(docker, ["nosuch", "no such file or directory"], *run, "--sysctl=net.ipv4.nosuch=1", IMAGE,
             "true")
        says(docker, ["dev/nosuch"], *run, "--device=/dev/nosuch", IMAGE, "true")

    @step("bad: a volume's source that goes away", quick=True)
    def _(docker):
        source = docker.directory / "source"
        source.mkdir()
        docker.docker("create", "--network=none", "--name=box",
                      f"--mount=type=bind,src={source},dst=/v", IMAGE, "echo", "ran")
        source.rmdir()
        says(docker, ["source", "does not exist"], "start", "box")
        source.mkdir()
        docker.do("start", "--attach", "box")

    @step("bad: dockerd and containerd are killed; containers live on")
    def _(docker):
        docker.started()
        pid = docker.pid()
        docker.stop_daemons(kill=True)
        docker.start_daemons()
        docker.note("the same process", docker.pid() == pid)
        docker.do("exec", "box", "echo", "in")
        docker.do("stop", "--time=5", "box")
        docker.status()
        docker.do("start", "box")
        docker.status()

    @step("bad: the shim is killed")
    def _(docker):
        docker.started()
        os.kill(docker.shim(), signal.SIGKILL)
        eventually(lambda: docker.docker("inspect", "--format={{.State.Status}}", "box").out
                   == "exited\n", "its end is noticed")
        docker.status()
        docker.do("start", "box")
        docker.do("exec", "box", "echo", "in")

    @step("bad: all is killed at once, as by a power cut")
    def _(docker):
        docker.started()
        pids = [docker.shim(), docker.pid()]
        docker.stop_daemons(kill=True)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        docker.start_daemons()
        docker.status(form="{{.State.Status}}")
        docker.do("start", "box")
        docker.do("exec", "box", "echo", "in")
        docker.do("rm", "--force", "box")
