"""What `sandbox --emit` prints is the sandbox, for this runtime and for others."""

import os
import shutil

import pytest

from test_sandbox import made, place, sandbox

pytestmark = pytest.mark.machine("native", "systemd")


def test_the_emitted_bundle_runs(box):
    made_bundle = os.path.join(place(box, "work"), "made")
    sandbox(box, "--emit", "bundle", "--bundle", made_bundle, "--file", "/run/f=text",
            command=("cat", "/run/f"))
    result = box.call("run", "--bundle", made_bundle, box.new_id())
    assert result.out == "text" and result.rc == 0, result


@pytest.mark.parametrize("name", ["runc", "crun"])
@pytest.mark.modes("user")
@pytest.mark.machine("native")
def test_another_runtime_runs_the_emitted_bundle(box, make_box, name):
    """runc wants id 0 mapped."""
    path = shutil.which(name, path="/usr/bin:/usr/sbin")
    if not path:
        pytest.skip(f"machine: no {name}")
    work = place(box, "work")
    sandbox(box, "--user", "0", "--rw", ".", "--tmpfs", "/data", "--emit", "bundle", "--bundle",
            "made", "--file", "/run/f=text", command=(
                "sh", "-c", "cat /run/f; touch kept /data/x; (: >/etc/x) 2>/dev/null || echo , read-only; "
                "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"))
    other = make_box("user", path)
    result = other.call("run", "--bundle", os.path.join(work, "made"), other.new_id(),
                        env={**other.runtime.env, "HOME": other.dir})
    assert result.rc == 0, result
    assert result.out.split() == ["text,", "read-only", "CapEff:", "0" * 16, "CapBnd:", "0" * 16,
                                  "NoNewPrivs:", "1", "Seccomp:", "2"]
    assert os.path.exists(os.path.join(work, "kept"))


def test_an_emitted_bundle_has_absolute_layers_and_no_secret(box):
    made(box, "work/tree/old", "old")
    sandbox(box, "--emit", "bundle", "--bundle", "layered", "--overlay", "tree",
            command=("sh", "-c", "echo new >tree/new; cat tree/old"))
    result = box.call("run", "--bundle", os.path.join(place(box, "work"), "layered"), box.new_id())
    assert (result.out, result.rc) == ("old", 0), result
    made(box, "work/pw", "hunter2")
    result = sandbox(box, "--emit", "bundle", "--bundle", "kept", "--secret", "db=pw")
    assert result.rc == 125 and "--secret" in result.err
    assert not os.path.exists(os.path.join(place(box, "work"), "kept"))


def test_a_bundle_that_cannot_be_made_is_not_half_made(box):
    result = sandbox(box, "--emit", "bundle", "--bundle", "half", "--overlay", "/usr/share",
                     "--overlay-to", "/proc/none")
    assert result.rc == 125 and "/proc/none" in result.err
    assert not os.path.exists(os.path.join(place(box, "work"), "half"))
