"""run -t and exec -t as jobs of a shell: in the foreground of their terminal, in its background,
stopped, continued, and when it goes away."""

import signal
import termios

import pytest

import harness
from harness import eventually
from jobs import Shell, state_of


@pytest.fixture
def shell(box):
    made = Shell(box)
    yield made
    made.close()


def script(box, text):
    def edit(config, _):
        config["process"]["terminal"] = True
        config["process"]["args"] = ["/bin/busybox", "sh", "-c", text]

    return box.bundle(edit=edit, busybox=True).path


def run(shell, how, text):
    """`run` of a program with a terminal, as a job."""
    box = shell.box
    return shell.start(how, "run", "--bundle", script(box, text), box.new_id())


ECHO = "echo begun; read line; echo got $line; stty size; exit 5"


def test_in_the_foreground_the_terminal_is_raw_until_the_end(shell):
    before = shell.modes()
    run(shell, "foreground", ECHO)
    shell.wait_for("begun")
    shell.wait_raw()
    shell.type("one\n")
    assert shell.wait() == 5
    shell.wait_for("33 77")
    assert "got one" in shell.text
    assert shell.modes() == before


def test_in_the_background_the_terminal_is_left_alone(shell):
    before = shell.modes()
    run(shell, "background", "echo begun; sleep 0.6; echo over; exit 5")
    shell.wait_for("begun")
    shell.type("for the shell\n")
    shell.wait_for("over")
    assert shell.modes() == before
    assert shell.wait() == 5
    assert shell.modes() == before


def test_what_is_typed_into_another_foreground_is_not_the_payloads(shell):
    run(shell, "background", ECHO)
    shell.wait_for("begun")
    shell.type("not this\n")
    shell.never_says("got")
    assert not shell.is_stopped()
    shell.foreground()
    shell.wait_for("got not this")  # nobody else has read it
    assert shell.wait() == 5


def test_a_running_job_that_comes_to_the_foreground_gets_the_terminal(shell):
    before = shell.modes()
    run(shell, "background", ECHO)
    shell.wait_for("begun")
    shell.foreground()  # a shell sends SIGCONT to stopped jobs only
    shell.wait_raw()
    shell.type("two\n")
    assert shell.wait() == 5
    shell.wait_for("33 77")
    assert shell.modes() == before


def test_stopped_it_gives_the_terminal_back_and_takes_it_again(shell):
    before = shell.modes()
    run(shell, "foreground", ECHO)
    shell.wait_for("begun")
    shell.wait_raw()
    shell.signal_job(signal.SIGTSTP)
    shell.wait_stopped()
    assert shell.modes() == before
    shell.background()
    shell.foreground()
    shell.signal_job(signal.SIGCONT)
    shell.wait_raw()
    shell.type("three\n")
    assert shell.wait() == 5
    shell.wait_for("got three")
    assert shell.modes() == before


def test_continued_in_the_background_it_leaves_the_terminal(shell):
    before = shell.modes()
    run(shell, "foreground", "echo begun; sleep 0.5; echo more; read line; echo got $line; exit 5")
    shell.wait_for("begun")
    shell.wait_raw()
    shell.signal_job(signal.SIGTSTP)
    shell.wait_stopped()
    shell.background()
    shell.signal_job(signal.SIGCONT)
    shell.wait_for("more")
    assert not shell.is_stopped() and shell.modes() == before
    shell.foreground()
    shell.wait_raw()
    shell.type("four\n")
    assert shell.wait() == 5
    shell.wait_for("got four")
    assert shell.modes() == before


def test_stopped_by_sigstop_it_finds_the_terminal_as_the_shell_has_set_it(shell):
    before = shell.modes()
    run(shell, "foreground", ECHO)
    shell.wait_for("begun")
    shell.wait_raw()
    shell.signal_job(signal.SIGSTOP)
    shell.wait_stopped()
    shell.background()
    termios.tcsetattr(shell.ours, termios.TCSANOW, before)  # as a shell does
    shell.foreground()
    shell.signal_job(signal.SIGCONT)
    shell.wait_raw()
    shell.type("five\n")
    assert shell.wait() == 5
    assert shell.modes() == before


def test_the_payload_runs_on_while_its_caller_is_stopped(shell):
    run(shell, "foreground", "echo begun; sleep 0.3; echo done > /tmp/mark; read line; exit 5")
    shell.wait_for("begun")
    shell.signal_job(signal.SIGTSTP)
    shell.wait_stopped()
    rootfs = shell.box.bundles[-1].rootfs
    mark = f"{rootfs}/tmp/mark"

    def there():
        try:
            return open(mark, encoding="ascii").read() == "done\n"
        except OSError:
            return False

    assert eventually(there)
    shell.signal_job(signal.SIGCONT)
    shell.wait_raw()
    shell.type("\n")
    assert shell.wait() == 5


