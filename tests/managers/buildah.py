"""buildah: run and build, by the runtime and not by chroot."""

import os

import images
from frame import Manager, Steps, require

CONTROL = "crun"
IMAGE = "localhost/box:1"
EXPLAINED = []
STEPS = Steps()
step = STEPS.step


class Buildah(Manager):
    SAME = ((r"\b[0-9a-f]{10,11}\b", "ID"), (r"/(bin|usr/bin)/RUNTIME", "RUNTIME"))

    def open(self):
        self.env = {**os.environ, "BUILDAH_ISOLATION": "oci" if os.getuid() == 0 else "rootless"}
        root = self.directory / "image"
        root.mkdir()
        images.make_tar(root / "box.tar")
        (root / "Containerfile").write_text(
            "FROM scratch\nADD box.tar /\nENV PATH=/bin\nCMD sleeper\n")
        made = self.buildah("build", "--tag", IMAGE, root)
        require(made.code == 0, f"buildah build: {made.err}")

    def buildah(self, *words, **kw):
        """buildah with the suite's storage; nothing is recorded."""
        return self.execute("buildah", "--root", self.directory / "storage", "--runroot", self.directory / "run",
                            *words, **kw)

    def ran(self, *words, **kw):
        """`buildah run` in the container c, recorded."""
        outcome = self.buildah("run", "--runtime", self.runtime.path, *words, **kw)
        return self.note_outcome(f"buildah run {' '.join(map(str, words))}", outcome)

    def built(self, label, text, *options):
        """`buildah build` of the Containerfile `text`, recorded."""
        place = self.directory / "build"
        place.mkdir(exist_ok=True)
        (place / "Containerfile").write_text(f"FROM {IMAGE}\n{text}\n")
        outcome = self.buildah("build", "--runtime", self.runtime.path, "--network=host", "--tag=localhost/made:1",
                               *options, place)
        return self.note_outcome(f"build {label}", outcome)

    def from_image(self):
        require(self.buildah("from", "--name=c", IMAGE).code == 0, "buildah from")

    def clean(self):
        self.buildah("rm", "--all")

    def close(self):
        self.clean()
        self.buildah("rmi", "--all", "--force")
        self.buildah("unshare", "rm", "-rf", self.directory / "storage") if os.getuid() else None


MANAGER = Buildah


@step("run: output, exit code, user, directory, environment", quick=True)
def _(buildah):
    buildah.from_image()
    buildah.ran("c", "sh", "-c", "echo out; exit 3")
    buildah.ran("--user=1000:2000", "--workingdir=/data", "--env=A=1", "c", "sh", "-c", "id; pwd; echo $A")
    buildah.ran("--cap-drop=CHOWN", "c", "chown", "1", "/data/file")
    buildah.ran("--cap-add=NET_ADMIN", "c", "grep", "Cap", "/proc/self/status")
    buildah.ran("--hostname=box", "c", "hostname")
    buildah.ran("--network=none", "c", "ls", "/sys/class/net")
    buildah.ran("--network=host", "c", "true")
    buildah.ran("c", "sh", "-c", "sh -c 'kill -TERM $$'")


@step("run: what cannot be started", quick=True)
def _(buildah):
    buildah.from_image()
    for program in ("/bin/missing", "missing", "/etc/not-executable"):
        buildah.ran("c", program)
    outcome = buildah.buildah("run", "--runtime", buildah.runtime.path, "c", "/bin/foreign")
    buildah.note("a program for another machine fails", outcome.code != 0)
    buildah.note("and says so", "exec format error" in outcome.err.lower())


@step("run: a terminal", quick=True)
def _(buildah):
    buildah.from_image()
    outcome = buildah.on_terminal(
        "buildah", "--root", buildah.directory / "storage", "--runroot", buildah.directory / "run", "run",
        "--runtime", buildah.runtime.path, "--tty", "c", "sh", "-c", "sleep 1; tty; stty size; exit 5")
    buildah.note_outcome("terminal", outcome)


@step("run: volumes and mounts")
def _(buildah):
    buildah.from_image()
    place = buildah.directory / "source"
    place.mkdir(exist_ok=True)
    (place / "file").write_text("of the host\n")
    for option in ("", ":ro", ":z", ":O", ":U"):
        buildah.ran(f"--volume={place}:/v{option}", "c", "sh", "-c", "cat /v/file; touch /v/x; echo $?")
    buildah.ran(f"--mount=type=bind,source={place},target=/v", "c", "cat", "/v/file")
    buildah.ran("--mount=type=tmpfs,target=/v,tmpfs-mode=0700", "c", "stat", "-c", "%a", "/v")
    buildah.ran(f"--volume={place}/missing:/v", "c", "true")


@step("build: RUN, USER, WORKDIR, SHELL", quick=True)
def _(buildah):
    buildah.built("a file", "RUN echo built >/data/new && id -u\nWORKDIR /data\nUSER 1000\nRUN id -u; pwd; cat new")
    buildah.built("a failure", "RUN exit 7")
    buildah.built("a missing program", 'RUN ["/bin/missing"]')
    buildah.built("many layers", "RUN touch /a\nRUN ls /a && touch /b\nRUN ls /a /b", "--layers")


@step("build: mounts, secrets, capabilities, limits")
def _(buildah):
    secret = buildah.directory / "secret"
    secret.write_text("hidden\n")
    buildah.built("a secret", "RUN --mount=type=secret,id=s cat /run/secrets/s", f"--secret=id=s,src={secret}")
    buildah.built("a tmpfs", "RUN --mount=type=tmpfs,target=/t mount | grep -c ' /t '")
    buildah.built("a cache", "RUN --mount=type=cache,target=/c touch /c/x && ls /c")
    buildah.built("capabilities", "RUN grep CapEff /proc/self/status", "--cap-add=NET_ADMIN", "--no-cache")
    buildah.built("ulimits", "RUN ulimit -n", "--ulimit=nofile=200:200", "--no-cache")
    buildah.built("no network", "RUN ls /sys/class/net", "--network=none", "--no-cache")
