"""A host tree that containers must leave alone, and how it was."""

import hashlib
import os
import stat


class Canary:
    """A host tree that no container may read, change or add to."""

    def __init__(self, path, owner):
        self.path = path
        for name, text in (("secret", "host secret\n"), ("sub/file", "host file\n"),
                           ("target", "host target\n"), ("null", "not a device\n")):
            full = os.path.join(path, name)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="ascii") as file:
                file.write(text)
        os.makedirs(os.path.join(path, "empty"))
        if os.geteuid() == 0:
            for base, names, files in os.walk(path):
                for name in [".", *names, *files]:
                    os.chown(os.path.join(base, name), *owner)
        self.before = self.snapshot()

    def snapshot(self):
        return snapshot_tree(self.path)

    def changes(self):
        return tree_changes(self.before, self.snapshot())


def snapshot_tree(path):
    """{relative path: (mode, owner, mtime, content digest or link target)}"""
    found = {}
    for base, names, files in os.walk(path):
        for name in [".", *names, *files] if base == path else [*names, *files]:
            full = os.path.normpath(os.path.join(base, name))
            info = os.lstat(full)
            content = ""
            if stat.S_ISREG(info.st_mode):
                try:
                    with open(full, "rb") as file:
                        content = hashlib.sha256(file.read()).hexdigest()
                except PermissionError:
                    content = "unreadable"
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(full)
            found[os.path.relpath(full, path)] = (oct(info.st_mode), info.st_uid, info.st_gid,
                                                  info.st_mtime_ns, content)
    return found


def tree_changes(before, after):
    return [f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
            for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
