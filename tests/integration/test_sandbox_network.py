"""`sandbox --net pasta`: a network of its own that leads out, and in only where it is published."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

import harness
from outside import ABSTRACT, ASK, FAR, GATEWAYS, NEAR, PORT, RESOLVER, Outside

# The user namespace of the third mode has another mount namespace, with the machine's own devices.
pytestmark = pytest.mark.modes("user", "root")
WEB = os.path.join(harness.CHECKOUT, "contrib", "profiles", "web.yaml")
PATH = "/usr/local/bin:/usr/bin:/bin"
PYTHON = "/usr/bin/python3"


@pytest.fixture
def outside(box, request):
    if os.geteuid() != 0:
        pytest.skip("a host with a network is made as root")
    if shutil.which("pasta") is None:
        pytest.skip("pasta is not there")
    if not os.path.exists("/sys/class/misc/tun"):
        pytest.skip("machine: this kernel has no tun device")
    host = Outside(getattr(request, "param", "nameserver 192.0.2.53\n"))
    yield host
    left = harness.eventually(lambda: host.helpers() == [], 5) or host.helpers()
    host.close()
    assert left is True, left


def arguments(box, outside):
    work = os.path.join(box.dir, "home")
    if not os.path.isdir(work):
        box.directory("home")
    return {"wrap": outside.wrap(work), "env": {**box.runtime.env, "PATH": PATH, "HOME": work}}


def sandbox(box, outside, *args, command=("true",), **kw):
    more = arguments(box, outside)
    result = box.call("sandbox", *args, "--", *command, **more, **kw)
    assert box.leavings() == []
    assert outside.helpers() == []
    return result


def asked(box, outside, net, *words):
    result = sandbox(box, outside, "--net", net, "--landlock", "off",  # the network alone
                     command=(PYTHON, "-c", ASK, *(str(word) for word in words)))
    assert result.rc == 0, str(result)
    return result.out.strip().split("\n")


class Running:
    """A sandbox that has said "up"."""

    def __init__(self, box, outside, *args, script="echo up; exec sleep 300",
                 net=("--net", "pasta")):
        more = arguments(box, outside)
        self.out = open(os.path.join(box.dir, f"running-{random.random()}"), "w+b")
        os.fchmod(self.out.fileno(), 0o666)
        self.process = box.runtime.popen(
            [*more["wrap"], *box.runtime.argv("sandbox", *net, *args, "--", "sh", "-c", script)], self.out, self.out, env=more["env"])
        if not harness.eventually(lambda: os.path.getsize(self.out.name) > 0, 20):
            self.end()
            raise AssertionError("never up")

    def said(self):
        with open(self.out.name, encoding="ascii") as file:
            return file.read()

    def end(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        code = self.process.wait(20)
        self.out.close()
        return code


# ---- out


def test_what_is_outside_is_reached(box, outside):
    words = [word for address in FAR for kind in ("tcp", "udp") for word in (kind, address, PORT)]
    assert asked(box, outside, "pasta", *words) == [
        f"{kind} {address} {address}" for address in FAR for kind in ("tcp", "udp")]


def test_without_it_nothing_is(box, outside):
    assert asked(box, outside, "none", "tcp", FAR[0], PORT) == [f"tcp {FAR[0]} no"]


def test_the_network_is_there_before_the_program(box, outside):
    result = sandbox(box, outside, "--net", "pasta", command=("cat", "/proc/net/route"))
    assert result.rc == 0 and re.search(r"^eth0\s+00000000\s", result.out, re.M), result


LOOKUP = (PYTHON, "-c", "import socket; print(socket.gethostbyname('far.example'))")


@pytest.mark.parametrize("outside", [f"search example\nnameserver {RESOLVER}\n"], indirect=True,
                         ids=["loopback"])
def test_a_resolver_on_the_hosts_loopback_is_asked(box, outside):
    result = sandbox(box, outside, "--net", "pasta", command=LOOKUP)
    assert result.out == FAR[0] + "\n", result
    result = sandbox(box, outside, "--net", "pasta", command=("cat", "/etc/resolv.conf"))
    assert result.out == "nameserver 169.254.1.1\n", result


def test_another_resolver_stays(box, outside):
    result = sandbox(box, outside, "--net", "pasta", command=("cat", "/etc/resolv.conf"))
    assert result.out == "nameserver 192.0.2.53\n", result


# ---- what stays closed


def loopback_words():
    words = [word for address in NEAR + GATEWAYS for kind in ("tcp", "udp")
             for word in (kind, address, PORT)]
    return [*words, "udp", "169.254.1.1", PORT, "abstract", ABSTRACT[1:], 0]


def test_what_is_on_the_host_is_not_reached(box, outside):
    lines = asked(box, outside, "pasta", *loopback_words())
    assert len(lines) == 14 and [line for line in lines if not line.endswith(" no")] == []


@pytest.mark.modes("user")
def test_with_the_hosts_network_it_is(box, outside):
    """The control: the servers are there."""
    lines = asked(box, outside, "host", *loopback_words())
    assert {line.split()[1] for line in lines if not line.endswith(" no")} == {
        *NEAR, ABSTRACT[1:]}


@pytest.mark.parametrize("outside", [f"nameserver {RESOLVER}\n"], indirect=True, ids=["loopback"])
def test_the_forwarded_resolver_leads_to_nothing_else(box, outside):
    words = ["udp", "169.254.1.1", PORT, "tcp", "169.254.1.1", PORT]
    assert asked(box, outside, "pasta", *words) == ["udp 169.254.1.1 no", "tcp 169.254.1.1 no"]


def test_a_port_that_the_program_opens_is_not_the_hosts(box, outside):
    running = Running(box, outside, script=server("tcp", "0.0.0.0", 4600))
    assert outside.ask(*(w for a in NEAR for w in ("tcp", a, 4600))) == "\n".join(
        f"tcp {a} no" for a in NEAR)
    running.end()


def links_of(pid):
    """Of its open files, but for those that are closed meanwhile."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{fd}")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return file.read()


