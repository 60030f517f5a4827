"""containerd: pods of Kubernetes, as kubelet asks for them, on the host's network."""

from cri import NODE
from containerd import IMAGE
from frame import eventually, require

RUNNING, EXITED = 1, 2  # ContainerState


def pod(containerd, name="pod"):
    """A sandbox: its configuration and its id."""
    configuration = {1: {1: name, 2: f"uid-{name}", 3: "lab"}, 3: str(containerd.directory),
                     8: {2: {1: {1: NODE}}}}
    if containerd.options.cgroup_manager == "systemd":
        configuration[8][1] = "lab-pods.slice"
    answer = containerd.cri("RunPodSandbox", {1: configuration, 2: "tested"})
    require(answer.code == 0, f"RunPodSandbox: {answer.error}")
    return configuration, answer.text(1)


def container(containerd, sandbox, *command, name="c", linux=None):
    """The id of a new container in `sandbox`."""
    configuration = {1: {1: name}, 2: {1: IMAGE}, 3: list(command), 11: f"{name}.log",
                     15: linux or {2: {1: {}}}}
    answer = containerd.cri("CreateContainer", {1: sandbox[1], 2: configuration, 3: sandbox[0]})
    require(answer.code == 0, f"CreateContainer: {answer.error}")
    return answer.text(1)


def status(containerd, name):
    """State and exit code of a container."""
    answer = containerd.cri("ContainerStatus", {1: name}).message(1)
    return answer.number(3), answer.number(7)


def exec_sync(containerd, name, *command):
    """`command` in the container, recorded."""
    answer = containerd.cri("ExecSync", {1: name, 2: list(command), 3: 20})
    containerd.note(f"ExecSync {command}", f"{answer.code} {answer.number(3)} {answer.text(1)!r} "
                                           f"{answer.text(2)!r}")


def add(step):
    @step("CRI: a pod with two containers, from start to end", quick=True, needs=["cpu"])
    def _(containerd):
        sandbox = pod(containerd)
        first = container(containerd, sandbox, "/bin/sleeper", name="first")
        second = container(containerd, sandbox, "sh", "-c", "echo out; exit 7", name="second")
        for name in (first, second):
            containerd.note("StartContainer", containerd.cri("StartContainer", {1: name}).code)
        eventually(lambda: status(containerd, second)[0] == EXITED, "the second has ended")
        containerd.note("states", [status(containerd, name) for name in (first, second)])
        log = (containerd.directory / "second.log").read_text()
        containerd.note("log", [line.split(" ", 1)[1] for line in log.splitlines()])
        exec_sync(containerd, first, "sh", "-c", "echo out; echo err >&2; exit 5")
        exec_sync(containerd, first, "cat", "/proc/1/comm")
        exec_sync(containerd, first, "missing")
        containerd.note("StopContainer", containerd.cri("StopContainer", {1: first, 2: 5}).code)
        containerd.note("states", status(containerd, first))
        for name in (first, second):
            containerd.note("RemoveContainer", containerd.cri("RemoveContainer", {1: name}).code)
        containerd.note("StopPodSandbox", containerd.cri("StopPodSandbox", {1: sandbox[1]}).code)
        containerd.note("RemovePodSandbox", containerd.cri("RemovePodSandbox", {1: sandbox[1]}).code)

    @step("CRI: a program that is missing", needs=["cpu"])
    def _(containerd):
        name = container(containerd, pod(containerd), "/bin/missing")
        answer = containerd.cri("StartContainer", {1: name})
        containerd.note("StartContainer", answer.code)
        containerd.note("the cause is said", "no such file or directory" in answer.error)
        containerd.note("state", status(containerd, name))

    @step("CRI: memory, cpu, update", needs=["memory", "cpu"])
    def _(containerd):
        limits = {1: {1: 100000, 2: 50000, 4: 64 << 20}, 2: {1: {}}}
        name = container(containerd, pod(containerd), "/bin/sleeper", linux=limits)
        containerd.note("StartContainer", containerd.cri("StartContainer", {1: name}).code)
        show = ("sh", "-c", "cd /sys/fs/cgroup; cat memory.max cpu.max")
        exec_sync(containerd, name, *show)
        answer = containerd.cri("UpdateContainerResources", {1: name, 2: {2: 25000, 4: 96 << 20}})
        containerd.note("UpdateContainerResources", answer.code)
        exec_sync(containerd, name, *show)
        containerd.note("ContainerStats", containerd.cri("ContainerStats", {1: name}).code)
