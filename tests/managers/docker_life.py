"""docker: the life of a container, and what can be asked about it."""

from docker import IMAGE
from frame import eventually


def add(step):
    add_exec(step)
    add_verbs(step)
    add_policies(step)
    add_limits(step)


def add_exec(step):
    @step("exec: output, user, directory, environment, exit codes", quick=True)
    def _(docker):
        docker.started()
        docker.do("exec", "box", "sh", "-c", "echo out; echo err >&2; exit 5", stderr=True)
        docker.do("exec", "--user=1000", "--workdir=/tmp", "--env=X=y", "box", "sh", "-c",
                  "id; pwd; echo $X")
        docker.do("exec", "--interactive", "box", "cat", stdin="typed\n")
        for program in ("missing", "/bin/missing", "/etc/not-executable"):
            docker.note(program, docker.docker("exec", "box", program).code)
        docker.note("a directory that is missing",
                    docker.docker("exec", "--workdir=/missing", "box", "true").code)
        docker.do("exec", "--detach", "box", "touch", "/tmp/detached")
        eventually(lambda: docker.docker("exec", "box", "ls", "/tmp/detached").code == 0, "it runs")

    @step("exec: a terminal", quick=True)
    def _(docker):
        docker.started()
        outcome = docker.on_terminal("docker", "exec", "-it", "box", "sh", "-c",
                                     "sleep 0.3; tty; stty size; exit 6")
        docker.note_outcome("exec -it", outcome)


def add_verbs(step):
    @step("run --detach, wait, logs, rm; create, start --attach", quick=True)
    def _(docker):
        docker.do("run", "--detach", "--network=none", "--name=box", IMAGE, "sh", "-c",
                  "echo out; echo err >&2; exit 4")
        docker.do("wait", "box")
        docker.do("logs", "box", stderr=True)
        docker.status(form="{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} "
                           "{{.State.Pid}} {{.State.Error}}")
        docker.do("start", "--attach", "box")
        docker.do("rm", "box")
        docker.do("create", "--network=none", "--name=box", IMAGE, "echo", "hello")
        docker.do("start", "--attach", "box")

    @step("stop, restart, kill, rm of what runs", quick=True)
    def _(docker):
        docker.started()
        docker.do("rm", "box")
        docker.do("stop", "--time=5", "box")
        docker.status()
        docker.do("restart", "--time=5", "box")
        eventually(lambda: docker.docker("logs", "box").out.count("ready") == 2, "box is ready again")
        docker.do("kill", "--signal=HUP", "box")
        eventually(lambda: "hangup" in docker.docker("logs", "box").out, "SIGHUP arrives")
        docker.do("kill", "box")
        docker.do("wait", "box")
        docker.status()
        docker.do("kill", "box")

    @step("a stop signal of its own, a payload that ignores it")
    def _(docker):
        for name, script in (("heard", "trap 'exit 4' USR1; echo ready; while :; do sleep 0.1; done"),
                             ("ignored", "trap '' USR1; echo ready; while :; do sleep 0.1; done")):
            docker.started("--stop-signal=USR1", name=name, command=("sh", "-c", script))
            eventually(lambda name=name: "ready" in docker.docker("logs", name).out, "it is ready")
            docker.do("stop", "--time=1", name)
            docker.status(name)

    @step("pause, unpause", quick=True)
    def _(docker):
        docker.started()
        docker.do("pause", "box")
        docker.status()
        docker.do("pause", "box", stderr=True)
        docker.do("exec", "box", "true")
        docker.do("unpause", "box")
        docker.do("unpause", "box", stderr=True)
        docker.do("exec", "box", "echo", "again")
        docker.do("pause", "box")
        docker.do("rm", "--force", "box")

    @step("top, stats, diff, cp, commit", quick=True)
    def _(docker):
        docker.started(command=("sleep", "1000"))
        docker.do("top", "box", "-o", "user,comm,args")
        docker.do("stats", "--no-stream", "--format={{.Name}}", "box")
        docker.do("cp", docker.directory / "box.tar", "box:/tmp/tar")
        docker.do("diff", "box")
        docker.do("commit", "box", "committed")
        docker.do("run", "--rm", "--network=none", "committed", "ls", "/tmp")


