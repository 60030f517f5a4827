"""Tries, from inside, what would lead out of a sandbox: prints a line "NAME: refused" or "NAME: DONE".
Runs in the sandbox by the host's python3. Arguments: pid and abstract socket of a process outside,
as it is called there."""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import termios

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
MS_REMOUNT, MS_BIND = 0x20, 0x1000
CALLS = {"x86_64": {"ptrace": 101, "mount": 165, "umount2": 166, "reboot": 169, "mknod": 133,
                    "pivot_root": 155, "settimeofday": 164, "init_module": 175, "keyctl": 250,
                    "add_key": 248, "kexec_load": 246, "unshare": 272, "perf_event_open": 298,
                    "open_by_handle_at": 304, "setns": 308, "bpf": 321, "userfaultfd": 323,
                    "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "clone3": 435,
                    "process_vm_readv": 310, "swapon": 167, "acct": 163, "syslog": 103}}


def call(name, *args):
    result = libc.syscall(CALLS[platform.machine()][name], *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def write(path, text="x"):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def run(*argv):
    if subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        raise PermissionError(errno.EPERM, argv[0])


def read_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    here = struct.pack("QQ", ctypes.addressof(buffer), 8)
    call("process_vm_readv", pid, here, 1, struct.pack("QQ", 0x400000, 8), 1, 0)


def raise_limit():
    try:
        resource.setrlimit(resource.RLIMIT_NICE, (40, 40))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error)) from None


def by_int80():
    """unshare of a user namespace by the 32-bit table."""
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex("53b836010000bb00000010cd805bc3"))
    pid = os.fork()
    if pid == 0:
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 0 else 1)
    if os.waitpid(pid, 0)[1]:
        raise PermissionError(errno.EPERM, "int80")


def by_x32():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.syscall(0x40000000 + 39) >= 0 else 1)
    if os.waitpid(pid, 0)[1]:
        raise PermissionError(errno.EPERM, "x32")


def fake_input(number):
    master, slave = os.openpty()
    os.setsid() if os.getpid() != os.getsid(0) else None
    fcntl.ioctl(slave, number, b"x")
    os.close(master)


def write_fs(name):
    for root, _, files in os.walk("/sys"):
        if name in files:
            write(os.path.join(root, name))
            return
    raise FileNotFoundError(errno.ENOENT, name)


