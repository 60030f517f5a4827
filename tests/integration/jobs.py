"""A shell with job control, on a pseudo-terminal: starts one job, moves it to the foreground and
back. The test holds the terminal's manager end, as a terminal emulator does."""

import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time

from harness import eventually

SIZE = (33, 77)


def state_of(pid):
    """The letter of /proc/PID/stat; "" if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class Shell:
    def __init__(self, box):
        self.box = box
        self.ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        box.give(os.ttyname(theirs))
        self.orders, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.job = 0
        self.text = ""
        self.argv = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.orders.close()
                os.close(self.ours)
                self._serve(theirs, other)
            finally:
                os._exit(99)
        os.close(theirs)
        other.close()

    # ---- in the shell

    def _serve(self, terminal, orders):
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while True:
            word, *rest = orders.recv(65536).decode().split("\0")
            if word == "start":
                answer = self._start(terminal, rest[0], rest[1:])
            elif word == "foreground":
                answer = os.tcsetpgrp(terminal, int(rest[0]))
            elif word == "background":
                answer = os.tcsetpgrp(terminal, os.getpgrp())
            elif word == "unread":
                answer = self._count_unread(terminal)
            elif word == "wait":
                answer = os.waitstatus_to_exitcode(os.waitpid(int(rest[0]), 0)[1])
            else:
                os._exit(0)
            orders.send(str(answer).encode())

    @staticmethod
    def _count_unread(terminal):
        """What a reader would get, whole lines or not."""
        modes = termios.tcgetattr(terminal)
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
        count = fcntl.ioctl(terminal, termios.FIONREAD, struct.pack("i", 0))
        return struct.unpack("i", count)[0]

    def _start(self, terminal, how, argv):
        reader, writer = os.pipe()
        between = os.fork() if how == "orphan" else 0
        if between == 0:
            pid = os.fork()
            if pid == 0:
                os.setpgid(0, 0)
                if how == "foreground":
                    os.tcsetpgrp(terminal, os.getpid())
                for number in (signal.SIGTTOU, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                os.write(writer, str(os.getpid()).encode())
                for stream in (0, 1, 2):
                    os.dup2(terminal, stream)
                os.chdir(self.box.dir)
                os.execvpe(argv[0], argv, self.box.runtime.env)
            if how == "orphan":
                os._exit(0)
        else:
            os.waitpid(between, 0)
        pid = int(os.read(reader, 32))
        os.close(reader)
        os.close(writer)
        return pid

    # ---- in the test

    def _order(self, *words):
        self.orders.send("\0".join(words).encode())
        self.orders.settimeout(20)
        return self.orders.recv(64).decode()

    def start(self, how, *args):
        """Starts a verb in the "foreground", the "background", or as an "orphan" whose process
        group nobody of this session controls, in the background too."""
        self.job = int(self._order("start", how, *self.box.runtime.argv(*args)))
        return self

    def start_program(self, *argv):
        """Starts a program of the host in the foreground, without the runtime."""
        self.job = int(self._order("start", "foreground", *argv))
        return self

    def unread(self):
        """How many bytes wait in the terminal's input."""
        self.background()
        return int(self._order("unread"))

    def foreground(self):
        self._order("foreground", str(self.job))

    def background(self):
        self._order("background")

    def signal_job(self, number):
        os.killpg(self.job, number)

    def wait(self):
        """The job's exit status."""
        if self._parent_is_gone():
            return os.waitstatus_to_exitcode(os.waitpid(self.job, 0)[1])
        return int(self._order("wait", str(self.job)))

    def _parent_is_gone(self):
        with open(f"/proc/{self.job}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1]) != self.pid

    def is_stopped(self):
        return state_of(self.job) == "T"

    def wait_stopped(self):
        assert eventually(self.is_stopped), f"state {state_of(self.job)!r}; {self.text}"

    def modes(self):
        return termios.tcgetattr(self.ours)

    def is_raw(self):
        return self.modes()[3] & (termios.ICANON | termios.ECHO) == 0

    def wait_raw(self, wanted=True):
        assert eventually(lambda: self.is_raw() == wanted), self.text

    def set_local_mode(self, flag):
        modes = self.modes()
        modes[3] |= flag
        termios.tcsetattr(self.ours, termios.TCSANOW, modes)

    def type(self, text):
        os.write(self.ours, text.encode())

    def read(self):
        while select.select([self.ours], [], [], 0)[0]:
            try:
                part = os.read(self.ours, 65536)
            except OSError:  # nobody has the other end
                break
            if not part:
                break
            self.text += part.decode(errors="replace")
        return self.text

    def wait_for(self, text):
        assert eventually(lambda: text in self.read(), 15), self.text

    def never_says(self, text, seconds=0.5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert text not in self.read(), self.text
            time.sleep(0.02)

    def hang_up(self):
        os.close(self.ours)
        self.ours = -1

    def close(self):
        if self.ours >= 0:
            os.close(self.ours)
        self.orders.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
