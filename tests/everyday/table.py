"""The tasks, and each tool's base line: what makes it as strict as it is asked to be in one line."""

from tasks import (Task, a_package, both, c_project, data_file, hostile_archive, install_script,
                   leaves, page, postscript, python_project, reads, repository, says, sh,
                   token, zip_bomb)

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SHARES_THE_NETWORK = "has no network namespace"
NO_OVERLAY = "has no overlay of a directory"
NO_LIMITS = "sets no cgroup limits and no time"
CALLERS_TERMINAL = "has the caller's terminal or none"
OWN_ID_ALONE = "maps the caller's own id alone"

# Read-only host, private /tmp, no network, nothing of home, no capability.
BASES = {
    "coracle": ["coracle", "sandbox"],
    "bwrap": ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent",
              "--new-session", "--clearenv", "--setenv", "PATH", PATH, "--setenv", "HOME", "{home}", "--ro-bind", "/", "/",
              "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run",
              "--tmpfs", "/var/tmp", "--tmpfs", "{home}", "--ro-bind", "{work}", "{work}",
              "--chdir", "{work}"],
    "firejail": ["firejail", "--quiet", "--noprofile", "--caps.drop=all", "--nonewprivs",
                 "--seccomp", "--net=none", "--private-tmp", "--private-dev", "--read-only=/",
                 "--whitelist={work}", "--read-only={work}"],
    "ch-run": ["ch-run", "--private-tmp", "--unset-env=*", f"--set-env=PATH={PATH}",
               "--set-env=HOME=/tmp",
               "--bind=/usr:/usr", "--bind={work}:/mnt", "--cd=/mnt", "{root}"],
}


def rw(*paths):
    """The options of the four that make paths writable; ch-run's binds are."""
    return {"coracle": [word for path in paths for word in ("--rw", path)],
            "bwrap": [word for path in paths for word in ("--bind", path, path)],
            "firejail": [f"--read-write={path}" for path in paths],
            "chrun": []}


PLAIN = {"coracle": [], "bwrap": [], "firejail": [], "chrun": []}
WORK = rw("{work}")


def but(base, **others):
    return {**base, **others}


