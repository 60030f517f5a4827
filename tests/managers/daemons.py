"""Daemons of the suites: started with settings of their own, beside those of the host; without root
below rootlesskit, as their own scripts for rootless use start them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from frame import eventually, require

DAEMONS = {"docker", "containerd"}


def is_rootless():
    return "ROOTLESSKIT_STATE_DIR" in os.environ


def prepare(managers):
    """Without root, the daemons among `managers` are started below rootlesskit: this program runs
    again, as root of a user namespace, with a network, a /etc and a /run of its own."""
    if is_rootless():
        _forget_host_daemons()
    elif os.geteuid() != 0 and DAEMONS.intersection(managers):
        if not DAEMONS.issuperset(managers):
            sys.exit(f"tests/managers: without root, {' and '.join(sorted(DAEMONS))} have a run of their own")
        if not shutil.which("rootlesskit"):
            sys.exit("tests/managers: daemons without root need rootlesskit (Debian: rootlesskit)")
        # The network leads nowhere: that is enough, and wants no /dev/net/tun.
        words = ["rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave",
                 "unshare", "--net", sys.executable, *sys.argv]
        os.execvp(words[0], words)


def _forget_host_daemons():
    """What the daemons make below /run is their own: there are links to what the host's have made."""
    for name in ("docker", "containerd", "xtables.lock"):
        link = Path("/run", name)
        if link.is_symlink():
            link.unlink()


def find_facts():
    """Controllers that containers may have; `systemd`; `root` or `rootless`."""
    user = os.environ.get("ROOTLESSKIT_PARENT_EUID")
    place = f"user.slice/user-{user}.slice/user@{user}.service" if is_rootless() else ""
    controllers = Path("/sys/fs/cgroup", place, "cgroup.controllers")
    facts = set(controllers.read_text().split()) if controllers.exists() else set()
    if Path(f"/run/user/{user}/systemd" if is_rootless() else "/run/systemd/system").exists():
        facts.add("systemd")
    return facts | {"rootless" if is_rootless() else "root"}


class Daemon:
    """A process with a log, which is ready when `ask()` is true."""

    def __init__(self, words, directory, env, ask):
        log = Path(directory, f"{words[0]}.log")
        with open(log, "ab") as file:
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file, env=env, start_new_session=True)

        def is_ready():
            require(self.process.poll() is None,
                    f"{words[0]} ended: {log.read_text(errors='replace')[-400:]}")
            return ask()

        try:
            eventually(is_ready, f"{words[0]} answers", 60)
        except BaseException:
            self.end(kill=True)
            raise

    def end(self, kill=False):
        """It has ended, and was reaped."""
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_containerd(directory, env, cri):
    """containerd with its state in `directory`, its socket is containerd.sock there. `cri` is the
    text of its CRI plugin's settings; without, it has none."""
    socket = Path(directory, "containerd.sock")
    settings = Path(directory, "containerd.toml")
    settings.write_text(
        f'version = 2\nroot = "{directory}/containerd-root"\nstate = "{directory}/containerd-state"\n'
        + ("" if cri else 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        + f'[grpc]\n  address = "{socket}"\n{cri}', encoding="utf-8")
    return Daemon(["containerd", "--config", settings], directory, env, lambda: subprocess.run(
        ["ctr", "--address", socket, "version"], check=False, capture_output=True,
        timeout=20).returncode == 0)
