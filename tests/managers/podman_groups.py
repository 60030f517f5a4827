"""podman: cgroups, limits, pods, kube."""

from frame import eventually

IMAGE = "localhost/box:1"


def add(step):
    add_cgroups(step)
    add_limits(step)
    add_pods(step)


def add_cgroups(step):
    @step("run --cgroups", quick=True)
    def _(podman):
        own = "sed -n 's/^0:://p' /proc/self/cgroup"
        for word in ("enabled", "no-conmon", "disabled"):
            podman.shell(f"test -n \"$({own})\"; echo $?", f"--cgroups={word}")
        podman.started("--cgroupns=host")
        podman.do("exec", "c", "sh", "-c", f"{own} | sed 's:.*/::'")
        podman.do("inspect", "--format={{.State.CgroupPath}}", "c")

    @step("run --cgroups=split, in a service")
    def _(podman):
        user = [] if "root" in podman.facts() else ["--user"]
        words = [*podman.command(), "run", "--rm", "--network=none", "--cgroups=split", "--cgroupns=host", IMAGE, "sh",
                 "-c", "sed -n 's/^0:://p' /proc/self/cgroup | sed 's:.*/\\([^/]*/[^/]*\\)$:\\1:; s:^[^/]*/:UNIT/:'"]
        outcome = podman.execute(
            "systemd-run", *user, "--quiet", "--pipe", "--wait", "--collect", "--property=Delegate=yes",
            f"--setenv=CONTAINERS_CONF={podman.env['CONTAINERS_CONF']}", *words)
        podman.note_outcome("in a service", outcome)

    @step("run --cgroup-parent")
    def _(podman):
        parent = "user.slice" if podman.options.cgroup_manager == "systemd" else "/managers"
        podman.shell("sed -n 's/^0:://p' /proc/self/cgroup | grep -c libpod-", f"--cgroup-parent={parent}", "--cgroupns=host")

    @step("run --systemd=always: systemd's mounts")
    def _(podman):
        podman.shell("for d in /run /run/lock /tmp /var/log/journal; do grep -c \" $d \" /proc/mounts; done; "
                     "touch /sys/fs/cgroup/x 2>/dev/null; mkdir /sys/fs/cgroup/y && echo writable; echo $container",
                     "--systemd=always")


LIMITS = {
    "memory": [("--memory=64m", "memory.max"), ("--memory=64m --memory-swap=128m", "memory.swap.max"),
               ("--memory-reservation=32m", "memory.low"), ("--memory=64m --memory-swap=-1", "memory.swap.max")],
    "pids": [("--pids-limit=50", "pids.max"), ("--pids-limit=-1", "pids.max"), ("--pids-limit=0", "pids.max")],
    "cpu": [("--cpus=0.5", "cpu.max"), ("--cpu-shares=512", "cpu.weight"), ("--cpu-shares=1024", "cpu.weight"),
            ("--cpu-period=50000 --cpu-quota=20000", "cpu.max")],
    "cpuset": [("--cpuset-cpus=0", "cpuset.cpus"), ("--cpuset-cpus=0-1 --cpuset-mems=0", "cpuset.mems")],
    "io": [("--blkio-weight=200", "io.bfq.weight")],
}


