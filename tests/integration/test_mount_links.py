"""Symbolic links at either end of a bind: copy-symlink, src-nofollow, dest-nofollow."""

import json
import os

import pytest

import attack_swaps
import attacks

from test_mount_sources import in_user_namespace
from test_mounts import add, stat_of

RACES = int(os.environ.get("CORACLE_RACES", "30"))
KINDS = pytest.mark.parametrize("kind", ["absolute", "upwards"])


def same_user(_config, _bundle):
    pass


def openers(box):
    """Without and with a user namespace of another owner: with one the parent opens the sources."""
    return [same_user, in_user_namespace] if box.mode == "root" else [same_user]


def source_path(box, name):
    directory = os.path.join(box.dir, "sources")
    return os.path.join(directory if os.path.isdir(directory) else box.directory("sources"), name)


def link_of(box, target, name="link"):
    path = source_path(box, name)
    os.symlink(target, path)
    box.give(path)
    return path


def file_of(box, name="file", text="of the host\n"):
    path = source_path(box, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    box.give(path)
    return path


def mounting(*mounts, opener=same_user, prepare=None):
    def edit(config, bundle):
        opener(config, bundle)
        if prepare:
            prepare(bundle)
        config["mounts"] += mounts
    return edit


# ---- copy-symlink


def test_copy_symlink_makes_the_link_of_the_source(box):
    """The container of in_user_namespace owns its root's top only, so that is where the links go."""
    links = [link_of(box, target, name) for target, name in
             (("/data/where", "one"), ("../no/such", "two"))]
    for opener in openers(box):
        edit = mounting(add("/one", "bind", links[0], "rbind", "copy-symlink", "ro"),
                        add("/tmp/deep/two", "none", links[1], "bind", "copy-symlink"),
                        opener=opener)
        entries = stat_of(box, "/one", "/tmp/deep/two", edit=edit)
        assert [entry["target"] for entry in entries.values()] == ["/data/where", "../no/such"]
        assert box.facts(edit).mount("/one") is None


def test_copy_symlink_binds_what_is_no_link(box):
    for opener in openers(box):
        edit = mounting(add("/vol", "bind", file_of(box), "bind", "copy-symlink", "ro"),
                        opener=opener)
        assert box.output("cat", "/vol", edit=edit) == "of the host\n"
        assert "ro" in box.facts(edit).mount("/vol").options


def test_copy_symlink_takes_the_same_link_that_is_there(box):
    edit = mounting(add("/vol", "bind", link_of(box, "/data"), "bind", "copy-symlink"),
                    prepare=lambda bundle: bundle.symlink("vol", "/data"))
    assert stat_of(box, "/vol", edit=edit)["/vol"]["target"] == "/data"


@pytest.mark.parametrize("there", ["link", "file", "directory"])
def test_copy_symlink_is_refused_where_something_else_is(box, there):
    def prepare(bundle):
        if there == "link":
            bundle.symlink("vol", "/other")
        elif there == "file":
            bundle.file("vol")
        else:
            bundle.directory("vol")

    bundle = box.bundle(edit=mounting(add("/vol", "bind", link_of(box, "/data"), "bind",
                                          "copy-symlink"), prepare=prepare))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["mounts[", "/vol", "copy-symlink", "/data", "File exists"])


@KINDS
def test_copy_symlink_does_not_leave_the_root(box, kind):
    """The directory of the destination is a link to the host."""
    def prepare(bundle):
        bundle.symlink("gone", attacks.escape_targets(box, "sub")[kind])

    edit = mounting(add("/gone/planted", "bind", link_of(box, "/data"), "bind", "copy-symlink"),
                    prepare=prepare)
    box.run(box.bundle("exit", "0", edit=edit))
    assert attacks.host_harm(box) == []


# ---- src-nofollow


@pytest.mark.parametrize("options", [["bind", "ro"], ["rbind"]], ids="-".join)
def test_src_nofollow_binds_the_link_itself(box, options):
    """The container follows it in its own root."""
    link = link_of(box, "/words")

    def prepare(bundle):
        bundle.file("words", "of the container\n")

    for opener in openers(box):
        edit = mounting(add("/vol", "bind", link, "src-nofollow", *options), opener=opener,
                        prepare=prepare)
        entry = stat_of(box, "/vol", edit=edit)["/vol"]
        assert (entry["type"], entry["target"]) == ("symlink", "/words")
        assert entry["ino"] == os.lstat(link).st_ino
        assert box.output("cat", "/vol", edit=edit) == "of the container\n"


def test_src_nofollow_binds_what_is_no_link(box):
    for opener in openers(box):
        edit = mounting(add("/vol", "bind", file_of(box), "bind", "src-nofollow"), opener=opener)
        assert box.output("cat", "/vol", edit=edit) == "of the host\n"


def test_src_nofollow_shows_nothing_of_the_host_through_the_link(box):
    secret = os.path.join(box.canary.path, "secret")
    bundle = box.bundle("cat", "/vol", edit=mounting(
        add("/vol", "bind", link_of(box, secret), "bind", "src-nofollow")))
    result = box.run(bundle)
    assert result.rc != 0 and "host secret" not in result.out


