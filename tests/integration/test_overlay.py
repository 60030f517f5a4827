"""Mounts of type overlay: for a plain user and root of a user namespace the kernel's own, from
Linux 5.11 on."""

import os

import pytest

from test_mounts import add


def layers(box, *names):
    """Directories of the caller: {name: path}. Each lower layer holds a file of its name and one
    that all have."""
    found = {}
    for name in names:
        path = found[name] = box.directory(name)
        if name.startswith("lower"):
            for file in (name, "same"):
                with open(os.path.join(path, file), "w", encoding="ascii") as out:
                    out.write(f"{name}\n")
                box.give(os.path.join(path, file))
    return found


def overlay(*options):
    return lambda config, _: config["mounts"].append(add("/vol", "overlay", "overlay", *options))


def writable(box, *more):
    at = layers(box, "lower1", "lower2", "upper", "work")
    return at, overlay(f"lowerdir={at['lower1']}:{at['lower2']},upperdir={at['upper']}",
                       f"workdir={at['work']}", *more)


def test_overlay_shows_its_layers(box):
    at = layers(box, "lower1", "lower2")
    edit = overlay(f"lowerdir={at['lower1']}:{at['lower2']}", "nosuid")
    assert box.output("cat", "/vol/lower1", "/vol/lower2", "/vol/same", edit=edit) \
        == "lower1\nlower2\nlower1\n"
    mount = box.facts(edit).mount("/vol")
    assert mount.type == "overlay" and "nosuid" in mount.options


@pytest.mark.parametrize("more", [[], ["userxattr"]], ids=["plain", "userxattr"])
def test_overlay_writes_go_to_the_upper_layer(box, more):
    at, mount = writable(box, *more)
    script = ("echo new > /vol/new; echo changed >> /vol/lower1; rm /vol/lower2; mkdir /vol/dir;"
              "ls /vol; cat /vol/lower1")

    def edit(config, bundle):
        mount(config, bundle)
        config["process"]["args"] = ["/bin/sh", "-c", script]

    assert box.run(box.bundle(edit=edit, busybox=True)).out \
        == "dir\nlower1\nnew\nsame\nlower1\nchanged\n"
    assert sorted(os.listdir(at["upper"])) == ["dir", "lower1", "lower2", "new"]
    with open(os.path.join(at["lower1"], "lower1"), encoding="ascii") as file:
        assert file.read() == "lower1\n"
    assert os.path.exists(os.path.join(at["lower2"], "lower2"))
    # The next container finds it as it was left.
    assert sorted(box.output("ls", "/vol", edit=mount).split()) == ["dir", "lower1", "new", "same"]


def test_overlay_that_is_read_only_cannot_be_written(box):
    at, edit = writable(box, "ro")
    assert box.output("try-open", "w", "/vol/same", edit=edit) == "/vol/same EROFS\n"
    assert os.listdir(at["upper"]) == []


def test_overlay_takes_a_comma_and_a_colon_in_the_name_of_a_layer(box):
    at = layers(box, "lower1")
    odd = os.path.join(box.dir, "a,b:c")
    os.rename(at["lower1"], odd)
    escaped = odd.replace(",", "\\,").replace(":", "\\:")
    edit = overlay(f"lowerdir={escaped}:{layers(box, 'lower2')['lower2']}")
    assert box.output("cat", "/vol/lower1", edit=edit) == "lower1\n"


@pytest.mark.parametrize("options, says", [
    (["lowerdir=/tmp:/no/such"], ["overlay", "No such file or directory", "there is no /no"]),
    (["lowerdir=/,nonsense"], ["overlay", "nonsense"]),
])
def test_overlay_that_cannot_be_made_says_why(box, options, says):
    box.fails("run", "--bundle", box.bundle(edit=overlay(*options)).path, box.new_id(),
              says=["mounts[", "/vol", *says])


@pytest.mark.modes("user", "userns-root")
def test_overlay_of_a_layer_that_the_container_may_not_reach_is_named(box):
    at = layers(box, "closed")
    layer = os.path.join(at["closed"], "layer")
    os.mkdir(layer)
    os.chown(at["closed"], 0, 0)
    os.chmod(at["closed"], 0o700)
    box.fails("run", "--bundle", box.bundle(edit=overlay(f"lowerdir={layer}")).path, box.new_id(),
              says=["mounts[", "/vol", "overlay", "Permission denied", at["closed"] + " ", "0700"])
