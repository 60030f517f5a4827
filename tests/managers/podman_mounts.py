"""podman: volumes and mounts, with the options that people use."""

IMAGE = "localhost/box:1"


def source(podman, name="source"):
    """A new directory of the host with one file."""
    path = podman.directory / name
    path.mkdir(exist_ok=True)
    (path / "file").write_text("of the host\n")
    return path


def options_of(place):
    return f"grep ' {place} ' /proc/self/mountinfo | cut -d' ' -f6 | tr ',' '\\n' | grep -v -e relatime -e noatime | tr '\\n' ','"


def add(step):
    add_binds(step)
    add_overlays(step)
    add_volumes(step)
    add_kinds(step)


def add_binds(step):
    @step("run --volume: binds", quick=True)
    def _(podman):
        place = source(podman)
        show = f"cat /v/file; echo new >/v/file; echo $?; {options_of('/v')}"
        for option in ("", ":rw", ":ro", ":z", ":Z", ":ro,z", ":noexec", ":exec,dev,suid", ":nosuid,nodev",
                       ":rbind,rshared", ":rslave", ":private", ":ro,rslave"):
            source(podman)
            podman.shell(show, f"--volume={place}:/v{option}")
        podman.shell("cat /v", f"--volume={place}/file:/v")
        podman.shell("cat /new/deep/file", f"--volume={place}:/new/deep")
        podman.shell("cat /data/file", f"--volume={place}:/data:nocopy")
        podman.shell("true", f"--volume={place}:/v:wrong")

    @step("run --volume :U")
    def _(podman):
        place = source(podman, "owned")
        podman.shell("ls -ln /v/file | cut -c1-25; touch /v/mine; echo $?", f"--volume={place}:/v:U", "--user=1000:2000")
        podman.shell("ls -ln /v/mine | cut -c1-25; rm -f /v/mine", f"--volume={place}:/v:U")

    @step("run --volume: propagation of mounts", needs={"root"})
    def _(podman):
        place = source(podman)
        podman.shell("grep ' /v ' /proc/self/mountinfo | grep -o -e shared: -e master:", f"--volume={place}:/v:rshared")
        podman.shell("grep ' /v ' /proc/self/mountinfo | grep -o -e shared: -e master:", f"--volume={place}:/v:rslave")

    @step("run --volume :idmap", needs={"root"})
    def _(podman):
        place = source(podman)
        podman.shell("ls -ln /v/file | cut -c1-25", f"--volume={place}:/v:idmap", "--uidmap=0:100000:65536",
                     "--gidmap=0:100000:65536")


def add_overlays(step):
    @step("run --volume :O, --rootfs", quick=True)
    def _(podman):
        place = source(podman)
        podman.shell("cat /v/file; echo new >/v/file; cat /v/file", f"--volume={place}:/v:O")
        podman.note("the host's file", (place / "file").read_text())
        root = podman.directory / "root"
        podman.execute("sh", "-c", f"mkdir -p {root} && tar -C {root} -xf {podman.directory}/box.tar")
        podman.do("run", "--rm", "--network=none", "--rootfs", root, "sh", "-c", "cat /data/file; touch /data/x; ls /data")
        podman.do("run", "--rm", "--network=none", "--rootfs", f"{root}:O", "sh", "-c", "touch /data/y; ls /data")
        podman.note("the host's directory", sorted(path.name for path in (root / "data").iterdir()))


def add_volumes(step):
    @step("run --volume: named volumes")
    def _(podman):
        podman.do("volume", "create", "vol")
        podman.shell("ls /data; echo new >/data/new", "--volume=vol:/data")
        podman.shell("ls /v; touch /v/x; echo $?", "--volume=vol:/v:ro")
        podman.shell("ls -A /v", "--volume=fresh:/v:nocopy")
        podman.started("--volume=vol:/v", "--volume=/anonymous")
        podman.shell("ls /v /anonymous", "--volumes-from=c")
        podman.shell("ls /v; touch /v/x; echo $?", "--volumes-from=c:ro")
        podman.clean()
        podman.do("volume", "rm", "vol", "fresh")
        podman.do("volume", "create", "--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=1m", "small")
        podman.shell("df -k /v | tail -n 1 | tr -s ' ' | cut -d' ' -f2", "--volume=small:/v")
        podman.do("volume", "rm", "--force", "small")


def add_kinds(step):
    @step("run --mount, --tmpfs")
    def _(podman):
        place = source(podman)
        for mount in (f"type=bind,source={place},target=/v", f"type=bind,src={place},dst=/v,ro=true",
                      f"type=bind,src={place},dst=/v,bind-propagation=rshared",
                      f"type=bind,src={place},dst=/v,bind-nonrecursive",
                      "type=tmpfs,target=/v", "type=tmpfs,target=/v,tmpfs-size=1m,tmpfs-mode=0700",
                      "type=tmpfs,target=/data", "type=tmpfs,target=/data,tmpcopyup", "type=tmpfs,dst=/data,notmpcopyup",
                      "type=volume,source=vol,target=/v", "type=devpts,target=/v",
                      f"type=image,source={IMAGE},destination=/v", f"type=image,source={IMAGE},dst=/v,rw=true",
                      "type=ramfs,target=/v"):
            podman.shell(f"ls /v /data | head -n 8 | tr '\\n' ' '; touch /v/x 2>/dev/null; echo $?; {options_of('/v')}",
                         f"--mount={mount}")
        podman.shell("df -k /v | tail -n 1 | tr -s ' ' | cut -d' ' -f2; stat -c %a /v", "--tmpfs=/v:size=1m,mode=0700")
        podman.shell(options_of("/v"), "--tmpfs=/v:noexec,nosuid,ro")
        podman.shell("ls /v", f"--mount=type=bind,source={place}/missing,target=/v")
        podman.do("volume", "rm", "--force", "vol")

    @step("run: mounts in the image's links")
    def _(podman):
        place = source(podman)
        podman.podman("run", "--network=none", "--name=c", IMAGE, "sh", "-c", "mkdir /real; ln -s /real /link; ln -s ../../../etc /up")
        podman.podman("commit", "--quiet", "c", "localhost/links:1")
        for target in ("/link", "/up", "/link/deeper"):
            podman.do("run", "--rm", "--network=none", f"--volume={place}:{target}", "localhost/links:1", "sh", "-c",
                      f"cat {target}/file; ls /real /etc | head -n 3")