TASKS = [
    Task("build a project with make", ["make", "-s"], **WORK, prepare=c_project,
         check=leaves("hello"), needs=("make", "gcc")),
    Task("install it, and throw away what was written", sh("make -s install && ls prefix/bin"),
         **but(PLAIN, coracle=["--overlay", "{work}"], bwrap=NO_OVERLAY, firejail=NO_OVERLAY,
               chrun=NO_OVERLAY),
         prepare=c_project, needs=("make", "gcc"),
         check=both(says("hello"), lambda work, _: leaves("Makefile", but=("prefix", "hello"))(work, _))),
    Task("run the tests of a Python project", sh("python3 -m unittest -q 2>&1 && echo passed"),
         **but(PLAIN, chrun=SHARES_THE_NETWORK), prepare=python_project, check=says("passed"),
         needs=("python3",)),
    Task("run the tests of a Perl module", sh("printf 'use Test::More tests => 1; ok(1);' >/tmp/a.t && "
                                              "prove -q /tmp/a.t"),
         **PLAIN, check=says("PASS"), needs=("prove",)),
    Task("unpack an archive of hostile names",
         sh("tar -C out -xPf a.tar 2>/dev/null; test -e out/good"), **rw("{work}/out"),
         prepare=hostile_archive, check=leaves("out/good", but=("climbed", "in/through")),
         needs=("tar",)),
    Task("unpack what is larger than it says", sh("cd /tmp/small && python3 -m zipfile -e {work}/bomb.zip . "
                                                  "2>/dev/null; test $(du -sm . | cut -f1) -le 16 && echo bounded"),
         **but(PLAIN, coracle=["--tmpfs", "/tmp/small:16m"],
               bwrap=["--size", "16777216", "--tmpfs", "/tmp/small"],
               firejail="sizes no tmpfs", chrun="sizes no tmpfs"),
         prepare=zip_bomb, check=says("bounded"), needs=("python3",)),
    Task("run an installer that was downloaded", sh("sh install.sh 2>/dev/null"),
         **but(PLAIN, chrun=SHARES_THE_NETWORK), prepare=install_script,
         check=both(says("end"), lambda _, out: "the key was taken" if "stolen" in out else "")),
    Task("end what takes too long", ["sleep", "60"],
         **but(PLAIN, coracle=["--timeout", "1s"], bwrap=NO_LIMITS, firejail=["--timeout=00:00:01"],
               chrun=NO_LIMITS), code=124),
    Task("look at a page under an X server",
         sh("xvfb-run -a sh -c 'dillo page.html >/dev/null 2>&1 & p=$!; for i in $(seq 60); do "
            "sleep 0.5; xwininfo -root -tree | grep -q Dillo && echo shown && break; done; kill $p'"),
         **but(PLAIN, chrun=SHARES_THE_NETWORK), prepare=page, check=says("shown"),
         needs=("xvfb-run", "dillo", "xwininfo")),
    Task("draw a PostScript file", sh("gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -o out/o.pdf in.ps"),
         **rw("{work}/out"), prepare=postscript,
         check=leaves("out/o.pdf"), needs=("gs",)),
    Task("clone a repository whose hooks are not trusted",
         sh("git -c safe.directory='*' clone -q src out/copy && cat out/copy/file"), **rw("{work}/out"),
         prepare=repository,
         check=both(says("text"), leaves("out/copy/file", but=("src/hooked",))), needs=("git",)),
    Task("change one file, and no other",
         sh("sqlite3 -cmd 'PRAGMA journal_mode=MEMORY' data.db 'insert into t values (7)' >/dev/null; "
            "echo broken 2>/dev/null >other; sqlite3 -readonly data.db 'select n from t'"),
         **rw("{work}/data.db"), prepare=data_file, needs=("sqlite3",),
         check=both(says("7"), lambda work, _: "" if reads(work, "other") == "kept" else "changed")),
    Task("give a secret that is in no environment", sh("cat /run/secrets/token; env | grep -c s3cret"),
         **but(PLAIN, coracle=["--secret", "token={work}/token", "--hide", "{work}"],
               bwrap=["--ro-bind", "{work}/token", "/run/secrets/token", "--tmpfs", "{work}"],
               firejail="binds a file as root only", chrun="its /run is the image's"),
         prepare=token, check=says("s3cret0"), code=1),
    Task("answer a request on a port of its own",
         sh("python3 -m http.server -b 127.0.0.1 8123 >/dev/null 2>&1 & p=$!; "
            "for i in $(seq 60); do sleep 0.5; python3 -c 'import urllib.request as u; print(u.urlopen("
            "\"http://127.0.0.1:8123/page.html\").read())' 2>/dev/null && break; done; kill $p"),
         **but(PLAIN, chrun=SHARES_THE_NETWORK), prepare=page, check=says("words"), needs=("python3",)),
    Task("use the host's network",
         sh("python3 -c 'import socket; s = socket.create_connection((\"127.0.0.1\", {port})); "
            "print(s.recv(9))'"),
         coracle=["--net", "host"], bwrap=["--share-net"],
         firejail=["without:--net=none"], chrun=[], check=says("greets"), needs=("python3",)),
    Task("install a package in a private root, with all its ids",
         sh("dpkg -i /mnt/e.deb >/dev/null 2>&1; cat /var/lib/everyday; stat -c %U /var/lib/everyday"),
         coracle=["--rootfs", "{root}", "--rw", "/", "--user", "0", "--ids", "ranges", "--cap", "chown",
                  "--cap", "dac_override", "--cap", "fowner", "--cap", "setuid", "--cap", "setgid",
                  "--cap", "sys_chroot", "--ro", "{work}:/mnt"],
         bwrap=OWN_ID_ALONE, firejail=OWN_ID_ALONE, chrun=OWN_ID_ALONE,
         prepare=a_package, check=both(says("done"), says("www-data")), needs=("dpkg-deb",)),
    Task("run another distribution's programs", ["/bin/cat", "/etc/debian_version"],
         coracle=["--rootfs", "{root}"], bwrap=["--ro-bind", "{root}", "/", "--chdir", "/"], firejail=["--chroot={root}"],
         chrun=[], check=says("1")),
    Task("debug a program", sh("gcc -g -O0 -o /tmp/h hello.c && strace -o /tmp/t /tmp/h && "
                               "grep -c write /tmp/t"),
         **PLAIN, prepare=c_project,
         check=says("built"), needs=("gcc", "strace")),
    Task("work in a shell with a terminal of its own", sh("tty && stty size && echo interactive"),
         **but(PLAIN, coracle=["--tty"], bwrap=CALLERS_TERMINAL, firejail=CALLERS_TERMINAL,
               chrun=CALLERS_TERMINAL),
         check=says("interactive")),
    Task("show a program another home", sh("echo x > ~/.rc && cat ~/.rc"), **PLAIN,
         check=lambda work, out: "" if "x" in out else "not written"),
]
