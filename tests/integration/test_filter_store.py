"""Compiled seccomp filters that are kept: used when they are whole and ours, never else."""

import concurrent.futures
import os
import stat

import pytest

from harness import eventually
from test_seccomp import profile, rule

REFUSED = profile(rule("SCMP_ACT_ERRNO", "getcpu"))
OTHER = profile(rule("SCMP_ACT_ERRNO", "sync"))
CALL = ("try-syscall", "getcpu", "0", "0", "0")


def store_of(box):
    return os.path.join(box.runtime.root, ".filters")


def kept_files(box):
    return [os.path.join(store_of(box), name) for name in sorted(os.listdir(store_of(box)))]


def identity(path):
    status = os.lstat(path)
    return status.st_ino, status.st_mtime_ns


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def make_one(box):
    """The path of the file that a container with REFUSED leaves."""
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    return kept_files(box)[0]


def test_without_a_filter_nothing_is_kept(box):
    box.output(*CALL)
    assert not os.path.lexists(store_of(box))


def test_a_filter_is_kept_for_nobody_else(box):
    path = make_one(box)
    assert stat.S_IMODE(os.lstat(store_of(box)).st_mode) == 0o700
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    assert len(kept_files(box)) == 1


def test_the_next_container_uses_it(box):
    path = make_one(box)
    before = identity(path)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert identity(path) == before
    assert kept_files(box) == [path]


def test_exec_uses_it(box):
    container = box.start("pause", edit=REFUSED)
    before = {path: identity(path) for path in kept_files(box)}
    assert len(before) == 1
    assert box.must("exec", container.id, "/bin/guest", *CALL).out == "EPERM\n"
    assert {path: identity(path) for path in kept_files(box)} == before


def test_another_build_of_the_program_does_not_use_it(box):
    path = make_one(box)
    program = bytearray(read(box.runtime.path))
    note = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"  # 20 bytes of NT_GNU_BUILD_ID follow
    program[program.index(note) + len(note)] ^= 1  # the first: init's may be inside
    other = os.path.join(box.dir, "coracle")
    write(other, program)
    os.chmod(other, 0o755)
    box.runtime.prefix = [other if word == box.runtime.path else word
                          for word in box.runtime.prefix]
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert len(kept_files(box)) == 2 and path in kept_files(box)


def test_each_profile_has_its_own(box):
    for _ in range(2):
        assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
        assert box.output(*CALL, edit=OTHER) == "ok\n"
    assert len(kept_files(box)) == 2


def test_what_differs_in_one_value_is_another_profile(box):
    for errno, word in ((1, "EPERM"), (13, "EACCES"), (38, "ENOSYS")):
        edit = profile(rule("SCMP_ACT_ERRNO", "getcpu", errnoRet=errno))
        assert box.output(*CALL, edit=edit) == word + "\n"
    assert len(kept_files(box)) == 3


def truncate(path, _):
    write(path, read(path)[:-1])


def cut_the_program(path, _):
    write(path, read(path)[:-9])


def empty(path, _):
    write(path, b"")