def add_limits(step):
    for controller, cases in LIMITS.items():
        def act(podman, cases=cases):
            for options, file in cases:
                podman.shell(f"cat /sys/fs/cgroup/{file} || cat /sys/fs/cgroup/*/{file}", *options.split())
        step(f"limits: {controller}", needs={controller})(act)

    @step("limits: a process that needs more memory is killed", needs={"memory"})
    def _(podman):
        podman.podman("run", "--network=none", "--name=c", "--memory=24m", "--memory-swap=24m", IMAGE, "sh", "-c",
                      "head -c 200000000 /dev/zero | tail", seconds=90)
        podman.status(form="{{.State.OOMKilled}} {{.State.Status}}")

    @step("update", needs={"memory", "pids", "cpu"})
    def _(podman):
        podman.started("--memory=64m")
        podman.do("update", "--memory=128m", "--cpus=0.25", "c")
        podman.do("exec", "c", "sh", "-c", "cd /sys/fs/cgroup; for f in memory.max cpu.max pids.max; do cat $f; done")
        podman.do("update", "--cpuset-cpus=77", "c")

    @step("limits that nobody delegated name their cause")
    def _(podman):
        lacking = {"memory": "--memory=64m", "cpu": "--cpus=0.5", "cpuset": "--cpuset-cpus=0",
                   "pids": "--pids-limit=10"}
        for controller in sorted(set(lacking) - podman.facts()):
            outcome = podman.podman("run", "--rm", "--network=none", lacking[controller], IMAGE, "true")
            podman.note_outcome(lacking[controller], outcome)
            podman.note("the controller is named", f"controller `{controller}` is not available" in outcome.err)
        podman.note("asked", len(set(lacking) - podman.facts()))


KUBE = """apiVersion: v1
kind: Pod
metadata:
  name: kube
spec:
  hostNetwork: true
  containers:
  - name: one
    image: localhost/box:1
    command: ["sh", "-c", "echo $WORD; exec sleeper"]
    env:
    - name: WORD
      value: kube's
    securityContext:
      runAsUser: 1000
      readOnlyRootFilesystem: true
    volumeMounts:
    - name: shared
      mountPath: /shared
  - name: two
    image: localhost/box:1
    command: ["sleeper"]
    volumeMounts:
    - name: shared
      mountPath: /shared
  volumes:
  - name: shared
    emptyDir: {}
"""


def add_pods(step):
    @step("pods: shared namespaces", quick=True)
    def _(podman):
        podman.do("pod", "create", "--name=p", "--network=none", "--hostname=pod", "--share=net,ipc,uts,pid")
        podman.do("run", "--detach", "--pod=p", "--name=one", IMAGE, "sleeper")
        podman.do("run", "--rm", "--pod=p", IMAGE, "sh", "-c",
                  "hostname; ls /sys/class/net | tr '\\n' ' '; ps -o args | grep -c '^[^ ]*sh /bin/sleeper'; test $$ -gt 1; echo $?")
        podman.do("pod", "ps", "--format={{.Name}} {{.Status}} {{.NumberOfContainers}}")
        podman.do("pod", "pause", "p")
        podman.do("pod", "unpause", "p")
        podman.note("pod top", podman.podman("pod", "top", "p", "args").out.count("/bin/sleeper"))
        podman.do("pod", "stop", "--time=2", "p")
        podman.do("pod", "start", "p")
        podman.do("pod", "kill", "p")
        podman.do("pod", "rm", "--force", "--time=0", "p")

    @step("pods: own user namespace, limits", needs={"rootless"})
    def _(podman):
        podman.do("pod", "create", "--name=p", "--network=none", "--userns=keep-id")
        podman.do("run", "--rm", "--pod=p", IMAGE, "sh", "-c", "id -u; cat /proc/self/uid_map")
        podman.do("pod", "rm", "--force", "--time=0", "p")

    @step("play kube", needs={"cgroups of pods"})
    def _(podman):
        text = podman.directory / "kube.yaml"
        text.write_text(KUBE)
        podman.do("play", "kube", text, stderr=True)
        eventually(lambda: "ready" in podman.podman("logs", "kube-one").out, "the first is ready")
        podman.do("logs", "kube-one")
        # The volume is the user's whose container podman happens to start first: root may write.
        podman.do("exec", "kube-two", "sh", "-c", "id -u; touch /shared/y; ls /shared")
        podman.do("exec", "kube-one", "sh", "-c", "id -u; touch /x; ls /shared; mount | grep -c ' / .*[(,]ro'")
        podman.do("generate", "kube", "--filename", podman.directory / "out.yaml", "kube")
        podman.do("play", "kube", "--down", text)
        (podman.directory / "out.yaml").unlink(missing_ok=True)
        podman.do("ps", "--all", "--quiet")
