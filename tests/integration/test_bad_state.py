"""Identifiers, state roots and state files that are wrong, foreign or hostile."""

import glob
import json
import os
import socket
import stat
import time

import pytest

from canary import snapshot_tree
from harness import eventually
from residue import process_state

BAD_IDS = ["", ".", "..", "a/b", "/a", "../a", "a/../b", "a b", "a\nb", "a:b", "a\\b", "ä",
           "x" * 2000, "a*", ".hidden"]
GOOD_IDS = ["a", "0", "A_b+c.d-e", "a..b", "_x", "+x", "x" * 255]


def short(text):
    return repr(text[:12])


@pytest.mark.parametrize("name", BAD_IDS, ids=short)
@pytest.mark.parametrize("verb", ["create", "state", "kill", "delete", "start"])
def test_a_wrong_id_is_refused(box, verb, name):
    options = ["--bundle", box.bundle("pause").path] if verb == "create" else []
    before = snapshot_tree(box.dir).keys()
    box.fails(verb, *options, "--", name)
    after = {key for key in snapshot_tree(box.dir) if not key.startswith(("out-", "err-"))}
    assert after <= before
    assert os.listdir(box.runtime.root) == []


@pytest.mark.parametrize("name", ["a/b", "a b", ".."])
def test_the_error_for_a_wrong_id_says_so(box, name):
    box.fails("create", "--bundle", box.bundle("pause").path, name,
              says="invalid" if box.kind == "coracle" else "")


@pytest.mark.parametrize("name", ["a/b", "../x", ""])
def test_delete_force_of_a_wrong_id_touches_nothing(box, name):
    before = snapshot_tree(os.path.join(box.dir, "canary"))
    box.call("delete", "--force", name)
    assert snapshot_tree(os.path.join(box.dir, "canary")) == before
    assert os.path.isdir(box.runtime.root)


@pytest.mark.parametrize("name", GOOD_IDS, ids=short)
def test_an_id_of_the_grammar_is_taken(box, name):
    box.ids.append(name)
    box.must("create", "--bundle", box.bundle("pause").path, name)
    assert box.state(name)["id"] == name


# ---- the state root


@pytest.mark.parametrize("mode_bits", [0o770, 0o707, 0o777, 0o1777], ids=oct)
def test_a_state_root_that_others_can_write_is_refused(box, mode_bits):
    os.chmod(box.runtime.root, mode_bits)
    box.fails("create", "--bundle", box.bundle("pause").path, box.new_id())
    assert os.listdir(box.runtime.root) == []
    os.chmod(box.runtime.root, 0o700)


@pytest.mark.modes("user")
def test_a_state_root_of_someone_else_is_refused(box):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    os.chown(box.runtime.root, 12345, box.uid)
    os.chmod(box.runtime.root, 0o770)
    box.fails("create", "--bundle", box.bundle("pause").path, box.new_id())
    box.fails("list")
    os.chown(box.runtime.root, *box.owner)
    os.chmod(box.runtime.root, 0o700)


@pytest.mark.modes("root")
def test_a_state_root_of_another_user_is_refused_by_root(box):
    os.chown(box.runtime.root, 12345, 12345)
    box.fails("create", "--bundle", box.bundle("pause").path, box.new_id())
    os.chown(box.runtime.root, 0, 0)


def test_a_symbolic_link_for_a_state_root_is_refused(box):
    real = box.directory("real", 0o700)
    link = os.path.join(box.dir, "link")
    os.symlink(real, link)
    box.fails("--root", link, "create", "--bundle", box.bundle("pause").path, box.new_id(),
              root=False)
    assert os.listdir(real) == []


def test_a_file_for_a_state_root_is_refused(box):
    box.fails("--root", os.path.join(box.dir, "canary/secret"), "list", root=False)


def test_the_state_is_for_its_owner_only(box):
    box.create("pause")
    for base, names, files in os.walk(box.runtime.root):
        for name in [*names, *files]:
            info = os.lstat(os.path.join(base, name))
            assert not info.st_mode & 0o022 or stat.S_ISSOCK(info.st_mode), name
        assert not os.stat(base).st_mode & 0o077, base


# ---- state files


def record_of(box, container):
    found = [path for path in glob.glob(f"{box.runtime.root}/{container.id}/*")
             if os.path.isfile(path) and not path.endswith(".copy")
             and b'"boot' in open(path, "rb").read()]
    assert len(found) == 1, found
    return found[0]


