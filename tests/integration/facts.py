"""What the guest says of itself, made easy to ask."""

import json
import re

CAPABILITY_NUMBERS = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6,
    "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13,
    "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29,
}


def capability_mask(names):
    return sum(1 << CAPABILITY_NUMBERS[name] for name in names)


class Mount:
    """One line of mountinfo."""

    def __init__(self, line):
        before, _, after = line.partition(" - ")
        fields = before.split()
        kind = after.split()
        self.id, self.parent = fields[0], fields[1]
        self.root = _unescape(fields[3])
        self.destination = _unescape(fields[4])
        self.options = set(fields[5].split(","))
        self.propagation = set(fields[6:])
        self.type = kind[0]
        self.source = _unescape(kind[1])
        self.super_options = set(kind[2].split(",")) if len(kind) > 2 else set()

    def __repr__(self):
        return (f"<{self.destination} {self.type} root={self.root} "
                f"{sorted(self.options)} super={sorted(self.super_options)}>")


def _unescape(text):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


class Facts:
    def __init__(self, text):
        line = next(line for line in text.splitlines() if line.startswith("{"))
        self.raw = json.loads(line)

    def __getattr__(self, name):
        try:
            return self.raw[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def status(self):
        return dict(line.split(":\t", 1) for line in self.raw["status"].splitlines()
                    if ":\t" in line)

    def caps(self):
        """{"Inh": mask, "Prm": ..., "Eff": ..., "Bnd": ..., "Amb": ...}"""
        return {key[3:]: int(value, 16) for key, value in self.status.items()
                if key.startswith("Cap")}

    @property
    def environment(self):
        return dict(entry.split("=", 1) for entry in self.raw["env"])

    def all_mounts(self):
        return [Mount(line) for line in self.raw["mountinfo"].splitlines()]

    def mount(self, destination):
        """The topmost mount at `destination`; None if there is none."""
        found = [m for m in self.all_mounts() if m.destination == destination]
        return found[-1] if found else None

    def destinations(self):
        return [m.destination for m in self.all_mounts()]

    def tty_number(self):
        stat = self.raw["stat"]
        return int(stat[stat.rindex(")") + 2:].split()[4])
