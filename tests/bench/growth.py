"""What becomes dearer with the number of mounts, bytes of environment, containers, execs, rules of a
filter, and runs at once: coracle and its peers.

Each measure returns {"unit", "rows": {size: {runtime: p10 in ms}}}; what a runtime cannot do is left out
and noted."""
import time

import living
import tables
from bench import read_podmans_filter

SECONDS_TO_MAKE = 40


def sizes_of(bench, *sizes):
    """All sizes, or the first two where only a few rounds were asked for."""
    return sizes if bench.options.count >= 10 else sizes[:2]


def rounds_of(bench, share):
    return max(2, bench.options.count // share)


def p10(samples):
    return tables.summarize(samples)["p10_ms"]


def make_table(samples, sizes, prefixes):
    return {str(size): {name: p10(samples[f"{name} {size}"]) for name in prefixes
                        if f"{name} {size}" in samples} for size in sizes}


def run_edited(bench, unit, sizes, make_edit, first=()):
    """Times `run` of bundles edited by make_edit(size), all sizes and runtimes alternately; those
    sizes in `first` each with a state root in which nothing was run before."""
    prefixes = bench.runtimes()
    commands = {}
    for size in sizes:
        bundle = bench.write_bundle(f"bundles/{unit}-{size}", make_edit(size))
        for name, prefix in prefixes.items():
            root = ["--root", str(bench.state / f"{name}-first-%i")]
            words = [prefix[0], *root, *prefix[3:]] if size in first else prefix
            commands[f"{name} {size}"] = [*words, "run", "--bundle", bundle, "grow-%i"]
    notes = len(bench.notes)
    bench.keep_working(commands)
    bench.notes[notes:] = [f"run with {unit}: {note}" for note in bench.notes[notes:]]
    samples = bench.drive([["timed", name, *command] for name, command in commands.items()],
                          rounds_of(bench, 6))
    return {"unit": unit, "rows": make_table(samples, sizes, prefixes)}


def bench_mounts(bench):
    options = ["bind", "ro", "nosuid", "nodev", "noexec"]

    def add(count):
        return lambda config: config["mounts"].extend(
            {"destination": f"/dev/shm/{number}", "type": "bind", "source": "/proc/version",
             "options": options} for number in range(count))

    return run_edited(bench, "more bind mounts", sizes_of(bench, 0, 10, 100, 1000), add)


def bench_environment(bench):
    def add(count):
        return lambda config: config["process"]["env"].extend(
            f"NAME{number}={'x' * 1000}" for number in range(count))

    return run_edited(bench, "kB of environment", sizes_of(bench, 0, 100, 1000), add)


def bench_arguments(bench):
    def add(count):
        return lambda config: config["process"]["args"].extend("x" * 1000 for _ in range(count))

    return run_edited(bench, "kB of arguments", sizes_of(bench, 0, 100, 1000), add)


def split_rules(profile):
    """The same filter with twice the rules: each call without a condition gets two, of which one holds.
    The multiplexed call stays, whose first argument says which call it is."""
    rules = []
    for rule in profile["syscalls"]:
        split = [] if rule.get("args") or rule["action"] != "SCMP_ACT_ALLOW" else [
            name for name in rule["names"] if name not in ("ipc", "socketcall")]
        kept = [name for name in rule["names"] if name not in split]
        rules += [{**rule, "names": kept}] if kept else []
        for operator in ("SCMP_CMP_GE", "SCMP_CMP_LT") if split else ():
            condition = {"index": 0, "value": 1 << 31, "op": operator}
            rules.append({**rule, "names": split, "args": [condition]})
    return {**profile, "syscalls": rules}


def bench_filters(bench):
    podmans = read_podmans_filter()
    profiles = {"no filter": None, "podman's": podmans, "twice the rules": split_rules(podmans),
                "podman's, for the first time": podmans}

    def edit(size):
        return lambda config: config["linux"].update(
            {"seccomp": profiles[size]} if profiles[size] else {})

    return run_edited(bench, "seccomp profile", sizes_of(bench, *profiles), edit,
                      first=["podman's, for the first time"])


def bench_at_once(bench):
    sizes = sizes_of(bench, 1, 2, 4, 8, 16, 32, 64)
    prefixes = bench.runtimes()
    bundle = str(bench.directory / "bundle")
    lines = [[str(size), f"{name} {size}", *prefix, "run", "--no-new-keyring", "--bundle", bundle,
              f"once{size}-%i"] for size in sizes for name, prefix in prefixes.items()]
    samples = bench.drive(lines, rounds_of(bench, 12))
    return {"unit": "runs at once, time of each", "rows": make_table(samples, sizes, prefixes)}


def bench_many_execs(bench):
    """The first and the last tenth of many execs into one container, each runtime by itself."""
    count = 1000 if bench.options.count >= 10 else 10
    part = count // 10
    first, last = f"1 to {part}", f"{count - part + 1} to {count}"
    rows = {first: {}, last: {}}
    for name, prefix in bench.runtimes().items():
        with living.one(bench, prefix, f"many-{name}") as pid:
            if pid:
                command = [*prefix, "exec", f"many-{name}1", "/bin/true"]
                samples = bench.drive([["timed", name, *command]], count).get(name, [])
                if len(samples) >= 2 * part:
                    rows[first][name], rows[last][name] = p10(samples[:part]), p10(samples[-part:])
    return {"unit": "execs into one container", "rows": rows}


def grow_to(bench, name, prefix, made, wanted):
    """Makes living containers until there are as many as wanted; how many there are then."""
    deadline = time.monotonic() + SECONDS_TO_MAKE
    failure = ""
    while made < wanted and not failure:
        if time.monotonic() > deadline:
            failure = f"{SECONDS_TO_MAKE} s were over"
            break
        last = min(wanted, made + 50)
        failure = living.make(bench, prefix, made + 1, last)
        made = last if not failure else len(living.list_pids(bench, prefix))
    if failure:
        bench.notes.append(f"{name}: {made} living containers, not {wanted}: {failure}")
    return made


def verbs_beside(bench, prefix):
    """The lines that time four verbs of one more container."""
    create = ["create", "--no-new-keyring", "--bundle", str(bench.directory / "bundle"), "one-%i"]
    return [["timed", "create", *prefix, *create], ["timed", "state", *prefix, "state", "one-%i"],
            ["timed", "list", *prefix, "list", "--quiet"],
            ["quiet", "start", *prefix, "start", "one-%i"], ["quiet", "pause", "/bin/sleep", "0.02"],
            ["timed", "delete", *prefix, "delete", "one-%i"]]


def bench_beside(bench):
    """create, state, list and delete beside living containers, each runtime by itself."""
    verbs = ("create", "state", "list", "delete")
    found = {verb: {"unit": f"living containers, {verb}", "rows": {}} for verb in verbs}
    for name, prefix in bench.runtimes().items():
        made = 0
        own = [prefix[0], "--root", str(bench.state / f"beside-{name}"), *prefix[3:]]
        try:
            for size in sizes_of(bench, 0, 10, 100, 1000):
                made = grow_to(bench, name, own, made, size)
                samples = bench.drive(verbs_beside(bench, own), rounds_of(bench, 10))
                for verb in filter(samples.get, verbs):
                    found[verb]["rows"].setdefault(str(made), {})[name] = p10(samples[verb])
                if made < size:
                    break
        finally:
            living.end(bench, own)
    for table in found.values():
        table["rows"] = dict(sorted(table["rows"].items(), key=lambda row: int(row[0])))
    return list(found.values())


def bench_growth(bench):
    return [bench_mounts(bench), bench_environment(bench), bench_arguments(bench), bench_filters(bench),
            bench_many_execs(bench), bench_at_once(bench), *bench_beside(bench)]


def print_growth(table):
    names = list(dict.fromkeys(name for row in table["rows"].values() for name in row))
    print(f"\n{table['unit']:34}" + "".join(f"{name:>10}" for name in names) + "   p10 ms")
    for size, row in table["rows"].items():
        cells = (f"{row[name]:.2f}" if name in row else "-" for name in names)
        print(f"{size:34}" + "".join(f"{cell:>10}" for cell in cells))
