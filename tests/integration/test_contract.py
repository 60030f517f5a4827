"""What callers rely on between verbs: deletion while a run waits, strictness, repeated options."""

import json
import os
import signal

from harness import eventually


def in_foreground(box, *args, options=()):
    """A `run` that waits for its program: (process, id)."""
    name = box.new_id()
    bundle = box.bundle(*args)
    argv = box.runtime.argv("run", *options, "--bundle", bundle.path, name)
    with open(os.devnull, "wb") as out:
        process = box.runtime.popen(argv, out, out)
    assert eventually(lambda: box.call("state", name).rc == 0
                      and box.state(name)["status"] == "running")
    return process, name


def test_delete_force_ends_a_run_in_the_foreground(box):
    process, name = in_foreground(box, "pause")
    result = box.must("delete", "--force", name)
    assert result.seconds < 5
    assert process.wait(5) == 128 + signal.SIGKILL
    assert box.leavings() == []


def test_a_kept_run_can_be_deleted_by_another_process(box):
    process, name = in_foreground(box, "pause", options=("--keep",))
    box.must("kill", name, "KILL")
    assert process.wait(5) == 128 + signal.SIGKILL
    box.must("delete", name)
    assert box.leavings() == []


def without_network(config, _):
    namespaces = config["linux"]["namespaces"]
    namespaces[:] = [entry for entry in namespaces if entry["type"] != "network"]


def test_strict_refuses_what_init_had_to_do_otherwise(make_box):
    box = make_box("user")
    bundle = box.bundle("exit", "0", edit=without_network)
    assert box.run(bundle).rc == 0
    name = box.new_id()
    box.fails("run", "--bundle", bundle.path, name, options=("--strict",), says=("--strict",))
    assert box.leavings() == []


def test_the_last_of_a_repeated_option_counts(box):
    box.must("list", "--format", "table", "--format", "json",
             options=("--log-format", "text", "--log-format", "json"))
    assert json.loads(box.must("list", "-f", "table", "-f", "json").out) == []


def test_a_filter_that_forbids_everything_ends_and_is_named(box):
    def edit(config, _):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO"}

    box.fails("run", "--bundle", box.bundle("exit", "0", edit=edit).path, box.new_id(),
              says=("seccomp filter",))
    assert box.leavings() == []


def test_the_init_of_a_record_of_another_version_is_killed_by_force(box):
    container = box.create("pause")
    path = f"{box.runtime.root}/{container.id}/record.json"
    text = open(path, encoding="utf-8").read().replace('"recordVersion":1', '"recordVersion":2')
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    box.fails("delete", container.id, says=("recordVersion",))
    box.must("delete", "--force", container.id)
    assert box.leavings() == []


def test_a_small_limit_of_open_files_reaches_the_program_only(box):
    def edit(config, _):
        config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}]

    container = box.create("exit", "0", edit=edit)
    box.must("start", container.id)


def test_a_caller_that_ignores_sigchld_can_run(box):
    bundle = box.bundle("exit", "7")
    result = box.call("run", "--bundle", bundle.path, box.new_id(),
                      wrap=("sh", "-c", 'trap "" CHLD; exec "$@"', "sh"))
    assert result.rc == 7