def attempts(pid, abstract):
    yield "mount a tmpfs", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None)
    yield "remount /usr writable", lambda: call("mount", b"none", b"/usr", None,
                                                MS_REMOUNT | MS_BIND, None)
    yield "remount /proc/sys writable", lambda: call("mount", b"none", b"/proc/sys", None,
                                                     MS_REMOUNT | MS_BIND, None)
    yield "take a mask away", lambda: call("umount2", b"/proc/kcore", 2)
    yield "make a user namespace", lambda: call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    yield "make one with unshare(1)", lambda: run("unshare", "-Urm", "mount", "-t", "proc", "p", "/proc")
    yield "make one with clone3", lambda: call("clone3", struct.pack("QQ", CLONE_NEWUSER, 0) + bytes(72), 88)
    yield "enter the namespaces of pid 1", lambda: run("nsenter", "-t", "1", "-a", "true")
    yield "setns to a file", lambda: call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)
    yield "pivot_root", lambda: call("pivot_root", b"/", b"/tmp")
    yield "open_tree", lambda: call("open_tree", -100, b"/", 1)
    yield "fsopen", lambda: call("fsopen", b"tmpfs", 0)
    yield "read the host's root by pid 1", lambda: os.stat(f"/proc/1/root/proc/{pid}")
    yield "see a process of the host", lambda: os.kill(pid, 0)
    yield "kill a process of the host", lambda: os.kill(pid, signal.SIGKILL)
    yield "trace a process of the host", lambda: call("ptrace", 16, pid, 0, 0)
    yield "read its memory", lambda: read_memory(pid)
    yield "connect to its abstract socket", lambda: socket.socket(socket.AF_UNIX).connect("\0" + abstract)
    yield "sysrq", lambda: write("/proc/sysrq-trigger", "h")
    yield "core_pattern", lambda: write("/proc/sys/kernel/core_pattern")
    yield "modprobe", lambda: write("/proc/sys/kernel/modprobe")
    yield "uevent_helper", lambda: write("/sys/kernel/uevent_helper")
    yield "release_agent", lambda: write_fs("release_agent")
    yield "cgroup.procs", lambda: write("/sys/fs/cgroup/cgroup.procs", "0")
    yield "allow user namespaces again", lambda: write("/proc/sys/user/max_user_namespaces", "9")
    yield "mknod of a disk", lambda: call("mknod", b"/tmp/sda", 0o60600, os.makedev(8, 0))
    yield "mknod in /dev", lambda: call("mknod", b"/dev/mem", 0o20600, os.makedev(1, 1))
    yield "/proc/kcore", lambda: os.read(os.open("/proc/kcore", os.O_RDONLY), 1)[0]
    yield "kernel log", lambda: call("syslog", 3, ctypes.create_string_buffer(10), 10)
    yield "open_by_handle_at", lambda: call("open_by_handle_at", 0, struct.pack("IIQ", 8, 1, 2), 0)
    yield "host keyring", lambda: call("keyctl", 0, -3, 0)
    yield "add_key", lambda: call("add_key", b"user", b"k", b"v", 1, -3)
    yield "AF_ALG", lambda: socket.socket(38, socket.SOCK_SEQPACKET)
    yield "AF_VSOCK", lambda: socket.socket(40, socket.SOCK_STREAM)
    yield "AF_RXRPC", lambda: socket.socket(33, socket.SOCK_DGRAM, 2)
    yield "NETLINK_XFRM", lambda: socket.socket(16, socket.SOCK_RAW, 6)
    yield "AF_PACKET", lambda: socket.socket(17, socket.SOCK_RAW)
    yield "raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    yield "bpf", lambda: call("bpf", 0, bytes(64), 64)
    yield "perf_event_open", lambda: call("perf_event_open", struct.pack("II", 1, 112) + bytes(104), 0, -1, -1, 0)
    yield "userfaultfd", lambda: call("userfaultfd", 1)
    yield "io_uring", lambda: call("io_uring_setup", 4, ctypes.create_string_buffer(120))
    yield "kexec", lambda: call("kexec_load", 0, 0, 0, 0)
    yield "reboot", lambda: call("reboot", 0xfee1dead, 672274793, 0, 0)
    yield "settimeofday", lambda: call("settimeofday", struct.pack("qq", 1, 1), 0)
    yield "init_module", lambda: call("init_module", b"", 0, b"")
    yield "swapon", lambda: call("swapon", b"/tmp", 0)
    yield "acct", lambda: call("acct", b"/tmp/acct")
    yield "TIOCSTI", lambda: fake_input(termios.TIOCSTI)
    yield "TIOCSTI with a high bit", lambda: libc_ioctl(0x100000000 | termios.TIOCSTI)
    yield "TIOCLINUX", lambda: fake_input(0x541C)
    yield "a raised hard limit", raise_limit
    yield "chroot", lambda: os.chroot("/tmp")
    yield "setuid", lambda: os.setuid(65534)
    yield "write to /usr", lambda: write("/usr/coracle-escape")
    yield "write to /etc/passwd", lambda: open("/etc/passwd", "a", encoding="ascii").close()
    yield "write through /proc/self/root", lambda: write("/proc/self/root/etc/coracle-escape")
    yield "see the homes", lambda: os.stat("/root/.bashrc")
    yield "int 80", by_int80
    yield "x32", by_x32


def libc_ioctl(number):
    _, slave = os.openpty()
    if libc.ioctl(slave, ctypes.c_ulong(number), b"x") < 0:
        raise OSError(ctypes.get_errno(), "ioctl")


def main():
    for name, attempt in attempts(int(sys.argv[1]), sys.argv[2]):
        try:
            attempt()
            print(f"{name}: DONE")
        except OSError as error:
            print(f"{name}: refused, {errno.errorcode.get(error.errno)}")


main()
