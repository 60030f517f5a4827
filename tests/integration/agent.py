"""A seccomp agent: takes listeners over a unix socket and answers what they are notified of."""

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND, linux/seccomp.h
CONTINUE = 1
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
ANSWER = struct.Struct("=QqiI")


class Agent:
    """`answer(number, args)`: an errno to fail with, or 0 to let the call go on."""

    def __init__(self, path, answer):
        self.answer = answer
        self.states = []
        self.numbers = []
        self.listeners = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        directory = os.open(os.path.dirname(path), os.O_PATH)
        self.socket.bind(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        os.close(directory)
        os.chmod(path, 0o777)
        self.socket.listen(8)
        self.end_reader, self.end_writer = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _accept(self):
        connection, _ = self.socket.accept()
        data, fds = b"", array.array("i")
        with connection:
            while True:
                part, control, _, _ = connection.recvmsg(1 << 16, socket.CMSG_LEN(4 * 8))
                for level, kind, content in control:
                    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                    fds.frombytes(content)
                if not part:
                    break
                data += part
        if not data:
            return  # a start that has failed
        self.states.append(json.loads(data))
        self.listeners.extend(fds)

    def _notified(self, listener):
        buffer = bytearray(NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, RECEIVE, buffer)
            identity, _, _, number, _, _, *args = NOTIFICATION.unpack(buffer)
            self.numbers.append(number)
            error = self.answer(number, args)
            fcntl.ioctl(listener, SEND, ANSWER.pack(identity, 0, -error, 0 if error else CONTINUE))
        except OSError as caught:
            if caught.errno not in (errno.ENOENT, errno.EINTR):  # it was killed meanwhile
                raise

    def _serve(self):
        while True:
            poll = select.poll()
            for fd in (self.socket.fileno(), self.end_reader, *self.listeners):
                poll.register(fd, select.POLLIN)
            for fd, events in poll.poll():
                if fd == self.end_reader:
                    return
                if fd == self.socket.fileno():
                    self._accept()
                elif events & select.POLLIN:
                    self._notified(fd)
                else:  # nobody uses the filter any more
                    self.listeners.remove(fd)
                    os.close(fd)

    def close(self):
        os.write(self.end_writer, b"x")
        self.thread.join(5)
        for fd in (*self.listeners, self.end_reader, self.end_writer):
            os.close(fd)
        self.socket.close()
