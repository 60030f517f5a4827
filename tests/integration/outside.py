"""A host with a network, in namespaces of its own: routes out, servers that say their name, a tun
device that everybody may open, and a resolver. Started as a program it is that host."""

import os
import socket
import subprocess
import sys
import threading

PORT = 4500  # of every server
FAR = ["198.51.100.7", "2001:db8:7::7"]  # beyond the routes
NEAR = ["127.0.0.1", "::1", "192.0.2.2", "2001:db8::2"]  # the host's own
GATEWAYS = ["192.0.2.1", "2001:db8::1"]
ABSTRACT = "\0coracle-outside"
RESOLVER = "127.0.0.53"

SETUP = """
ip link set lo up
ip link add eth0 type veth peer name wire
ip link set wire up
ip address add 192.0.2.2/24 dev eth0
ip address add 2001:db8::2/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1
ip address add 198.51.100.7/32 dev lo
ip address add 2001:db8:7::7/128 dev lo nodad
mount -t tmpfs none /dev/net
mknod -m 666 /dev/net/tun c 10 200
printf '%s' "$1" >/dev/net/resolv.conf
mount --bind /dev/net/resolv.conf /etc/resolv.conf
"""


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answer_streams(server, name):
    while True:
        client, _ = server.accept()
        client.recv(1)
        client.sendall(name.encode())
        client.close()


def answer_datagrams(server, answer):
    while True:
        question, client = server.recvfrom(2048)
        server.sendto(answer(question), client)


def resolve(question):
    """Every name has the address of the first far server; no name has one of IPv6."""
    end = question.index(b"\0", 12) + 5
    known = question[end - 4:end - 2] == b"\0\x01"
    record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton(FAR[0])
    return (question[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if known else b"\0\0") + b"\0\0\0\0"
            + question[12:end] + (record if known else b""))


def serve(kind, address, answer, target):
    family = socket.AF_UNIX if isinstance(address, str) else family_of(address[0])
    server = socket.socket(family, kind)
    server.bind(address)
    if kind == socket.SOCK_STREAM:
        server.listen()
    threading.Thread(target=target, args=(server, answer), daemon=True).start()


def main():
    subprocess.run(["sh", "-euc", SETUP, "sh", sys.argv[1]], check=True)
    for address in FAR + NEAR:
        serve(socket.SOCK_STREAM, (address, PORT), address, answer_streams)
        serve(socket.SOCK_DGRAM, (address, PORT), lambda _, a=address: a.encode(), answer_datagrams)
    serve(socket.SOCK_STREAM, ABSTRACT, "abstract", answer_streams)
    serve(socket.SOCK_DGRAM, (RESOLVER, 53), resolve, answer_datagrams)
    print("ready", flush=True)
    sys.stdin.read()


# What a program says of where it was answered: KIND ADDRESS[@SOURCE] PORT ...
ASK = """
import socket, sys
words = iter(sys.argv[1:])
for kind in words:
    address, _, source = next(words).partition("@")
    port = int(next(words))
    family = socket.AF_UNIX if kind == "abstract" else socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as s:
            s.settimeout(4)
            if source:
                s.bind((source, 0))
            s.connect("\\0" + address if kind == "abstract" else (address, port))
            s.send(b"?")
            text = s.recv(100).decode() or "nothing"
    except OSError as error:
        text = "no"
    print(kind, address, text)
"""


class Outside:
    """That host; `resolver` is its /etc/resolv.conf."""

    def __init__(self, resolver):
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__,
             resolver], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def wrap(self, directory="/"):
        """What stands before a command that runs there."""
        spaces = f"/proc/{self.process.pid}/ns"
        return ["nsenter", f"--net={spaces}/net", f"--mount={spaces}/mnt", "env", "-C", directory]

    def call(self, *command):
        return subprocess.run([*self.wrap(), *command], check=False, timeout=20, text=True,
                              stdout=subprocess.PIPE).stdout

    def ask(self, *words):
        return self.call(sys.executable, "-c", ASK, *(str(word) for word in words)).strip()

    def helpers(self):
        """The processes of pasta and those that watch them."""
        space = os.readlink(f"/proc/{self.process.pid}/ns/net")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                    name = file.read().strip()
                # After the end of a process its links cannot be read.
                if name.startswith(("pasta", "passt", "coracle:net")) and os.readlink(
                        f"/proc/{pid}/ns/net") == space:
                    found.append((int(pid), name))
            except OSError:
                pass
        return found

    def close(self):
        self.process.communicate()


if __name__ == "__main__":
    main()
