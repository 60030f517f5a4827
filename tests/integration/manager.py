"""A service manager: the socket of $NOTIFY_SOCKET, and who asks for what is said to it."""

import array
import os
import socket
import time


class Manager:
    """Keeps every message, closes what comes beside it, and so answers barriers."""

    def __init__(self, box, name="manager.sock"):
        self.path = os.path.join(box.dir, name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        box.give(self.path)
        self.socket.settimeout(0.01)
        self.messages = []
        self.fds = []  # (message, how many fds)
        box.runtime.env["NOTIFY_SOCKET"] = self.path

    def poll(self):
        try:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(253 * 4))
        except OSError:
            return False
        fds = array.array("i")
        for _, _, part in ancillary:
            fds.frombytes(part)
        for fd in fds:
            os.close(fd)
        text = data.decode()
        self.messages.append(text)
        if fds:
            self.fds.append((text, len(fds)))
        return True

    def serve(self, process, seconds=15):
        """Until the process has ended; its exit status."""
        end = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            self.poll()
        while self.poll():
            pass
        assert process.poll() is not None, f"it does not end; {self.messages}"
        return process.returncode

    def wait_for(self, text, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end and text not in "".join(self.messages):
            self.poll()
        assert text in "".join(self.messages), self.messages

    def lines(self):
        return [line for message in self.messages for line in message.splitlines()]

    def close(self):
        self.socket.close()