def test_with_tostop_it_stops_before_it_writes_in_the_background(shell):
    shell.set_local_mode(termios.TOSTOP)
    run(shell, "background", "sleep 0.2; echo from the background; exit 5")
    shell.wait_stopped()
    assert "from the background" not in shell.read()
    shell.foreground()
    shell.signal_job(signal.SIGCONT)
    shell.wait_for("from the background")
    assert shell.wait() == 5


def test_an_orphaned_background_job_has_no_input_and_runs_to_its_end(shell):
    before = shell.modes()
    run(shell, "orphan", "echo begun; read -t 1 line; echo read $?; test -t 0 && echo terminal; exit 5")
    shell.wait_for("begun")
    shell.type("for nobody\n")
    shell.wait_for("terminal")
    assert "read 1" in shell.text and "got" not in shell.text, shell.text
    assert shell.wait() == 5
    assert shell.modes() == before


@pytest.mark.parametrize("how", ["foreground", "background"])
@pytest.mark.parametrize("program", [["pause"], ["trap", "9", "1"]])
def test_a_terminal_that_goes_away_takes_the_container_along(shell, how, program):
    box = shell.box
    bundle = box.bundle(*program, edit=lambda config, _: config["process"].update(terminal=True))
    name = box.new_id()
    shell.start(how, "run", "--bundle", bundle.path, name)
    shell.wait_for("ready")
    shell.hang_up()
    assert shell.wait() == (9 if program[0] == "trap" else 128 + signal.SIGKILL)
    box.fails("state", name, says="does not exist")
    assert box.leavings() == []


def test_a_payload_that_asked_to_survive_its_terminal_does(shell):
    box = shell.box
    name = box.new_id()
    shell.start("foreground", "run", "--bundle",
                script(box, "trap '' HUP; echo begun; exec /bin/guest sleep"), name)
    shell.wait_for("begun")
    shell.hang_up()
    assert not eventually(lambda: state_of(shell.job) in ("", "Z"), 1)
    times = [open(f"/proc/{shell.job}/stat", encoding="ascii").read().rpartition(")")[2].split()[11:13]
             for _ in range(2) if not eventually(lambda: False, 0.5)]
    assert int(times[1][0]) + int(times[1][1]) - int(times[0][0]) - int(times[0][1]) < 10, \
        "it does not sleep"
    box.must("kill", name, "KILL")
    assert shell.wait() == 128 + signal.SIGKILL


def test_an_exec_is_a_job_too(shell):
    box = shell.box
    container = box.start("pause")
    before = shell.modes()
    shell.start("background", "exec", "--tty", container.id, "/bin/guest", "trap", "9", "1", "12")
    shell.wait_for("ready")
    assert shell.modes() == before
    shell.foreground()
    shell.wait_raw()
    shell.signal_job(signal.SIGTSTP)
    shell.wait_stopped()
    assert shell.modes() == before
    shell.signal_job(signal.SIGCONT)
    shell.wait_raw()
    shell.signal_job(signal.SIGUSR2)
    shell.wait_for("caught 12")
    assert shell.wait() == 9
    assert shell.modes() == before
    assert container.status() == "running"


def test_an_execs_terminal_that_goes_away_takes_its_process_along(shell):
    box = shell.box
    container = box.start("pause")
    shell.start("foreground", "exec", "--tty", container.id, "/bin/guest", "sleep")
    assert eventually(shell.is_raw)
    shell.hang_up()
    assert shell.wait() in (128 + signal.SIGHUP, 128 + signal.SIGKILL)
    assert container.status() == "running"


# ---- T9: what a payload pushes into its terminal


def test_t09_what_is_pushed_into_the_terminal_of_the_caller_would_be_seen(shell):
    """The control: on a kernel that lets a program push, the test below can fail."""
    shell.start_program(harness.GUEST, "try-tty").wait()
    with open("/proc/sys/dev/tty/legacy_tiocsti", encoding="ascii") as file:
        allowed = file.read().strip() == "1" or shell.box.uid is None
    assert (shell.unread() > 0) == allowed


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_t09_what_a_payload_pushes_into_its_terminal_stays_there(shell, verb):
    def edit(config, _):
        config["process"]["terminal"] = True

    box = shell.box
    if verb == "run":
        bundle = box.bundle("try-tty", edit=edit)
        shell.start("foreground", "run", "--bundle", bundle.path, box.new_id())
    else:
        container = box.start("pause")
        shell.start("foreground", "exec", "--tty", container.id, "/bin/guest", "try-tty")
    assert shell.wait() == 0
    shell.wait_for("/dev/tty ok")  # it has a terminal
    assert "TIOCSTI 0 " in shell.text
    assert shell.unread() == 0
