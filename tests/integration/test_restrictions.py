"""What the host forbids: the error names the object, the cause and the cure, on one line."""

import os
import shutil
import subprocess

import pytest

import bundles
from surroundings import (CLONE_NEWNS, CLONE_NEWUSER, around, beneath, nested, no_unshare, shell,
                          user_namespace)

# Each makes the surroundings that it needs.
pytestmark = pytest.mark.modes("user", "root")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="machine: not started as root")


def is_refused(box, bundle, says, verb="create", **kw):
    result = box.fails(verb, "--bundle", bundle.path, box.new_id(), says=says, **kw)
    assert result.rc == 1, result
    assert box.leavings() == []
    return result


# ---- directories that may not be searched


def closed(box):
    """A directory that the box's user, or a mapped root, may not search: (path, words for it)."""
    path = box.directory("closed", 0o700)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        owner = "0:0"
    else:
        owner = f"{os.getuid()}:{os.getgid()}"
        os.chmod(path, 0o600)
    who = "its owner" if os.geteuid() != 0 else "others"
    return path, [f"{path} (owner {owner}", f"has no x for {who}", f"+x {path}"]


def move_below(path, bundle):
    os.chmod(path, 0o700)
    shutil.move(bundle.path, path)
    moved = f"{path}/{os.path.basename(bundle.path)}"
    bundle.kept = {name.replace(bundle.path, moved) for name in bundle.kept}
    bundle.path = moved
    if os.geteuid() != 0:
        os.chmod(path, 0o600)


@pytest.mark.modes("user")
def test_a_bundle_in_a_directory_that_may_not_be_searched_is_explained(box):
    bundle = box.bundle()
    path, words = closed(box)
    move_below(path, bundle)
    is_refused(box, bundle, ["bundle", bundle.path, "permission denied", "mode 0", *words])


@pytest.mark.modes("user")
def test_a_root_in_a_directory_that_may_not_be_searched_is_explained(box):
    path, words = closed(box)

    def edit(config, _):
        config["root"]["path"] = f"{path}/rootfs"

    is_refused(box, box.bundle(edit=edit), ["/root/path", "permission denied", *words])


@pytest.mark.modes("user")
@pytest.mark.parametrize("link", [False, True])
def test_a_bind_source_that_may_not_be_searched_is_explained(box, link):
    path, words = closed(box)
    source = f"{path}/data"
    if link:
        source = os.path.join(box.dir, "link")
        os.symlink("closed/data", source)

    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "bind", "source": source,
                                 "options": ["bind"]})

    is_refused(box, box.bundle(edit=edit),
               ["mounts[7] /x", f"source {source}", "permission denied", f"{path} (owner 65534",
                "not mapped", *words[1:], *(["symbolic link to closed/data"] if link else [])])


@pytest.mark.modes("user")
def test_a_state_root_that_may_not_be_searched_is_explained(box):
    path, words = closed(box)
    bundle = box.bundle()
    result = box.fails("--root", f"{path}/state", "create", "--bundle", bundle.path, "x",
                       root=False, says=["state root", "permission denied", *words])
    assert result.rc == 1


@pytest.mark.modes("user")
def test_a_state_root_that_may_not_be_made_is_explained(box):
    if os.geteuid() != 0:
        pytest.skip("machine: needs a directory of another user")
    path = box.directory("others")
    os.chown(path, 0, 0)
    box.fails("--root", f"{path}/state", "create", "--bundle", box.bundle().path, "x", root=False,
              says=["state root", f"{path}/state", "permission denied", "--root",
                    f"{path} (owner 0:0, mode 0755) has no w for others"])


@pytest.mark.modes("user")
def test_a_pid_file_in_a_directory_that_may_not_be_searched_is_explained(box):
    path, words = closed(box)
    bundle = box.bundle()
    box.fails("create", "--bundle", bundle.path, "--pid-file", f"{path}/sub/pid", box.new_id(),
              says=["pid file", "permission denied", *words])
    assert box.leavings() == []


def mapped_elsewhere(config):
    """Root of the container is a user of the host that owns nothing."""
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 700000, "size": 1000}]
    config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 700000, "size": 1000}]
    bundles.mount_at(config, "/dev/pts")["options"].remove("gid=5")


@pytest.mark.modes("root")
def test_a_working_directory_that_the_mapped_root_may_not_search_is_explained(box):
    def edit(config, bundle):
        mapped_elsewhere(config)
        config["process"]["cwd"] = "/job/deep"
        bundle.directory("job/deep")
        os.chmod(f"{bundle.rootfs}/job", 0o700)
        os.chown(bundle.rootfs, 700000, 700000)

    is_refused(box, box.bundle(edit=edit),
               ["/job/deep", "permission denied", "<root>/job (owner 65534", "mode 0700",
                "has no x for others"])


