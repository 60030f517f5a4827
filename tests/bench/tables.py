"""run, sandbox, exec and the verbs, of coracle, its peers, and the floors; all of a table alternate."""
import contextlib
import json
import shutil
import subprocess
import time

import living
from bench import BWRAPS_WALLS, VARIANTS, VERBS


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def summarize(samples):
    times = [taken for taken, _ in samples]
    return {"p10_ms": round(percentile(times, 0.1), 3),
            "median_ms": round(percentile(times, 0.5), 3),
            "peak_kib": percentile([peak for _, peak in samples], 0.5), "runs": len(times)}


def run_commands(bench):
    rootfs = str(bench.directory / "bundle/rootfs")
    bundle = str(bench.directory / "bundle")
    floor = str(bench.directory / "floor_same_work")
    if bench.options.variants:
        size = str(bench.options.size)
        commands = {name: [floor, "--variant", name, "--size", size, rootfs, "/bin/true"]
                    for name in VARIANTS}
        commands = {"floor_minimal": [str(bench.directory / "floor_minimal"), rootfs,
                                      "/bin/true"], **commands}
        return commands
    commands = {
        "floor_minimal": [str(bench.directory / "floor_minimal"), rootfs, "/bin/true"],
        "floor_same_work": [floor, rootfs, "/bin/true"],
    }
    for name, prefix in bench.runtimes().items():
        commands[name] = [*prefix, "run", "--bundle", bundle, name + "-%i"]
        if name == "coracle":
            sandbox = [*prefix, "sandbox", "--rootfs", rootfs]
            commands["sandbox"] = [*sandbox, "--", "/bin/true"]
            commands["sandbox, bwrap's walls"] = [*sandbox, *BWRAPS_WALLS, "--", "/bin/true"]
    bwrap = shutil.which("bwrap")
    if bwrap:
        commands["bwrap"] = [bwrap, "--unshare-all", "--bind", rootfs, "/", "--proc", "/proc",
                             "--dev", "/dev", "/bin/true"]
    else:
        bench.notes.append("bwrap skipped: not installed")
    return commands


def make_tracer(bench, name):
    """The words that count all calls of what follows, and the file where they are; None without strace."""
    summary = bench.state / name
    if not shutil.which("strace"):
        return None, summary
    return ["strace", "-f", "-c", "-U", "calls,name", "-o", str(summary)], summary


def read_total(summary):
    rows = (line.split() for line in summary.read_text(encoding="utf-8").splitlines())
    return next((int(row[0]) for row in rows if row[-1:] == ["total"]), None)


def count_system_calls(bench, command):
    """System calls of all processes of one run, by strace -f -c; None without strace."""
    tracer, summary = make_tracer(bench, "calls")
    if not tracer:
        return None
    command = [word.replace("%i", "trace") for word in command]
    result = bench.start([*tracer, *command])
    if result.returncode != 0 or not summary.exists():
        bench.notes.append(f"strace {command[0]}: status {result.returncode} {result.stderr}")
        return None
    return read_total(summary)


def bench_run(bench):
    wanted = run_commands(bench)
    commands = bench.keep_working(dict(wanted))
    bench.failing |= set(wanted) - set(commands)
    samples = bench.drive([["timed", name, *command] for name, command in commands.items()])
    table = {name: summarize(values) for name, values in samples.items()}
    same = table.get("none" if bench.options.variants else "floor_same_work", {}).get("p10_ms")
    minimal = table.get("floor_minimal", {}).get("p10_ms")
    for name, row in table.items():
        row["to_same_work"] = round(row["p10_ms"] / same, 2) if same else None
        row["to_minimal"] = round(row["p10_ms"] / minimal, 2) if minimal else None
        row["system_calls"] = count_system_calls(bench, commands[name])
    return table


