"""Every mount option of the runtime-spec, as the container's own mountinfo shows it."""

import json
import os
import shutil
import stat
import subprocess
import tempfile

import pytest

import bundles

from test_mounts import add, with_mount

ATIME = {"noatime", "relatime"}  # strictatime shows as neither

# option: what mountinfo has then, and what it has not. ("super:" is of the filesystem.)
SET = {
    "ro": ({"ro"}, {"rw"}),
    "nosuid": ({"nosuid"}, set()),
    "nodev": ({"nodev"}, set()),
    "noexec": ({"noexec"}, set()),
    "noatime": ({"noatime"}, {"relatime"}),
    "nodiratime": ({"nodiratime", "relatime"}, set()),
    "relatime": ({"relatime"}, {"noatime"}),
    "strictatime": (set(), ATIME),
    "nosymfollow": ({"nosymfollow"}, set()),
}
# what takes it back: the opposite, or what is there anyway
CLEAR = {"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "noatime": "atime",
         "nodiratime": "diratime", "strictatime": "nostrictatime", "nosymfollow": "symfollow"}
SUPER = {"sync": "async", "dirsync": None, "lazytime": "nolazytime", "mand": "nomand"}
NOTHING = ["defaults", "async", "atime", "dev", "diratime", "exec", "loud", "noiversion",
           "nolazytime", "nomand", "norelatime", "nostrictatime", "rw", "silent", "suid",
           "symfollow", "iversion"]


def new_tmpfs(box, *options):
    return box.facts(with_mount("/new", "tmpfs", "tmpfs", *options)).mount("/new")


# ---- a filesystem of the container's own


@pytest.mark.parametrize("option", SET)
def test_a_new_filesystem_takes_the_option(box, option):
    there, not_there = SET[option]
    mount = new_tmpfs(box, option)
    assert there <= mount.options and not not_there & mount.options, mount


@pytest.mark.parametrize("option", SET)
def test_a_new_filesystem_takes_the_recursive_option(box, option):
    there, not_there = SET[option]
    mount = new_tmpfs(box, "r" + option)
    assert there <= mount.options and not not_there & mount.options, mount


@pytest.mark.parametrize("option", CLEAR)
@pytest.mark.parametrize("prefix", ["", "r"])
def test_the_last_of_two_opposites_wins(box, option, prefix):
    def edit(config, _):
        config["mounts"] += [
            add("/one", "tmpfs", "t", prefix + option, prefix + CLEAR[option]),
            add("/two", "tmpfs", "t", prefix + CLEAR[option], prefix + option),
        ]

    facts = box.facts(edit)
    one, two = facts.mount("/one"), facts.mount("/two")
    assert one.options == {"rw", "relatime"}, one
    there, not_there = SET[option]
    assert there <= two.options and not not_there & two.options, two


@pytest.mark.parametrize("option", NOTHING)
def test_an_option_that_says_the_default_changes_nothing(box, option):
    mount = new_tmpfs(box, option)
    assert mount.options == {"rw", "relatime"}, mount
    assert not mount.super_options & {"sync", "dirsync", "lazytime", "mand", "ro"}, mount


@pytest.mark.parametrize("option", SUPER)
def test_an_option_of_the_superblock_is_set(box, option):
    assert option in new_tmpfs(box, option).super_options
    if SUPER[option]:
        assert option not in new_tmpfs(box, option, SUPER[option]).super_options


def test_iversion_keeps_the_other_options(box):
    mount = new_tmpfs(box, "iversion", "nosuid", "noexec", "sync", "size=1m")
    assert {"nosuid", "noexec", "rw"} <= mount.options
    assert {"sync", "size=1024k"} <= mount.super_options


def test_data_options_reach_tmpfs(box):
    mount = new_tmpfs(box, "size=1m,mode=750", "nr_inodes=77", "uid=0", "gid=0")
    assert {"size=1024k", "mode=750", "nr_inodes=77"} <= mount.super_options


def test_a_read_only_dev_is_filled_first(box):
    def edit(config, _):
        dev = next(m for m in config["mounts"] if m["destination"] == "/dev")
        dev["options"].append("ro")

    facts = box.facts(edit)
    assert "ro" in facts.mount("/dev").options
    assert box.output("try-open", "rw", "/dev/null", "/dev/zero", edit=edit) \
        == "/dev/null ok\n/dev/zero ok\n"
    assert box.run(box.bundle("touch", "/dev/new", edit=edit)).rc == 1


