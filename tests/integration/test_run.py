"""run: from the bundle to the exit status in one command."""

import os
import signal

import pytest

from harness import eventually

pytestmark = pytest.mark.machine("native", "systemd", "uml", "vm")


def test_run_passes_output_on(box):
    assert box.output("also", "echo", "one", "--", "echo", "two") == "one\ntwo\n"


def test_run_passes_standard_error_on(box):
    result = box.run(box.bundle("err", "a word"))
    assert (result.rc, result.out, result.err) == (0, "", "a word\n")


@pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127, 255])
def test_run_exits_as_its_program(box, status):
    assert box.run(box.bundle("exit", str(status))).rc == status


def test_run_exits_with_128_and_the_signal_that_killed_its_program(box):
    assert box.run(box.bundle("crash")).rc == 128 + signal.SIGSEGV


def test_run_removes_the_container_at_its_end(box):
    bundle = box.bundle("exit", "0")
    name = box.new_id()
    box.must("run", "--bundle", bundle.path, name)
    box.fails("state", name, says="does not exist")
    assert box.leavings() == []


def test_run_keeps_the_container_if_told(box):
    bundle = box.bundle("exit", "5")
    name = box.new_id()
    assert box.call("run", "--keep", "--bundle", bundle.path, name).rc == 5
    assert box.state(name)["status"] == "stopped"
    box.must("delete", name)


def test_run_detached_returns_while_its_program_runs(box):
    bundle = box.bundle("pause")
    name = box.new_id()
    result = box.must("run", "--detach", "--bundle", bundle.path, name)
    assert eventually(lambda: result.out == "ready\n")
    assert box.state(name)["status"] == "running"


def test_run_detached_writes_the_pid_file(box):
    bundle = box.bundle("pause")
    name, path = box.new_id(), box.pid_file()
    box.must("run", "-d", "--pid-file", path, "--bundle", bundle.path, name)
    assert int(open(path, encoding="ascii").read()) == box.state(name)["pid"]


def test_run_refuses_an_id_in_use(box):
    container = box.create("pause")
    box.fails("run", "--bundle", container.bundle.path, container.id)
    assert container.status() == "created"


def test_a_container_outlives_its_killed_foreground_run_or_dies_with_it(box):
    """Either is allowed; what is not allowed is a container that delete cannot remove."""
    bundle = box.bundle("pause")
    name = box.new_id()
    argv = box.runtime.argv("run", "--bundle", bundle.path, name)
    path = os.path.join(box.dir, "run-out")
    with open(path, "ab") as out:
        os.fchmod(out.fileno(), 0o666)
        process = box.runtime.popen(argv, out, out)
        assert eventually(lambda: "ready" in open(path, encoding="utf-8").read())
        process.kill()
        process.wait()
    box.must("delete", "--force", name)
    assert eventually(lambda: not box.processes())


def test_run_forwards_term_to_its_program(box):
    bundle = box.bundle("trap", "9", "15")
    argv = box.runtime.argv("run", "--bundle", bundle.path, box.new_id())
    path = os.path.join(box.dir, "run-out")
    with open(path, "ab") as out:
        os.fchmod(out.fileno(), 0o666)
        process = box.runtime.popen(argv, out, out)
        assert eventually(lambda: "ready" in open(path, encoding="utf-8").read())
        process.terminate()
        assert process.wait(5) == 9
    assert "caught 15" in open(path, encoding="utf-8").read()
