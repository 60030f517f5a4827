"""`sandbox --egress`: what leaves a sandbox goes where it may, and nowhere else."""

import os
import shutil
import subprocess

import pytest

from outside import ASK as ASK_SOON, FAR, NEAR, PORT, RESOLVER
# pylint: disable=unused-import
from test_sandbox_network import PYTHON, Running, outside, sandbox

pytestmark = pytest.mark.modes("user", "root")
FOUR, SIX = FAR
ASK = ASK_SOON.replace("settimeout(4)", "settimeout(20)")  # what is refused is so at once
OPTIONS = ("--net", "pasta", "--landlock", "off")  # the filter alone
EVERY = [word for address in FAR for kind in ("tcp", "udp") for word in (kind, address, PORT)]


# What of nf_tables is needed.
PROBE = """table inet probe {
  chain raw {
    type filter hook output priority raw
    oif lo notrack
  }
  chain rest {
    type filter hook output priority filter
    ct state established accept
    meta l4proto tcp reject with tcp reset
    reject with icmpx admin-prohibited
  }
}
"""


@pytest.fixture(autouse=True)
def with_nft():
    if not os.path.exists("/usr/sbin/nft"):
        pytest.skip("nft is not there")
    if os.geteuid() == 0:
        tried = subprocess.run(["unshare", "--net", "/usr/sbin/nft", "-f", "-"], input=PROBE, text=True,
                               check=False, capture_output=True)
        assert "syntax error" not in tried.stderr, tried.stderr
        if tried.returncode:
            pytest.skip(f"machine: nft: {tried.stderr.splitlines()[:1]}")


def filtered(destinations):
    return [word for destination in destinations for word in ("--egress", destination)]


def asked(box, host, destinations, *words, options=(), **kw):
    """[(kind and address, what was said)] in the order of the words."""
    result = sandbox(box, host, *OPTIONS, *filtered(destinations), *options,
                     command=(PYTHON, "-c", ASK, *(str(word) for word in words)), **kw)
    assert result.rc == 0, str(result)
    return result.out.strip().split("\n")


def reached(box, host, *destinations):
    """Which of tcp4, udp4, tcp6 and udp6 reach their far server."""
    lines = asked(box, host, destinations, *EVERY)
    return [line.split()[0] + ("6" if ":" in line else "4") for line in lines
            if line.split()[1] == line.split()[2]]


ALL = ["tcp4", "udp4", "tcp6", "udp6"]
ROWS = [
    (["none"], []),
    (["any"], ALL),
    ([FOUR], ["tcp4", "udp4"]),
    ([f"{FOUR}:{PORT}"], ["tcp4", "udp4"]),
    ([f"{FOUR}:{PORT}/tcp"], ["tcp4"]),
    ([f"{FOUR}/udp"], ["udp4"]),
    ([f"198.51.100.0/24:{PORT - 1}-{PORT + 1}"], ["tcp4", "udp4"]),
    ([f"198.51.100.8/29:{PORT}"], []),
    ([f"{FOUR}:{PORT + 1}"], []),
    ([SIX], ["tcp6", "udp6"]),
    ([f"[2001:db8:7::]/48:{PORT}/tcp"], ["tcp6"]),
    (["2001:db8:8::/48"], []),
    ([f"any:{PORT}/udp"], ["udp4", "udp6"]),
    (["none", f"{FOUR}/tcp,{SIX}/udp"], ["tcp4", "udp6"]),
    (["0.0.0.0/0"], ["tcp4", "udp4"]),
    (["dns"], []),
]


@pytest.mark.parametrize("destinations, wanted", ROWS, ids=[" ".join(row[0]) for row in ROWS])
def test_what_is_named_is_reached_and_nothing_else(box, outside, destinations, wanted):
    assert reached(box, outside, *destinations) == wanted


