"""What a test may have left on the host: processes, mounts, cgroups, files."""

import contextlib
import os
import threading
import time


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def process_state(pid):
    """The state letter of /proc/PID/stat, or "" if there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    return chr(text[text.rindex(b")") + 2]) if text else ""


def start_time(pid):
    text = _read(f"/proc/{pid}/stat")
    return int(text[text.rindex(b")") + 2:].split()[19]) if text else 0


def _reap_if_ours(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def _children():
    found = []
    for task in os.listdir("/proc/self/task"):
        found += [int(pid) for pid in _read(f"/proc/self/task/{task}/children").split()]
    return found


def reap_children(but=(), wanted=lambda pid: True):
    """Reaps the dead that came to this process as their subreaper, not the children `but`. A zombie
    keeps its session keyring, and a user may have 200 of them."""
    for pid in _children():
        if pid not in but and process_state(pid) == "Z" and wanted(pid):
            _reap_if_ours(pid)


def _is_in_another_pid_namespace(pid):
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"NSpid:"):
            return len(line.split()) > 2
    return False


@contextlib.contextmanager
def reaping():
    """Meanwhile the dead of containers are reaped that come to this process as their subreaper: a pid
    namespace ends once all of it is reaped, and what is killed is not dead at once."""
    ended = threading.Event()

    def reap():
        while not ended.wait(0.01):
            reap_children(wanted=_is_in_another_pid_namespace)

    thread = threading.Thread(target=reap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _belongs(pid, mark, directory, uid):
    where = f"/proc/{pid}"
    if uid is not None:
        for line in _read(f"{where}/status").splitlines():
            if line.startswith(b"Uid:"):
                if str(uid).encode() in line.split()[1:]:
                    return "its uid"
                break
    if mark.encode() in _read(f"{where}/environ"):
        return "its environment"
    cmdline = _read(f"{where}/cmdline")
    if mark.encode() in cmdline or directory.encode() in cmdline:
        return "its arguments"
    for name in ("exe", "root", "cwd"):
        if _link(f"{where}/{name}").startswith(directory):
            return f"its {name}"
    # A mount in the namespace of this process is every process's here: it belongs to nobody.
    # There it is a path from the top of its file system.
    if (_link(f"{where}/ns/mnt") != _link("/proc/self/ns/mnt")
            and os.path.basename(directory).encode() in _read(f"{where}/mountinfo")):
        return "its mounts"
    return ""


def now():
    """The time in the unit of start_time."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def find_processes(mark, directory, since, uid=None, but=()):
    """Live processes that belong to a test: [(pid, text)]. Who is older than `since`, the start of
    the test by now(), does not. Zombies of our own are reaped."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid() or int(name) in but:
            continue
        pid = int(name)
        if start_time(pid) < since:
            continue
        why = _belongs(pid, mark, directory, uid)
        if not why:
            continue
        state = process_state(pid)
        if state in ("Z", "X", ""):
            _reap_if_ours(pid)
            continue
        if _read(f"/proc/{pid}/statm").startswith(b"0 "):
            continue  # killed, without memory already, and soon a zombie
        cmdline = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
        comm = _read(f"/proc/{pid}/comm").decode(errors="replace").strip()
        found.append((pid, f"process {pid} ({comm}, {state}, known by {why}): {cmdline[:300]}"))
    return found


def find_mounts(directory):
    lines = _read("/proc/self/mountinfo").decode(errors="replace").splitlines()
    return [f"mount {line}" for line in lines if directory in line]


def find_cgroups(mark):
    found = []
    for base, names, _ in os.walk("/sys/fs/cgroup"):
        found += [f"cgroup {base}/{name}" for name in names if mark in name]
    return found


def find_files(directories, kept):
    """Entries of `directories` that are not in `kept`, a set of absolute paths."""
    found = []
    for directory in directories:
        if os.path.isdir(directory):
            for name in sorted(os.listdir(directory)):
                path = os.path.join(directory, name)
                if path not in kept:
                    found.append(f"file {path}")
    return found


def wait_for_none(find, seconds=1.0):
    """Asks `find` until it says nothing or the time is over; returns its last answer."""
    deadline = time.monotonic() + seconds
    while True:
        left = find()
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def end_processes(found):
    for pid, _ in found:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
    for pid, _ in found:
        for _ in range(100):
            if process_state(pid) in ("", "Z"):
                break
            time.sleep(0.01)
        _reap_if_ours(pid)