@pytest.mark.modes("root")
def test_a_root_that_the_mapped_root_may_not_write_is_explained(box):
    bundle = box.bundle(edit=lambda config, _: mapped_elsewhere(config))
    is_refused(box, bundle, ["mounts[0] /proc: create /proc", "permission denied", "<root>/ (owner 65534",
                             "mode 0755", "has no w for others"])


def test_a_bind_source_that_leads_nowhere_is_explained(box):
    os.symlink("/no/such/place", f"{box.dir}/link")

    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "bind", "source": f"{box.dir}/link",
                                 "options": ["bind"]})

    is_refused(box, box.bundle(edit=edit), ["no such file or directory", "symbolic link to "
                                            "/no/such/place", "there is no /no"])


# ---- limits on namespaces


KINDS = {"user": "user", "mount": "mnt", "pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts",
         "cgroup": "cgroup"}


def with_user_namespace(config, _=None):
    if not any(entry["type"] == "user" for entry in config["linux"]["namespaces"]):
        config["linux"]["namespaces"].append({"type": "user"})
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key] = [{"containerID": 0, "hostID": 0, "size": 1}]
        bundles.mount_at(config, "/dev/pts")["options"].remove("gid=5")
    nested(config)


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_of_zero_namespaces_is_named(box, kind):
    sysctl = f"max_{KINDS[kind]}_namespaces"
    bundle = box.bundle(edit=with_user_namespace)
    with around(box, *user_namespace(f"echo 0 >/proc/sys/user/{sysctl}")):
        is_refused(box, bundle, ["no space left on device", f"user.{sysctl} is 0", "sysctl -w"])


def test_a_limit_that_is_reached_is_named_with_its_value(box):
    bundle = box.bundle(edit=with_user_namespace)
    hold = "unshare --uts sleep 20 & sleep 0.3; echo 1 >/proc/sys/user/max_uts_namespaces"
    with around(box, *user_namespace(hold)):
        result = box.fails("create", "--bundle", bundle.path, box.new_id(), says=[
            "no space left on device", "user.max_uts_namespaces = 1", "so many namespaces exist"])
    assert result.rc == 1
    for pid, _ in box.processes():
        os.kill(pid, 9)


# ---- user namespaces that are forbidden


def fake_sysctls(box, **values):
    """A command line that shows these below /proc/sys/kernel, whatever the kernel has."""
    directory = box.directory("kernel")
    os.makedirs(f"{directory}/random")
    for name in ("cap_last_cap", "random/boot_id", "overflowuid", "overflowgid"):
        with open(f"/proc/sys/kernel/{name}", encoding="ascii") as file:
            values[name] = file.read().strip()
    for name, value in values.items():
        with open(f"{directory}/{name}", "w", encoding="ascii") as file:
            file.write(f"{value}\n")
    return ["unshare", "--mount", "--propagation", "private",
            *shell(f"mount --bind {directory} /proc/sys/kernel")]


@root_only
@pytest.mark.modes("user")
def test_user_namespaces_for_root_only_are_named(box):
    bundle = box.bundle()
    with beneath(box, *fake_sysctls(box, unprivileged_userns_clone=0)), \
         around(box, *no_unshare(CLONE_NEWUSER)):
        is_refused(box, bundle, ["user", "operation not permitted", "sysctl -w",
                                 "kernel.unprivileged_userns_clone is 0"])


@root_only
@pytest.mark.modes("user")
@pytest.mark.parametrize("flag", [CLONE_NEWUSER, CLONE_NEWNS])
def test_apparmor_that_restricts_user_namespaces_is_named(box, flag):
    """The user namespace is made, but without a capability in it: the next step is refused."""
    bundle = box.bundle()
    with beneath(box, *fake_sysctls(box, apparmor_restrict_unprivileged_userns=1)), \
         around(box, *no_unshare(flag)):
        is_refused(box, bundle, ["operation not permitted", "contrib/apparmor", "userns,",
                                 "kernel.apparmor_restrict_unprivileged_userns is 1"])


def test_a_seccomp_filter_of_an_outer_container_is_named(box):
    bundle = box.bundle()
    with around(box, *no_unshare(CLONE_NEWNS)):
        is_refused(box, bundle, ["operation not permitted", "a seccomp filter is on this process",
                                 "outer container"])


def test_sysctls_that_forbid_nothing_are_not_blamed(box):
    if os.geteuid() != 0:
        pytest.skip("machine: not started as root")
    bundle = box.bundle()
    fakes = fake_sysctls(box, unprivileged_userns_clone=1, apparmor_restrict_unprivileged_userns=0)
    with beneath(box, *fakes), around(box, *no_unshare(CLONE_NEWNS)):
        result = is_refused(box, bundle, "a seccomp filter")
    assert "userns" not in result.err, result


