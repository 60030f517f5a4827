"""Sources that only the parent can open: below directories that the container's root may not enter,
and mounts whose ids are mapped."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from test_mounts import add

HOST = 300000


def in_user_namespace(config, bundle):
    """Root of the container is an id of the host that owns nothing but the root's top."""
    os.chown(bundle.rootfs, HOST, HOST)
    os.chown(f"{bundle.rootfs}/tmp", HOST, HOST)
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": HOST, "size": 65536}]
    config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/sys/fs/cgroup"]


@pytest.fixture
def closed_place(box):
    """A directory of root's that nobody else may enter."""
    if os.geteuid() != 0:
        pytest.skip("machine: not started as root")
    top = tempfile.mkdtemp(prefix="cit-closed-")
    os.makedirs(os.path.join(top, "data/sub"))
    with open(os.path.join(top, "data/file"), "w", encoding="ascii") as file:
        file.write("reached\n")
    yield top
    shutil.rmtree(top)


def stats(box, *paths, edit=None):
    text = box.output("stat", *paths, edit=edit)
    return {entry["path"]: entry for entry in map(json.loads, text.splitlines())}


def owner(entry):
    return entry["uid"], entry["gid"]


# ---- what the container's root could not reach


@pytest.mark.modes("root")
def test_a_source_below_a_closed_directory_is_bound(box, closed_place):
    def edit(config, bundle):
        in_user_namespace(config, bundle)
        config["mounts"] += [add("/vol", "none", f"{closed_place}/data", "rbind", "ro"),
                             add("/file", "none", f"{closed_place}/data/file", "bind")]

    assert box.output("cat", "/vol/file", "/file", edit=edit) == "reached\nreached\n"
    assert "ro" in box.facts(edit).mount("/vol").options


@pytest.mark.modes("root")
def test_a_root_below_a_closed_directory_is_used(box, closed_place):
    bundle = box.bundle("echo", "inside", edit=in_user_namespace)
    subprocess.run(["cp", "-a", bundle.rootfs, f"{closed_place}/root"], check=True)
    subprocess.run(["chown", "-R", f"{HOST}:{HOST}", f"{closed_place}/root"], check=True)
    bundle.config["root"]["path"] = f"{closed_place}/root"
    result = box.run(bundle.write())
    assert (result.rc, result.out) == (0, "inside\n"), result


@pytest.mark.modes("root")
def test_what_the_host_has_locked_stays_locked(box, closed_place):
    """The tree is cloned inside of the container's mount namespace, where its flags are locked."""
    path = f"{closed_place}/data"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", path], check=True)
    try:
        subprocess.run(["mount", "--make-private", path], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro,nosuid", path], check=True)

        def edit(config, bundle):
            in_user_namespace(config, bundle)
            config["mounts"].append(add("/vol", "none", path, "rbind"))
            for name in ("bounding", "effective", "permitted"):
                config["process"]["capabilities"][name].append("CAP_SYS_ADMIN")
            config["process"]["args"] = [
                "/bin/sh", "-c", "mount -o remount,bind,rw /vol; echo x > /vol/written; echo $?"]

        assert "ro" in box.facts(lambda c, b: (edit(c, b), c["process"].update(
            args=["/bin/guest", "facts"]))).mount("/vol").options
        assert box.output(edit=edit, busybox=True).strip() == "1"

        def clears(config, bundle):
            edit(config, bundle)
            config["mounts"][-1]["options"] = ["rbind", "rw"]

        bundle = box.bundle(edit=clears)
        box.fails("run", "--bundle", bundle.path, box.new_id(), says=["option rw", "locked"])
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.modes("root")
def test_a_missing_source_is_named(box):
    def edit(config, bundle):
        in_user_namespace(config, bundle)
        config["mounts"].append(add("/vol", "none", "/no/such/source", "rbind"))

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["mounts[", "/vol", "/no/such/source", "no such file or directory"])


@pytest.mark.modes("root")
@pytest.mark.parametrize("count", [252, 253, 600])
def test_many_sources_are_given_in_their_order(box, closed_place, count):
    """More than one message of descriptors, and more than one limit of open files."""
    for i in range(count):
        os.mkdir(f"{closed_place}/data/sub/{i}")
        with open(f"{closed_place}/data/sub/{i}/name", "w", encoding="ascii") as file:
            file.write(f"n{i}\n")

    def edit(config, bundle):
        in_user_namespace(config, bundle)
        config["mounts"] += [add(f"/tmp/{i}", "none", f"{closed_place}/data/sub/{i}", "bind")
                             for i in range(count)]

    bundle = box.bundle(edit=edit)
    bundle.config["process"]["args"] = ["/bin/guest", "cat",
                                         *(f"/tmp/{i}/name" for i in range(count))]
    result = box.run(bundle.write(), wrap=["prlimit", "--nofile=400:4096"])
    assert result.rc == 0, str(result)
    assert result.out.split() == [f"n{i}" for i in range(count)]


