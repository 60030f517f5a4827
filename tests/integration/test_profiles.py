"""Profiles of `sandbox`, and the verb `profile`."""

import json
import os
import shutil
import subprocess

import pytest
import yaml

from test_sandbox import HERE, made, place, said, sandbox

SHIPPED = os.path.join(HERE, "..", "..", "contrib", "profiles")


def environment(box):
    return {**box.runtime.env, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": place(box, "home"),
            "LANG": "C.UTF-8", "XDG_CONFIG_HOME": place(box, "config")}


def profile(box, *args, **kw):
    kw.setdefault("cwd", place(box, "work"))
    kw.setdefault("env", environment(box))
    return box.call("profile", *args, **kw)


def named(box, name, text):
    """A profile of the caller's own."""
    return made(box, f"config/coracle/profiles/{name}.yaml", text)


def test_a_profile_is_what_its_options_are(box):
    made(box, "work/p/data/file", "text")
    made(box, "work/p/x.yaml", "rw: data:/tmp/d\nenv: [A=1, B=2]\nhostname: box\ntty: false\n"
                               "dir: /tmp/e\nchdir: /tmp/e\n")
    text = said(box, "echo $A$B $(hostname) $(pwd); cat /tmp/d/file; echo new >/tmp/d/new",
                "--profile", "p/x.yaml")
    assert text == "12 box /tmp/e\ntext"
    assert os.path.exists(os.path.join(place(box, "work"), "p/data/new"))


def test_the_command_line_counts_more(box):
    made(box, "work/p.yaml", "hostname: a\nenv: [A=1, B=1]\nhide: /usr/share\nrw: /tmp\ntimeout: 1ms\n")
    text = said(box, "echo $A$B $(hostname); ls /usr/share | wc -l; echo >/tmp/x", "--profile", "p.yaml",
                "--hostname", "b", "--env", "A=2", "--ro", "/usr/share", "--tmpfs", "/tmp", "--reset",
                "timeout")
    first, count = text.splitlines()
    assert first == "21 b" and int(count) > 1


def test_the_last_profile_counts_more(box):
    made(box, "work/a.yaml", "hostname: a\nenv: A=1\n")
    made(box, "work/b.yaml", "hostname: b\nenv: B=2\n")
    assert said(box, "echo $A$B $(hostname)", "--profile", "a.yaml", "--profile", "./b.yaml") == "12 b\n"


def test_the_working_directory_and_home_are_the_callers(box):
    made(box, "work/p/x.yaml", "rw: $PWD\nro: '~'\n")
    made(box, "home/key", "mine")
    said(box, "echo x >f; cat ~/key", "--profile", "p/x.yaml")
    assert os.path.exists(os.path.join(place(box, "work"), "f"))


def test_a_name_is_the_callers_own_and_extends_what_it_hides(box):
    named(box, "base", "env: [A=1]\nmemory: 1G\nhostname: base\n")
    named(box, "mine", "extends: base\nreset: memory\nenv: B=2\ndescription: my own\n")
    result = sandbox(box, "--profile", "mine", command=("sh", "-c", "echo $A$B $(hostname)"),
                     env=environment(box))
    assert (result.out, result.rc) == ("12 base\n", 0), result
    listed = {entry["name"]: entry for entry in json.loads(profile(box, "list", "--format", "json").out)}
    assert listed["mine"]["description"] == "my own" and listed["mine"]["usable"]
    assert "my own" in profile(box, "list").out


def test_what_is_shown_is_the_same_profile(box):
    named(box, "base", "ro: [~/a, data, $PWD]\nenv: ['A=x: \"y\"', \"B=\\u00e9\"]\nclear-env: true\n")
    named(box, "top", "extends: base\nrw: '~/a'\nlandlock: off\npids: 7\n")
    shown = profile(box, "show", "top")
    assert shown.rc == 0, shown
    again = made(box, "work/again.yaml", "")
    with open(again, "w", encoding="utf-8") as file:
        file.write(shown.out)
    assert profile(box, "show", "again.yaml").out == shown.out
    read = yaml.safe_load(shown.out)
    where = os.path.join(place(box, "config"), "coracle/profiles")
    assert read == {"ro": [f"{where}/data", "$PWD"], "rw": ["~/a"], "env": ['A=x: "y"', "B=é"],
                    "clear-env": True, "landlock": "off", "pids": "7"}


