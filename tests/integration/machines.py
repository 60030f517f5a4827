"""The machine that the tests run on, by CORACLE_MACHINE: `native`, the host as it is, or one of
tests/machines, in which they are run as root; and the cgroups there from which a user starts a runtime."""

import os
import pwd
import subprocess
import time

KNOWN = ("native", "systemd", "uml", "vm")
NAME = os.environ.get("CORACLE_MACHINE", "native")
NATIVE = NAME == "native"
# How many times a limit of the tests is meant there: no processor of these is this host's.
PATIENCE = {"uml": 3, "vm": 8}.get(NAME, 1)
# Both have a user manager and ranges in /etc/subuid; `tester` is the user of the modes.
USERS = {"tester": 1000, "other": 1001}
FIRST_SUBID = 100000
# session: a login session, system's cgroup of which nothing is the user's own. manager: a unit of the user's
# manager with Delegate=yes, which the user may divide. service: where the tests themselves are, root's.
PLACES = ("session", "manager", "service")
_units = {}


def is_for_here(item):
    """Whether the marker `machine` of a test names this machine."""
    marker = item.get_closest_marker("machine")
    names = marker.args if marker else ("native",)
    unknown = set(names) - set(KNOWN)
    assert not unknown, f"{item.nodeid}: no machine is called {unknown}: {KNOWN}"
    return NAME in names


def default_place(mode):
    return "service" if NATIVE or mode == "root" else "session"


def as_user(uid):
    """What stands before a command of user `uid`, who has nothing but the runtime directory."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--init-groups", "env",
            f"XDG_RUNTIME_DIR=/run/user/{uid}"]


def _start(place, uid):
    """Starts a unit that keeps the cgroup: (command that stops it, the cgroup's directory)."""
    name = f"coracle-{place}-{uid}-{os.getpid()}"
    user = as_user(uid) if place == "manager" else []
    scope = ["--user"] if user else []
    about = ["--property=Delegate=yes"]
    if not user:
        about = [f"--property=User={pwd.getpwuid(uid).pw_name}", "--property=PAMName=login"]
    subprocess.run([*user, "systemd-run", *scope, "--quiet", "--collect", f"--unit={name}", *about,
                    "sleep", "infinity"], check=True)
    ask = [*user, "systemctl", *scope, "show", "--property=MainPID", "--value", name]
    pid = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    # PAM moves the process of a session before it is executed.
    deadline = time.monotonic() + 10 * PATIENCE
    while _read(f"/proc/{pid}/comm") != "sleep\n":
        assert time.monotonic() < deadline, f"the unit {name} did not start"
        time.sleep(0.02)
    return [*user, "systemctl", *scope, "stop", name], "/sys/fs/cgroup" + cgroup_of(pid)


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def cgroup_of(pid):
    """The path of the cgroup of a process, as the root of this machine's hierarchy sees it."""
    lines = _read(f"/proc/{pid}/cgroup").splitlines()
    return next(line[3:] for line in lines if line.startswith("0::"))


def directory(place, uid):
    """The directory of the cgroup of that place, made with the first call."""
    if (place, uid) not in _units:
        _units[place, uid] = _start(place, uid)
    return _units[place, uid][1]


def enter(place, uid):
    """What stands before a command to start it in that place; root moves it there."""
    assert place in PLACES, f"no place is called {place}: {PLACES}"
    if place == "service":
        return []
    return ["sh", "-c", 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"', "sh",
            directory(place, uid)]


def end_places():
    for stop, _ in _units.values():
        subprocess.run(stop, check=False)
    _units.clear()
