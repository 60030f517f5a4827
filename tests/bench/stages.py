"""Where one `run` spends its time, and where the floor does: traced by the kernel, told apart by the names
that coracle gives its processes ("mid:unshare", "init:mounts"), since it does that at each stage."""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

EVENTS = ("raw_syscalls/sys_enter", "exceptions/page_fault_user", "exceptions/page_fault_kernel",
          "task/task_rename", "sched/sched_process_fork", "sched/sched_process_exec",
          "sched/sched_process_exit", "sched/sched_switch")
LINE = re.compile(r"^\s*.+?-(\d+)\s+(?:\(.*?\)\s+)?\[\d+\]\s+\S+\s+([\d.]+): (\w+): (.*)$")
FIELDS = ("wall", "cpu", "calls", "faults")


@contextlib.contextmanager
def tracefs():
    """Where tracefs is, mounted for this alone where it is not."""
    usual = pathlib.Path("/sys/kernel/tracing")
    if (usual / "instances").is_dir():
        yield usual
        return
    place = tempfile.mkdtemp(prefix="coracle-tracefs-")
    try:
        done = subprocess.run(["mount", "-t", "tracefs", "tracefs", place], check=False, text=True,
                              stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise OSError(done.stderr.strip() or "mount failed")
        try:
            yield pathlib.Path(place)
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        os.rmdir(place)


@contextlib.contextmanager
def instance(base):
    """A buffer of our own, which follows the children of one process."""
    path = base / "instances" / f"coracle-bench-{os.getpid()}"
    path.mkdir()
    try:
        settings = {"tracing_on": "0", "trace_clock": "mono", "buffer_size_kb": "8192",
                    "options/event-fork": "1"}
        settings |= {f"events/{event}/enable": "1" for event in EVENTS
                     if (path / "events" / event).is_dir()}
        for name, value in settings.items():
            (path / name).write_text(value, encoding="ascii")
        yield path
    finally:
        path.rmdir()


def trace(bench, path, command):
    """The events of one run of the command and of its children, as text."""
    gated = bench.as_user(["sh", "-c", 'read _ && exec "$@"', "sh", *command])
    with subprocess.Popen(gated, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        (path / "set_event_pid").write_text(str(process.pid), encoding="ascii")
        (path / "trace").write_text("", encoding="ascii")
        (path / "tracing_on").write_text("1", encoding="ascii")
        process.stdin.write(b"\n")
        process.stdin.close()
        status = process.wait()
        (path / "tracing_on").write_text("0", encoding="ascii")
    if status != 0:
        raise OSError(f"{command[0]} ended with status {status} while it was traced")
    return process.pid, (path / "trace").read_text(encoding="utf-8", errors="replace")


class Account:
    """Sums of what was used, by stage; a stage belongs to a process until it gets another."""

    def __init__(self, main, program):
        self.main = main
        self.program = program
        self.rows = {}
        self.stage = {}  # pid -> name of its stage
        self.since = {}  # pid -> when that began
        self.running = {}  # pid -> since when it has a CPU
        self.first = self.last = None

    def add(self, pid, field, amount):
        row = self.rows.setdefault(self.stage[pid], dict.fromkeys(FIELDS, 0))
        row[field] += amount

    def enter(self, pid, stage, now):
        if pid in self.stage:
            self.add(pid, "wall", now - self.since[pid])
            if pid in self.running:
                self.add(pid, "cpu", now - self.running[pid])
                self.running[pid] = now
        self.stage[pid] = stage
        self.since[pid] = now

    def take(self, pid, now, event, text):
        if event == "sched_process_exec" and pid == self.main and f"filename={self.program} " in text:
            self.first = now
            self.running[pid] = now
            self.enter(pid, "parent: to the first clone", now)
        if self.first is None:
            return
        if event == "sched_switch":
            self.switch(text, now)
            return
        if pid not in self.stage:
            return
        self.running.setdefault(pid, now)  # who does something has a CPU: not each switch is seen
        if event == "sys_enter":
            self.add(pid, "calls", 1)
        elif event.startswith("page_fault"):
            self.add(pid, "faults", 1)
        elif event == "sched_process_fork":
            self.fork(pid, int(re.search(r"child_pid=(\d+)", text)[1]), now)
        elif event == "task_rename":
            self.rename(pid, re.search(r"newcomm=(.*) oom_score_adj", text)[1], now)
        elif event == "sched_process_exit":
            self.exit(pid, now)

    def switch(self, text, now):
        before, after = (int(number) for number in re.findall(r"(?:prev|next)_pid=(\d+)", text))
        if before in self.stage:
            if before in self.running:
                self.add(before, "cpu", now - self.running.pop(before))
            if re.search(r"prev_state=[XZ]", text):  # what it held is given back by then
                self.enter(before, self.stage[before], now)
        if after in self.stage:
            self.running[after] = now

    def fork(self, pid, child, now):
        if pid == self.main:
            self.enter(pid, "parent: meanwhile", now)
            self.stage[child] = "mid: after the clone"
        else:
            self.stage[child] = "init: after the clone"
        self.since[child] = now

    def rename(self, pid, name, now):
        role, colon, stage = name.partition(":")
        if role == "memfd":
            self.enter(pid, "init: exec of its copy", now)
        elif colon:
            self.enter(pid, f"{role}: {stage}", now)
        elif pid != self.main:
            self.enter(pid, "payload", now)

    def exit(self, pid, now):
        role = self.stage[pid].partition(":")[0]
        self.enter(pid, f"{role}: exit", now)
        if role == "payload":
            self.enter(self.main, "parent: after the payload", now)
        if pid == self.main:
            self.last = now


def read_account(main, program, text):
    account = Account(main, program)
    for line in text.splitlines():
        found = LINE.match(line)
        if found:
            account.take(int(found[1]), float(found[2]) * 1e6, found[3], found[4])
    if account.first is None or account.last is None:
        raise OSError(f"the trace does not show start and end of {program}")
    return account


def sum_up(accounts):
    """Medians over the runs, by stage; under "all" for all together."""
    def median(values):
        return round(statistics.median(values))

    order = ("parent: to", "parent: meanwhile", "mid", "init", "payload", "parent")
    rows = {}
    for stage in sorted(accounts[0].rows, key=lambda name: next(
            (place for place, start in enumerate(order) if name.startswith(start)), len(order))):
        found = [account.rows[stage] for account in accounts if stage in account.rows]
        rows[stage] = {field: median(row[field] for row in found) for field in FIELDS}
    total = {field: median(sum(row[field] for row in account.rows.values()) for account in accounts)
             for field in FIELDS}
    total["wall"] = median(account.last - account.first for account in accounts)
    return rows | {"all": total}


def bench_stages(bench):
    """{program: {stage: ..., "all": ...}} of coracle and the floor, or nothing, with a note why."""
    bundle = bench.directory / "bundle"
    commands = {"floor_same_work": [str(bench.directory / "floor_staged"), str(bundle / "rootfs"),
                                    "/bin/true"]}
    prefix = bench.runtimes().get("coracle")
    if not bench.root or not prefix:
        bench.notes.append("stages skipped: " + ("tracing needs root" if prefix else "no coracle"))
        return {}
    commands["coracle"] = [*prefix, "run", "--bundle", str(bundle), "traced"]
    accounts = {name: [] for name in commands}
    try:
        with tracefs() as base, instance(base) as path:
            for number in range(1 + max(2, bench.options.count // 4)):
                for name, command in commands.items():
                    account = read_account(*_with_program(command, trace(bench, path, command)))
                    if number > 0:
                        accounts[name].append(account)
    except OSError as error:
        bench.notes.append(f"stages skipped: {error}")
        return {}
    return {name: sum_up(found) for name, found in accounts.items()}


def _with_program(command, traced):
    main, text = traced
    return main, command[0], text


def print_stages(table):
    print(f"\n{'one run, traced: coracle, floor':34}{'wall us':>16}{'CPU us':>16}{'calls':>12}{'faults':>12}")
    floor = table["floor_same_work"]
    for name, row in table["coracle"].items():
        cells = (f"{row[field]:>{width}}{floor[name][field] if name in floor else '-':>6}"
                 for field, width in zip(FIELDS, (10, 10, 6, 6)))
        print(f"{name:34}" + "".join(cells))