def test_check_tells_all_that_is_wrong(box):
    good = made(box, "work/good.yaml", "ro: /usr\n")
    made(box, "work/bad.yaml", "memroy: 1G\nmemory: lots\nextends: none-such\nuser: root\n")
    result = profile(box, "check", good, "bad.yaml", "missing.yaml")
    assert result.rc == 1
    lines = result.out.splitlines()
    assert lines[0] == f"{good}: ok" and len(lines) == 6, lines
    for text in ["bad.yaml:1:1: memroy: unknown setting: did you mean memory?", "bad.yaml:2:9: memory: ",
                 "bad.yaml:3:10: extends: no profile none-such", "bad.yaml:4:7: user: root",
                 "missing.yaml: no such file"]:
        assert text in result.out, text
    assert profile(box, "check", good).rc == 0
    run = sandbox(box, "--profile", "bad.yaml")
    assert run.rc == 125 and "bad.yaml:1:1: memroy" in run.err and "1 more" in run.err


def test_a_circle_is_named_with_its_chain(box):
    for name, base in [("a", "b"), ("b", "c"), ("c", "a")]:
        named(box, name, f"extends: {base}\n")
    result = profile(box, "check", "a")
    directory = os.path.join(place(box, "config"), "coracle/profiles")
    assert " -> ".join(f"{directory}/{name}.yaml" for name in "abca") in result.out, result
    assert result.rc == 1


def test_a_profile_cannot_grow_without_end(box):
    for i in range(30):
        named(box, f"p{i}", f"extends: [p{i + 1}, p{i + 1}]\nenv: A=1\n")
    named(box, "p30", "env: A=1\n")
    result = profile(box, "check", "p0", timeout=20)
    assert result.rc == 1 and "more than 64 files" in result.out


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "large"])
def test_what_is_no_file_of_text_is_refused(box, kind):
    path = os.path.join(place(box, "work"), "x.yaml")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "device":
        os.symlink("/dev/zero", path)
    else:
        with open(path, "wb") as file:
            file.truncate(1 << 30)
    if kind != "device":
        box.give(path)
    result = sandbox(box, "--profile", "x.yaml", timeout=20)
    assert result.rc == 125 and "x.yaml" in result.err, result
    assert ("65536" if kind == "large" else "not a regular file") in result.err


@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_profile_that_others_may_change_is_refused(box, what):
    path = named(box, "loose", "env: A=1\n")
    changed = path if what == "file" else os.path.dirname(path)
    os.chmod(changed, 0o775)
    result = sandbox(box, "--profile", "loose", env=environment(box))
    assert result.rc == 125 and f"chmod go-w {changed}" in result.err, result
    assert sandbox(box, "--profile", path, env=environment(box)).rc == 0  # the caller has named it


@pytest.mark.modes("user", "root")
def test_somebody_elses_profile_is_refused(box):
    path = named(box, "theirs", "env: A=1\n")
    os.chown(path, 12345, 12345)
    os.chmod(path, 0o644)
    result = sandbox(box, "--profile", "theirs", env=environment(box))
    assert result.rc == 125 and "uid 12345" in result.err, result


@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("owner, bits, rc", [(0, 0o755, 0), (12345, 0o755, 125), (0, 0o777, 125)])
def test_the_systems_profiles_are_roots(box, owner, bits, rc):
    """In a mount namespace with a /usr/local/share of its own."""
    script = ("mount -t tmpfs -o mode=755 t /usr/local/share && mkdir -p $0/profiles && "
              "cp $1/*.yaml $0/profiles && chown $2 $0/profiles && chmod $3 $0/profiles && shift 3 && "
              'exec "$@"')
    argv = box.runtime.argv("profile", "show", "build")
    result = subprocess.run(["unshare", "-m", "sh", "-c", script, "/usr/local/share/coracle", SHIPPED,
                             str(owner), oct(bits)[2:], *argv], env=environment(box), timeout=60,
                            capture_output=True, text=True, cwd=place(box, "work"), check=False)
    assert result.returncode == (1 if rc else 0), result
    if rc:
        assert "could weaken the sandbox" in result.stderr and "/profiles" in result.stderr
    else:
        assert yaml.safe_load(result.stdout)["rw"] == ["$PWD"]