def test_an_option_that_the_filesystem_does_not_know_is_named(box):
    bundle = box.bundle(edit=with_mount("/new", "tmpfs", "tmpfs", "nonsense"))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["mounts[", "/new", "nonsense"])


@pytest.mark.modes("user")
@pytest.mark.parametrize("kind", ["tmpfs", "devpts"])
def test_an_id_that_is_not_mapped_is_named_with_the_cure(box, kind):
    bundle = box.bundle(edit=with_mount("/new", kind, kind, "gid=5"))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["gid=5", "gid 5 is not mapped", "/linux/gidMappings"])


# ---- bind mounts


class HostTree:
    """A tmpfs on the host with another inside it, for one test. It lies outside of the directory of
    the test, whose end must find no mount there."""

    def __init__(self, *options, propagation="private"):
        if os.geteuid() != 0:
            pytest.skip("machine: only root can mount on the host")
        self.top = tempfile.mkdtemp(prefix="cit-host-")
        os.chmod(self.top, 0o755)
        self.path = os.path.join(self.top, "tree")
        os.mkdir(self.path)
        try:
            self.mount(self.path, propagation)
            os.mkdir(os.path.join(self.path, "in"))
            os.mkdir(os.path.join(self.path, "sub"))
            self.mount(os.path.join(self.path, "in"), propagation)
            for path in (f"{self.path}/in", self.path) if options else ():
                words = ",".join(["remount", "bind", *options])
                subprocess.run(["mount", "-o", words, path], check=True)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def mount(path, propagation):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", path], check=True)
        subprocess.run(["mount", f"--make-{propagation}", path], check=True)

    def mounts(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            return [line.split()[4] for line in file if self.top in line]

    def close(self):
        for path in reversed(self.mounts()):
            subprocess.run(["umount", "-l", path], check=False)
        assert not self.mounts()
        shutil.rmtree(self.top)


@pytest.fixture
def host_tree():
    made = []

    def make(*options):
        made.append(HostTree(*options))
        return made[-1].path

    yield make
    for tree in made:
        tree.close()


@pytest.fixture
def shared_place():
    place = HostTree(propagation="shared")
    yield place
    place.close()


def bound(box, source, *options):
    facts = box.facts(with_mount("/vol", "none", source, "rbind", *options))
    return facts.mount("/vol"), facts.mount("/vol/in")


LOCKED = {"noatime", "nodiratime", "strictatime"}  # of what a user namespace inherits


# The trees are mounted on the host after the third mode has made its namespace.
host_modes = pytest.mark.modes("user", "root")


@host_modes
@pytest.mark.parametrize("option", SET)
def test_a_bind_takes_the_option_for_its_top_only(box, host_tree, option):
    if box.mode == "user" and option in LOCKED:
        pytest.skip("machine: locked in a user namespace; another test asks for the error")
    there, not_there = SET[option]
    top, inner = bound(box, host_tree(), option)
    assert there <= top.options and not not_there & top.options, top
    if option != "relatime":
        assert inner.options == {"rw", "relatime"}, inner


@host_modes
@pytest.mark.parametrize("option", SET)
def test_a_recursive_option_is_for_the_whole_tree(box, host_tree, option):
    if box.mode == "user" and option in LOCKED:
        pytest.skip("machine: locked in a user namespace; another test asks for the error")
    there, not_there = SET[option]
    for mount in bound(box, host_tree(), "r" + option):
        assert there <= mount.options and not not_there & mount.options, mount


@pytest.mark.modes("root")
@pytest.mark.parametrize("option", [name for name in CLEAR if name != "strictatime"])
@pytest.mark.parametrize("prefix", ["", "r"])
def test_root_clears_what_the_source_has(box, host_tree, option, prefix):
    top, inner = bound(box, host_tree(option), prefix + CLEAR[option])
    assert option not in top.options
    assert (option in inner.options) == (prefix == ""), inner


@pytest.mark.modes("user")
@pytest.mark.parametrize("option", ["ro", "nosuid", "nodev", "noexec"])
def test_a_locked_flag_is_kept_unless_it_is_to_be_cleared(box, host_tree, option):
    source = host_tree(option)
    for mount in bound(box, source, "nosymfollow"):
        assert option in mount.options
    for word in (CLEAR[option], "r" + CLEAR[option]):
        bundle = box.bundle(edit=with_mount("/vol", "none", source, "rbind", word))
        box.fails("run", "--bundle", bundle.path, box.new_id(),
                  says=["/vol", f"option {CLEAR[option]}", option, "locked",
                        "operation not permitted"])


@pytest.mark.modes("user")
@pytest.mark.parametrize("word", ["noatime", "rstrictatime", "nodiratime"])
def test_a_locked_access_time_is_said_to_be(box, host_tree, word):
    bundle = box.bundle(edit=with_mount("/vol", "none", host_tree(), "rbind", word))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/vol", "access times", "locked", "operation not permitted"])


@host_modes
def test_a_recursive_word_after_one_about_the_top_wins(box, host_tree):
    source = host_tree()
    assert all("ro" in m.options for m in bound(box, source, "rw", "rro"))
    top, inner = bound(box, source, "rro", "rw")
    assert "rw" in top.options and "ro" in inner.options


@pytest.mark.parametrize("word", ["sync", "lazytime", "dirsync", "iversion", "mand", "size=1m"])
def test_a_bind_refuses_what_belongs_to_a_filesystem(box, word):
    bundle = box.bundle(edit=with_mount("/vol", "bind", "/usr", "bind", word))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["/mounts/", word, "filesystem"])


