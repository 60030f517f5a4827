"""The process that the configuration describes: program, environment, ids, limits, descriptors."""

import os
import resource
import signal

import pytest

from facts import Facts, capability_mask

pytestmark = pytest.mark.machine("native", "systemd")

BASE = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def process(**changes):
    return lambda config, _: config["process"].update(changes)


def sets(**names):
    return lambda config, _: config["process"].update(capabilities=names)


# ---- program, directory, environment


def test_the_program_gets_its_arguments(box):
    assert box.output("echo", "a b", "", "$x") == "a b  $x\n"


def test_the_program_is_found_in_the_path_of_its_environment(box):
    def edit(config, bundle):
        bundle.symlink("own/tool", "/bin/guest")
        config["process"].update(args=["tool", "echo", "found"], env=["PATH=/no/such:/own"])

    assert box.output(edit=edit) == "found\n"


def test_a_program_with_a_slash_is_not_searched(box):
    def edit(config, bundle):
        bundle.symlink("job/tool", "/bin/guest")
        config["process"].update(args=["./tool", "echo", "here"], cwd="/job")

    assert box.output(edit=edit) == "here\n"


def test_the_path_skips_what_cannot_be_executed(box):
    def edit(config, bundle):
        bundle.file("first/tool", "not a program", 0o644)
        bundle.symlink("second/tool", "/bin/guest")
        config["process"].update(args=["tool", "echo", "second"], env=["PATH=/first:/second"])

    assert box.output(edit=edit) == "second\n"


def test_the_working_directory_is_set(box):
    def edit(config, bundle):
        bundle.directory("some/where")
        config["process"]["cwd"] = "/some/where"

    assert box.facts(edit).cwd == "/some/where"


def test_a_missing_working_directory_is_made(box):
    assert box.facts(process(cwd="/made/for/it")).cwd == "/made/for/it"


def test_the_environment_is_exactly_that_of_the_configuration(box):
    entries = ["PATH=/bin", "HOME=/there", "A=1", "B=x=y", "EMPTY="]
    assert box.facts(process(env=entries)).env == entries


def test_home_comes_from_passwd_if_it_is_not_set(box):
    assert box.facts(process(env=["PATH=/bin"])).environment["HOME"] == "/root"


def test_home_of_the_configuration_stays(box):
    assert box.facts(process(env=["PATH=/bin", "HOME=/x"])).environment["HOME"] == "/x"


def test_home_is_the_root_without_an_entry_in_passwd(box):
    def edit(config, bundle):
        bundle.file("etc/passwd", "other:x:7:7::/home/other:/bin/sh\n")
        config["process"]["env"] = ["PATH=/bin"]

    assert box.facts(edit).environment["HOME"] == "/"


@pytest.mark.modes("root")
def test_home_is_that_of_the_user_of_the_process(box):
    facts = box.facts(process(env=["PATH=/bin"], user={"uid": 1000, "gid": 1000}))
    assert facts.environment["HOME"] == "/home/user"


# ---- ids


@pytest.mark.modes("root")
def test_user_and_group_ids_are_set(box):
    facts = box.facts(process(user={"uid": 1000, "gid": 2000}))
    assert facts.uids == [1000] * 3 and facts.gids == [2000] * 3


@pytest.mark.modes("root")
def test_additional_groups_are_exactly_those_asked_for(box):
    facts = box.facts(process(user={"uid": 1, "gid": 2, "additionalGids": [30, 40, 2000000000]}))
    assert sorted(facts.groups) == [30, 40, 2000000000]


@pytest.mark.modes("root")
def test_no_group_of_the_caller_is_kept(box):
    assert box.facts().groups == []


@pytest.mark.modes("user")
def test_additional_groups_of_a_user_are_refused_or_given_never_dropped(box):
    bundle = box.bundle("facts", edit=process(user={"uid": 0, "gid": 0, "additionalGids": [30]}))
    assert box.run(bundle).rc != 0


def test_the_umask_is_set(box):
    facts = box.facts(process(user={"uid": 0, "gid": 0, "umask": 0o077}))
    assert facts.umask == 0o077


def test_the_umask_is_022_unless_told(box):
    assert box.facts().umask == 0o022


def test_the_umask_of_the_caller_does_not_change_mount_points(box):
    old = os.umask(0o077)
    try:
        bundle = box.bundle("also", "stat", "/sys/fs", "--", "facts")
        result = box.run(bundle)
    finally:
        os.umask(old)
    assert result.rc == 0, result


# ---- capabilities and privileges


def test_the_capability_sets_of_root_are_exact(box):
    caps = box.facts().caps()
    wanted = capability_mask(BASE)
    assert caps == {"Inh": 0, "Prm": wanted, "Eff": wanted, "Bnd": wanted, "Amb": 0}


def test_effective_may_be_less_than_permitted(box):
    """execve gives uid 0 all that is permitted, so this is seen with another uid only."""
    caps = box.facts(sets(bounding=BASE, permitted=BASE, effective=["CAP_KILL"])).caps()
    assert caps["Bnd"] == capability_mask(BASE)
    assert caps["Eff"] & ~capability_mask(BASE) == 0


def test_no_capabilities_means_none(box):
    caps = box.facts(sets()).caps()
    assert caps == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0}


def test_an_unknown_capability_is_left_out(box):
    caps = box.facts(sets(bounding=["CAP_KILL", "CAP_NO_SUCH"], permitted=["CAP_KILL"],
                          effective=["CAP_KILL"])).caps()
    assert caps["Bnd"] == capability_mask(["CAP_KILL"])


@pytest.mark.modes("root")
def test_a_user_other_than_root_has_no_capability_but_the_bounding_set(box):
    def edit(config, _):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}

    caps = box.facts(edit).caps()
    assert caps == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": capability_mask(BASE), "Amb": 0}


