"""Id maps of a configuration, and a host that gives its user ranges of ids."""

import os

FIRST = 300000  # of the ranges that a test gives to its user
COUNT = 65536


def use_maps(config, uids, gids=None):
    def mappings(lines):
        return [{"containerID": inside, "hostID": outside, "size": size}
                for inside, outside, size in lines]

    config["linux"]["uidMappings"] = mappings(uids)
    config["linux"]["gidMappings"] = mappings(uids if gids is None else gids)


def give_tree(path, owner):
    for base, names, files in os.walk(path):
        for name in [".", *names, *files]:
            os.chown(os.path.join(base, name), owner, owner, follow_symlinks=False)


def use_range(lines):
    """Maps without the caller's own id; the root file system is of the container's root."""
    def edit(config, bundle):
        use_maps(config, lines)
        give_tree(bundle.rootfs, FIRST)

    return edit


class Host:
    """A view of /etc in which the user has a name and ranges, for one call of the runtime."""

    def __init__(self, box, ranges, nsswitch=None):
        self.directory = box.directory("etc")
        name = f"user{box.uid}"
        passwd = f"{name}:x:{box.uid}:{box.uid}::/:/bin/sh\n"
        self.files = {"passwd": "root:x:0:0:root:/root:/bin/sh\n" + passwd,
                      "group": f"{name}:x:{box.uid}:\n",
                      "subuid": ranges.format(name=name, uid=box.uid),
                      "subgid": ranges.format(name=name, uid=box.uid)}
        if nsswitch:
            self.files["nsswitch.conf"] = nsswitch
        for file, text in self.files.items():
            with open(os.path.join(self.directory, file), "w", encoding="ascii") as out:
                out.write(text)

    @property
    def wrap(self):
        script = "".join(f"mount --bind {self.directory}/{file} /etc/{file} && "
                         for file in self.files)
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "sh"]