@pytest.mark.parametrize("word,shown", [
    ("private", None), ("rprivate", None), ("shared", "shared:"), ("rshared", "shared:"),
    ("slave", None), ("rslave", None), ("unbindable", "unbindable"), ("runbindable", "unbindable"),
])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_the_propagation_is_as_asked(box, word, shown, kind):
    def edit(config, _):
        source = box.directory("src") if kind == "bind" else "tmpfs"
        config["mounts"].append(add("/vol", kind, source, word))

    fields = box.facts(edit).mount("/vol").propagation
    if shown is None:
        assert not any(f.startswith(("shared:", "unbindable")) for f in fields), fields
    else:
        assert any(f.startswith(shown) for f in fields), fields


# ---- remount


def test_a_remount_changes_what_it_names_and_keeps_the_rest(box):
    def edit(config, _):
        config["mounts"] += [add("/new", "tmpfs", "t", "nosuid", "noexec", "size=1m"),
                             add("/new", "", "", "remount", "exec", "noatime", "size=2m", "sync")]

    mount = box.facts(edit).mount("/new")
    assert {"nosuid", "noatime"} <= mount.options and "noexec" not in mount.options
    assert {"size=2048k", "sync"} <= mount.super_options


def test_a_remount_clears_flags_of_the_superblock(box):
    def edit(config, _):
        config["mounts"] += [add("/new", "tmpfs", "t", "sync", "lazytime"),
                             add("/new", "tmpfs", "t", "remount", "async", "nolazytime")]

    assert not box.facts(edit).mount("/new").super_options & {"sync", "lazytime"}


@host_modes
def test_a_bind_is_remounted(box, host_tree):
    source = host_tree()

    def edit(config, _):
        config["mounts"] += [add("/vol", "none", source, "rbind"),
                             add("/vol", "none", "", "remount", "bind", "ro", "rnosuid")]

    facts = box.facts(edit)
    assert {"ro", "nosuid"} <= facts.mount("/vol").options
    assert {"rw", "nosuid"} <= facts.mount("/vol/in").options


def test_the_propagation_is_remounted(box):
    def edit(config, _):
        config["mounts"] += [add("/new", "tmpfs", "t"), add("/new", "", "", "remount", "shared")]

    assert any(f.startswith("shared:") for f in box.facts(edit).mount("/new").propagation)


@pytest.mark.parametrize("options,says", [
    (["remount", "ro"], "no earlier mount is at /etc"),
    (["remount", "size=1m"], "size=1m belongs to a filesystem"),
    (["remount", "bind", "sync"], "sync"),
    (["remount", "tmpcopyup"], "tmpcopyup is for a new tmpfs"),
])
def test_a_remount_of_nothing_is_refused(box, options, says):
    bundle = box.bundle(edit=with_mount("/etc", "tmpfs", "t", *options))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["mounts", says])


