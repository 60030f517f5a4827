#!/usr/bin/python3
"""Stands between a program and its D-Bus, as the user that runs it.

    bus_proxy.py SOCKET BUS WHAT REPORT

Listens at SOCKET and passes on to BUS what it is sent, until somebody asks for a scope. Then,
by WHAT, which takes effect once:

    pass     nothing else
    refuse   the connection ends before the request has been passed on
    lose     the connection ends when the scope's job is done, and nothing of that is told
    kill     likewise, and the one who asked is killed

REPORT: a line of JSON for the one who asked: its name, environment and open files."""

import json
import os
import re
import select
import signal
import socket
import struct
import sys
import threading

ASKED = b"StartTransientUnit"
DONE = b"JobRemoved"
UNIT = re.compile(rb"[\w.-]+\.scope")


def report(pid):
    proc = f"/proc/{pid}"
    with open(f"{proc}/comm", encoding="ascii") as comm, open(f"{proc}/environ", "rb") as environment:
        seen = {"name": comm.read().strip(), "environment": environment.read().decode()}
    seen["files"] = {int(fd): os.readlink(f"{proc}/fd/{fd}") for fd in os.listdir(f"{proc}/fd")}
    return json.dumps(seen)


class Proxy:
    def __init__(self, bus, what, path):
        self.bus = bus
        self.what = what
        self.path = path

    def _see(self, client):
        """Of the one at the other end: its pid. Writes the report."""
        pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(report(pid))
        return pid

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.bus)
        what, pid, unit, silent = "pass", 0, b"", False
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(1 << 16)
                if source is client and ASKED in data:
                    pid, unit = self._see(client), UNIT.search(data)[0]
                    what, self.what = self.what, "pass"
                    silent = what in ("lose", "kill")
                done = what == "refuse" or (silent and source is server and DONE in data and unit in data)
                if not data or done:
                    if done and what == "kill":
                        os.kill(pid, signal.SIGKILL)
                    for end in (client, server):
                        end.close()
                    return
                if source is client:
                    server.sendall(data)
                elif not silent:
                    client.sendall(data)


def main():
    path, bus, what, reported = sys.argv[1:]
    proxy = Proxy(bus, what, reported)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        print("ready", flush=True)
        while True:
            threading.Thread(target=proxy.serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