def keep_the_head_only(path, _):
    data = read(path)
    write(path, data[:len(data) // 2])


def lengthen(path, _):
    write(path, read(path) + b"\0" * 8)


def turn_a_bit_of_the_program(path, _):
    data = bytearray(read(path))
    data[-12] ^= 1
    write(path, bytes(data))


def turn_a_bit_of_the_key(path, _):
    data = bytearray(read(path))
    data[40] ^= 1
    write(path, bytes(data))


def give_it_the_content_of_another(path, box):
    assert box.output(*CALL, edit=OTHER) == "ok\n"
    write(path, read(next(other for other in kept_files(box) if other != path)))


def make_it_huge(path, _):
    write(path, b"\0" * (1 << 20))


def make_it_a_link(path, box):
    copy = os.path.join(box.dir, "copy")
    os.rename(path, copy)
    os.symlink(copy, path)


def make_it_a_fifo(path, _):
    os.unlink(path)
    os.mkfifo(path, 0o600)


def let_others_write(path, _):
    os.chmod(path, 0o666)


def let_others_read(path, _):
    os.chmod(path, 0o640)


DAMAGES = [truncate, cut_the_program, empty, keep_the_head_only, lengthen,
           turn_a_bit_of_the_program, turn_a_bit_of_the_key, give_it_the_content_of_another,
           make_it_huge, make_it_a_link, make_it_a_fifo, let_others_write, let_others_read]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_file_that_is_not_ours_and_whole_is_written_anew(box, damage):
    path = make_one(box)
    whole = read(path)
    damage(path, box)
    before = identity(path)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert identity(path) != before
    assert stat.S_ISREG(os.lstat(path).st_mode)
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    assert read(path) == whole
    copy = os.path.join(box.dir, "copy")
    assert not os.path.exists(copy) or read(copy) == whole


def test_a_file_of_another_user_is_not_used(box):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    path = make_one(box)
    allows_all = read(path)
    os.chown(path, 12345, 12345)
    before = identity(path)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert identity(path) != before and os.lstat(path).st_uid != 12345
    assert read(path) == allows_all


def test_a_directory_in_its_place_is_left_alone(box):
    path = make_one(box)
    os.unlink(path)
    os.mkdir(path)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert os.path.isdir(path)
    os.rmdir(path)


def test_a_store_that_is_a_link_is_not_followed(box):
    make_one(box)
    away = os.path.join(box.dir, "away")
    os.rename(store_of(box), away)
    os.symlink(away, store_of(box))
    before = sorted(os.listdir(away))
    assert box.output(*CALL, edit=OTHER) == "ok\n"
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert sorted(os.listdir(away)) == before
    os.unlink(store_of(box))


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o755], ids=oct)
def test_a_store_that_others_may_enter_is_not_used(box, bits):
    path = make_one(box)
    os.unlink(path)
    os.chmod(store_of(box), bits)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert kept_files(box) == []


def test_a_store_of_another_user_is_not_used(box):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.unlink(make_one(box))
    owner = os.lstat(store_of(box))
    os.chown(store_of(box), 12345, 12345)
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    assert kept_files(box) == []
    os.chown(store_of(box), owner.st_uid, owner.st_gid)


def test_a_store_that_takes_nothing_is_no_error(box):
    write(store_of(box), b"")
    assert box.output(*CALL, edit=REFUSED) == "EPERM\n"
    os.unlink(store_of(box))


def test_there_are_never_more_than_32(box):
    path = make_one(box)
    owner = os.lstat(path)
    for number in range(60):
        name = os.path.join(store_of(box), f"old{number}")
        write(name, b"x")
        os.chown(name, owner.st_uid, owner.st_gid)
        os.utime(name, (number, number))
    assert box.output(*CALL, edit=OTHER) == "ok\n"
    names = [os.path.basename(name) for name in kept_files(box)]
    assert len(names) == 32
    assert os.path.basename(path) in names and "old59" in names and "old0" not in names


def test_the_store_is_no_container(box):
    make_one(box)
    assert box.must("list", "--quiet").out == ""
    box.fails("state", ".filters", says="invalid")
    box.fails("delete", "--force", ".filters", says="invalid")
    assert len(kept_files(box)) == 1


def test_two_hundred_at_once_agree(box):
    bundles = [box.bundle(*CALL, edit=edit) for edit in (REFUSED, OTHER)]
    names = [(box.new_id(), number % 2) for number in range(200)]

    def one(name, which):
        return box.call("run", "--bundle", bundles[which].path, name)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda entry: one(*entry), names))
    for result, (_, which) in zip(results, names):
        assert (result.rc, result.out) == (0, ["EPERM\n", "ok\n"][which]), str(result)
    assert eventually(lambda: len(kept_files(box)) == 2)
