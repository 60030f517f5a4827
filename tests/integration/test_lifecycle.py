"""The life of a container: create, start, state, kill, delete, and what each refuses."""

import json
import os
import signal
import time

import pytest

from canary import snapshot_tree
from harness import eventually
from residue import process_state

pytestmark = pytest.mark.machine("native", "systemd", "uml")

TERM_TEXT = "caught 15\n"


# ---- create, start, delete


def test_a_created_container_waits_for_start(box):
    container = box.create("echo", "started")
    state = box.state(container.id)
    assert state["status"] == "created"
    assert state["pid"] == container.pid
    assert "started" not in container.out
    box.must("start", container.id)
    assert eventually(lambda: container.out == "started\n")


def test_the_state_of_a_running_container_names_its_parts(box):
    container = box.start("pause", edit=lambda config, _: config.update(annotations={"k": "v"}))
    state = box.state(container.id)
    assert state["id"] == container.id
    assert state["status"] == "running"
    assert state["pid"] == container.pid
    assert state["bundle"] == container.bundle.path
    assert state["annotations"] == {"k": "v"}
    assert state["ociVersion"].startswith("1.")
    assert process_state(state["pid"]) == "S"


def test_the_state_of_a_stopped_container_has_no_pid(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    container.wait_stopped()
    assert box.state(container.id)["pid"] == 0


def test_a_killed_init_is_seen_as_stopped(box):
    container = box.start("pause")
    os.kill(container.pid, signal.SIGKILL)
    container.wait_stopped()
    assert box.state(container.id)["pid"] == 0


def test_the_parent_of_the_creator_reaps_init_and_sees_its_exit_status(box):
    container = box.create("exit", "42")
    box.must("start", container.id)
    assert os.waitstatus_to_exitcode(container.wait_status()) == 42


def test_the_parent_of_the_creator_sees_the_signal_that_killed_init(box):
    container = box.start("pause")
    os.kill(container.pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(container.wait_status()) == -signal.SIGKILL


def test_a_container_whose_init_is_an_unreaped_zombie_is_stopped(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    assert eventually(lambda: process_state(container.pid) == "Z")
    assert container.status() == "stopped"


def test_delete_removes_a_stopped_container(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    container.wait_stopped()
    box.must("delete", container.id)
    box.fails("state", container.id, says="does not exist")


def test_delete_removes_a_created_container_and_its_process(box):
    container = box.create("pause")
    box.must("delete", container.id)
    assert eventually(lambda: process_state(container.pid) in ("", "Z"))
    box.fails("state", container.id)


def test_delete_refuses_a_running_container(box):
    container = box.start("pause")
    box.fails("delete", container.id,
              says=f"cannot delete container {container.id} that is not stopped: running")
    assert container.status() == "running"


def test_delete_force_removes_a_running_container(box):
    container = box.start("children", "3")
    box.must("delete", "--force", container.id)
    assert not eventually(lambda: box.processes() == [] or None) is None
    box.fails("state", container.id)


def test_delete_force_of_an_unknown_id_succeeds(box):
    box.must("delete", "--force", box.new_id())


def test_delete_of_an_unknown_id_says_that_it_does_not_exist(box):
    box.fails("delete", box.new_id(), says="does not exist")


def test_an_id_can_be_used_again_after_delete(box):
    first = box.start("pause")
    box.must("delete", "--force", first.id)
    box.must("create", "--bundle", first.bundle.path, first.id)
    box.must("start", first.id)
    assert box.state(first.id)["status"] == "running"


def test_create_refuses_an_id_in_use(box):
    container = box.create("pause")
    box.fails("create", "--bundle", container.bundle.path, container.id,
              says="container with given ID already exists")
    assert box.state(container.id)["pid"] == container.pid


def test_all_processes_of_a_container_end_with_its_init(box):
    container = box.start("children", "5")
    os.kill(container.pid, signal.SIGKILL)
    container.wait_status()
    assert eventually(lambda: not box.processes())


# ---- start


def test_start_refuses_a_running_container(box):
    container = box.start("pause")
    box.fails("start", container.id,
              says="cannot start an already running container")


def test_start_refuses_a_stopped_container(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    container.wait_stopped()
    box.fails("start", container.id,
              says="cannot start a container that has stopped")


def test_start_of_a_container_killed_before_says_that_it_has_stopped(box):
    container = box.create("exit", "0")
    os.kill(container.pid, signal.SIGKILL)
    container.wait_stopped()
    box.fails("start", container.id,
              says="cannot start a container that has stopped")


def test_start_of_an_unknown_id_says_that_it_does_not_exist(box):
    box.fails("start", box.new_id(), says="does not exist")


def test_a_program_removed_between_create_and_start_fails_start(box):
    container = box.create("exit", "0")
    os.unlink(os.path.join(container.bundle.rootfs, "bin/guest"))
    box.fails("start", container.id, says="no such file or directory")
    container.wait_stopped()


# ---- kill


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "15", "sigterm", "term"])
def test_kill_takes_a_name_or_a_number(box, name):
    container = box.start("trap", "0", "15")
    box.must("kill", container.id, name)
    container.wait_for(TERM_TEXT)


def test_kill_sends_term_unless_told(box):
    container = box.start("trap", "3", "15", "1")
    box.must("kill", container.id)
    assert os.waitstatus_to_exitcode(container.wait_status()) == 3
    container.wait_for(TERM_TEXT)


def test_kill_sends_the_signal_asked_for(box):
    container = box.start("trap", "0", "15", "1", "10")
    box.must("kill", container.id, "HUP")
    container.wait_for("caught 01\n")


def test_kill_sends_a_real_time_signal_by_number(box):
    container = box.start("trap", "0", "40")
    box.must("kill", container.id, "40")
    container.wait_for("caught 40\n")


def test_kill_takes_the_option_all(box):
    container = box.start("children", "3")
    box.must("kill", "--all", container.id, "KILL")
    assert eventually(lambda: process_state(container.pid) in ("", "Z"))


def test_kill_reaches_a_created_container(box):
    container = box.create("pause")
    box.must("kill", container.id, "KILL")
    container.wait_stopped()


@pytest.mark.parametrize("name", ["NOSUCH", "SIG", "0x0f", "-1", "65", "999", "1 5", ""])
def test_kill_refuses_what_is_not_a_signal(box, name):
    container = box.start("pause")
    box.fails("kill", container.id, name)
    assert container.status() == "running"


def test_kill_of_a_stopped_container_says_that_it_is_not_running(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    container.wait_stopped()
    box.fails("kill", container.id, "TERM",
              says="container not running")


def test_kill_of_an_unknown_id_says_that_it_does_not_exist(box):
    box.fails("kill", box.new_id(), says="does not exist")


# ---- the killed creator


def test_delete_force_cleans_up_after_a_creator_killed_at_any_time(box):
    bundle = box.bundle("pause")
    for step in range(20):
        name, path = box.new_id(), box.pid_file()
        argv = box.runtime.argv("create", "--pid-file", path, "--bundle", bundle.path, name)
        with open(os.path.join(box.dir, "killed-out"), "ab") as out:
            process = box.runtime.popen(argv, out, out)
            time.sleep(step * 0.001)
            process.kill()
            process.wait()
        box.must("delete", "--force", name)
        assert eventually(lambda: not box.processes(), 5), box.processes()
        left = [text for text in box.leavings() if path not in text]
        assert left == [], f"killed after {step} ms"
    before = snapshot_tree(box.runtime.root)
    box.must("create", "--bundle", bundle.path, name)
    box.must("delete", "--force", name)
    assert snapshot_tree(box.runtime.root).keys() == before.keys()


# ---- the pid file


def test_the_pid_file_is_one_decimal_number_without_newline(box):
    container = box.create("pause")
    text = open(container.pid_file, "rb").read()
    assert text == str(box.state(container.id)["pid"]).encode()


def test_the_pid_file_is_relative_to_the_caller(box):
    bundle = box.bundle("pause")
    box.pid_files.add(os.path.join(box.dir, "pids", "relative"))
    box.must("create", "--pid-file", "pids/relative", "--bundle", bundle.path, box.new_id(),
             cwd=box.dir)
    assert os.path.exists(os.path.join(box.dir, "pids/relative"))


def test_no_pid_file_is_left_by_a_failed_create(box):
    bundle = box.bundle(edit=lambda config, _: config["process"].update(args=["/no/such"]))
    path = box.pid_file()
    name = box.new_id()
    if box.call("create", "--pid-file", path, "--bundle", bundle.path, name).rc != 0:
        assert not os.path.exists(path)
    else:
        box.fails("start", name)


def test_a_pid_file_that_cannot_be_written_fails_create_and_leaves_nothing(box):
    bundle = box.bundle("pause")
    box.fails("create", "--pid-file", "/no/such/dir/pid", "--bundle", bundle.path, box.new_id(),
              says="no such file or directory")
    assert eventually(lambda: not box.leavings()), box.leavings()


# ---- list


def test_list_of_nothing_is_empty(box):
    assert json.loads(box.must("list", "--format", "json").out) in ([], None)
    assert len(box.must("list").out.splitlines()) <= 1
    assert box.must("list", "-q").out.strip() == ""


def test_list_shows_each_container_with_its_status(box):
    created = box.create("pause")
    running = box.start("pause")
    rows = {row["id"]: row for row in json.loads(box.must("list", "--format=json").out)}
    assert rows[created.id]["status"] == "created"
    assert rows[running.id]["status"] == "running"
    assert rows[running.id]["pid"] == running.pid
    assert rows[running.id]["bundle"] == running.bundle.path
    assert rows[running.id]["owner"]


def test_the_table_of_list_has_a_header_and_a_row_for_each(box):
    container = box.start("pause")
    lines = box.must("list").out.splitlines()
    assert "PID" in lines[0] and "STATUS" in lines[0] and "BUNDLE" in lines[0]
    assert len(lines) == 2
    assert lines[1].split()[:4] == [container.id, str(container.pid), "running",
                                    container.bundle.path]


def test_quiet_list_shows_ids_only(box):
    names = {box.create("pause").id, box.create("pause").id}
    assert set(box.must("list", "--quiet").out.split()) == names


def test_quiet_list_shows_the_id_of_a_damaged_record_too(box):
    """So that `list -q | xargs coracle delete --force` is rid of it."""
    container = box.create("pause")
    os.truncate(os.path.join(box.runtime.root, container.id, "record.json"), 20)
    assert container.id not in box.must("list").out
    assert box.must("list", "--quiet").out == container.id + "\n"


def test_list_survives_a_container_that_is_half_made(box):
    container = box.create("pause")
    half = os.path.join(box.runtime.root, "half-made")
    os.mkdir(half, 0o700)
    box.give(half)
    listed = box.call("list", "-q")
    os.rmdir(half)
    assert listed.rc == 0 and container.id in listed.out.split()


def test_process_may_be_absent_until_start(box):
    """runtime-spec config.md: process is required when start is called."""
    container = box.create(edit=lambda config, _: config.pop("process"))
    assert container.status() == "created"
    box.fails("start", container.id, says=["/process", "required to start"])
    assert container.status() == "created"
    box.fails("start", container.id, says="/process")
    box.must("delete", container.id)


def test_process_absent_is_an_error_of_run(box):
    bundle = box.bundle(edit=lambda config, _: config.pop("process"))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["/process", "required to run"])


def test_process_that_is_no_object_is_refused(box):
    bundle = box.bundle(edit=lambda config, _: config.update(process="/bin/guest"))
    box.fails("create", "--bundle", bundle.path, box.new_id(), says="/process")
