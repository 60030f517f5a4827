"""conmon by hand, as podman and CRI-O call it."""

import json
import os
import signal

import images
from frame import Manager, Steps, eventually

CONTROL = "crun"
EXPLAINED = []
STEPS = Steps()
step = STEPS.step


class Conmon(Manager):
    number = 0

    def open(self):
        self.env = dict(os.environ)

    def execute_runtime(self, *words):
        return self.execute(self.runtime.path, *self.flags(), *words)

    def flags(self):
        """Without a cgroup: what is asked here is the talk between conmon and the runtime."""
        return ["--cgroup-manager=disabled"] if self.runtime.name != "runc" else []

    def monitor(self, *options, args=("sleeper",), terminal=False, pipe="_OCI_SYNCPIPE"):
        """conmon creates a container; what it says on its pipe."""
        Conmon.number += 1
        self.name = f"conmon{os.getpid()}n{Conmon.number}"
        self.place = self.directory / self.name

        def edit(config):
            config["process"]["terminal"] = terminal
        images.make_bundle(self.place, *args, edit=edit)
        return self.call(*options, *(["--terminal"] if terminal else []), pipe=pipe)

    def call(self, *options, pipe="_OCI_SYNCPIPE", suffix="", env=None):
        place, name = self.place, self.name
        for directory in ("exits", "sockets"):
            (place / directory).mkdir(exist_ok=True)
        reader, writer = os.pipe()
        high = os.dup(writer)
        os.close(writer)
        os.set_inheritable(high, True)
        words = ["conmon", "--api-version=1", f"--cid={name}", f"--cuuid={name}", f"--name={name}",
                 f"--runtime={self.runtime.path}", f"--bundle={place}", f"--persist-dir={place}",
                 f"--container-pidfile={place}/pid{suffix}", f"--conmon-pidfile={place}/conmon-pid{suffix}",
                 f"--log-path=k8s-file:{place}/log{suffix}", f"--exit-dir={place}/exits",
                 f"--socket-dir-path={place}/sockets", "--log-level=error", "--full-attach",
                 *(f"--runtime-arg={flag}" for flag in self.flags()), *options]
        outcome = self.execute(*words, pass_fds=(high,), env={pipe: str(high), **(env or {})})
        os.close(high)
        with open(reader, encoding="utf-8", errors="replace") as file:
            # conmon keeps it open; an exec that attaches tells its exit code in a second line.
            told = [file.readline() for _ in range(2 if "--exec" in options else 1)]
            lines = [json.loads(line) for line in told if line.strip()]
        self.note("conmon", outcome.code)
        return lines

    def log(self, suffix=""):
        """The text of the log, without its times."""
        path = self.place / f"log{suffix}"
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(line.split(" ", 1)[1] for line in lines)

    def exit_code(self):
        return eventually(lambda: next((file.read_text() for file in (self.place / "exits").iterdir()), ""),
                          "the exit file is there")

    def clean(self):
        if getattr(self, "name", ""):
            self.execute_runtime("delete", "--force", self.name)


MANAGER = Conmon


@step("create, start, output, exit code", quick=True)
def _(conmon):
    said = conmon.monitor(args=("sh", "-c", "echo out; echo err >&2; exit 5"))
    pid = said[0].get("data", said[0].get("pid", -1))
    conmon.note("a pid is told", pid > 0)
    conmon.note("it is that of the pid file", (conmon.place / "pid").read_text() == str(pid))
    conmon.note("parent is conmon", (conmon.place / "conmon-pid").read_text() in
                open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[1])
    conmon.note_outcome("start", conmon.execute_runtime("start", conmon.name))
    conmon.note("exit file", conmon.exit_code())
    conmon.note("log", "\n".join(sorted(conmon.log().splitlines())))
    conmon.note_outcome("delete", conmon.execute_runtime("delete", conmon.name))


@step("create with a terminal", quick=True)
def _(conmon):
    conmon.monitor(args=("sh", "-c", "tty; test -t 0; echo $?; exit 6"), terminal=True)
    conmon.note_outcome("start", conmon.execute_runtime("start", conmon.name))
    conmon.note("exit file", conmon.exit_code())
    conmon.note("log", conmon.log())


@step("create fails: the cause is told", quick=True)
def _(conmon):
    said = conmon.monitor(args=("/bin/missing",))
    conmon.note("number", said[0].get("data", said[0].get("pid")))
    conmon.note("names the cause", "no such file" in json.dumps(said).lower())
    conmon.note("a state is left", conmon.execute_runtime("state", conmon.name).code == 0)


@step("exec: output and exit code", quick=True)
def _(conmon):
    conmon.monitor()
    conmon.execute_runtime("start", conmon.name)
    document = conmon.place / "process.json"
    process = json.loads((conmon.place / "config.json").read_text())["process"]
    process.update(args=["sh", "-c", "echo out; exit 9"], terminal=False)
    document.write_text(json.dumps(process))
    said = conmon.call("--exec", f"--exec-process-spec={document}", suffix="-exec")
    conmon.note("exit", [entry.get("data", entry.get("exit_code")) for entry in said][-1])
    conmon.note("log", conmon.log("-exec"))


@step("a signal ends it; the runtime's parent is killed", quick=True)
def _(conmon):
    conmon.monitor()
    conmon.execute_runtime("start", conmon.name)
    eventually(lambda: "ready" in conmon.log(), "it runs")
    conmon.note_outcome("kill", conmon.execute_runtime("kill", conmon.name, "TERM"))
    conmon.note("exit file", conmon.exit_code())
    conmon.monitor()
    conmon.execute_runtime("start", conmon.name)
    os.kill(int((conmon.place / "conmon-pid").read_text()), signal.SIGKILL)
    state = json.loads(conmon.execute_runtime("state", conmon.name).out)
    conmon.note("without conmon it is", state["status"])
    conmon.note_outcome("delete", conmon.execute_runtime("delete", "--force", conmon.name))
    # Not every runtime waits for the end of what it kills.
    eventually(lambda: not os.path.exists(f"/proc/{state['pid']}/root/bin"), "the process is gone")