def test_a_program_is_told_at_once_that_it_may_not(box, outside):
    """By an error, not by silence: ASK would say the same after a second."""
    tell = ("import socket\n"
            f"for family, address in ((2, {FOUR!r}), (10, {SIX!r})):\n"
            "    s = socket.socket(family)\n"
            "    s.settimeout(60)\n"
            "    try:\n"
            f"        s.connect((address, {PORT}))\n"
            "    except OSError as error:\n"
            "        print(error.errno)\n")
    result = sandbox(box, outside, *OPTIONS, "--egress", "none", command=(PYTHON, "-c", tell))
    assert result.out.split() == ["111", "111"], result


def test_its_own_loopback_stays(box, outside):
    script = ("import socket; l = socket.create_server(('127.0.0.1', 0)); "
              "socket.create_connection(l.getsockname()).send(b'x'); print(l.accept()[0].recv(1))")
    result = sandbox(box, outside, *OPTIONS, "--egress", "none", command=(PYTHON, "-c", script))
    assert result.out == "b'x'\n", result


LOOKUP = (PYTHON, "-c", "import socket\ntry: print(socket.gethostbyname('far.example'))\n"
          "except OSError: print('unknown')")


@pytest.mark.parametrize("outside", [f"nameserver {RESOLVER}\n"], indirect=True, ids=["loopback"])
@pytest.mark.parametrize("destination, said", [("dns", FOUR), ("none", "unknown"),
                                               ("dns/udp", FOUR)])
def test_name_servers_are_asked_if_they_may(box, outside, destination, said):
    result = sandbox(box, outside, *OPTIONS, "--egress", destination, command=LOOKUP)
    assert result.out == said + "\n", result


@pytest.mark.parametrize("outside", ["nameserver 192.0.2.53\nnameserver 2001:db8::53\n"],
                         indirect=True, ids=["near"])
def test_of_a_name_server_only_its_port_is_there(box, outside):
    assert asked(box, outside, ["dns"], *EVERY) == [
        f"{kind} {address} no" for address in FAR for kind in ("tcp", "udp")]


@pytest.mark.parametrize("outside", [f"nameserver {RESOLVER}\n"], indirect=True, ids=["loopback"])
def test_a_name_is_its_addresses_at_the_start(box, outside):
    assert reached(box, outside, f"far.example:{PORT}/tcp") == ["tcp4"]


def test_a_name_without_an_address_is_an_error(box, outside):
    result = sandbox(box, outside, *OPTIONS, "--egress", "no.such.invalid",
                     command=("echo", "ran"), timeout=90)
    assert result.rc == 125 and result.out == "", result
    assert "egress no.such.invalid: no address is known" in result.err, result


def test_a_published_port_is_answered(box, outside):
    script = (f"{PYTHON} -c \"import socket; l = socket.create_server(('', {PORT + 9})); "
              "print('up', flush=True); c = l.accept()[0]; c.recv(1); c.send(b'served'); c.recv(1)\"")
    running = Running(box, outside, "--egress", "none", "--publish", str(PORT + 9), script=script)
    said = outside.ask("tcp", NEAR[0], PORT + 9)
    running.process.wait(20)
    running.out.close()
    assert said == f"tcp {NEAR[0]} served"


# ---- ways round it

TRIES = """
import ctypes, os, socket, struct, subprocess
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, act):
    try:
        act()
        print(name, "DONE", flush=True)
    except (OSError, subprocess.CalledProcessError):
        print(name, "refused", flush=True)

def call(result):
    if result != 0:
        raise OSError(ctypes.get_errno())

def flush():
    subprocess.run(["/usr/sbin/nft", "flush", "ruleset"], check=True, stderr=subprocess.DEVNULL)

def frame():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).bind(("lo", 0))

def netlink():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.bind((0, 0))
    begin = struct.pack("=IHHIIBBH", 20, 16, 1, 1, 0, 0, 0, socket.htons(10))
    delete = struct.pack("=IHHIIBBH", 20, (10 << 8) | 2, 5, 2, 0, 1, 0, 0)
    end = struct.pack("=IHHIIBBH", 20, 17, 1, 3, 0, 0, 0, socket.htons(10))
    s.send(begin + delete + end)
    s.settimeout(5)
    code = -struct.unpack_from("=i", s.recv(4096), 16)[0]
    if code:
        raise OSError(code, "refused")

attempt("flush", flush)
attempt("netlink", netlink)
attempt("frame", frame)
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 255))
attempt("tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
attempt("mark", lambda: socket.socket().setsockopt(socket.SOL_SOCKET, 36, 1))
if os.fork() == 0:
    attempt("unshare", lambda: call(libc.unshare(0x10000000 | 0x40000000)))
    os._exit(0)
os.wait()
"""


