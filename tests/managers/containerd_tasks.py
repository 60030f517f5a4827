"""containerd: tasks by ctr."""

import re

from containerd import IMAGE


def add(step):
    add_run(step)
    add_tasks(step)
    add_options(step)


def add_run(step):
    @step("run: output and exit code", quick=True)
    def _(containerd):
        containerd.ran("sh", "-c", "echo out; echo err >&2; exit 3")
        containerd.ran("sh", "-c", "kill -KILL $$")
        containerd.ran("sh", "-c", "pwd; echo $A", options=["--cwd", "/tmp", "--env", "A=b"])

    @step("run: a terminal", quick=True)
    def _(containerd):
        words = ["ctr", "--address", containerd.socket, "run", "--rm", "--tty",
                 *containerd.options_of_run(), IMAGE, "c", "sh", "-c", "sleep 0.3; tty; stty size; exit 9"]
        outcome = containerd.on_terminal(*words)
        containerd.note("run --tty", f"exit code {outcome.code}, {outcome.out.split()[-3:]}")


def add_tasks(step):
    @step("exec: output, user, directory, exit codes", quick=True)
    def _(containerd):
        containerd.started()
        containerd.exec("sh", "-c", "echo out; exit 5")
        containerd.exec("sh", "-c", "id -u; pwd", options=["--user", "7", "--cwd", "/tmp"])
        containerd.exec("cat", stdin="typed\n")
        containerd.exec("missing")
        containerd.exec("sleep", "1000", options=["--detach"])
        words = ["ctr", "--address", containerd.socket, "tasks", "exec", "--tty", "--exec-id", "t", "c",
                 "sh", "-c", "sleep 0.3; tty; exit 6"]
        outcome = containerd.on_terminal(*words)
        containerd.note("exec --tty", f"exit code {outcome.code}, {'/dev/pts/' in outcome.out}")

    @step("tasks: ls, ps, pause, resume, metrics, kill, delete", quick=True)
    def _(containerd):
        containerd.started(command=("sleep", "1000"))
        containerd.exec("sleep", "1000", options=["--detach"])
        containerd.note("status", containerd.task()[1])
        containerd.note("ps", len(containerd.ctr("tasks", "ps", "c").out.splitlines()))
        metrics = containerd.ctr("tasks", "metrics", "c").out
        containerd.note("metrics", sorted(re.findall(r"^\w+\.\w+", metrics, re.M)))
        containerd.do("tasks", "pause", "c")
        containerd.note("status", containerd.task()[1])
        containerd.do("tasks", "pause", "c", stderr=True)
        containerd.exec("true")
        containerd.do("tasks", "resume", "c")
        containerd.do("tasks", "resume", "c", stderr=True)
        containerd.do("tasks", "delete", "c")
        containerd.do("tasks", "kill", "--signal", "KILL", "c")
        containerd.wait_for("STOPPED")
        containerd.do("tasks", "kill", "--signal", "KILL", "c", stderr=True)
        containerd.do("tasks", "delete", "c")
        containerd.do("containers", "rm", "c")

    @step("tasks: kill --all where the task has a process more", quick=True)
    def _(containerd):
        containerd.started()
        containerd.exec("sleep", "1000", options=["--detach"])
        containerd.do("tasks", "kill", "--all", "--signal", "KILL", "c")
        containerd.wait_for("STOPPED")
        containerd.do("tasks", "delete", "c")


def add_options(step):
    @step("run: rights, mounts, namespaces, devices", quick=True)
    def _(containerd):
        status = ("grep", "-E", "Cap|NoNew|Seccomp:", "/proc/self/status")
        for options in ([], ["--seccomp"], ["--cap-add", "CAP_SYS_ADMIN", "--cap-drop", "CAP_CHOWN"],
                        ["--allow-new-privs"], ["--seccomp", "--privileged"]):
            containerd.ran(*status, options=options)
        place = containerd.directory / "volume"
        place.mkdir()
        for words in ("rbind:ro", "rbind:rw", "bind:ro:rslave"):
            containerd.ran("sh", "-c", "touch /v/new; ls /v; rm -f /v/new", options=[
                "--mount", f"type=bind,src={place},dst=/v,options={words}"])
        containerd.ran("touch", "/x", options=["--read-only"])
        containerd.ran("sh", "-c", "ls /sys/class/net | grep -c ''", options=["--net-host"])
        containerd.ran("ls", "/dev/fuse", options=["--device", "/dev/fuse"])
        containerd.started()
        pid = containerd.task()[0]
        containerd.note("joined", containerd.run(
            "cat", "/proc/1/comm", name="second", options=[
                "--with-ns", f"pid:/proc/{pid}/ns/pid", "--with-ns", f"ipc:/proc/{pid}/ns/ipc"]).out)

    @step("run: the cgroup that is asked for", quick=True)
    def _(containerd):
        containerd.ran("tail", "-n1", "/proc/self/cgroup")

    @step("run: limits", needs=["memory", "cpu", "pids"])
    def _(containerd):
        containerd.ran("cat", "/sys/fs/cgroup/memory.max", options=[
            "--memory-limit", "33554432", "--mount",
            "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro"])
        containerd.ran("cat", "/sys/fs/cgroup/cpu.max", options=[
            "--cpus", "0.5", "--mount", "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro"])