@pytest.mark.modes("root")
def test_a_remount_of_a_bind_leaves_the_host_writable(box, host_tree):
    source = host_tree()

    def edit(config, _):
        config["mounts"] += [add("/vol", "none", source, "rbind"),
                             add("/vol", "none", source, "remount", "ro")]

    assert "ro" in box.facts(edit).mount("/vol").options
    with open(os.path.join(source, "still"), "w", encoding="ascii") as file:
        file.write("writable")


# ---- tmpcopyup


def stats(box, *paths, edit=None):
    text = box.output("stat", *paths, edit=edit)
    return {entry["path"]: entry for entry in map(json.loads, text.splitlines())}


MODES = {"data": 0o1750, "data/sub": 0o2710, "data/sub/file": 0o4751, "data/fifo": 0o620}


def fill(bundle):
    bundle.directory("data/sub")
    bundle.file("data/sub/file", "kept\n")
    bundle.symlink("data/link", "/etc/passwd")
    bundle.symlink("data/dangling", "../../nowhere")
    os.mkfifo(os.path.join(bundle.rootfs, "data/fifo"))
    bundle.own(os.path.join(bundle.rootfs, "data/fifo"))
    with open(bundle.file("data/sparse"), "r+b") as file:
        file.truncate(1 << 40)
        file.seek(1 << 30)
        file.write(b"middle")
    for name, mode in MODES.items():
        os.chmod(os.path.join(bundle.rootfs, name), mode)


def test_tmpcopyup_keeps_modes_links_and_times(box):
    def edit(config, bundle):
        fill(bundle)
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=1m"))

    names = ["/data", "/data/sub", "/data/sub/file", "/data/link", "/data/dangling", "/data/fifo",
             "/data/sparse"]
    found = stats(box, *names, edit=edit)
    assert [found[name]["mode"] for name in names] \
        == [0o1750, 0o2710, 0o4751, 0o777, 0o777, 0o620, 0o644]
    assert [found[name]["type"] for name in names] \
        == ["dir", "dir", "file", "symlink", "symlink", "fifo", "file"]
    assert found["/data/link"]["target"] == "/etc/passwd"
    assert found["/data/dangling"]["target"] == "../../nowhere"
    assert box.output("cat", "/data/sub/file", edit=edit) == "kept\n"


def test_tmpcopyup_leaves_the_image_as_it_was(box):
    def edit(config, bundle):
        bundle.file("data/file", "kept\n")
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup"))
        config["process"]["args"] = ["/bin/guest", "write", "/data/file", "changed"]

    bundle = box.bundle(edit=edit)
    assert box.run(bundle).rc == 0
    assert open(os.path.join(bundle.rootfs, "data/file"), encoding="ascii").read() == "kept\n"


def test_tmpcopyup_may_be_read_only(box):
    def edit(config, bundle):
        bundle.file("data/file", "kept\n")
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro", "mode=700"))

    assert box.output("try-open", "w", "/data/file", edit=edit) == "/data/file EROFS\n"
    assert stats(box, "/data", edit=edit)["/data"]["mode"] == 0o700


