"""podman: what goes wrong is said, and what was broken off is cleaned up."""

import os
import signal
import time

from frame import eventually

IMAGE = "localhost/box:1"


def add(step):
    add_programs(step)
    add_sources(step)
    add_killed(step)
    add_state(step)


def names(podman, label, outcome, *words):
    """Records the exit code, and whether the error names each of `words`."""
    podman.note(label, outcome.code)
    for word in words:
        podman.note(f"{label}: names {word}", word.lower() in outcome.err.lower())


def add_programs(step):
    @step("bad: a program that is missing, not executable, for another machine", quick=True)
    def _(podman):
        run = ("run", "--rm", "--network=none")
        for program, word in (("/bin/missing", "no such file"), ("missing", "executable file"),
                              ("/etc/not-executable", "permission denied"), ("/data", "")):
            names(podman, f"run {program}", podman.podman(*run, IMAGE, program), word)
        names(podman, "run /bin/foreign", podman.podman(*run, IMAGE, "/bin/foreign"), "exec format error")
        podman.podman("run", "--detach", "--network=none", "--name=c", IMAGE, "/bin/missing")
        podman.do("ps", "--all", "--format={{.Names}} {{.State}}")
        podman.do("rm", "c")

    @step("bad: a program without its interpreter or loader")
    def _(podman):
        script = podman.directory / "script"
        script.write_text("#!/bin/no-interpreter\n")
        script.chmod(0o755)
        names(podman, "a script", podman.podman(
            "run", "--rm", "--network=none", f"--volume={script}:/bin/script", IMAGE, "/bin/script"), "no such file")
        names(podman, "a dynamic program", podman.podman(
            "run", "--rm", "--network=none", "--volume=/usr/bin/env:/bin/dynamic", IMAGE, "/bin/dynamic"), "no such file")

    @step("bad: exit codes of podman itself")
    def _(podman):
        podman.do("run", "--rm", "--wrong", IMAGE, "true")
        podman.do("run", "--rm", "--network=none", "--pull=never", "localhost/missing:1", "true")
        podman.do("exec", "missing", "true")
        podman.ran(IMAGE, "sh", "-c", "exit 125")


def add_sources(step):
    @step("bad: the source of a volume is missing, or goes away", quick=True)
    def _(podman):
        place = podman.directory / "going"
        place.mkdir()
        names(podman, "missing", podman.podman(
            "run", "--rm", "--network=none", f"--volume={place}/missing:/v", IMAGE, "true"), "no such file", "missing")
        podman.podman("create", "--network=none", "--name=c", f"--volume={place}:/v", IMAGE, "sleeper")
        place.rmdir()
        names(podman, "gone before start", podman.podman("start", "c"), "no such file", "going")
        place.mkdir()
        podman.do("start", "c")
        place.rmdir()
        podman.do("rm", "--force", "--time=0", "c")

    @step("bad: a directory of the way is closed to the container")
    def _(podman):
        place = podman.directory / "closed/inner"
        place.mkdir(parents=True)
        (podman.directory / "closed").chmod(0o700)
        podman.shell("ls /v | wc -l", f"--volume={place}:/v", "--user=1000")


def conmon_of(podman, name="c"):
    return int(podman.podman("inspect", "--format={{.State.ConmonPid}}", name).out)


def killed_podman(podman, seconds, *words):
    """podman, killed after so many seconds."""
    podman.execute("timeout", "--signal=KILL", f"{seconds:.2f}", *podman.command(), *words)


def add_killed(step):
    @step("bad: podman is killed at any point of run", quick=True)
    def _(podman):
        for number in range(8):
            killed_podman(podman, 0.05 + number * 0.05, "run", "--detach", "--network=none", f"--name=k{number}",
                          IMAGE, "sleeper")
        time.sleep(0.5)
        podman.clean()
        podman.do("ps", "--all", "--quiet")
        podman.ran(IMAGE, "true")
        left = podman.execute(podman.runtime.path, "list", "-q", env={"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "")})
        podman.note("left with the runtime", left.out)

    @step("bad: conmon is killed")
    def _(podman):
        podman.started()
        os.kill(conmon_of(podman), signal.SIGKILL)
        time.sleep(0.3)
        podman.do("exec", "c", "echo", "lives")
        podman.do("rm", "--force", "--time=0", "c")
        podman.do("ps", "--all", "--quiet")
        podman.started()
        podman.do("exec", "c", "echo", "again")

    @step("bad: the container's process is killed from outside")
    def _(podman):
        podman.started()
        os.kill(int(podman.podman("inspect", "--format={{.State.Pid}}", "c").out), signal.SIGKILL)
        podman.do("wait", "c")
        podman.status()
        podman.do("start", "c")
        podman.do("exec", "c", "echo", "again")


def add_state(step):
    @step("bad: the state of the runtime is lost")
    def _(podman):
        podman.started()
        state = runtime_state(podman)
        lost = f"{os.path.dirname(os.path.dirname(state))}/lost-{os.path.basename(state)}"
        os.rename(state, lost)
        podman.note("exec", podman.podman("exec", "c", "true").code != 0)
        podman.do("rm", "--force", "--time=0", "c")
        podman.note("left", podman.podman("ps", "--all", "--quiet").out)
        podman.execute("rm", "-rf", lost)
        podman.execute("pkill", "-KILL", "-f", "^/bin/sh /bin/sleeper")
        podman.started(name="d")
        podman.do("exec", "d", "echo", "again")

    @step("bad: the host goes down, what the runtime wrote stays")
    def _(podman):
        podman.started()
        podman.started(name="d", command=("true",))
        init = int(podman.podman("inspect", "--format={{.State.Pid}}", "c").out)
        for pid in (conmon_of(podman), init):
            os.kill(pid, signal.SIGKILL)
        (podman.directory / "tmp/alive").unlink()  # by which podman knows that this is another boot
        podman.status()
        podman.do("start", "c")
        podman.do("exec", "c", "echo", "again")
        for name in ("c", "d"):
            podman.do("rm", "--force", "--time=0", name)
        podman.ran(IMAGE, "true")

    @step("bad: the state directory is full", needs={"root"})
    def _(podman):
        state = "/run/" + podman.runtime.name
        os.makedirs(state, exist_ok=True)
        podman.execute("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=3,mode=700", "full", state)
        try:
            outcome = podman.podman("run", "--rm", "--network=none", IMAGE, "true")
            names(podman, "run", outcome, "no space left on device", state)
        finally:
            podman.execute("umount", state)
        podman.do("rm", "--all", "--force")
        podman.ran(IMAGE, "true")


def runtime_state(podman):
    """The runtime's directory about the container c."""
    base = "/run" if os.getuid() == 0 else os.environ["XDG_RUNTIME_DIR"]
    full = podman.podman("inspect", "--format={{.Id}}", "c").out.strip()
    place = f"{base}/{podman.runtime.name}/{full}"
    eventually(lambda: os.path.isdir(place), f"{place} is there", 2)
    return place
