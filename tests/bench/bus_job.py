"""The least that a systemd cgroup costs: one job for one process, asked over a bus that is open already.

Through libsystemd itself, with the properties that coracle sets."""

import ctypes
import os
import subprocess
import time

PATH = b"/org/freedesktop/systemd1"
SERVICE = b"org.freedesktop.systemd1"
MANAGER = b"org.freedesktop.systemd1.Manager"
MATCH = b"type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"
FLAGS = (b"Delegate", b"CPUAccounting", b"MemoryAccounting", b"IOAccounting", b"TasksAccounting")
HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def check(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


class Bus:
    def __init__(self):
        self.library = ctypes.CDLL("libsystemd.so.0")
        self.bus = ctypes.c_void_p()
        is_root = os.geteuid() == 0
        opened = self.library.sd_bus_open_system if is_root else self.library.sd_bus_open_user
        check(opened(ctypes.byref(self.bus)))
        self.slice = b"system.slice" if is_root else b"user.slice"
        self.done = set()
        self.handler = HANDLER(self._on_job_removed)  # kept as long as the bus
        check(self.library.sd_bus_add_match(self.bus, None, MATCH, self.handler, None))

    def _on_job_removed(self, message, _data, _error):
        number, job = ctypes.c_uint32(), ctypes.c_char_p()
        check(self.library.sd_bus_message_read(ctypes.c_void_p(message), b"uo", ctypes.byref(number),
                                               ctypes.byref(job)))
        self.done.add(job.value)
        return 0

    def _call(self, member, types, *arguments):
        """The path of the job that it makes."""
        reply, job = ctypes.c_void_p(), ctypes.c_char_p()
        check(self.library.sd_bus_call_method(self.bus, SERVICE, PATH, MANAGER, member, None,
                                              ctypes.byref(reply), types, *arguments))
        check(self.library.sd_bus_message_read(reply, b"o", ctypes.byref(job)))
        path = job.value
        self.library.sd_bus_message_unref(reply)
        return path

    def _wait(self, job):
        while job not in self.done:
            if check(self.library.sd_bus_process(self.bus, None)) == 0:
                check(self.library.sd_bus_wait(self.bus, ctypes.c_uint64(10**7)))

    def start_scope(self, name, pid):
        """The process is in the scope, and the job is done."""
        flags = [word for flag in FLAGS for word in (flag, b"b", 1)]
        self._wait(self._call(b"StartTransientUnit", b"ssa(sv)a(sa(sv))", name, b"fail",
                              2 + len(FLAGS), b"PIDs", b"au", 1, ctypes.c_uint32(pid),
                              b"Slice", b"s", self.slice, *flags, 0))


def measure(bus, number):
    """Milliseconds of one job."""
    with subprocess.Popen(["sleep", "infinity"]) as process:
        begin = time.monotonic()
        bus.start_scope(b"bench-job-%d.scope" % number, process.pid)
        took = 1000 * (time.monotonic() - begin)
        process.kill()
    return took
