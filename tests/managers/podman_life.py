"""podman: the life of a container, and what can be asked about it."""

import os
import socket

from frame import eventually, require

IMAGE = "localhost/box:1"


def add(step):
    add_detached(step)
    add_verbs(step)
    add_questions(step)
    add_health(step)
    add_services(step)


def add_detached(step):
    @step("run --detach, wait, logs, rm", quick=True)
    def _(podman):
        podman.do("run", "--detach", "--network=none", "--name=c", IMAGE, "sh", "-c",
                  "echo out; echo err >&2; exit 4")
        podman.do("wait", "c")
        podman.do("logs", "c", stderr=True)
        podman.status(form="{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} "
                           "{{.State.Pid}} {{.State.Error}}")
        podman.do("ps", "--all", "--format={{.Names}} {{.State}} {{.Exited}} {{.ExitCode}}")
        podman.do("rm", "c")
        podman.do("ps", "--all", "--quiet")

    @step("create, init, start, start --attach")
    def _(podman):
        podman.do("create", "--network=none", "--name=c", IMAGE, "sh", "-c", "echo out; exit 4")
        podman.status()
        podman.do("init", "c")
        podman.status()
        podman.do("start", "--attach", "c")
        podman.status()
        podman.do("start", "--attach", "c")

    @step("log drivers")
    def _(podman):
        for driver in ("k8s-file", "none", "passthrough"):
            podman.do("run", "--network=none", f"--name={driver}", f"--log-driver={driver}", IMAGE,
                      "echo", "out")
            podman.do("logs", driver)