def test_pasta_gets_nothing_of_the_callers(box, outside):
    running = Running(box, outside)
    try:
        # Once it is in the background it takes another name, and its filter.
        assert harness.eventually(lambda: sorted(
            name.split(":")[0].split(".")[0] for _, name in outside.helpers()) == ["coracle", "passt"])
        for pid, name in outside.helpers():
            links = list(links_of(pid))
            assert [link for link in links if link.startswith(box.dir)] == [], (name, links)
            if name.startswith("passt"):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    assert file.read().strip(b"\0") == b""
                assert harness.eventually(lambda pid=pid: "Seccomp:\t2" in status_of(pid))
    finally:
        running.end()


# ---- in


def server(kind, address, port):
    """A script that says "up" and answers "sandbox"."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    body = ("s.listen()\nprint('up', flush=True)\nwhile True:\n  c = s.accept()[0]\n"
            "  c.recv(1)\n  c.sendall(b'sandbox')\n  c.close()\n") if kind == "tcp" else (
                "print('up', flush=True)\nwhile True:\n  q, c = s.recvfrom(99)\n"
                "  s.sendto(b'sandbox', c)\n")
    kind = "SOCK_STREAM" if kind == "tcp" else "SOCK_DGRAM"
    return (f"exec {PYTHON} -c \"\nimport socket\ns = socket.socket(socket.{family}, "
            f"socket.{kind})\ns.bind(('{address}', {port}))\n{body}\"")


@pytest.mark.parametrize("kind, said, address, port, bound", [
    ("tcp", "4601", "127.0.0.1", 4601, "0.0.0.0"),
    ("tcp", "4602:80/tcp", "127.0.0.1", 4602, "0.0.0.0"),
    ("udp", "4603:4604/udp", "127.0.0.1", 4603, "0.0.0.0"),
    ("tcp", "[::1]:4605", "::1", 4605, "::"),
    ("tcp", "192.0.2.2:4606", "192.0.2.2", 4606, "0.0.0.0")])
def test_a_published_port_leads_in(box, outside, kind, said, address, port, bound):
    inside = {"4602:80/tcp": 80, "4603:4604/udp": 4604}.get(said, port)
    args = ["--publish", said] + (["--cap", "net_bind_service"] if inside < 1024 else [])
    running = Running(box, outside, *args, script=server(kind, bound, inside))
    try:
        assert outside.ask(kind, address, port) == f"{kind} {address} sandbox"
        others = [other for other in NEAR if other != address]
        assert outside.ask(*(w for a in others for w in (kind, a, port))) == "\n".join(
            f"{kind} {a} no" for a in others)
        if address == "192.0.2.2":
            assert outside.ask(kind, f"{address}@{FAR[0]}", port) == f"{kind} {address} sandbox"
    finally:
        running.end()


def test_the_shipped_profile_web_serves(box, outside):
    profile = shutil.copy(WEB, box.dir)
    box.give(profile)
    arguments(box, outside)
    with open(os.path.join(box.dir, "home", "index.html"), "w", encoding="ascii") as file:
        file.write("hello")
    running = Running(box, outside, "--profile", profile, net=(), script=(
        "touch x 2>/dev/null && exit 9; exec python3 -u -m http.server 8080"))
    try:
        get = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').read().decode())"
        assert outside.call(PYTHON, "-c", get) == "hello\n"
    finally:
        running.end()


def test_a_port_in_use_is_pastas_word(box, outside):
    result = sandbox(box, outside, "--net", "pasta", "--publish", f"127.0.0.1:{PORT}",
                     command=("echo", "ran"))
    assert result.rc == 125 and result.out == "", result
    assert result.err.startswith("coracle: pasta: ") and str(PORT) in result.err, result
    assert result.err.count("\n") == 1, result


@pytest.mark.modes("user")
def test_a_port_of_root_is_not_the_users(box, outside):
    result = sandbox(box, outside, "--net", "pasta", "--publish", "80")
    assert result.rc == 125 and result.err.startswith("coracle: pasta: "), result
    assert "80" in result.err, result


def test_a_range_of_ports_leads_in(box, outside):
    script = (f"{PYTHON} -c \"import socket; a, b = (socket.create_server(('', p)) for p in (9100, 9101)); "
              "print('up', flush=True)\nfor l in (b, a): c = l.accept()[0]; c.recv(1); "
              "c.send(b'%d' % l.getsockname()[1]); c.recv(1)\"")
    running = Running(box, outside, "--publish", "4620-4621:9100-9101", script=script)
    said = [outside.ask("tcp", NEAR[0], port) for port in (4621, 4620)]
    running.process.wait(20)
    running.out.close()
    assert said == [f"tcp {NEAR[0]} 9101", f"tcp {NEAR[0]} 9100"]


@pytest.mark.parametrize("net", ["none", "host"])
def test_to_publish_needs_pasta(box, outside, net):
    result = sandbox(box, outside, "--net", net, "--publish", "80")
    assert result.rc == 125 and "publish needs net pasta" in result.err, result


# ---- what is missing


def test_without_pasta_its_package_is_named(box, outside):
    outside.call("mount", "--bind", "/dev/null", shutil.which("pasta"))
    result = sandbox(box, outside, "--net", "pasta", command=("echo", "ran"))
    assert result.rc == 125 and "install the package passt" in result.err, result
    assert result.out == "" and result.err.count("\n") == 1, result


@pytest.mark.modes("user")
@pytest.mark.parametrize("how, says", [("chmod 600 /dev/net/tun", "Permission denied"),
                                       ("rm /dev/net/tun", "No such file")])
def test_without_its_device_the_cure_is_named(box, outside, how, says):
    outside.call("sh", "-c", how)
    result = sandbox(box, outside, "--net", "pasta", command=("echo", "ran"))
    assert result.rc == 125 and result.out == "" and says.lower() in result.err, str(result)
    assert "/dev/net/tun" in result.err and result.err.count("\n") == 1, result
    report = sandbox(box, outside, "--net", "pasta", "--plan")
    assert "will fail" in report.out and "/dev/net/tun" in report.out, report


def test_without_a_way_out_it_says_so(box, outside):
    outside.call("ip", "link", "del", "eth0")
    result = sandbox(box, outside, "--net", "pasta", command=("echo", "ran"))
    assert result.rc == 125 and result.out == "", result
    assert "pasta: " in result.err and "No external routable interface" in result.err, result


@pytest.mark.parametrize("form", ["json", "bundle"])
def test_a_bundle_has_no_word_for_it(box, outside, form):
    place = ["--bundle", os.path.join(box.dir, "home", "made")] if form == "bundle" else []
    result = sandbox(box, outside, "--net", "pasta", "--emit", form, *place)
    assert result.rc == 125 and "--emit: --net pasta" in result.err, result
    assert not os.path.exists(os.path.join(box.dir, "home", "made"))


def test_the_plan_names_it(box, outside):
    for option in ("--dry-run", "--plan"):
        result = sandbox(box, outside, "--net", "pasta", "--publish", "4607", option)
        assert result.rc == 0 and "pasta --quiet" in result.out, result
        assert "-t 127.0.0.1/4607:4607" in result.out and "--no-map-gw" in result.out, result


# ---- the end


def test_the_exit_code_is_the_programs(box, outside):
    assert sandbox(box, outside, "--net", "pasta", command=("sh", "-c", "exit 7")).rc == 7
    assert sandbox(box, outside, "--net", "pasta", command=("sh", "-c", "kill -9 $$; :")).rc in (
        0, 137)


def test_its_time_is_limited(box, outside):
    result = sandbox(box, outside, "--net", "pasta", "--timeout", "1s", command=("sleep", "300"))
    assert result.rc == 124, result


def test_it_is_gone_with_coracle(box, outside):
    box.ids.append("k")
    running = Running(box, outside, "--name", "k")
    assert len(outside.helpers()) == 2
    running.end(signal.SIGKILL)
    assert harness.eventually(lambda: outside.helpers() == [], 20)
    harness.eventually(lambda: json.loads(box.must("state", "k").out)["status"] == "stopped", 20)
    box.must("delete", "k")


def test_it_is_gone_without_its_watcher_too(box, outside):
    running = Running(box, outside, script="echo up; read x </dev/zero; sleep 300")
    [watcher] = [pid for pid, name in outside.helpers() if name.startswith("coracle:net")]
    os.kill(watcher, signal.SIGKILL)
    assert harness.eventually(lambda: len(outside.helpers()) == 1, 20)
    assert running.end() == 143
    assert outside.helpers() == []


def test_it_is_gone_with_the_program(box, outside):
    box.ids.append("p")
    running = Running(box, outside, "--name", "p")
    os.kill(json.loads(box.must("state", "p").out)["pid"], signal.SIGKILL)
    assert running.process.wait(20) == 137
    assert outside.helpers() == [] and box.leavings() == []


def test_what_is_kept_has_no_helper(box, outside):
    box.ids.append("kept")
    more = arguments(box, outside)
    box.must("sandbox", "--net", "pasta", "--name", "kept", "--keep", "--", "true", **more)
    assert outside.helpers() == []
    box.must("delete", "kept")


def test_killed_at_any_time_it_leaves_no_helper(box, outside):
    more = arguments(box, outside)
    chance = random.Random(os.environ.get("CORACLE_SEED", "1"))
    names = [f"storm{number}" for number in range(20)]
    box.ids.extend(names)
    for name in names:
        process = box.runtime.popen(
            [*more["wrap"], *box.runtime.argv("sandbox", "--net", "pasta", "--name", name, "--",
                                              "sleep", "300")],
            subprocess.DEVNULL, subprocess.DEVNULL, env=more["env"])
        time.sleep(chance.uniform(0.0, 0.25))
        process.kill()
        process.wait()
    assert harness.eventually(lambda: outside.helpers() == [], 20), outside.helpers()
    for name in names:
        if os.path.lexists(os.path.join(box.runtime.root, name)):
            box.must("delete", "--force", name)
    assert harness.eventually(lambda: box.leavings() == [], 20), box.leavings()