@pytest.mark.modes("root")
def test_tmpcopyup_keeps_owners_devices_and_extended_attributes(box):
    def edit(config, bundle):
        path = bundle.file("data/file", "x", 0o640)
        os.chown(path, 12, 34)
        os.setxattr(path, "security.capability",
                    b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
        os.mknod(os.path.join(bundle.rootfs, "data/null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup"))

    container = box.start("pause", edit=edit)
    copy = f"/proc/{container.pid}/root/data/file"
    assert (os.stat(copy).st_uid, os.stat(copy).st_gid) == (12, 34)
    assert os.getxattr(copy, "security.capability")[4:6] == b"\x00\x20"
    assert os.stat(f"/proc/{container.pid}/root/data/null").st_rdev == os.makedev(1, 3)


def with_a_device(config, bundle):
    bundle.directory("data")
    bundle.file("data/file", "kept\n")
    os.mknod(os.path.join(bundle.rootfs, "data/null"), 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup"))


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device node in the image")
@pytest.mark.modes("user", "userns-root")
def test_tmpcopyup_leaves_device_nodes_out_in_a_user_namespace_and_says_so(box):
    container = box.start("pause", edit=with_a_device)
    assert os.listdir(f"/proc/{container.pid}/root/data") == ["file"]
    said = json.dumps(box.state(container.id))
    assert "the device node /data/null is left out" in said and "bind mount" in said
    strict = box.bundle("pause", edit=with_a_device)
    box.fails("create", "--bundle", strict.path, box.new_id(), options=["--strict"],
              says="/data/null")


def test_tmpcopyup_does_not_enter_other_mounts(box):
    def edit(config, bundle):
        bundle.file("data/file", "kept\n")
        config["mounts"] += [add("/data/vol", "bind", box.canary.path, "bind"),
                             add("/data", "tmpfs", "tmpfs", "tmpcopyup")]

    assert box.output("ls", "/data/vol", edit=edit) == ""
    assert "kept" in box.output("cat", "/data/file", edit=edit)


def test_tmpcopyup_stops_at_the_size_of_the_tmpfs(box):
    def edit(config, bundle):
        bundle.file("data/file", b"x" * (1 << 20))
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k"))

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/data/file", "size", "no space left on device"])


def test_tmpcopyup_ends_in_a_very_deep_tree(box):
    def edit(config, bundle):
        path = bundle.directory("data")
        here = os.open(path, os.O_RDONLY)
        for _ in range(200):
            os.mkdir("d", dir_fd=here)
            os.chown("d", *box.owner, dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        config["mounts"].append(add("/data", "tmpfs", "tmpfs", "tmpcopyup"))

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["copy up", "too many levels"])


@pytest.mark.parametrize("kind", ["bind", "proc", "mqueue"])
def test_tmpcopyup_is_for_tmpfs(box, kind):
    bundle = box.bundle(edit=with_mount("/new", kind, "/usr", "tmpcopyup"))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="tmpcopyup is for a new tmpfs")


# ---- the propagation of the root


def propagation_words(mount):
    return {field.split(":")[0] for field in mount.propagation}


@pytest.mark.parametrize("word,shown", [
    ("", set()), ("private", set()), ("rprivate", set()), ("shared", {"shared"}),
    ("rshared", {"shared"}), ("unbindable", {"unbindable"}), ("runbindable", {"unbindable"}),
])
def test_the_root_has_the_propagation_that_is_asked(box, word, shown):
    def edit(config, _):
        if word:
            config["linux"]["rootfsPropagation"] = word

    facts = box.facts(edit)
    assert propagation_words(facts.mount("/")) - {"master"} == shown
    inner = propagation_words(facts.mount("/proc")) - {"master"}
    assert inner == (shown if word.startswith("r") else inner & shown), facts.mount("/proc")


def test_a_mount_that_says_private_stays_so_in_a_shared_root(box):
    def edit(config, _):
        config["linux"]["rootfsPropagation"] = "rshared"
        config["mounts"] += [add("/one", "tmpfs", "t", "rprivate"), add("/two", "tmpfs", "t")]

    facts = box.facts(edit)
    assert propagation_words(facts.mount("/one")) == set()
    assert propagation_words(facts.mount("/two")) == {"shared"}


def mounting(config, *args):
    for name in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][name].append("CAP_SYS_ADMIN")
    config["process"]["args"] = ["/bin/sh", "-c", *args]


@pytest.mark.modes("root")
@pytest.mark.parametrize("root,bind,reaches", [
    ("rshared", "rshared", True), ("shared", "shared", True), ("rshared", "rslave", False),
    ("rshared", "rprivate", False), ("rslave", "rshared", False), ("", "rshared", False),
])
def test_a_mount_in_a_shared_bind_reaches_the_host(box, shared_place, root, bind, reaches):

    def edit(config, _):
        if root:
            config["linux"]["rootfsPropagation"] = root
        config["mounts"].append(add("/vol", "none", shared_place.path, "rbind", bind))
        mounting(config, "mount -t tmpfs tmpfs /vol/sub")

    box.output(edit=edit, busybox=True)
    assert (os.path.join(shared_place.path, "sub") in shared_place.mounts()) == reaches