def bench_verbs(bench):
    bundle = str(bench.directory / "bundle")
    floors = {"static no-op": [str(bench.directory / "true")],
              "floor_same_work": [str(bench.directory / "floor_same_work"), bundle + "/rootfs",
                                  "/bin/true"]}
    lines = [["timed", name, *command] for name, command in floors.items()]
    prefixes = bench.runtimes()
    for name, prefix in prefixes.items():
        box = name + "-v%i"
        # The pause lets the payload end: a delete --force of a running container is another path,
        # in which crun without a cgroup may kill every process of the user.
        words = {"create": ["create", "--bundle", bundle, box], "state": ["state", box],
                 "start": ["start", box], "delete": ["delete", box]}
        for verb in VERBS:
            if verb == "delete":
                lines.append(["quiet", "pause", "/bin/sleep", "0.02"])
            lines.append(["timed", f"{name} {verb}", *prefix, *words[verb]])
    samples = bench.drive(lines)
    for name in prefixes:
        parts = [samples.get(f"{name} {verb}", []) for verb in ("create", "start", "delete")]
        if all(parts):
            samples[f"{name} create+start+delete"] = [
                (sum(taken for taken, _ in row), max(peak for _, peak in row)) for row in zip(*parts)]
    table = {name: summarize(samples[name]) for name in sorted(samples)}
    set_ratios(table, "static no-op", [f"{name} state" for name in prefixes])
    set_ratios(table, "floor_same_work", [f"{name} create+start+delete" for name in prefixes])
    for name, command in floors.items():
        table[name]["system_calls"] = count_system_calls(bench, command)
    for name, prefix in prefixes.items():
        calls = count_calls_of_verbs(bench, prefix, name + "-calls")
        for verb, number in calls.items():
            if f"{name} {verb}" in table:
                table[f"{name} {verb}"]["system_calls"] = number
    return table


def set_ratios(table, floor, names):
    for name in [floor, *names]:
        if name in table:
            table[name]["to_floor"] = round(table[name]["p10_ms"] / table[floor]["p10_ms"], 2)


def read_status(bench, prefix, box):
    said = bench.start([*prefix, "state", box])
    return json.loads(said.stdout)["status"] if said.returncode == 0 else ""


def count_calls_of_verbs(bench, prefix, box):
    """verb -> system calls; init's count for create, which its tracer follows until the payload ends."""
    tracer, summary = make_tracer(bench, box)
    if not tracer:
        return {}
    create = [*tracer, *prefix, "create", "--bundle", str(bench.directory / "bundle"), box]
    calls = {}
    with subprocess.Popen(bench.as_user(create), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as creating:
        deadline = time.monotonic() + 10
        while read_status(bench, prefix, box) != "created":
            if time.monotonic() > deadline or creating.poll() is not None:
                creating.kill()
                bench.notes.append(f"{box}: no calls of create counted: it did not work below strace")
                return {}
            time.sleep(0.01)
        for verb in ("state", "start"):
            calls[verb] = count_system_calls(bench, [*prefix, verb, box])
        with contextlib.suppress(subprocess.TimeoutExpired):
            creating.wait(timeout=10)
        if creating.poll() is None:
            creating.kill()
    calls["create"] = read_total(summary)
    time.sleep(0.02)
    calls["delete"] = count_system_calls(bench, [*prefix, "delete", box])
    parts = [calls[verb] for verb in ("create", "start", "delete")]
    calls["create+start+delete"] = None if None in parts else sum(parts)
    return calls


def bench_exec(bench):
    """`exec` of true into a living container of each runtime; the floor enters the first's."""
    with contextlib.ExitStack() as stack:
        commands = {}
        for name, prefix in bench.runtimes().items():
            pid = stack.enter_context(living.one(bench, prefix, f"exec-{name}"))
            if not pid:
                continue
            floor = [str(bench.directory / "floor_exec"), str(pid), "/bin/true"]
            commands.setdefault("floor_exec", floor)
            commands[name] = [*prefix, "exec", f"exec-{name}1", "/bin/true"]
        bench.keep_working(commands)
        samples = bench.drive([["timed", name, *command] for name, command in commands.items()])
        table = {name: summarize(values) for name, values in samples.items()}
        set_ratios(table, "floor_exec", list(table))
        for name, row in table.items():
            row["system_calls"] = count_system_calls(bench, commands[name])
    return table


def print_table(title, table):
    print(f"\n{title}")
    minimal = any("to_minimal" in row for row in table.values())
    ratio = "x same" if minimal else "x floor"
    print(f"{'':34}{'p10 ms':>8}{'median':>8}{ratio:>8}{'x min':>7}{'KiB':>8}{'calls':>7}")
    for name, row in table.items():
        cells = [row["p10_ms"], row["median_ms"], row.get("to_same_work", row.get("to_floor")), row.get("to_minimal"),
                 row["peak_kib"], row.get("system_calls")]
        texts = ["-" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)
                 for cell in cells]
        print(f"{name:34}" + "".join(map(str.rjust, texts, (8, 8, 8, 7, 8, 7))))