def add_verbs(step):
    @step("stop, restart, kill, rm --force", quick=True)
    def _(podman):
        podman.started()
        podman.do("stop", "--time=5", "c")
        podman.status()
        podman.do("restart", "--time=5", "c")
        podman.status()
        eventually(lambda: podman.podman("logs", "c").out.count("ready") == 2, "c is ready again")
        podman.do("kill", "--signal=HUP", "c")
        eventually(lambda: "hangup" in podman.podman("logs", "c").out, "SIGHUP arrives")
        podman.do("kill", "c")
        podman.do("wait", "c")
        podman.status()
        podman.do("kill", "c")
        podman.do("start", "c")
        podman.do("rm", "--force", "--time=0", "c")

    @step("stop: one that ignores SIGTERM is killed; its own stop signal")
    def _(podman):
        podman.started(name="deaf", command=("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
        podman.do("stop", "--time=1", "deaf")
        podman.status("deaf")
        podman.started("--stop-signal=HUP", name="own",
                       command=("sh", "-c", "trap 'exit 9' HUP; echo ready; while :; do sleep 0.1; done"))
        eventually(lambda: "ready" in podman.podman("logs", "own").out, "own is ready")
        podman.do("stop", "--time=5", "own")
        podman.status("own")

    @step("pause, unpause", quick=True)
    def _(podman):
        podman.started()
        podman.do("pause", "c")
        podman.status(form="{{.State.Status}}")
        podman.do("exec", "c", "true")
        podman.do("pause", "c")
        podman.do("unpause", "c")
        podman.status(form="{{.State.Status}}")
        podman.do("exec", "c", "true")
        podman.do("unpause", "c")

    @step("stop, rm of a paused container")
    def _(podman):
        podman.started()
        podman.podman("pause", "c")
        podman.do("stop", "--time=1", "c")
        podman.status()
        podman.do("rm", "--force", "--time=0", "c")

    @step("kill: many processes go")
    def _(podman):
        podman.started("--pid=host", command=("sh", "-c", "sleep 4711 & sleep 4711 & sleep 4711"))
        podman.do("rm", "--force", "--time=0", "c")
        podman.note("left", podman.execute("pgrep", "-fc", "^sleep 4711$").out)

    @step("restart policy")
    def _(podman):
        podman.podman("run", "--detach", "--network=none", "--name=c", "--restart=on-failure:2", IMAGE,
                      "sh", "-c", "echo once; exit 3")
        eventually(lambda: podman.podman("logs", "c").out.count("once") == 3, "two restarts")
        eventually(lambda: "exited" in podman.podman("inspect", "--format={{.State.Status}}", "c").out,
                   "it ends")
        podman.status(form="{{.RestartCount}} {{.State.ExitCode}}")


def add_questions(step):
    @step("top, ps, inspect, port, diff, cp", quick=True)
    def _(podman):
        podman.started()
        top = podman.podman("top", "c", "pid", "user", "args")
        podman.note("top", [line.split() for line in top.out.splitlines()][:2])
        podman.note("top by ps", podman.podman("top", "c", "-o", "pid,args").out.count("sleeper"))
        podman.status(form="{{.OCIRuntime}} {{.State.Running}} {{.HostConfig.NetworkMode}} "
                           "{{.EffectiveCaps}}")
        podman.do("exec", "c", "touch", "/data/new")
        # podman compares with an empty layer now and then, whatever the runtime; then it may even
        # miss what is new.
        diff = podman.podman("diff", "c").out.split("\n")
        podman.note("diff", "A /data/new" in diff or "A /bin" in diff)
        source = podman.directory / "file"
        source.write_text("copied\n")
        podman.do("cp", source, "c:/data/copy")
        podman.do("exec", "c", "cat", "/data/copy")
        podman.do("cp", "c:/data/file", podman.directory / "back")
        podman.note("copied back", (podman.directory / "back").read_text())

    @step("stats", needs={"memory", "pids"})
    def _(podman):
        podman.started()
        podman.do("stats", "--no-stream", "--format={{.Name}} {{.PIDs}}", "c")
        usage = podman.podman("stats", "--no-stream", "--format={{.MemUsage}} {{.CPUPerc}}", "c")
        podman.note("stats", usage.code)
        podman.note("memory is shown", not usage.out.startswith("0B"))

    @step("commit, export, checkpoint's answer")
    def _(podman):
        podman.started()
        podman.podman("exec", "c", "sh", "-c", "echo changed >/data/file")
        podman.do("commit", "--quiet", "c", "localhost/changed:1")
        podman.do("run", "--rm", "--network=none", "localhost/changed:1", "cat", "/data/file")
        podman.do("container", "checkpoint", "c")

    @step("info, version")
    def _(podman):
        podman.do("info", "--format={{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}")


def add_health(step):
    @step("healthcheck")
    def _(podman):
        podman.started("--health-cmd=test -e /tmp/healthy", "--health-interval=disable",
                       "--health-retries=1")
        podman.do("healthcheck", "run", "c")
        podman.podman("exec", "c", "touch", "/tmp/healthy")
        podman.do("healthcheck", "run", "c")
        podman.status(form="{{.State.Health.Status}}")

    @step("secrets")
    def _(podman):
        made = podman.podman("secret", "create", "word", "-", stdin="hidden")
        podman.note("made", made.code)
        podman.shell("cat /run/secrets/word; ls -ln /run/secrets/word | cut -c1-22", "--secret=word")
        podman.shell("ls -ln /run/secrets/word | cut -c1-22; cat /run/secrets/word", "--user=1000",
                     "--secret=word,uid=1000,gid=2000,mode=0400")
        podman.shell("echo $WORD", "--secret=word,type=env,target=WORD")
        podman.podman("secret", "rm", "word")


def notified(podman, *words):
    """Runs podman with a socket for notifications; records what comes."""
    path = podman.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(20)
        podman.do(*words, env={"NOTIFY_SOCKET": str(path)})
        text = ""
        while "READY=1" not in text or "MAINPID" not in text:
            try:
                text += listener.recv(4096).decode() + "\n"
            except socket.timeout:
                break
        podman.note("notified", "\n".join(
            sorted("MAINPID=it" if line.startswith("MAINPID=") else line for line in text.split())))
        require("READY=1" in text, "READY=1 comes")
    os.unlink(path)


def add_services(step):
    detached = ("run", "--detach", "--network=none", "--name=c")

    @step("run --sdnotify=conmon")
    def _(podman):
        notified(podman, *detached, "--sdnotify=conmon", IMAGE, "sleeper")

    @step("run --sdnotify=container")
    def _(podman):
        notified(podman, *detached, "--sdnotify=container", "--volume=/usr:/usr:ro", IMAGE, "sh", "-c",
                 "/usr/bin/systemd-notify --ready --status=working; exec sleeper")

    @step("generate systemd: the unit runs", needs={"systemd", "cgroup v2 alone"})
    def _(podman):
        podman.podman("create", "--network=none", "--name=c", IMAGE, "sleeper")
        unit = podman.podman("generate", "systemd", "--new", "--name", "c").out
        require("ExecStart=" in unit, "a unit is written")
        name = f"managers-{os.getpid()}-{podman.runtime.name}.service"
        user = [] if os.getuid() == 0 else ["--user"]
        place = (f"/run/user/{os.getuid()}/systemd/user" if user else "/run/systemd/system")
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, name)
        configuration = podman.env["CONTAINERS_CONF"]
        with open(path, "w", encoding="utf-8") as file:
            file.write(unit.replace("[Service]", f"[Service]\nEnvironment=CONTAINERS_CONF={configuration}", 1))
        try:
            podman.clean()
            podman.execute("systemctl", *user, "daemon-reload")
            started = podman.execute("systemctl", *user, "start", name)
            podman.note("systemctl start", started.code)
            podman.note("active", podman.execute("systemctl", *user, "is-active", name).out)
            podman.status(form="{{.State.Status}}")
            podman.note("systemctl stop", podman.execute("systemctl", *user, "stop", name).code)
            podman.note("result", podman.execute("systemctl", *user, "show", "--property=Result,ExecMainStatus", name).out)
            podman.do("ps", "--all", "--format={{.Names}}")
        finally:
            os.unlink(path)
            podman.execute("systemctl", *user, "daemon-reload")
            podman.execute("systemctl", *user, "reset-failed", name)
