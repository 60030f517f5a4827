"""podman: capabilities, security options, what of the host is seen."""

import json

IMAGE = "localhost/box:1"


def add(step):
    add_capabilities(step)
    add_security(step)
    add_limits(step)
    add_namespaces(step)


def add_capabilities(step):
    @step("run --cap-add, --cap-drop, --privileged", quick=True)
    def _(podman):
        show = "grep -e Cap -e NoNewPrivs -e Seccomp: /proc/self/status"
        for options in ([], ["--cap-add=NET_ADMIN"], ["--cap-drop=ALL"], ["--cap-drop=ALL", "--user=1000"],
                        ["--cap-drop=ALL", "--cap-add=CHOWN"], ["--cap-add=ALL"], ["--privileged"],
                        ["--user=1000", "--cap-add=CHOWN"], ["--privileged", "--user=1000"]):
            podman.shell(show, *options)
        podman.shell("chown 1 /data/file && echo yes", "--cap-drop=CHOWN")

    @step("run --privileged: devices and mounts")
    def _(podman):
        podman.shell("ls /dev | grep -v -e '^tty' -e '^pts$' -e '^vcs' | sort | tr '\\n' ' '", "--privileged")
        podman.shell("mount -t tmpfs x /mnt 2>&1 || mkdir /mnt && mount -t tmpfs x /mnt && echo mounted",
                     "--privileged")
        podman.shell("cut -d' ' -f2,4 /proc/mounts | grep -e ^/sys -e ^/proc | sed 's/,size.*//' | sort",
                     "--privileged")


def add_security(step):
    @step("run --security-opt", quick=True)
    def _(podman):
        profile = podman.directory / "seccomp.json"
        profile.write_text(json.dumps({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}))
        podman.shell("mkdir /tmp/a 2>&1; grep Seccomp: /proc/self/status", f"--security-opt=seccomp={profile}")
        podman.shell("mkdir /tmp/a; grep Seccomp: /proc/self/status", "--security-opt=seccomp=unconfined")
        podman.shell("grep NoNewPrivs /proc/self/status", "--security-opt=no-new-privileges")
        podman.shell("cat /data/file; ls -A /data | wc -l", "--security-opt=mask=/data")
        podman.shell("cat /data/file", "--security-opt=mask=/data/file")
        podman.shell("head -c 1 /proc/kcore | wc -c; ls /proc/acpi | wc -l; ls /sys/firmware | wc -l")
        podman.shell("head -c 1 /proc/timer_list | wc -c; ls /sys/firmware | wc -l",
                     "--security-opt=unmask=ALL")
        podman.shell("ls /sys/firmware | wc -l", "--security-opt=unmask=/sys/firmware")
        podman.shell("echo 1 >/proc/sys/kernel/domainname; echo $?")
        podman.shell("true", "--security-opt=label=disable")
        podman.shell("true", f"--security-opt=seccomp={podman.directory}/missing")
        profile.write_text("not json")
        podman.shell("true", f"--security-opt=seccomp={profile}")

    @step("run: the mounts of a container", quick=True)
    def _(podman):
        podman.shell("cut -d' ' -f2-4 /proc/mounts | sed -E 's/,(size|nr_inodes|mode|gid|inode64|uid|lowerdir|upperdir|"
                     "workdir|userxattr|fsid|uuid|volatile|memory_recursiveprot|nsdelegate|memory_hugetlb_accounting|"
                     "favordynmods|redirect_dir|metacopy|index|nfs_export|xino)[^, ]*//g' | sort")
        podman.shell("find /dev ! -path '/dev/pts/*' | sort | tr '\\n' ' '; ls -ln /dev/null /dev/ptmx | "
                     "cut -c1-10")

    @step("run --read-only")
    def _(podman):
        podman.shell("touch /x; touch /tmp/x && touch /run/x && touch /dev/shm/x && echo written", "--read-only")
        podman.shell("touch /tmp/x; echo $?", "--read-only", "--read-only-tmpfs=false")
        podman.shell("touch /x /data/x; echo $?", "--read-only", "--tmpfs=/data")


def add_limits(step):
    @step("run --ulimit, --oom-score-adj, --sysctl, --shm-size")
    def _(podman):
        podman.shell("ulimit -n; ulimit -Hn", "--ulimit=nofile=300:400")
        podman.shell("ulimit -c; ulimit -Hc", "--ulimit=core=0:0")
        podman.shell("ulimit -n", "--ulimit=host")
        podman.shell("cat /proc/self/oom_score_adj", "--oom-score-adj=500")
        podman.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax",
                     "--sysctl=net.ipv4.ip_unprivileged_port_start=80", "--sysctl=kernel.msgmax=4000")
        podman.shell("df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f2", "--shm-size=2m")
        podman.shell("true", "--sysctl=kernel.panic=1")

    @step("run --device", quick=True)
    def _(podman):
        podman.shell("ls -l /dev/fuse | cut -c1-10; ls -l /dev/other | cut -c1-10", "--device=/dev/fuse",
                     "--device=/dev/null:/dev/other")
        podman.shell("ls -l /dev/zero2 | cut -c1-10; head -c 3 /dev/zero2 | wc -c; echo >/dev/zero2; echo $?",
                     "--device=/dev/zero:/dev/zero2:r")
        podman.shell("true", "--device=/dev/missing")
        podman.shell("true", "--device-cgroup-rule=c 10:229 rwm")


def add_namespaces(step):
    @step("run --pid, --ipc, --uts, --cgroupns")
    def _(podman):
        podman.shell("test $$ -gt 2; echo $?; ls -d /proc/1/ns", "--pid=host")
        podman.shell("echo $$", "--pid=private")
        podman.shell("hostname", "--uts=host")
        podman.shell("cat /proc/self/cgroup | grep ^0:", "--cgroupns=private")
        podman.shell("grep -c ^0: /proc/self/cgroup", "--cgroupns=host")
        podman.started("--ipc=shareable", "--hostname=first")
        podman.shell("ls /proc | grep -c '^[0-9]'; hostname", "--pid=container:c", "--uts=container:c")
        podman.shell("ls -A /dev/shm | wc -l", "--ipc=container:c")
        podman.shell("true", "--ipc=host")
        podman.shell("true", "--ipc=none")

    @step("run --network")
    def _(podman):
        devices = "ls /sys/class/net | tr '\\n' ' '"
        for network in ("none", "host", "slirp4netns", "slirp4netns:allow_host_loopback=true", "private",
                        "pasta", "missing"):
            podman.do("run", "--rm", f"--network={network}", IMAGE, "sh", "-c", devices)
        podman.started()
        podman.do("run", "--rm", "--network=container:c", IMAGE, "sh", "-c", devices)
        podman.do("run", "--rm", "--network=slirp4netns", "--publish=127.0.0.1:18080:80", IMAGE, "true")