@pytest.mark.parametrize("name", ["../x", ".x", "", "a b", "x" * 65, "-x"])
def test_a_name_has_no_path_in_it(box, name):
    result = sandbox(box, f"--profile={name}", env=environment(box))
    assert result.rc == 125 and "--profile" in result.err, result


def test_a_near_name_is_suggested(box):
    named(box, "project", "env: A=1\n")
    result = sandbox(box, "--profile", "projct", env=environment(box))
    assert result.rc == 125 and "did you mean project?" in result.err


# ---- the shipped ones


def shipped(box, name):
    """Copied to where every caller may read it."""
    path = os.path.join(box.dir, name + ".yaml")
    shutil.copy(os.path.join(SHIPPED, name + ".yaml"), path)
    box.give(path)
    return path


@pytest.mark.parametrize("name", ["build", "untrusted", "web"])
def test_a_shipped_profile_is_right(box, name):
    assert profile(box, "check", shipped(box, name)).rc == 0


def test_build_writes_here_and_has_no_network(box):
    made(box, "work/x.c", "int main(void) { return 0; }\n")
    script = "cc -o x x.c && ./x && touch /usr/x 2>/dev/null || grep -c : /proc/net/dev"
    assert said(box, script, "--profile", shipped(box, "build")) == "1\n"
    assert os.path.exists(os.path.join(place(box, "work"), "x"))


def test_untrusted_sees_nothing_of_the_caller(box):
    made(box, "home/key", "private")
    assert said(box, "pwd; ls -A; cat ~/key 2>/dev/null; ulimit -n; ulimit -c", "--profile",
                shipped(box, "untrusted"), cwd=place(box, "home")).split() == ["/tmp", "1024", "0"]


def test_the_schema_knows_what_check_knows(box):
    """Every setting, and the shipped profiles as editors see them."""
    schema = json.loads(profile(box, "schema").out)
    text = sandbox(box, "--help").out
    for name, entry in schema["properties"].items():
        if name not in ("description", "extends", "reset"):
            assert f"  --{name}" in text, name
            assert {"type", "enum", "anyOf"} & set(entry)
    assert schema["properties"]["net"]["enum"][0] == "none"
    assert schema["properties"]["tty"]["type"] == "boolean"
    assert len(schema["properties"]) > 35
    for name in ("build", "untrusted", "web"):
        with open(shipped(box, name), encoding="utf-8") as file:
            head = file.readline()
            assert head == "# yaml-language-server: $schema=../profile.schema.json\n"
            assert set(yaml.safe_load(file)) <= set(schema["properties"])


# ---- the plan, and the exit code


def test_the_plan_of_a_sandbox_is_told(box):
    result = sandbox(box, "--plan", "--json")
    assert result.rc == 0, result
    assert json.loads(result.out)["steps"]
    assert sandbox(box, "--plan").out.splitlines()[-1].startswith("plan: ")
    bad = sandbox(box, "--plan", "--ro", "/no/such")
    assert bad.rc == 1 and "will fail" in bad.out and "/no/such" in bad.out, bad


def test_the_exit_code_tells_what_became_of_the_program(box):
    made(box, "work/text", "no program")
    made(box, "work/lost", "#!/no/such/interpreter\n")
    os.chmod(os.path.join(place(box, "work"), "lost"), 0o755)
    made(box, "work/junk", "\x7fELFjunk")
    os.chmod(os.path.join(place(box, "work"), "junk"), 0o755)
    codes = {name: sandbox(box, command=(name,)).rc
             for name in ("no-such-program", "/no/such", "./lost", "./text", "./junk", "/usr")}
    assert codes == {"no-such-program": 127, "/no/such": 127, "./lost": 127, "./text": 126,
                     "./junk": 126, "/usr": 126}
    assert sandbox(box, "--memory", "0").rc == 125
