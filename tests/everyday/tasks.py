"""Twenty things that people do every day with what they do not trust, or not wholly: for each, the
options of each tool, the command, and how one sees that it was done and that nothing else was.

In options {work} is the working directory, in which there is an empty directory out, {home} the caller's home, {root} a Debian root file
system that the caller owns. A tool that cannot do it has a reason instead of options.
"""

import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass


def nothing(_):
    pass


@dataclass(frozen=True)
class Task:
    name: str
    command: list
    coracle: object  # each: a list of options, or the reason why it cannot
    bwrap: object
    firejail: object
    chrun: object
    prepare: object = nothing  # of the working directory, before
    check: object = None    # of the working directory and what was printed: what is wrong, or nothing
    needs: tuple = ()       # programs of the host
    code: int = 0


def sh(text):
    return ["sh", "-c", text]


def write(directory, name, text, mode=0o644):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def reads(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        return str(error)


def says(word):
    return lambda _, out: "" if word in out else f"{word!r} was not printed"


def leaves(name, *, but=()):
    """What is there after it, and what must not be."""
    def check(directory, _):
        if not os.path.exists(os.path.join(directory, name)):
            return f"{name} is not there"
        there = [other for other in but if os.path.lexists(os.path.join(directory, other))]
        return f"{there[0]} is there" if there else ""
    return check


def both(*checks):
    return lambda *args: next((found for found in (check(*args) for check in checks) if found), "")


# ---- what is worked on


def c_project(directory):
    write(directory, "hello.c", "#include <stdio.h>\nint main(void) { puts(\"built\"); return 0; }\n")
    write(directory, "Makefile", "hello: hello.c\n\tgcc -O1 -o $@ $<\ninstall: hello\n"
          "\tmkdir -p prefix/bin\n\tcp hello prefix/bin\n")


def python_project(directory):
    write(directory, "test_sum.py", "import unittest\nclass Sum(unittest.TestCase):\n"
          "    def test_it(self):\n        self.assertEqual(sum([1, 2]), 3)\n"
          "    def test_network(self):\n        import socket\n        s = socket.socket()\n"
          "        with self.assertRaises(OSError):\n            s.connect(('192.0.2.1', 80))\n")


def hostile_archive(directory):
    """One name leads out of the directory, one link does and a file goes through it."""
    write(directory, "in/file", "text")
    with tarfile.open(os.path.join(directory, "a.tar"), "w") as archive:
        archive.add(os.path.join(directory, "in/file"), "good")
        archive.add(os.path.join(directory, "in/file"), "../climbed")
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, os.path.join(directory, "in")
        archive.addfile(link)
        archive.add(os.path.join(directory, "in/file"), "link/through")


def zip_bomb(directory):
    with zipfile.ZipFile(os.path.join(directory, "bomb.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(64 << 20))


def page(directory):
    write(directory, "page.html", "<html><title>page</title><body>words</body></html>")


def postscript(directory):
    write(directory, "in.ps", "%!PS\n/Times-Roman findfont 20 scalefont setfont 20 20 moveto "
          "(words) show showpage\n")


def repository(directory):
    write(directory, "src/file", "text\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=os.path.join(directory, "src"), check=True)
    # What a hook of a repository that one does not trust would do.
    write(directory, "src/.git/hooks/post-checkout", f"#!/bin/sh\ntouch {directory}/src/hooked\n", 0o755)


def a_package(directory):
    """A package whose script writes as root, made without a network."""
    control = "Package: everyday\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: d\n"
    write(directory, "tree/DEBIAN/control", control)
    write(directory, "tree/DEBIAN/postinst", "#!/bin/sh\nset -e\necho done > /var/lib/everyday\n"
          "chown www-data:www-data /var/lib/everyday\n", 0o755)
    write(directory, "tree/usr/share/everyday/file", "text\n")
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", f"{directory}/tree", f"{directory}/e.deb"],
                   check=True, stdout=subprocess.DEVNULL)


def install_script(directory):
    """Downloaded, and not trusted: it also takes the keys, if it finds them."""
    write(directory, "install.sh", "cat ~/.ssh/id 2>/dev/null && echo stolen\n"
          "echo evil >> ~/.profile\necho end\n", 0o755)


def data_file(directory):
    subprocess.run(["sqlite3", os.path.join(directory, "data.db"), "create table t (n);"], check=True)
    write(directory, "other", "kept")


def token(directory):
    write(directory, "token", "s3cret", 0o600)


def remove(directory):
    subprocess.run(["chmod", "-R", "u+rwX", directory], check=False)
    shutil.rmtree(directory, ignore_errors=True)