# ---- id-mapped mounts


@pytest.fixture
def owned(closed_place):
    os.chmod(closed_place, 0o755)
    for name, uid in (("data", 0), ("data/file", 5), ("data/sub", 7)):
        os.chown(f"{closed_place}/{name}", uid, uid)
    return f"{closed_place}/data"


@pytest.mark.modes("root")
def test_idmap_uses_the_user_namespace_of_the_container(box, owned):
    def edit(config, bundle):
        in_user_namespace(config, bundle)
        config["mounts"] += [add("/plain", "none", owned, "bind"),
                             add("/vol", "none", owned, "bind", "idmap")]

    found = stats(box, "/plain/file", "/vol", "/vol/file", "/vol/sub", edit=edit)
    assert owner(found["/plain/file"]) == (65534, 65534)
    assert [owner(found[p]) for p in ("/vol", "/vol/file", "/vol/sub")] == [(0, 0), (5, 5), (7, 7)]


@pytest.mark.modes("root")
def test_what_is_written_through_an_idmapped_mount_belongs_to_the_unmapped_id(box, owned):
    def edit(config, bundle):
        in_user_namespace(config, bundle)
        config["mounts"].append(add("/vol", "none", owned, "bind", "idmap"))

    box.output("touch", "/vol/new", edit=edit)
    assert os.stat(f"{owned}/new").st_uid == 0


@pytest.mark.modes("root")
@pytest.mark.parametrize("word", ["idmap", "ridmap", None])
def test_the_maps_of_the_mount_are_used(box, owned, word):
    def edit(config, _):
        entry = add("/vol", "none", owned, "rbind", *([word] if word else []))
        entry["uidMappings"] = [{"containerID": 5, "hostID": 1005, "size": 3}]
        entry["gidMappings"] = [{"containerID": 5, "hostID": 2005, "size": 3}]
        config["mounts"] += [entry, {**entry, "destination": "/twin"}]

    found = stats(box, "/vol/file", "/vol/sub", "/twin/file", edit=edit)
    assert owner(found["/vol/file"]) == owner(found["/twin/file"]) == (1005, 2005)
    assert owner(found["/vol/sub"]) == (1007, 2007)


@pytest.mark.modes("root")
@pytest.mark.parametrize("word,inner", [("idmap", (7, 7)), ("ridmap", (107, 107))])
def test_ridmap_is_for_the_whole_tree(box, owned, word, inner):
    path = f"{owned}/sub"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,uid=7,gid=7", "tmpfs", path], check=True)
    try:
        subprocess.run(["mount", "--make-private", path], check=True)

        def edit(config, _):
            entry = add("/vol", "none", owned, "rbind", word)
            entry["uidMappings"] = entry["gidMappings"] = [
                {"containerID": 0, "hostID": 100, "size": 10}]
            config["mounts"].append(entry)

        found = stats(box, "/vol/file", "/vol/sub", edit=edit)
        assert owner(found["/vol/file"]) == (105, 105)
        assert owner(found["/vol/sub"]) == inner
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.modes("root")
def test_no_holder_of_a_map_is_left(box, owned):
    def edit(config, _):
        entry = add("/vol", "none", owned, "bind", "idmap")
        entry["uidMappings"] = entry["gidMappings"] = [{"containerID": 0, "hostID": 1, "size": 1}]
        config["mounts"].append(entry)

    box.start("pause", edit=edit)
    names = subprocess.run(["ps", "-eo", "comm="], capture_output=True, text=True, check=True)
    assert "coracle:ids" not in names.stdout


@pytest.mark.modes("root")
def test_a_filesystem_that_cannot_be_idmapped_is_named(box):
    def edit(config, _):
        entry = add("/vol", "none", "/proc/sys", "bind", "idmap")
        entry["uidMappings"] = entry["gidMappings"] = [{"containerID": 0, "hostID": 1, "size": 1}]
        config["mounts"].append(entry)

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/vol", "idmap of /proc/sys", "cannot be id-mapped", "invalid argument"])


@pytest.mark.modes("root")
@pytest.mark.parametrize("kind,options,says", [
    ("none", ["bind", "idmap"], "it has none of its own"),
    ("tmpfs", ["idmap"], "only a bind mount can be id-mapped"),
])
def test_an_idmap_that_cannot_be_is_refused(box, kind, options, says):
    bundle = box.bundle(edit=lambda config, _: config["mounts"].append(
        add("/vol", kind, "/usr", *options)))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["/mounts/", says])


@pytest.mark.modes("user")
@pytest.mark.parametrize("word", ["idmap", "ridmap"])
def test_a_plain_user_is_told_why_there_is_no_idmap(box, word):
    bundle = box.bundle(edit=lambda config, _: config["mounts"].append(
        add("/vol", "none", "/usr", "bind", word)))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/mounts/", "id-mapped", "plain user", "as root"])
