"""Living containers of a runtime: made, counted, ended and deleted without the runtime's own --force,
by which crun without a cgroup may kill every process of the user."""
import contextlib
import json
import os
import shlex
import signal
import time

MAKE = """
for number in $(seq "$1" "$2"); do
    {runtime} create --no-new-keyring --bundle "$3" "$4$number" </dev/null >/dev/null &&
        {runtime} start "$4$number" </dev/null >/dev/null || exit 1
done"""


def list_pids(bench, prefix):
    """id -> pid of what the runtime lists."""
    listed = bench.start([*prefix, "list", "--format", "json"])
    boxes = json.loads(listed.stdout or "[]") or []
    return {box["id"]: box["pid"] for box in boxes}


def make(bench, prefix, first, last, name="living"):
    """Containers FIRST to LAST that wait; the runtime's last words where one failed, else ""."""
    script = MAKE.format(runtime=shlex.join(prefix))
    return bench.call(["sh", "-c", script, "sh", str(first), str(last),
                       str(bench.directory / "living"), name])


def end(bench, prefix):
    """Kills and deletes all that the runtime lists."""
    pids = list_pids(bench, prefix)
    for pid in filter(None, pids.values()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    reap(pids.values())
    boxes = list(pids)
    for begin in range(0, len(boxes), 100):
        script = f'for box; do {shlex.join(prefix)} delete "$box"; done'
        failure = bench.call(["sh", "-c", script, "sh", *boxes[begin:begin + 100]])
        if failure:
            bench.notes.append(f"delete: {failure}")


def reap(pids):
    """Waits up to 10 s until none of these processes is there, and takes all that are ours."""
    deadline = time.monotonic() + 10
    for pid in filter(None, pids):
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if os.path.exists(f"/proc/{pid}"):
                time.sleep(0.005)


@contextlib.contextmanager
def one(bench, prefix, name):
    """A living container; its pid, or None, with a note, where it cannot be made."""
    failure = make(bench, prefix, 1, 1, name)
    try:
        if failure:
            bench.notes.append(f"{name} skipped: {failure}")
        yield None if failure else list_pids(bench, prefix)[f"{name}1"]
    finally:
        end(bench, prefix)