# A datagram over the loopback device, by an address that is not the sandbox's, is no question to which
# what is sent there next would be the answer.
FORGE = f"""
import socket, sys
far, family, option = sys.argv[1], *((10, (41, 78)) if ":" in sys.argv[1] else (2, (0, 15)))
probe = socket.socket(family, socket.SOCK_DGRAM)
probe.connect((far, {PORT}))
own = probe.getsockname()[0]
asks = socket.socket(family, socket.SOCK_DGRAM)
asks.bind((own, 5555))
forges = socket.socket(family, socket.SOCK_DGRAM)
forges.setsockopt(*option, 1)
try:
    forges.bind((far, {PORT}))
    forges.sendto(b"x", (own, 5555))
    print(asks.recv(9))
except OSError as error:
    print("not forged:", error)
asks.settimeout(5)
try:
    asks.sendto(b"out", (far, {PORT}))
    print("answered", asks.recv(100))
except OSError as error:
    print("refused", error)
"""


@pytest.mark.parametrize("address", FAR)
def test_an_answer_is_not_forged(box, outside, address):
    result = sandbox(box, outside, *OPTIONS, "--egress", "none", command=(PYTHON, "-c", FORGE, address))
    assert "refused" in result.out and "answered" not in result.out, result
    assert ("b'x'" in result.out) == (":" in address), result


@pytest.mark.parametrize("options", [(), ("--user", "0"), ("--user", "0", "--seccomp", "none", "--cap", (
    "chown,dac_override,fowner,kill,setgid,setuid,setpcap,sys_chroot,sys_admin,net_bind_service"))],
    ids=["default", "root", "capable"])
def test_the_program_does_not_change_it(box, outside, options):
    more = () if "--cap" not in options else ("--allow-userns",)
    result = sandbox(box, outside, *OPTIONS, "--egress", f"{FOUR}/tcp", *options, *more,
                     command=(PYTHON, "-c", TRIES + ASK.replace("sys.argv[1:]", repr(
                         [str(word) for word in EVERY]))))
    lines = result.out.strip().split("\n")
    refused = ["flush", "netlink", "frame", "raw", "tun", "mark"] + ([] if more else ["unshare"])
    assert [name for name in refused if f"{name} refused" not in lines] == [], result
    assert [line for line in lines if line.endswith(tuple(FAR)) and not line.startswith(f"tcp {FOUR}")] == []
    assert f"tcp {FOUR} {FOUR}" in lines, result


def test_nobody_else_is_filtered(box, outside):
    running = Running(box, outside, "--egress", "none")
    assert outside.ask("tcp", FOUR, PORT) == f"tcp {FOUR} {FOUR}"
    assert outside.call("/usr/sbin/nft", "list", "ruleset") == ""
    running.end()


# ---- what is wrong or missing

WRONG = [
    (["--net", "none", "--egress", FOUR], "egress needs net pasta: without it nothing leads out"),
    (["--net", "host", "--egress", FOUR], "the network of the host is not the sandbox's to filter"),
    ([*OPTIONS, "--egress", FOUR, "--cap", "net_admin"], "with CAP_NET_ADMIN the program gets round"),
    ([*OPTIONS, "--egress", FOUR, "--cap", "net_raw"], "with CAP_NET_RAW the program gets round"),
    ([*OPTIONS, "--egress", FOUR, "--cap", "all"], "the program gets round"),
    ([*OPTIONS, "--egress", ""], "must be none, any, dns"),
    ([*OPTIONS, "--egress", "any,,dns"], "must be none, any, dns"),
    ([*OPTIONS, "--egress", "198.51.100.0/33"], "from 0 to 32"),
    ([*OPTIONS, "--egress", "any; flush ruleset"], "must be none, any, dns"),
]