@pytest.mark.modes("root")
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_ambient_capabilities_reach_a_user_other_than_root(box, no_new_privileges):
    def edit(config, _):
        config["process"].update(
            user={"uid": 1000, "gid": 1000}, noNewPrivileges=no_new_privileges,
            capabilities={"bounding": BASE, "permitted": BASE, "effective": BASE,
                          "inheritable": ["CAP_NET_BIND_SERVICE"],
                          "ambient": ["CAP_NET_BIND_SERVICE"]})

    caps = box.facts(edit).caps()
    one = capability_mask(["CAP_NET_BIND_SERVICE"])
    assert caps == {"Inh": one, "Prm": one, "Eff": one, "Bnd": capability_mask(BASE), "Amb": one}


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges_is_set_as_asked(box, value):
    assert box.facts(process(noNewPrivileges=value)).no_new_privs == int(value)


def test_no_secure_bits_stay(box):
    facts = box.facts()
    assert (facts.securebits, facts.keepcaps) == (0, 0)


def test_the_program_does_not_die_with_the_creator(box):
    assert box.facts().pdeathsig == 0


# ---- limits


def test_rlimits_are_set(box):
    limits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
              {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    facts = box.facts(process(rlimits=limits))
    assert facts.rlimits["NOFILE"] == [100, 200] and facts.rlimits["CORE"] == [0, 0]


def test_an_rlimit_not_named_is_inherited(box):
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    assert box.facts().rlimits["STACK"] == [soft, hard]


@pytest.mark.modes("user")
def test_a_hard_limit_that_cannot_be_raised_is_an_error(box):
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("machine: RLIMIT_MEMLOCK is not limited")
    limits = [{"type": "RLIMIT_MEMLOCK", "soft": hard + 1, "hard": hard + 1}]
    bundle = box.bundle(edit=process(rlimits=limits))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="operation not permitted")


def test_oom_score_adj_is_set(box):
    assert box.facts(process(oomScoreAdj=500)).oom_score_adj == "500\n"


# ---- descriptors, signals, terminal


def test_only_the_standard_descriptors_are_open(box):
    assert set(box.facts().fds) == {"0", "1", "2"}


def test_a_descriptor_of_the_caller_is_not_passed_on(box):
    with open(os.path.join(box.dir, "canary/secret"), encoding="ascii") as file:
        os.dup2(file.fileno(), 99)
        try:
            result = box.run(box.bundle("facts"), pass_fds=[99])
        finally:
            os.close(99)
    assert result.rc == 0 and '"99"' not in result.out


@pytest.fixture
def two_pipes():
    """Pipes whose writing ends a shell makes 3 and 4: (reading ends, writing ends, the shell)."""
    pipes = [os.pipe(), os.pipe()]
    one, two = pipes[0][1], pipes[1][1]
    script = f'exec 3>&{one} 4>&{two} {one}>&- {two}>&-; exec "$@"'
    yield [end for end, _ in pipes], [one, two], ["bash", "-c", script, "bash"]
    for pair in pipes:
        for fd in pair:
            os.close(fd)


def test_preserved_descriptors_are_passed_on(box, two_pipes):
    readers, writers, shell = two_pipes
    bundle = box.bundle("also", "write-fd", "3", "one", "--", "write-fd", "4", "two")
    result = box.run(bundle, "--preserve-fds", "2", pass_fds=writers, wrap=shell)
    assert result.rc == 0, result
    assert [os.read(fd, 10) for fd in readers] == [b"one", b"two"]


def test_no_more_descriptors_are_preserved_than_asked_for(box, two_pipes):
    _, writers, shell = two_pipes
    result = box.run(box.bundle("facts"), "--preserve-fds=1", pass_fds=writers, wrap=shell)
    assert result.rc == 0, result
    assert set(Facts(result.out).fds) == {"0", "1", "2", "3"}


def test_descriptors_of_listen_fds_are_passed_on(box, two_pipes):
    """As systemd's socket activation gives them."""
    _, writers, shell = two_pipes
    env = {**box.runtime.env, "LISTEN_FDS": "1"}
    result = box.run(box.bundle("facts"), pass_fds=writers, wrap=shell, env=env)
    assert result.rc == 0, result
    facts = Facts(result.out)
    assert set(facts.fds) == {"0", "1", "2", "3"}
    assert facts.environment["LISTEN_FDS"] == "1" and facts.environment["LISTEN_PID"] == "1"


@pytest.mark.parametrize("count", ["many", "-1", "1025", "1 "])
def test_listen_fds_that_is_no_number_is_named(box, count):
    env = {**box.runtime.env, "LISTEN_FDS": count}
    box.fails("run", "--bundle", box.bundle("exit", "0").path, box.new_id(), env=env,
              says=[f"LISTEN_FDS={count}", "unset it"])


def test_a_preserved_descriptor_that_is_not_open_is_an_error(box):
    bundle = box.bundle("exit", "0")
    box.fails("run", "--preserve-fds", "3", "--bundle", bundle.path, box.new_id())


def test_no_signal_is_blocked_or_ignored(box):
    facts = box.facts()
    assert facts.blocked_signals == [] and facts.ignored_signals == []


def test_signals_that_the_caller_blocks_or_ignores_are_not(box):
    def worsen():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP})
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    facts = box.facts(preexec_fn=worsen)
    assert facts.blocked_signals == [] and facts.ignored_signals == []


def test_the_program_is_named_by_its_file(box):
    assert box.facts().comm == "guest\n"


def test_the_program_has_no_controlling_terminal(box):
    facts = box.facts()
    assert facts.tty_number() == 0 and facts.dev_tty != "open"
