"""Records that are damaged, foreign or of another version.

No verb crashes, no foreign process is signalled, and `delete --force` removes the entry. The
records name a process of the test's own, which must outlive them all. CORACLE_SWEEP=1 tries each
byte of the truncations and flips, not a sample."""

import json
import os
import random
import socket
import stat

import pytest

from residue import process_state, start_time

SWEEP = os.environ.get("CORACLE_SWEEP") == "1"
SEED = int(os.environ.get("CORACLE_SEED", str(random.randrange(10**6))))
SAMPLE = 40


class Entries:
    """State directories made by hand, after the record of a real container."""

    def __init__(self, box):
        container = box.create("pause")
        with open(self._path(box, container.id), "rb") as file:
            self.text = file.read()
        box.must("delete", "--force", container.id)
        self.box = box
        self.other = box.guest("pause")
        self.start_time = start_time(self.other.pid)
        self.names = []

    @staticmethod
    def _path(box, name):
        return os.path.join(box.runtime.root, name, "record.json")

    def record(self, name, **changes):
        """The text of a record; its pid is that of the foreign process, its start time is not, nor
        would it be with one digit changed."""
        record = {**json.loads(self.text), "id": name, "pid": self.other.pid,
                  "startTime": self.start_time + 1111111, **changes}
        return json.dumps({key: value for key, value in record.items() if value is not ...},
                          separators=(",", ":")).encode() + b"\n"

    def directory(self, name):
        path = os.path.join(self.box.runtime.root, name)
        os.mkdir(path, 0o700)
        self.box.give(path)
        self.names.append(name)
        return path

    def add(self, name, text):
        self.directory(name)
        path = self._path(self.box, name)
        with open(path, "wb") as file:
            file.write(text)
        os.chmod(path, 0o600)
        self.box.give(path)
        return path

    def check(self, *verbs):
        """Each verb on each entry, `list` over all of them, and their removal."""
        result = self.box.call("list")
        assert result.rc == 0, result
        for name in self.names:
            for verb in verbs:
                result = self.box.call(verb, name)
                assert result.rc in (0, 1), f"{name}: {result}"
                assert len(result.err.splitlines()) == result.rc, f"{name}: {result}"
            if os.path.lexists(os.path.join(self.box.runtime.root, name)):
                result = self.box.call("delete", "--force", name)
                assert result.rc == 0, f"{name}: {result}"
        assert os.listdir(self.box.runtime.root) == []
        assert self.other.poll() is None and process_state(self.other.pid) == "S"


@pytest.fixture
def entries(box):
    return Entries(box)


def places(length):
    return range(length) if SWEEP else sorted(random.Random(SEED).sample(range(length), SAMPLE))


def test_a_record_that_was_cut_anywhere(entries):
    for length in places(len(entries.record("cut-0000")) - 1):
        name = f"cut-{length:04}"
        entries.add(name, entries.record(name)[:length])
    entries.check("state", "kill", "delete")


def test_a_record_with_any_bit_flipped(entries):
    bits = random.Random(SEED)
    for place in places(len(entries.record("bit-0000"))):
        name = f"bit-{place:04}"
        text = bytearray(entries.record(name))
        text[place] ^= 1 << bits.randrange(8)
        entries.add(name, bytes(text))
    entries.check("state", "kill", "delete")


@pytest.mark.parametrize("value", [None, -1, 1e99, 2**63, 2**64, "text", "a\0b", [], {}, [[]],
                                   True, ...], ids=repr)
def test_a_record_with_a_member_of_another_type(entries, value):
    for key in json.loads(entries.text):
        entries.add(f"of-{key}", entries.record(f"of-{key}", **{key: value}))
    entries.check("state", "kill")


@pytest.mark.parametrize("version", [0, 2, 99, "1", ...], ids=repr)
def test_a_record_of_another_version(entries, version):
    box = entries.box
    entries.add("versioned", entries.record("versioned", recordVersion=version))
    for verb in ("state", "start", "kill", "delete"):
        result = box.fails(verb, "versioned", says=["versioned", "recordVersion"])
        assert result.err.count("record.json") == 1, result
    entries.check()


