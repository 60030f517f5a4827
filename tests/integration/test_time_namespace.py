"""Time namespaces: new, with offsets, and joined."""

import os

HOUR = 3600


def uptime():
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def add_time(config, path=None, **offsets):
    entry = {"type": "time"}
    if path:
        entry["path"] = path
    config["linux"]["namespaces"].append(entry)
    if offsets:
        config["linux"]["timeOffsets"] = offsets


def test_a_time_namespace_asked_for_is_new(box):
    facts = box.facts(lambda config, _: add_time(config))
    assert facts.ns["time"] and facts.ns["time"] != os.readlink("/proc/self/ns/time")


def test_without_one_it_is_that_of_the_host(box):
    assert box.facts().ns["time"] == os.readlink("/proc/self/ns/time")


def test_the_offsets_are_those_of_the_clocks(box):
    offsets = {"boottime": {"secs": 100 * HOUR}, "monotonic": {"secs": 50, "nanosecs": 7}}
    out = box.output("cat", "/proc/uptime", "/proc/self/timens_offsets",
                     edit=lambda config, _: add_time(config, **offsets))
    lines = out.splitlines()
    assert abs(float(lines[0].split()[0]) - 100 * HOUR - uptime()) < 60
    assert [line.split() for line in lines[1:]] == [["monotonic", "50", "7"],
                                                    ["boottime", str(100 * HOUR), "0"]]


def test_a_time_namespace_is_joined(box):
    first = box.start("pause", edit=lambda config, _: add_time(config, boottime={"secs": HOUR}))
    path = f"/proc/{first.pid}/ns/time"

    def edit(config, _):
        add_time(config, path)
        for entry in config["linux"]["namespaces"]:
            if entry["type"] == "user":
                entry["path"] = f"/proc/{first.pid}/ns/user"

    facts = box.facts(edit)
    assert facts.ns["time"] == os.readlink(path)


def test_offsets_of_a_joined_one_are_refused(box):
    bundle = box.bundle(edit=lambda config, _: add_time(config, "/proc/self/ns/time",
                                                        boottime={"secs": HOUR}))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="/linux/timeOffsets")


def test_an_offset_below_the_start_of_the_clock_is_explained(box):
    bundle = box.bundle(edit=lambda config, _: add_time(config, boottime={"secs": -10**9}))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/linux/timeOffsets/boottime", "timens_offsets", "numerical result out of range",
                    "the clock would leave its range"])
