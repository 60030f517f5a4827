"""A container manager as the runtime sees it: options before each verb, a log, pid files."""

import json
import os
import socket

# All that the direct calls of podman have in their environment; the last three are of tests.
BARE = ("XDG_RUNTIME_DIR", "CORACLE_TEST_MARK", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


class Manager:
    """A caller with options before each verb, a bundle and a log."""

    def __init__(self, box, *args, options=(), edit=None, log="json"):
        self.box = box
        self.bundle = box.bundle(*args, edit=edit)
        self.id = box.new_id()
        self.log = os.path.join(box.directory("logs"), "log.json")
        self.options = [*options]
        if log:
            self.options += ["--log", self.log, "--log-format", log]
        self.bare = {key: value for key, value in box.runtime.env.items() if key in BARE}

    def must(self, *args, **kw):
        return self.box.must(*args, options=self.options, **kw)

    def fails(self, *args, says=(), **kw):
        return self.box.fails(*args, says=says, options=self.options, **kw)

    def logged(self):
        """The log as one JSON value a line; one byte that is none loses the message."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def process_document(self, *args, **changes):
        document = {"args": ["/bin/guest", *args], "cwd": "/", "user": {"uid": 0, "gid": 0},
                    "env": ["PATH=/bin"], "noNewPrivileges": True, **changes}
        path = os.path.join(self.box.dir, f"process-{self.id}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.chmod(path, 0o644)
        return path


def pid_of(path):
    with open(path, encoding="ascii") as file:
        text = file.read()
    assert text.isdigit(), repr(text)
    return int(text)


def listen(box, name):
    path = os.path.join(box.dir, name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    box.give(path)
    listener.listen()
    return listener, path