# ---- dest-nofollow


@pytest.mark.parametrize("target", ["/inside", "inside"])
def test_dest_nofollow_covers_the_link_itself(box, target):
    """What the link leads to is not touched, whether it is of the image or of the host."""
    def prepare(bundle):
        bundle.file("inside", "inside\n")
        bundle.symlink("vol", target)

    edit = mounting(add("/vol", "bind", file_of(box), "bind", "dest-nofollow"), prepare=prepare)
    assert box.output("cat", "/vol", "/inside", edit=edit) == "of the host\ninside\n"
    without = mounting(add("/vol", "bind", file_of(box), "bind"), prepare=prepare)
    assert box.output("cat", "/inside", edit=without) == "of the host\n"


@KINDS
def test_dest_nofollow_does_not_leave_the_root(box, kind):
    def prepare(bundle):
        bundle.symlink("vol", attacks.escape_targets(box, "secret")[kind])
        bundle.symlink("gone", attacks.escape_targets(box, "sub")[kind])

    edit = mounting(add("/vol", "bind", file_of(box), "bind", "dest-nofollow"),
                    add("/gone/new", "bind", file_of(box), "bind", "dest-nofollow"),
                    prepare=prepare)
    assert box.output("cat", "/vol", edit=edit) == "of the host\n"
    assert attacks.host_harm(box) == []


def test_dest_nofollow_makes_a_destination_that_is_not_there(box):
    edit = mounting(add("/new/file", "bind", file_of(box), "bind", "dest-nofollow"),
                    add("/new/dir", "tmpfs", "t", "dest-nofollow"))
    assert box.output("cat", "/new/file", edit=edit) == "of the host\n"
    assert box.facts(edit).mount("/new/dir").type == "tmpfs"


def test_dest_nofollow_links_can_be_bound_on_links_and_remounted(box):
    edit = mounting(
        add("/vol", "bind", link_of(box, "/words"), "bind", "src-nofollow", "dest-nofollow"),
        add("/vol", "none", "", "remount", "bind", "dest-nofollow", "ro"),
        prepare=lambda bundle: bundle.symlink("vol", "/elsewhere"))
    assert stat_of(box, "/vol", edit=edit)["/vol"]["target"] == "/words"
    assert "ro" in box.facts(edit).mount("/vol").options


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_dest_nofollow_refuses_a_directory_on_a_link(box, kind):
    source = box.directory("tree")
    bundle = box.bundle(edit=mounting(add("/vol", kind, source, "dest-nofollow"),
                                      prepare=lambda bundle: bundle.symlink("vol", "/tmp")))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["mounts[", "/vol", "Not a directory"])


# ---- what is refused, and races


@pytest.mark.parametrize("word", ["copy-symlink", "src-nofollow"])
def test_a_word_about_the_source_is_for_a_bind(box, word):
    bundle = box.bundle(edit=mounting(add("/vol", "tmpfs", "t", word)))
    box.fails("run", "--bundle", bundle.path, box.new_id(),
              says=["/mounts/", "/options", f"{word} is for a bind mount"])


@pytest.mark.parametrize("word", ["copy-symlink", "src-nofollow"])
def test_t17_a_source_that_becomes_a_link_to_the_host_is_not_followed(box, word):
    """The source is a file and a link to the canary in turn."""
    file = file_of(box)
    link = link_of(box, os.path.join(box.canary.path, "secret"))
    box.guest("swap", file, link, "20")
    for opener in openers(box):
        edit = mounting(add("/vol", "bind", file, "bind", word), opener=opener)
        seen = [box.run(box.bundle("cat", "/vol", edit=edit)).out for _ in range(RACES)]
        # On a busy machine the file is there only now and then.
        while "of the host\n" not in seen and len(seen) < 40 * RACES:
            seen.append(box.run(box.bundle("cat", "/vol", edit=edit)).out)
        assert set(seen) <= {"", "of the host\n"} and "of the host\n" in seen


def test_a19_a_destination_that_becomes_a_link_is_covered_itself(box):
    """The destination is a file and a link to the host in turn: never what the link leads to."""
    secret = attack_swaps.up_to(os.path.join(box.canary.path, "secret"))

    def prepare(bundle):
        bundle.file("vol")
        bundle.symlink("swapped", secret)

    bundle = box.bundle("facts", edit=mounting(
        add("/vol", "bind", file_of(box), "bind", "dest-nofollow"), prepare=prepare))
    box.guest("swap", os.path.join(bundle.rootfs, "vol"), os.path.join(bundle.rootfs, "swapped"),
              "20")
    results = [box.run(bundle) for _ in range(RACES)]
    points = [json.loads(line)["mountinfo"] for result in results if result.rc == 0
              for line in result.out.splitlines() if line.startswith("{")]
    assert points and not [text for text in points if "canary" in str(text)]
    assert attacks.host_harm(box) == []