@pytest.mark.parametrize("options, says", WRONG, ids=[" ".join(row[0][-3:]) for row in WRONG])
def test_what_filters_nothing_is_refused(box, outside, options, says):
    result = sandbox(box, outside, *options, command=("echo", "ran"))
    assert result.rc == 125 and result.out == "" and says in result.err, result
    assert result.err.count("\n") == 1, result


def test_without_nft_its_package_is_named(box, outside):
    outside.call("mount", "--bind", "/dev/null", os.path.realpath(shutil.which(
        "nft", path="/usr/sbin:/sbin")))
    result = sandbox(box, outside, *OPTIONS, "--egress", "any", command=("echo", "ran"))
    assert result.rc == 125 and "install the package nftables" in result.err, result
    assert result.out == "" and result.err.count("\n") == 1, result


@pytest.mark.parametrize("script, says", [
    ("echo 'Error: Could not process rule: Operation not supported' >&2; exit 1",
     "/usr/sbin/nft: Error: Could not process rule: Operation not supported"),
    ("kill -9 $$", "it was killed by SIGKILL")])
def test_without_a_filter_the_program_is_not_started(box, outside, script, says):
    outside.call("sh", "-euc", 'printf "%s" "$1" >/dev/net/nft; chmod 755 /dev/net/nft; mount --bind '
                 '/dev/net/nft "$2"', "sh", f"#!/bin/sh\n{script}\n", os.path.realpath("/usr/sbin/nft"))
    result = sandbox(box, outside, *OPTIONS, "--egress", "any", command=("echo", "ran"))
    assert result.rc == 125 and result.out == "" and says in result.err, result


def test_what_sets_it_up_may_do_that_alone(box, outside):
    """Of the caller's user, with one capability, and no fd or word of the caller's."""
    path, told = os.path.join(box.dir, "nft"), os.path.join(box.directory("told", 0o777), "it")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{{ grep -E '^(Cap|NoNewPrivs)' /proc/self/status; env; "
                   f"readlink /proc/$$/fd/*; }} >{told}; exec /usr/sbin/nft.real \"$@\"\n")
    os.chmod(path, 0o755)
    real = os.path.realpath("/usr/sbin/nft")
    outside.call("sh", "-euc", f"mkdir /dev/net/u /dev/net/w; mount -t overlay -o "
                 f"lowerdir=/usr/sbin,upperdir=/dev/net/u,workdir=/dev/net/w none /usr/sbin; "
                 f"cp {real} /usr/sbin/nft.real; cp {path} /usr/sbin/nft")
    assert reached(box, outside, f"{FOUR}/tcp") == ["tcp4"]
    with open(told, encoding="ascii") as file:
        lines = file.read()
    admin = f"{1 << 12:016x}"
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert f"{name}:\t{admin}" in lines, lines
    assert "NoNewPrivs:\t1" in lines and "SECRET" not in lines and "HOME" not in lines, lines
    opened = [line for line in lines.split("\n") if line.startswith(("/", "pipe:", "socket:"))]
    assert len(opened) == 5 and opened[:3] == ["/memfd:coracle-stdin (deleted)", told, "/usr/sbin/nft"]
    assert opened[3] == opened[4] and opened[3].startswith("pipe:"), opened  # it is told back by


# ---- profiles, plans


def test_a_profile_names_them(box, outside):
    home = box.directory("home")
    profile = os.path.join(home, "few.yaml")
    with open(profile, "w", encoding="ascii") as file:
        file.write(f"net: pasta\nlandlock: off\negress:\n  - {FOUR}/tcp\n  - dns\n")
    result = sandbox(box, outside, "--profile", profile, command=(
        PYTHON, "-c", ASK, *(str(word) for word in EVERY)))
    assert [line for line in result.out.split("\n") if line.endswith(tuple(FAR))] == [
        f"tcp {FOUR} {FOUR}"], result


def test_the_plan_says_it(box, outside):
    for option in ("--dry-run", "--plan"):
        result = sandbox(box, outside, *OPTIONS, "--egress", f"{FOUR}:443,any:80/tcp", option)
        assert result.rc == 0 and f"egress to {FOUR}:443, any:80/tcp" in result.out, result