@pytest.mark.parametrize("size", [(16 << 20) + 1, 1 << 30], ids=["16 MiB", "1 GiB"])
def test_a_huge_record(entries, size):
    path = entries.add("huge", b"{")
    os.truncate(path, size)
    for verb in ("state", "kill", "delete"):
        entries.box.fails(verb, "huge", says=["larger than"], timeout=20,
                          wrap=["prlimit", f"--as={256 << 20}"])
    entries.check()


def test_a_record_deeply_nested(entries):
    entries.add("deep", b'{"recordVersion":1,"x":' + b"[" * 1000000)
    entries.check("state", "kill", "delete")


@pytest.mark.parametrize("kind", ["directory", "socket", "fifo", "link", "dangling", "loop"])
def test_a_record_that_is_no_file(entries, kind):
    box = entries.box
    target = entries.add("real", entries.record("real"))
    path = os.path.join(entries.directory("odd"), "record.json")
    if kind == "directory":
        os.mkdir(path)
        with open(os.path.join(path, "inner"), "w", encoding="ascii"):
            pass
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.symlink({"link": target, "dangling": "/nowhere", "loop": "record.json"}[kind], path)
    box.give(path)
    box.fails("state", "odd", says="record.json")
    entries.check("kill", "delete")


@pytest.mark.modes("root")
@pytest.mark.parametrize("place", ["odd", "odd/record.json"])
def test_an_entry_of_another_user_is_not_believed(entries, place):
    """Its record would name the foreign process as the container's init."""
    box = entries.box
    entries.add("odd", entries.record("odd", startTime=entries.start_time))
    os.chown(os.path.join(box.runtime.root, place), 12345, 12345)
    for verb in ("state", "start", "kill", "delete"):
        box.fails(verb, "odd", says="belongs to")
    entries.check()


@pytest.mark.parametrize("pid", [1, 2, "own", "parent"])
def test_a_record_with_the_pid_of_a_process_that_is_not_the_container(entries, pid):
    pid = {"own": os.getpid(), "parent": os.getppid()}.get(pid, pid)
    entries.add("odd", entries.record("odd", pid=pid))
    result = entries.box.must("state", "odd")
    assert json.loads(result.out)["status"] == "stopped"
    entries.box.fails("kill", "odd", "KILL", says="not running")
    entries.check("delete")


def test_a_start_gate_that_is_no_socket(entries):
    for name in ("file", "fifo"):
        path = os.path.join(os.path.dirname(entries.add(name, entries.record(name))), "start.sock")
        if name == "file":
            with open(path, "wb"):
                pass
        else:
            os.mkfifo(path)
        entries.box.give(path)
    entries.check("state", "start", "kill", "delete")


# ---- the state root


def test_a_state_root_that_does_not_exist(box):
    missing = ["--root", os.path.join(box.dir, "missing")]
    box.fails(*missing, "list", root=False, says=["missing", "no such file or directory"])
    for verb in ("state", "start", "kill", "delete"):
        box.fails(*missing, verb, "odd", root=False, says="does not exist")
    box.must(*missing, "delete", "--force", "odd", root=False)
    assert not os.path.exists(missing[1])


@pytest.mark.modes("user")
def test_a_default_state_root_that_does_not_exist_is_empty(box):
    assert box.must("list", "--quiet", root=False).out == ""


def test_a_file_in_the_state_root_is_no_container(box):
    path = os.path.join(box.runtime.root, "odd")
    with open(path, "wb"):
        pass
    box.give(path)
    assert stat.S_ISREG(os.stat(path).st_mode)
    assert box.must("list", "--quiet").out == ""
    box.fails("state", "odd", says="does not exist")
    box.must("delete", "--force", "odd")
    assert not os.path.exists(path)