@pytest.mark.modes("root")
@pytest.mark.parametrize("bind,arrives", [("rshared", True), ("rslave", True), ("rprivate", False)])
def test_a_mount_of_the_host_arrives_in_a_slave(box, shared_place, bind, arrives):
    container = box.start("pause", edit=lambda config, _: (
        config["linux"].update(rootfsPropagation="rshared"),
        config["mounts"].append(add("/vol", "none", shared_place.path, "rbind", bind))))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", f"{shared_place.path}/sub"], check=True)
    with open(f"/proc/{container.pid}/mountinfo", encoding="utf-8") as file:
        assert ("/vol/sub" in [line.split()[4] for line in file]) == arrives


@pytest.mark.modes("root")
@pytest.mark.parametrize("word,arrives", [("rslave", True), ("slave", True), ("private", False),
                                          ("shared", False), ("", False)])
def test_a_mount_of_the_host_arrives_in_a_slave_root(box, shared_place, word, arrives):
    bundle = box.bundle("pause")
    subprocess.run(["cp", "-a", bundle.rootfs, f"{shared_place.path}/root"], check=True)
    os.mkdir(f"{shared_place.path}/root/sub")
    bundle.config["root"]["path"] = f"{shared_place.path}/root"
    if word:
        bundle.config["linux"]["rootfsPropagation"] = word
    container = box.start(bundle=bundle.write())
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", f"{shared_place.path}/root/sub"], check=True)
    with open(f"/proc/{container.pid}/mountinfo", encoding="utf-8") as file:
        assert ("/sub" in [line.split()[4] for line in file]) == arrives


@pytest.mark.modes("user")
def test_a_shared_bind_across_a_user_namespace_is_reported(box):
    source = box.directory("src")
    container = box.start("pause", edit=lambda config, _: (
        config["linux"].update(rootfsPropagation="rshared"),
        config["mounts"].append(add("/vol", "none", source, "rbind", "rshared"))))
    assert "not seen on the host" in json.dumps(box.state(container.id))


# ---- many


def test_a_thousand_mounts(box):
    source = box.directory("src")

    def edit(config, _):
        for i in range(500):
            config["mounts"] += [add(f"/tmp/b{i}", "none", source, "bind", "ro"),
                                 add(f"/tmp/t{i}", "tmpfs", "tmpfs", "ro", "size=4k")]

    mounts = {m.destination: m for m in box.facts(edit).all_mounts()}
    assert all("ro" in mounts[f"/tmp/{kind}{i}"].options for kind in "bt" for i in range(500))


# ---- what an image has in /dev


@pytest.mark.modes("root")
@pytest.mark.parametrize("bits", [0o600, 0o000, 0o666])
def test_a_node_of_the_image_is_taken_whatever_its_mode(box, bits):
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.directory("dev")
        os.mknod(os.path.join(bundle.rootfs, "dev/null"), bits | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(os.path.join(bundle.rootfs, "dev/null"), bits)

    assert stats(box, "/dev/null", edit=edit)["/dev/null"]["mode"] == bits


@pytest.mark.modes("root")
def test_a_node_of_the_image_that_is_another_device_is_refused(box):
    def edit(config, bundle):
        bundles.remove_mount(config, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
        bundle.directory("dev")
        os.mknod(os.path.join(bundle.rootfs, "dev/null"), 0o666 | stat.S_IFCHR, os.makedev(1, 5))

    bundle = box.bundle(edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=["/dev/null", "1:3"])


@pytest.mark.modes("user")
@pytest.mark.parametrize("space,kind,shown", [("network", "sysfs", "/sys"),
                                              ("ipc", "mqueue", "/dev/mqueue")])
def test_a_fallback_keeps_the_words_of_the_kernel(box, space, kind, shown):
    refusal = f"a new {kind} is refused (operation not permitted)"

    def edit(config, _):
        bundles.drop_namespace(config, space)
        bundles.remove_mount(config, "/sys/fs/cgroup")
        config["process"]["args"] = ["/bin/guest", "pause"]

    if os.path.isdir(shown):
        container = box.start("pause", edit=edit)
        assert f"{refusal}, so the host's {shown}" in json.dumps(box.state(container.id))
    else:
        bundle = box.bundle(edit=edit)
        box.fails("run", "--bundle", bundle.path, box.new_id(),
                  says=[refusal, "of the host", shown, "no such file"])
