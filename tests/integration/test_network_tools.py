"""What a plain user's tools do with a container between `create` and `start`: nsenter(1), pasta(1)."""

import os
import signal
import subprocess

import pytest

import id_ranges
from harness import eventually

pytestmark = pytest.mark.modes("user")
MAPS = {"single": None, "ranges": [[0, id_ranges.FIRST, id_ranges.COUNT]]}
# Where only root may open the host's, another user gets a network device of this one.
WITH_TUN = 'mount --bind "$0" /dev/net/tun && exec "$@"'


def create(box, kind):
    if MAPS[kind] is None:
        return box.create("pause")
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    host = id_ranges.Host(box, f"{{name}}:{id_ranges.FIRST}:{id_ranges.COUNT}\n")
    bundle = box.bundle("pause", edit=id_ranges.use_range(MAPS[kind]))
    return box.create(bundle=bundle, wrap=host.wrap)


def as_user(box, *argv, wrap=()):
    return subprocess.run(
        [*wrap, "setpriv", f"--reuid={box.uid}", f"--regid={box.uid}", "--clear-groups", "--",
         *map(str, argv)], check=False, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("kind", MAPS)
def test_nsenter_enters_a_created_container(box, kind):
    container = create(box, kind)
    inside = as_user(box, "nsenter", "--target", container.pid, "--user", "--net", "--uts",
                     "--preserve-credentials", "readlink", "/proc/self/ns/net")
    assert inside.stdout.strip() == os.readlink(f"/proc/{container.pid}/ns/net"), inside
    result = box.call("exec", container.id, "/bin/guest", "exit", "3")
    assert result.rc == 3, result


@pytest.mark.parametrize("kind", MAPS)
def test_pasta_connects_a_created_container(box, kind):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("machine: no /dev/net/tun")
    container = create(box, kind)
    tun = f"{box.directory('tun')}/tun"
    os.mknod(tun, 0o20666, os.makedev(10, 200))
    os.chmod(tun, 0o666)
    pid_file = f"{box.directory('pasta')}/pid"
    box.give(os.path.dirname(pid_file))
    done = as_user(box, "pasta", "--config-net", "-P", pid_file, container.pid,
                   wrap=["unshare", "-m", "--propagation", "private", "sh", "-c", WITH_TUN, tun])
    assert done.returncode == 0, done.stderr
    box.must("start", container.id)

    def has_device():
        with open(f"/proc/{container.pid}/net/dev", encoding="ascii") as file:
            return len(file.read().splitlines()) > 3
    assert eventually(has_device)
    with open(pid_file, encoding="ascii") as file:
        pasta = int(file.read())
    os.kill(pasta, signal.SIGKILL)
    os.waitpid(pasta, 0)  # a child of this process by now
