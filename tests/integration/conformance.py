"""What callers of a runtime match on: exit codes and words. One function for each row of
tests/conformance.md; it makes the case and returns what the runtime answered."""

import json
import os


def run_ends_with_a_status(box):
    return box.run(box.bundle("exit", "7"))


def run_ends_by_a_signal(box):
    return box.run(box.bundle("crash"))


def run_detached(box):
    return box.call("run", "--detach", "--bundle", box.bundle("pause").path, box.new_id())


def run_of_a_program_that_is_missing(box):
    return box.run(box.bundle(edit=_args("no-such-program")))


def run_of_a_path_that_is_missing(box):
    return box.run(box.bundle(edit=_args("/no/such/program")))


def run_of_a_program_without_x(box):
    def edit(config, bundle):
        bundle.file("bin/plain", "text", 0o644)
        config["process"]["args"] = ["/bin/plain"]
    return box.run(box.bundle(edit=edit))


def run_of_a_directory(box):
    return box.run(box.bundle(edit=_args("/bin")))


def create_succeeds(box):
    return box.call("create", "--bundle", box.bundle("pause").path, box.new_id())


def create_with_an_id_in_use(box):
    container = box.create("pause")
    return box.call("create", "--bundle", container.bundle.path, container.id)


def create_with_a_wrong_id(box):
    box.ids.append(f"a:{box.mark}")
    return box.call("create", "--bundle", box.bundle("pause").path, box.ids[-1])


def create_without_the_bundle(box):
    return box.call("create", "--bundle", os.path.join(box.dir, "none"), box.new_id())


def create_without_the_configuration(box):
    bundle = box.bundle("pause")
    os.unlink(f"{bundle.path}/config.json")
    return box.call("create", "--bundle", bundle.path, box.new_id())


def create_without_the_root_file_system(box):
    bundle = box.bundle("pause", edit=lambda config, _: config["root"].update(path="none"))
    return box.call("create", "--bundle", bundle.path, box.new_id())


def create_with_a_terminal_and_no_console_socket(box):
    bundle = box.bundle("pause", edit=lambda config, _: config["process"].update(terminal=True))
    return box.call("create", "--bundle", bundle.path, box.new_id())


def start_succeeds(box):
    return box.call("start", box.create("pause").id)


def start_of_a_running_container(box):
    return box.call("start", box.start("pause").id)


def start_of_a_stopped_container(box):
    return box.call("start", _stopped(box).id)


def start_of_an_unknown_container(box):
    return box.call("start", "no-such")


def state_of_an_unknown_container(box):
    return box.call("state", "no-such")


def kill_succeeds(box):
    return box.call("kill", box.start("pause").id, "KILL")


def kill_of_a_stopped_container(box):
    return box.call("kill", _stopped(box).id, "KILL")


def kill_of_an_unknown_container(box):
    return box.call("kill", "no-such", "KILL")


def delete_of_a_running_container(box):
    return box.call("delete", box.start("pause").id)


def delete_of_a_stopped_container(box):
    return box.call("delete", _stopped(box).id)


def delete_of_an_unknown_container(box):
    return box.call("delete", "no-such")


def delete_force_of_an_unknown_container(box):
    return box.call("delete", "--force", "no-such")


def exec_ends_with_a_status(box):
    return box.call("exec", box.start("pause").id, "/bin/guest", "exit", "7")


def exec_ends_by_a_signal(box):
    return box.call("exec", box.start("pause").id, "/bin/guest", "crash")


def exec_detached(box):
    path = box.pid_file()
    result = box.call("exec", "--detach", "--pid-file", path, box.start("pause").id, "/bin/guest",
                      "exit", "0")
    os.waitpid(int(open(path, encoding="ascii").read()), 0)  # this process is its subreaper
    return result


def exec_of_a_program_that_is_missing(box):
    return box.call("exec", box.start("pause").id, "no-such-program")


def exec_of_a_path_that_is_missing(box):
    return box.call("exec", box.start("pause").id, "/no/such/program")


def exec_of_a_program_without_x(box):
    container = box.start("pause", edit=lambda _, bundle: bundle.file("bin/plain", "text", 0o644))
    return box.call("exec", container.id, "/bin/plain")


def exec_in_a_stopped_container(box):
    return box.call("exec", _stopped(box).id, "/bin/guest", "exit", "0")


def exec_in_an_unknown_container(box):
    return box.call("exec", "no-such", "/bin/guest", "exit", "0")


def an_unknown_verb(box):
    return box.call("no-such-verb")


def an_unknown_option(box):
    return box.call("state", "--no-such-option", "x")


def an_unknown_option_of_exec(box):
    return box.call("exec", "--no-such-option", "x", "y")


def an_option_without_its_value(box):
    return box.call("create", "--bundle")


def a_missing_id(box):
    return box.call("state")


def version(box):
    return box.call("--version", root=False)


def help_of_a_verb(box):
    return box.call("create", "--help", root=False)


def help_of_checkpoint(box):
    return box.call("checkpoint", "--help", root=False)


def a_failure_in_a_json_log(box):
    """The answer is the log: one line, level "error", and its sentence."""
    path = os.path.join(box.dir, "log.json")
    result = box.call("state", "no-such", options=["--log", path, "--log-format", "json"])
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    assert [line["level"] for line in lines] == ["error"], lines
    assert set(lines[0]) == {"level", "msg", "time"}
    assert result.err.strip(), "not on standard error too"
    with open(result.err_path, "w", encoding="utf-8") as file:
        file.write(lines[0]["msg"])
    return result


def _args(*args):
    return lambda config, _: config["process"].update(args=list(args))


def _stopped(box):
    container = box.create("exit", "0")
    box.must("start", container.id)
    container.wait_status()
    return container


CASES = {name: case for name, case in list(globals().items())
         if callable(case) and not name.startswith("_")}