def replace(box, path, text):
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(text)
    os.chmod(path, 0o600)
    box.give(path)


def broken(box, container):
    """Every verb must end without a crash; delete --force must remove the entry."""
    for verb in ("state", "start", "kill", "delete"):
        box.fails(verb, container.id)
    assert box.call("list", "-q").rc >= 0
    box.must("delete", "--force", container.id)
    assert os.listdir(box.runtime.root) == []
    if process_state(container.pid) not in ("", "Z"):  # whose pid the record no longer names
        os.kill(container.pid, 9)


@pytest.mark.parametrize("part", [0, 1, 2, 5, 10, 25, 50, 75, 90, 99])
def test_a_truncated_record_is_an_error_and_can_be_removed(box, part):
    container = box.create("pause")
    path = record_of(box, container)
    text = open(path, "rb").read()
    replace(box, path, text[:len(text) * part // 100])
    broken(box, container)


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"pid": "1"}', '{"pid": 1}',
                                  '{"pid": -1}', "\0" * 100, "[" * 10000],
                         ids=short)
def test_a_foreign_record_is_an_error_and_can_be_removed(box, text):
    container = box.create("pause")
    replace(box, record_of(box, container), text.encode())
    broken(box, container)


def test_a_fifo_for_a_record_is_an_error_and_can_be_removed(box):
    container = box.create("pause")
    path = record_of(box, container)
    os.unlink(path)
    os.mkfifo(path, 0o600)
    box.give(path)
    broken(box, container)


def test_a_symbolic_link_for_a_record_is_not_followed(box):
    container = box.create("pause")
    path = record_of(box, container)
    kept = os.path.join(box.dir, "record-copy")
    os.rename(path, kept)
    os.symlink(kept, path)
    broken(box, container)
    assert os.path.exists(kept)


def test_a_link_in_the_state_root_is_not_followed(box):
    os.symlink(os.path.join(box.dir, "canary"), os.path.join(box.runtime.root, "linked"))
    box.ids.append("linked")
    box.fails("state", "linked")
    box.call("delete", "--force", "linked")
    assert box.canary.changes() == []
    if os.path.lexists(os.path.join(box.runtime.root, "linked")):
        os.unlink(os.path.join(box.runtime.root, "linked"))


def with_record(box, container, **changes):
    path = record_of(box, container)
    record = json.loads(open(path, encoding="utf-8").read())
    record.update(changes)
    replace(box, path, json.dumps(record).encode())


def later_process(box):
    """A foreign process whose start time, counted in ticks of 10 ms, is not that of a container."""
    time.sleep(0.05)
    return box.guest("pause")


def test_a_record_with_the_pid_of_another_process_never_signals_it(box):
    container = box.create("pause")
    other = later_process(box)
    path = record_of(box, container)
    record = json.loads(open(path, encoding="utf-8").read())
    changed = json.dumps({key: other.pid if value == container.pid else value
                          for key, value in record.items()})
    assert str(other.pid) in changed
    replace(box, path, changed.encode())
    box.call("kill", container.id, "KILL")
    box.call("delete", "--force", container.id)
    assert other.poll() is None
    assert process_state(other.pid) == "S"
    os.kill(container.pid, 9)


def test_a_reused_pid_is_not_taken_for_the_container(box):
    container = box.create("exit", "0")
    path = record_of(box, container)
    other = later_process(box)
    record = json.loads(open(path, encoding="utf-8").read())
    replace(box, path, json.dumps({key: other.pid if value == container.pid else value
                                   for key, value in record.items()}).encode())
    state = box.call("state", container.id)
    assert state.rc != 0 or json.loads(state.out)["status"] == "stopped"
    box.must("delete", "--force", container.id)
    assert other.poll() is None
    os.kill(container.pid, 9)


def test_a_foreign_socket_for_the_start_gate_does_not_hang_start(box):
    container = box.create("exit", "0")
    gates = [path for path in glob.glob(f"{box.runtime.root}/{container.id}/*")
             if stat.S_ISSOCK(os.lstat(path).st_mode)]
    if not gates:
        pytest.xfail("no socket")
    os.unlink(gates[0])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        directory = os.open(os.path.dirname(gates[0]), os.O_PATH)
        listener.bind(f"/proc/self/fd/{directory}/{os.path.basename(gates[0])}")
        os.close(directory)
        box.give(gates[0])
        result = box.call("start", container.id)
        assert result.rc > 0
    os.kill(container.pid, 9)
    assert eventually(lambda: container.status() == "stopped")
