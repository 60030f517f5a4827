"""Daemons of the suites: started with settings of their own, beside those of the host."""

import subprocess
from pathlib import Path

from frame import eventually, require


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
