"""The start gate: what another process of the same user does there must not keep a start away."""

import os
import socket
import time

from harness import eventually

MORE = b"\x01"  # the first byte of a packet: a further one of the same message follows


class Visitor:
    """A client of the gate that does not keep to the protocol."""

    def __init__(self, box, container):
        directory = os.open(os.path.join(box.runtime.root, container.id), os.O_PATH)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(f"/proc/self/fd/{directory}/start.sock")
        os.close(directory)

    def __enter__(self):
        return self.socket

    def __exit__(self, *_):
        self.socket.close()


def started(box, container):
    box.must("start", container.id, timeout=20)
    container.wait_for("ready")


def test_a_client_that_promises_more_and_stops_keeps_nobody_away(box):
    container = box.create("pause")
    with Visitor(box, container) as visitor:
        visitor.send(MORE + b"\x0a")
        started(box, container)


def test_a_client_that_never_comes_to_its_end_keeps_nobody_away(box):
    container = box.create("pause")
    with Visitor(box, container) as visitor:
        visitor.send(MORE)
        visitor.setblocking(False)
        box_started = time.monotonic()
        started(box, container)
        assert time.monotonic() - box_started < 15
        try:
            visitor.send(MORE)
        except OSError:
            pass


def test_clients_that_say_nothing_keep_nobody_away(box):
    container = box.create("pause")
    visitors = [Visitor(box, container) for _ in range(5)]
    started(box, container)
    for visitor in visitors:
        visitor.socket.close()


def test_a_full_queue_at_the_gate_delays_a_start_only(box):
    """More clients than the queue holds; all leave, as a crowd of `state` does."""
    container = box.create("pause")
    visitors = []
    os.kill(container.pid, 19)
    assert eventually(lambda: open(f"/proc/{container.pid}/stat").read().split()[2] == "T")
    for _ in range(17):
        visitors.append(Visitor(box, container))
    with open(os.path.join(box.dir, "start-err"), "w+b") as err:
        start = box.runtime.popen(box.runtime.argv("start", container.id), err, err)
        time.sleep(0.2)
        assert start.poll() is None
        for visitor in visitors:
            visitor.socket.close()
        os.kill(container.pid, 18)
        assert start.wait(8) == 0, open(err.name).read()
    container.wait_for("ready")
