"""The container's terminal and its pidfd, handed to a manager over a socket, or kept by `run`."""

import array
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import termios

import pytest

import harness

pytestmark = pytest.mark.machine("native", "systemd")

TERMINAL_SIZE = (33, 77)


@pytest.fixture
def listener(box):
    """A socket as a container manager has it; `listener.name` is its path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(os.path.join(box.dir, "manager.sock"))
        box.give(made.getsockname())
        made.listen()
        made.settimeout(10)
        yield made


def receive(listener):
    """The message of one connection, and the one descriptor with it."""
    connection, _ = listener.accept()
    with connection:
        fds = array.array("i")
        text, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(16))
        for _, _, data in ancillary:
            fds.frombytes(data)
    assert len(fds) == 1
    return text, fds[0]


def read_all(fd, seconds=10):
    """What comes from a terminal until its other end is closed."""
    text = b""
    while select.select([fd], [], [], seconds)[0]:
        try:
            part = os.read(fd, 65536)
        except OSError:  # EIO: closed
            break
        if not part:
            break
        text += part
    return text.decode(errors="replace")


def with_terminal(config, _=None):
    config["process"]["terminal"] = True


def with_size(config, _=None):
    with_terminal(config)
    config["process"]["consoleSize"] = {"height": TERMINAL_SIZE[0], "width": TERMINAL_SIZE[1]}


def size_of(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))[:2]


def test_the_terminal_comes_over_the_console_socket(box, listener):
    container = box.create("stat", "/dev/console", edit=with_size,
                           options=["--console-socket", listener.getsockname()])
    text, master = receive(listener)
    assert text == b"/dev/ptmx"
    assert os.isatty(master) and size_of(master) == TERMINAL_SIZE
    assert container.out == ""
    box.must("start", container.id)
    said = read_all(master)
    os.close(master)
    assert '"type":"char"' in said.replace(" ", "") and "136" in said, said
    container.wait_stopped()


def test_the_terminal_has_its_place_in_a_read_only_dev(box, listener):
    """/dev is made read-only once /dev/console is there."""
    def edit(config, _):
        with_terminal(config)
        for mount in config["mounts"]:
            if mount["destination"] == "/dev":
                mount["options"].append("ro")

    container = box.create("also", "stat", "/dev/console", "--", "touch", "/dev/new",
                           edit=edit, options=["--console-socket", listener.getsockname()])
    _, master = receive(listener)
    box.must("start", container.id)
    said = read_all(master)
    os.close(master)
    assert "char" in said and "EROFS" in said, said


def test_what_is_typed_reaches_the_program(box, listener):
    container = box.create(edit=lambda config, _: (
        with_terminal(config), config["process"].update(args=["/bin/guest", "cat", "/dev/stdin"])),
        options=["--console-socket", listener.getsockname()])
    _, master = receive(listener)
    box.must("start", container.id)
    os.write(master, b"typed\n\x04")
    said = read_all(master)
    os.close(master)
    assert said.count("typed\r\n") == 2, said  # echoed, then written


def test_a_terminal_needs_a_socket_and_a_socket_a_terminal(box, listener):
    path = listener.getsockname()
    box.fails("create", "--bundle", box.bundle("exit", "0", edit=with_terminal).path, box.new_id(),
              says=["--console-socket", "cannot allocate tty"])
    plain = box.bundle("exit", "0")
    box.fails("create", "--console-socket", path, "--bundle", plain.path, box.new_id(),
              says=["--console-socket", "cannot use console socket"])


def test_a_socket_where_nobody_listens_is_named(box):
    path = os.path.join(box.dir, "nobody.sock")
    bundle = box.bundle("exit", "0", edit=with_terminal)
    box.fails("create", "--console-socket", path, "--bundle", bundle.path, box.new_id(),
              says=["--console-socket", "nobody.sock"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        bound.bind(path)
        box.give(path)
        box.fails("create", "--console-socket", path, "--bundle", bundle.path, box.new_id(),
                  says=["--console-socket", "nobody.sock"])
    assert box.must("list", "--quiet").out == ""


def test_the_pidfd_comes_over_its_socket(box, listener):
    container = box.create("pause", options=["--pidfd-socket", listener.getsockname()])
    _, pidfd = receive(listener)
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        assert f"Pid:\t{container.pid}\n" in file.read()
    box.must("start", container.id)
    container.wait_for("ready")
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 10)[0], "the pidfd is not readable although it has ended"
    os.close(pidfd)
    container.wait_stopped()


class Caller:
    """`run` with a terminal of the caller."""

    def __init__(self, box, bundle):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *TERMINAL_SIZE, 0, 0))
        box.give(os.ttyname(theirs))
        self.process = box.runtime.popen(
            box.runtime.argv("run", "--bundle", bundle.path, box.new_id()), theirs, theirs,
            stdin=theirs)
        os.close(theirs)
        self.text = ""

    def wait_for(self, text):
        def more():
            while select.select([self.ours], [], [], 0)[0]:
                try:
                    part = os.read(self.ours, 65536)
                except OSError:
                    return text in self.text
                self.text += part.decode(errors="replace")
            return text in self.text
        assert harness.eventually(more, 15), self.text

    def end(self):
        rc = self.process.wait(15)
        self.text += read_all(self.ours)
        os.close(self.ours)
        return rc


def test_run_passes_the_callers_terminal_on(box):
    bundle = box.bundle(edit=lambda config, _: (
        with_terminal(config), config["process"].update(
            args=["/bin/busybox", "sh", "-c",
                  "stty size; read line; echo said $line; read line; stty size; exit 7"])),
        busybox=True)
    caller = Caller(box, bundle)
    caller.wait_for("33 77")
    os.write(caller.ours, b"word\n")
    caller.wait_for("said word")
    fcntl.ioctl(caller.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 21, 43, 0, 0))
    # The terminal is not the runtime's controlling one, so nobody but us tells it of the change.
    caller.process.send_signal(signal.SIGWINCH)
    harness.eventually(lambda: False, 0.3)
    os.write(caller.ours, b"\n")
    caller.wait_for("21 43")
    assert caller.end() == 7


def test_run_without_a_terminal_of_its_own_says_so_or_runs(box):
    """Standard input is no terminal: what the program writes still comes out."""
    result = box.run(box.bundle("stat", "/dev/console", edit=with_terminal))
    assert result.rc == 0 and "char" in result.out, result
