"""docker: what the container's process is given."""

import os

from docker import IMAGE

CAPABILITIES = "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status"


def add(step):
    add_run(step)
    add_rights(step)
    add_files(step)
    add_namespaces(step)


def add_run(step):
    @step("run: output and exit code", quick=True)
    def _(docker):
        docker.ran(IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3", stderr=True)
        docker.ran(IMAGE, "sh", "-c", "kill -KILL $$")
        docker.ran("--interactive", IMAGE, "wc", "-c", stdin="x" * 300000)
        docker.ran(IMAGE, "head", "-c", "100000", "/dev/zero")

    @step("run: 127 for a program that is missing, 126 for one that cannot be executed", quick=True)
    def _(docker):
        for program in ("/bin/missing", "missing", "/etc/not-executable", "/etc", "/bin/foreign"):
            docker.ran(IMAGE, program)

    @step("run: a terminal", quick=True)
    def _(docker):
        script = "tty; stty size; test -t 0 && test -t 2 && ls -l /dev/console | cut -c1-10; exit 9"
        outcome = docker.on_terminal("docker", "run", "--rm", "--network=none", "-it", IMAGE, "sh", "-c",
                                     "sleep 0.3; " + script)
        docker.note_outcome("run -it", outcome)
        outcome = docker.on_terminal("docker", "run", "--rm", "--network=none", "-it", IMAGE, "sh",
                                     keys=[("# ", "echo a$((1+1))b\n"), ("a2b", "exit 5\n")])
        docker.note("a shell", f"exit code {outcome.code}, {'a2b' in outcome.out}")

    @step("run: user, groups, working directory, environment, host name", quick=True)
    def _(docker):
        for user in ("user", "1000:1000", "7:9", "user:extra"):
            docker.ran("--user", user, IMAGE, "id")
        docker.ran("--user=user", "--group-add=extra", "--group-add=99", IMAGE, "id")
        docker.ran("--workdir=/new/one", IMAGE, "pwd")
        docker.ran("--env=A=b", "--hostname=name", IMAGE, "env")
        docker.ran("--init", IMAGE, "cat", "/proc/1/comm")
        docker.ran("--add-host=a:1.2.3.4", IMAGE, "tail", "-n", "1", "/etc/hosts")


def add_rights(step):
    @step("capabilities, seccomp and no-new-privileges", quick=True)
    def _(docker):
        for options in ([], ["--cap-drop=ALL"], ["--cap-drop=ALL", "--cap-add=NET_ADMIN"],
                        ["--user=user", "--cap-add=SYS_PTRACE"], ["--privileged"],
                        ["--security-opt=no-new-privileges"],
                        ["--security-opt=seccomp=unconfined"]):
            docker.shell(CAPABILITIES, *options)

    @step("limits of the process, sysctls, out-of-memory score")
    def _(docker):
        docker.shell("ulimit -n; ulimit -Hn; ulimit -c", "--ulimit=nofile=100:200", "--ulimit=core=0")
        docker.shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
                     "--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.msgmax=4096")
        docker.ran("--sysctl=net.ipv4.nosuch=1", IMAGE, "true")
        docker.ran("--oom-score-adj=500", IMAGE, "cat", "/proc/self/oom_score_adj")

    @step("devices", quick=True)
    def _(docker):
        docker.shell("ls -ln /dev | awk '{print $1, $3, $4, $5, $6, $NF}' | grep -v '^total'")
        docker.shell("cat /dev/fuse; mknod /tmp/f c 10 229; cat /tmp/f", "--device=/dev/fuse")
        docker.shell("mknod /tmp/f c 10 229; cat /tmp/f; mknod /tmp/m c 1 1; cat /tmp/m; "
                     "mknod /tmp/t c 10 200; cat /tmp/t; echo $?",
                     "--device-cgroup-rule=c 10:229 rw")


def add_files(step):
    @step("masked and read-only paths of /proc and /sys", quick=True)
    def _(docker):
        script = ("for f in /proc/kcore /proc/timer_list /proc/keys; do head -c1 $f | wc -c; done; "
                  "ls /proc/acpi /sys/firmware; echo x >/proc/sys/kernel/domainname; "
                  "touch /proc/irq/x; echo $?")
        docker.shell(script)
        docker.shell(script, "--security-opt=systempaths=unconfined")

    @step("volumes, tmpfs, --read-only", quick=True)
    def _(docker):
        place = docker.directory / "volume"
        place.mkdir()
        (place / "file").write_text("of the host\n")
        os.chmod(place, 0o777)
        for options in ("", ":ro", ":z", ":rslave", ":rshared", ":ro,rprivate"):
            docker.shell("cat /v/file; touch /v/new; ls /v; rm /v/new; "
                         "grep -c ' /v .*shared:' /proc/self/mountinfo",
                         f"--volume={place}:/v{options}")
        docker.shell("cat /data/file; touch /data/new && echo written", "--volume=named:/data")
        docker.shell("ls /data", "--volume=named:/data:ro")
        docker.shell("cat /etc/file", f"--volume={place}/file:/etc/file")
        docker.shell("touch /x; touch /t/x && echo ok; ls -lnd /t | cut -c1-40",
                     "--read-only", "--tmpfs=/t:size=1m,mode=1770,uid=5")
        docker.shell("grep ' /dev/shm ' /proc/self/mountinfo | cut -d' ' -f5-", "--shm-size=2m")
        docker.shell("ls /v", f"--mount=type=bind,src={place},dst=/v,readonly,bind-propagation=rslave")


def add_namespaces(step):
    @step("namespaces of the host and of another container", quick=True)
    def _(docker):
        docker.do("run", "--rm", "--network=host", "--uts=host", IMAGE, "sh", "-c",
                  "ls /sys/class/net; hostname")
        docker.ran("--pid=host", IMAGE, "test", "-d", f"/proc/{os.getpid()}")
        docker.ran("--cgroupns=host", IMAGE, "grep", "-c", "^0::/$", "/proc/self/cgroup")
        docker.started("--ipc=shareable", name="first")
        docker.shell("cat /proc/1/comm", "--pid=container:first")
        script = "readlink /proc/self/ns/ipc; readlink /proc/self/ns/net"
        ours = docker.docker("exec", "first", "sh", "-c", script)
        joined = docker.docker("run", "--rm", "--ipc=container:first", "--network=container:first", IMAGE,
                               "sh", "-c", script)
        docker.note("joined", f"{joined.code} {'net:' in ours.out} {joined.out == ours.out}")
