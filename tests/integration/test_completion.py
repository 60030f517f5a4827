"""Completion of bash, zsh and fish, as their users get it."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

import harness

PLACE = os.path.join(harness.BUILD, "contrib/completion")
SHELLS = ("bash", "zsh", "fish")
pytestmark = pytest.mark.modes("root")


def shell_environment(box):
    path = f"{os.path.dirname(box.runtime.path)}:{os.environ['PATH']}"
    return {**box.runtime.env, "PATH": path, "HOME": box.dir, "TERM": "dumb", "LANG": "C.UTF-8"}


def bash(box, *words):
    """What could stand in the place of the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coracle; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", f"{PLACE}/coracle", *words],
                          env=shell_environment(box), cwd=box.dir, capture_output=True, text=True,
                          check=True, timeout=20)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def fish(box, *words):
    script = 'source $argv[1]; complete -C "$argv[2]"'
    done = subprocess.run(["fish", "--no-config", "-c", script, f"{PLACE}/coracle.fish",
                           " ".join(words)],
                          env=shell_environment(box), cwd=box.dir, capture_output=True, text=True,
                          check=True, timeout=20)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


ZSH_SETUP = """PS1= ; unsetopt zle_bracketed_paste; fpath=(@PLACE@ $fpath); autoload -U compinit
compinit -u -D; zstyle ':completion:*' menu no; setopt auto_list no_list_ambiguous no_beep
LISTMAX=0; WORDCHARS=
show() { print -r -- "$BUFFER" > @OUT@.new; command mv @OUT@.new @OUT@; BUFFER= }
zle -N show; bindkey '^X' show; stty -ixon; : > @OUT@.ready
"""


def zsh(box, *words):
    """What the last word becomes by one TAB; as it was, if there is more than one way."""
    out = os.path.join(box.dir, "zsh-out")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(box.dir)
        os.execvpe("zsh", ["zsh", "-f", "-i"], shell_environment(box))
    try:
        def wait_for(path):
            end = time.monotonic() + 20
            while not os.path.exists(path):
                assert time.monotonic() < end, f"zsh does not answer: {path}"
                if select.select([terminal], [], [], 0.02)[0]:
                    os.read(terminal, 65536)
        setup = ZSH_SETUP.replace("@PLACE@", PLACE).replace("@OUT@", out)
        os.write(terminal, setup.encode())
        wait_for(f"{out}.ready")
        os.write(terminal, " ".join(words).encode() + b"\t\x18")
        wait_for(out)
        with open(out, encoding="utf-8") as file:
            return [file.read().rstrip("\n").split(" ", len(words) - 1)[-1].strip()]
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
        for path in (out, f"{out}.ready"):
            if os.path.exists(path):
                os.unlink(path)


@pytest.fixture(params=SHELLS)
def complete(request, box):
    if not shutil.which(request.param):
        pytest.skip(f"machine: no {request.param}")
    if not os.path.isdir(PLACE):
        pytest.skip("machine: built without completion")
    return lambda *words: globals()[request.param](box, "coracle", *words)


def test_a_verb_is_completed(complete):
    assert complete("featu") == ["features"]
    assert complete("--debug", "--log-format", "json", "del") == ["delete"]


def test_an_option_is_completed(complete):
    assert complete("create", "--console") == ["--console-socket"] or \
        complete("create", "--console") == ["--console-socket="]
    assert complete("--cgroup-m")[0].rstrip("=") == "--cgroup-manager"


def test_a_value_is_completed(complete):
    assert complete("list", "--format", "t") == ["table"]
    assert complete("--log-level", "warn") == ["warning"]
    assert complete("kill", "some-id", "US")[0].startswith("US")


def test_a_container_is_completed(box, complete):
    container = box.create("pause")
    for verb in ("start", "state", "kill", "delete", "exec", "wait"):
        assert complete("--root", box.runtime.root, verb, container.id[:2]) == [container.id]
    assert complete("--root", box.runtime.root, "exec", "--env", "A=1", "--tty",
                    container.id[:2]) == [container.id]


def test_a_directory_is_completed(box, complete):
    bundle = box.bundle("pause")
    assert complete("create", "--bundle", bundle.path[:-1])[0].rstrip("/") in (
        bundle.path, bundle.path[:-1])
    os.makedirs(os.path.join(box.dir, "only-one"))
    assert complete("create", "--bundle", "only-o")[0].rstrip("/") == "only-one"


def test_a_new_container_has_no_name_yet(box, complete):
    container = box.create("pause")
    assert complete("--root", box.runtime.root, "create", container.id[:2]) in (
        [], [container.id[:2]])


def test_each_verb_and_option_is_offered_by_bash(box):
    if not os.path.isdir(PLACE):
        pytest.skip("machine: built without completion")
    verbs = bash(box, "coracle", "")
    text = box.must("--help", root=False).out.partition("Commands:\n")[2]
    assert sorted(verbs) == sorted(line.split()[0] for line in text.splitlines()
                                   if line.startswith("  "))
    for verb in verbs:
        shown = set()
        for line in box.must(verb, "--help", root=False).out.splitlines():
            if line.startswith("  -"):
                shown |= set(line.split()[0].split(","))
        assert set(bash(box, "coracle", verb, "-")) == shown, verb


def test_the_script_for_bash_has_no_faults():
    if not os.path.isdir(PLACE) or not shutil.which("shellcheck"):
        pytest.skip("machine: no shellcheck, or built without completion")
    done = subprocess.run(["shellcheck", "--shell=bash", f"{PLACE}/coracle"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_bash_takes_a_value_after_an_equals_sign(box):
    if not os.path.isdir(PLACE):
        pytest.skip("machine: built without completion")
    assert bash(box, "coracle", "list", "--format", "=", "js") == ["json"]
    assert bash(box, "coracle", "list", "--format", "=") == ["table", "json"]
    assert bash(box, "coracle", "--log-format", "=", "json", "feat") == ["features"]


def test_what_follows_the_id_of_exec_is_the_programs(box):
    if not os.path.isdir(PLACE):
        pytest.skip("machine: built without completion")
    with open(os.path.join(box.dir, "--file"), "w", encoding="ascii"):
        pass
    assert bash(box, "coracle", "exec", "some-id", "--") == ["--file"]