# ---- chroots and outer containers


def drop(box):
    return f"--userspec={box.uid}:{box.uid}" if box.uid is not None else "--userspec=0:0"


def copy_with_libraries(box, target):
    """The runtime with its libraries below `target`, which is a plain directory."""
    listed = subprocess.run(["ldd", box.runtime.path], capture_output=True, text=True, check=True)
    files = [word for word in listed.stdout.split() if word.startswith("/")]
    for path in [*files, box.runtime.path]:
        os.makedirs(target + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, target + path)
    return box.runtime.path


@root_only
@pytest.mark.modes("user")
def test_a_chroot_is_named(box):
    bundle = box.bundle()
    path = copy_with_libraries(box, box.dir)
    os.mkdir(f"{box.dir}/proc")
    argv = ["unshare", "--mount", "--propagation", "private",
            *shell(f"mount --rbind /proc {box.dir}/proc"), "chroot", drop(box), box.dir, path,
            "--root", "/state", "create", "--bundle", bundle.path[len(box.dir):], box.new_id()]
    result = subprocess.run(argv, capture_output=True, text=True, check=False, env=box.runtime.env)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    for words in ("operation not permitted", "runs in a chroot", "outside"):
        assert words in result.stderr
    assert box.leavings() == []


@root_only
@pytest.mark.modes("user")
def test_a_chroot_to_a_mount_is_suspected(box):
    bundle = box.bundle()
    place = box.directory("place")
    with beneath(box, "unshare", "--mount", "--propagation", "private",
                 *shell(f"mount --rbind / {place}"), "chroot", place):
        is_refused(box, bundle, ["operation not permitted", "a chroot"])


@root_only
@pytest.mark.modes("root")
def test_root_in_a_chroot_that_is_no_mount_is_told_what_to_do(box):
    bundle = box.bundle("echo", "inside")
    path = copy_with_libraries(box, box.dir)
    os.mkdir(f"{box.dir}/proc")
    os.mkdir(f"{box.dir}/dev")

    def call(before):
        argv = ["unshare", "--mount", "--propagation", "private",
                *shell(f"{before}; mount --rbind /proc {box.dir}/proc; "
                       f"mount --rbind /dev {box.dir}/dev"), "chroot", box.dir, path,
                "--root", "/state", "run", "--bundle", bundle.path[len(box.dir):], box.new_id()]
        return subprocess.run(argv, capture_output=True, text=True, check=False,
                              env=box.runtime.env)

    refused = call(":")
    assert refused.returncode == 1
    assert "invalid argument (this process runs in a chroot" in refused.stderr, refused
    assert "mount --bind the directory on itself" in refused.stderr
    done = call(f"mount --rbind {box.dir} {box.dir}")
    assert (done.returncode, done.stdout) == (0, "inside\n"), done
    assert box.leavings() == []


def outer_container(commands):
    """As root of a user namespace with a procfs of its own."""
    return ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc",
            "--kill-child", *shell(commands)]


@pytest.mark.parametrize("hidden, mask", [
    ("interrupts", "mount --bind /dev/null /proc/interrupts"),
    ("fs", "mount -t tmpfs tmpfs /proc/fs"),
    ("sys", "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")])
def test_a_masked_proc_of_an_outer_container_is_named(box, hidden, mask):
    bundle = box.bundle(edit=with_user_namespace)
    with around(box, *outer_container(mask)):
        is_refused(box, bundle, ["mounts[0] /proc", "operation not permitted",
                                 f"hides part of /proc, /proc/{hidden}",
                                 "systempaths=unconfined"])


def test_an_outer_container_with_all_of_proc_is_no_obstacle(box):
    bundle = box.bundle("echo", "inside", edit=with_user_namespace)
    with around(box, *outer_container(":")):
        result = box.run(bundle)
    assert (result.rc, result.out) == (0, "inside\n"), result


def test_a_new_proc_without_a_pid_namespace_of_its_own_is_explained(box):
    def edit(config, _):
        with_user_namespace(config)
        bundles.drop_namespace(config, "pid")

    with around(box, *user_namespace()):
        is_refused(box, box.bundle(edit=edit), ["mounts[0] /proc", "operation not permitted",
                                                "\"pid\"", "linux.namespaces"])


def test_sysfs_without_a_network_namespace_is_degraded_and_told(box):
    def edit(config, _):
        with_user_namespace(config)
        bundles.drop_namespace(config, "network")

    bundle = box.bundle("pause", edit=edit)
    with around(box, *outer_container(":")):
        name = box.new_id()
        box.fails("run", "--bundle", bundle.path, name, options=("--strict",),
                  says=["/sys", "sysfs is refused", "operation not permitted"])
