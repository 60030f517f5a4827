"""podman run and exec: the process, its streams, its terminal, its user."""

import fcntl
import os
import re
import shutil
import socket

from frame import require

IMAGE = "localhost/box:1"


def add(step):
    add_run(step)
    add_terminal(step)
    add_exec(step)
    add_user(step)
    add_descriptors(step)


def add_run(step):
    @step("run: output and exit code", quick=True)
    def _(podman):
        podman.ran(IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3", stderr=True)
        podman.ran(IMAGE, "true")
        podman.ran(IMAGE, "sh", "-c", "sh -c 'kill -KILL $$'")
        podman.ran("--interactive", IMAGE, "cat", stdin="typed\n")

    @step("run: environment, directory, names")
    def _(podman):
        podman.shell("env | sort", "--env=A=1", "--env=B", "--hostname=box", "--unsetenv=HOME",
                     env={"B": "2"})
        podman.shell("pwd", "--workdir=/data")
        podman.shell("pwd", "--workdir=/new/one")
        podman.shell("hostname; cat /etc/hostname", "--hostname=box")
        podman.shell("grep other /etc/hosts", "--add-host=other:10.0.0.9")
        podman.shell("cat /etc/resolv.conf", "--dns=10.0.0.8", "--network=host")
        podman.shell("umask", "--umask=0027")
        podman.shell("date +%Z", "--tz=UTC")
        podman.ran("--entrypoint=echo", IMAGE, "word")
        podman.ran("--entrypoint=[\"sh\",\"-c\",\"echo $0\"]", IMAGE, "word")

    @step("run: a time limit, a pid file, an id file")
    def _(podman):
        podman.ran("--timeout=1", IMAGE, "sleep", "60")
        pid, cid = podman.directory / "pid", podman.directory / "cid"
        podman.started(f"--pidfile={pid}", f"--cidfile={cid}")
        podman.note("pid file is the pid of inspect", pid.read_text() ==
                    podman.podman("inspect", "--format={{.State.Pid}}", "c").out.strip())
        podman.note("id file", cid.read_text())
        pid.unlink()
        cid.unlink()

    @step("run: OCI hooks of a directory")
    def _(podman):
        hooks = podman.directory / "hooks"
        hooks.mkdir(exist_ok=True)
        seen = podman.directory / "hooked"
        for stage in ("prestart", "createRuntime", "createContainer", "poststart", "poststop"):
            (hooks / f"{stage}.json").write_text(
                '{"version":"1.0.0","when":{"always":true},"stages":["%s"],"hook":{"path":"/bin/sh",'
                '"args":["sh","-c","cat >/dev/null; echo %s >>%s"]}}' % (stage, stage, seen))
        podman.execute(*podman.command(), f"--hooks-dir={hooks}", "run", "--rm", "--network=none",
                       IMAGE, "true")
        podman.note("hooks", seen.read_text())
        seen.unlink()


# The shell of busybox asks where the cursor is, and may write its line again.
PROMPT = re.compile(r"/ # (?:\x1b\[6n)?(?:[^\n]*\r/ # \x1b\[J)?")


def add_terminal(step):
    def on_terminal(podman, *words, keys=()):
        outcome = podman.on_terminal(*podman.command(), *words, keys=keys)
        outcome.out = PROMPT.sub("/ # ", outcome.out)
        podman.note_outcome(f"terminal: podman {' '.join(words)}", outcome)

    run = ("run", "--rm", "--network=none", "-it")

    @step("run -it: a terminal with its size", quick=True)
    def _(podman):
        on_terminal(podman, *run, IMAGE, "sh", "-c",
                    "sleep 1; stty size; tty; test -t 0 && test -t 1 && test -t 2; echo $?; "
                    "ls -l /dev/console | cut -c1-10; exit 5")

    @step("run -it: a shell that is typed to, and ^C")
    def _(podman):
        on_terminal(podman, *run, IMAGE, "sh", keys=[
            ("# ", "stty -echo\r"), ("# ", "echo a$((40+2))b\r"), ("a42b", "sh -c 'echo s''leeps; exec sleep 60'\r"),
            ("sleeps", "\x03"), ("# ", "exit 6\r")])

    @step("run -it: job control")
    def _(podman):
        on_terminal(podman, *run, IMAGE, "sh", "-i", "-c",
                    "sleep 100 & jobs | tr -s ' '; ps -o pid,pgid,comm | grep -c sleep; kill %1")

    @step("run -it: detached by its keys, attached again")
    def _(podman):
        on_terminal(podman, "run", "-it", "--network=none", "--name=c", "--detach-keys=ctrl-x", IMAGE,
                    "sh", "-c", "echo on; read a; echo got $a", keys=[("on", "\x18")])
        podman.status()
        on_terminal(podman, "attach", "c", keys=[("", "word\r")])
        podman.do("wait", "c")

    @step("exec -it: a terminal with its size", quick=True)
    def _(podman):
        podman.started()
        on_terminal(podman, "exec", "-it", "c", "sh", "-c",
                    "sleep 1; stty size; tty; test -t 0 && test -t 1; echo $?; exit 5")
        on_terminal(podman, "exec", "-it", "--user=1000", "c", "sh", "-c", "id -u; echo x >$(tty)")


def add_exec(step):
    @step("exec: output, exit code, options", quick=True)
    def _(podman):
        podman.started()
        podman.do("exec", "c", "sh", "-c", "echo out; echo err >&2; exit 3", stderr=True)
        podman.do("exec", "--interactive", "c", "cat", stdin="typed\n")
        podman.do("exec", "--user=1000:2000", "--workdir=/data", "--env=A=1", "c", "sh", "-c",
                  "id; pwd; echo $A")
        podman.do("exec", "--user=user", "c", "id")
        podman.do("exec", "c", "sh", "-c", "kill -TERM $$")
        podman.do("exec", "c", "grep", "Cap", "/proc/self/status")
        podman.do("exec", "--user=1000", "c", "grep", "Cap", "/proc/self/status")

    @step("exec: what cannot be started", quick=True)
    def _(podman):
        podman.started()
        podman.do("exec", "c", "/bin/missing")
        podman.do("exec", "c", "missing")
        podman.do("exec", "c", "/etc/not-executable")
        podman.do("exec", "c", "/bin/foreign")
        podman.do("exec", "--workdir=/missing", "c", "true")
        podman.do("exec", "--user=nobodyhere", "c", "true")
        podman.podman("stop", "--time=1", "c")
        podman.do("exec", "c", "true")

    @step("exec: detached, privileged, with the streams of a pipe")
    def _(podman):
        podman.started()
        podman.do("exec", "--detach", "c", "sh", "-c", "echo done >/tmp/done")
        podman.do("exec", "c", "sh", "-c", "while ! test -s /tmp/done; do sleep 0.1; done; "
                  "cat /tmp/done")
        podman.do("exec", "--privileged", "c", "grep", "Cap", "/proc/self/status")
        podman.do("exec", "c", "sh", "-c", "head -c 300000 /dev/zero | wc -c")
        outcome = podman.podman("exec", "c", "head", "-c", "3000000", "/dev/zero")
        podman.note("bytes", len(outcome.out))


def add_user(step):
    @step("run --user: numbers and names")
    def _(podman):
        for user in ("1000", "1000:2000", "user", "user:extra", "4242", "0:0", "root"):
            podman.shell("id; echo $HOME", f"--user={user}")
        podman.ran("--user=nobodyhere", IMAGE, "true")
        podman.shell("id", "--group-add=3000,extra", "--user=1000")
        podman.shell("id", "--group-add=keep-groups")

    @step("run --userns", quick=True)
    def _(podman):
        show = "cat /proc/self/uid_map /proc/self/gid_map; id; touch /tmp/x && ls -ln /tmp/x | cut -c1-40"
        podman.shell(show, "--userns=keep-id")
        podman.shell(show, "--userns=host")
        podman.shell(show, "--userns=nomap")
        podman.shell(show, "--userns=keep-id", "--user=0")
        podman.shell(show, "--userns=private", "--uidmap=0:1:1000", "--gidmap=0:1:1000")
        podman.shell(show, "--userns=auto:size=500")
        podman.shell(show, "--userns=keep-id:uid=200,gid=210")

    @step("run --passwd: an entry is added")
    def _(podman):
        podman.shell("tail -n 1 /etc/passwd", "--user=4242")
        podman.shell("tail -n 1 /etc/passwd", "--user=4242", "--passwd=false")


def with_third(descriptor, *words):
    """`words` as a command that has `descriptor` as 3."""
    return ["bash", "-c", 'exec 3<&"$0"-; export LISTEN_PID=$$; exec "$@"', descriptor, *words]


def add_descriptors(step):
    def pipe(podman, *words):
        reader, writer = os.pipe()
        with open(reader, "rb") as reading:
            high = fcntl.fcntl(writer, fcntl.F_DUPFD, 10)
            os.close(writer)
            outcome = podman.execute(*with_third(high, *podman.command(), *words), pass_fds=(high,))
            os.close(high)
            podman.note_outcome(f"podman {' '.join(words)}", outcome)
            podman.note("through descriptor 3", reading.read().decode())

    @step("run --init", needs={"catatonit or docker-init"})
    def _(podman):
        init = os.path.realpath(shutil.which("catatonit") or shutil.which("docker-init"))
        podman.ran("--init", f"--init-path={init}", IMAGE, "sh", "-c", "echo $$; cat /proc/1/comm; exit 7")
        podman.started("--init", f"--init-path={init}")
        podman.do("exec", "c", "sh", "-c", "(sleep 0 &); sleep 0.2; ls -d /proc/[0-9]* | wc -l")
        podman.do("stop", "c")
        podman.status()

    @step("run, exec --preserve-fds")
    def _(podman):
        run = ("run", "--rm", "--network=none")
        pipe(podman, *run, "--preserve-fds=1", IMAGE, "sh", "-c",
             "echo through >&3; ls /proc/self/fd | wc -l")
        pipe(podman, *run, IMAGE, "sh", "-c", "echo through >&3")
        podman.started()
        pipe(podman, "exec", "--preserve-fds=1", "c", "sh", "-c", "echo through >&3")

    @step("run: a socket that systemd passes")
    def _(podman):
        path = podman.directory / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            high = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 10)
            words = [*podman.command(), "run", "--rm", "--network=none", IMAGE, "sh", "-c",
                     "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; readlink /proc/self/fd/3 | cut -c1-7"]
            outcome = podman.execute(*with_third(high, *words), pass_fds=(high,),
                                     env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "door"})
            os.close(high)
            podman.note_outcome("with LISTEN_FDS", outcome)
            require(outcome.code == 0, "the container ends with 0")
        path.unlink()