def add_policies(step):
    @step("restart policies")
    def _(docker):
        docker.do("run", "--detach", "--network=none", "--restart=on-failure:2", "--name=box", IMAGE,
                  "sh", "-c", "echo up; exit 3")
        eventually(lambda: docker.docker("inspect", "--format={{.RestartCount}} {{.State.Status}}",
                                         "box").out == "2 exited\n", "it is restarted twice")
        docker.do("logs", "box")
        docker.started("--restart=always", name="always")
        number = docker.pid("always")
        docker.do("exec", "always", "kill", "-KILL", "-1")
        docker.execute("kill", "-KILL", number)
        eventually(lambda: docker.pid("always") not in (0, number), "it runs again")
        docker.status("always")

    @step("health checks")
    def _(docker):
        docker.started("--health-cmd=test -e /tmp/well", "--health-interval=1s", "--health-retries=1")
        for wanted in ("unhealthy", "healthy"):
            eventually(lambda wanted=wanted: docker.docker(
                "inspect", "--format={{.State.Health.Status}}", "box").out == wanted + "\n", wanted)
            docker.note("health", wanted)
            docker.docker("exec", "box", "touch", "/tmp/well")

    @step("many at once", quick=True)
    def _(docker):
        script = "for i in 1 2 3 4 5 6; do docker run --rm --network=none box:1 echo $i & done; wait"
        outcome = docker.execute("sh", "-c", script)
        docker.note("output", " ".join(sorted(outcome.out.split())))


def add_limits(step):
    for controller, options, file in (
            ("memory", ["--memory=64m", "--memory-swap=64m"], "memory.max"),
            ("memory", ["--memory=64m", "--memory-reservation=32m"], "memory.low"),
            ("pids", ["--pids-limit=20"], "pids.max"), ("cpu", ["--cpus=0.5"], "cpu.max"),
            ("cpu", ["--cpu-shares=512"], "cpu.weight"), ("cpuset", ["--cpuset-cpus=0"], "cpuset.cpus")):
        @step(f"limits: {' '.join(options)}", needs=[controller])
        def _(docker, options=tuple(options), file=file):
            docker.shell(f"cat /sys/fs/cgroup/{file}", *options)

    @step("update: memory, pids, cpus", needs=["memory", "pids", "cpu"])
    def _(docker):
        docker.started("--memory=64m", "--pids-limit=50")
        docker.do("update", "--memory=32m", "--memory-swap=48m", "--pids-limit=20", "--cpus=0.25", "box")
        docker.do("exec", "box", "sh", "-c", "cd /sys/fs/cgroup; grep . memory.max memory.swap.max "
                  "pids.max cpu.max")
        docker.do("update", "--memory=4k", "box")

    @step("a container that is killed for its memory", needs=["memory"])
    def _(docker):
        docker.do("run", "--network=none", "--name=box", "--memory=16m", "--memory-swap=16m", IMAGE,
                  "sh", "-c", "tail /dev/zero; sleep 1; exit 3")
        eventually(lambda: docker.docker("inspect", "--format={{.State.Status}}", "box").out == "exited\n",
                   "it has ended")
        docker.status(form="{{.State.ExitCode}} {{.State.OOMKilled}}")

    @step("the cgroup that is asked for", needs=["systemd"])
    def _(docker):
        if docker.options.cgroup_manager == "systemd":
            parent, name = "lab.slice", "/lab.slice/docker-ID.scope"
        else:
            parent, name = "/lab", "/lab/ID"
        outcome = docker.docker("run", "--rm", "--network=none", f"--cgroup-parent={parent}",
                                "--cgroupns=host", IMAGE, "tail", "-n1", "/proc/self/cgroup")
        docker.note("cgroup", outcome.out)
        docker.note("as asked", docker.plain(outcome.out).strip().endswith(name))
