#!/usr/bin/env python3
"""The JSON reader against the table tests/json.md and against Python's json module.

    json_table.py VERDICT [SEED [COUNT]]

VERDICT is the program unit-json-verdict. Each row of the table holds; and for COUNT documents that
are made at random, half of them damaged, the reader and Python agree, but for the differences that
the table states: twice the same key, half a surrogate pair, NUL, depth, NaN, the size of exponents.
"""

import codecs
import json
import random
import re
import struct
import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "json.md"
MAX_DEPTH = 64
MAX_EXPONENT = 2 ** 31 - 1
COUNT = 20000


class Refused(Exception):
    """A document that Python takes and the table says is refused."""


# ---- Python's opinion


def hexadecimal(text):
    return '"' + text.encode().hex() + '"'  # half a surrogate pair: UnicodeEncodeError


def spelled(value):
    """The value as unit-json-verdict writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -2 ** 63 <= value < 2 ** 64 else "real"
    if isinstance(value, float):
        return "real"
    if isinstance(value, str):
        if "\0" in value:
            raise Refused("NUL")
        return hexadecimal(value)
    if isinstance(value, Pairs):
        return "{" + "".join(f"{spelled(key)}{spelled(member)} " for key, member in value
                             if spelled(key) and member is not None) + "}"
    return "[" + "".join(f"{spelled(element)} " for element in value) + "]"


class Pairs(list):
    """The members of an object."""


def members(pairs):
    if len({key for key, _ in pairs}) < len(pairs):
        raise Refused("a key twice")
    return Pairs(pairs)


def constant(name):
    raise Refused(name)


def real(text):
    exponent = re.search(r"[eE][+-]?(\d+)$", text)
    if exponent and int(exponent.group(1)) > MAX_EXPONENT:
        raise Refused("exponent")
    return 0.5


def depth_of(value, level=1):
    if isinstance(value, Pairs):
        value = [member for _, member in value]
    return max([level] + [depth_of(element, level + 1) for element in value
                          if isinstance(element, list)]) if isinstance(value, list) else 0


def expected(document):
    """What the reader has to answer: the spelled value, or None for a refusal."""
    try:
        value = json.loads(document.decode("utf-8"), object_pairs_hook=members,
                           parse_float=real, parse_constant=constant)
        return spelled(value) if depth_of(value) <= MAX_DEPTH else None
    except (ValueError, Refused, RecursionError):  # UnicodeError and JSONDecodeError are ValueErrors
        return None


def python_word(document):
    """The column "Python" of the table."""
    try:
        json.loads(document.decode("utf-8"))
        return "taken"
    except (ValueError, RecursionError):
        return "refused"


# ---- the reader's


def verdicts(program, documents):
    data = b"".join(b"%d\n%s" % (len(document), document) for document in documents)
    answer = subprocess.run([program], input=data, capture_output=True, check=True).stdout
    lines = answer.decode("utf-8").rstrip("\n").split("\n")
    assert len(lines) == len(documents), f"{len(lines)} answers to {len(documents)} documents"
    return [tuple(line.split(" ", 1)) for line in lines]


# ---- the table


def rows():
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\| `(.*?)` \| (taken|refused)(?:: (.*?))? \| (taken|refused) \|", line)
        if found:
            document, word, text, python = found.groups()
            yield codecs.escape_decode(document.encode())[0], word, text, python


def check_table(program):
    table = list(rows())
    assert len(table) > 60, f"{len(table)} rows in {TABLE}"
    wrong = []
    for (document, word, text, python), (verdict, answer) in zip(
            table, verdicts(program, [row[0] for row in table])):
        if verdict != word or (text or "") not in answer:
            wrong.append(f"{document!r}: {word} {text}, but {verdict} {answer}")
        if python_word(document) != python:
            wrong.append(f"{document!r}: Python: {python}, but {python_word(document)}")
        if (expected(document) is not None) != (word == "taken"):
            wrong.append(f"{document!r}: {word}, which the rules of this script do not say")
    return wrong


# ---- documents by chance

STRINGS = ["", "a", "b", "key", "\u00e4", "\U0001f6f6", "\"\\/", "\n\t", "\x1f", "\x7f", "\ufeff",
           "\uffff", "\u2028", "\0", "a" * 40]
NUMBERS = ["0", "-0", "1", "-1", "10", "4294967296", "9223372036854775807", "9223372036854775808",
           "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
           "18446744073709551616", "1.0", "-0.0", "1e3", "1E+2", "2.5e-3", "1e300"]
DAMAGE = [b"", b",", b":", b"[", b"]", b"{", b"}", b'"', b"\\", b"\\u", b"\\ud83d", b"\\udef6", b"0",
          b"-", b"+", b".", b"e", b" ", b"\n", b"\x00", b"\x0b", b"\x1f", b"\x80", b"\xc0\x80",
          b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"//", b"/**/", b"null", b"NaN",
          b"Infinity", b"tru", b"'"]


def random_text(chance):
    text = chance.choice(STRINGS)
    if chance.random() < 0.5:
        return json.dumps(text, ensure_ascii=chance.random() < 0.5)
    return '"' + "".join(f"\\u{unit:04{chance.choice('xX')}}" for unit in struct.unpack(
        f"<{len(text.encode('utf-16-le')) // 2}H", text.encode("utf-16-le"))) + '"'


def random_value(chance, level=0):
    space = chance.choice(["", "", " ", "\n\t", "\r"])
    kind = chance.randrange(8 if level < 5 else 5)
    if kind < 2:
        return random_text(chance) + space
    if kind < 4:
        return chance.choice(NUMBERS) + space
    if kind == 4:
        return chance.choice(["true", "false", "null"]) + space
    if kind == 5 and chance.random() < 0.1:
        depth = chance.choice([10, 63 - level, 64 - level, 65 - level])
        return "[" * depth + "]" * depth
    inner = [random_value(chance, level + 1) for _ in range(chance.randrange(5))]
    if kind < 7:
        return "[" + space + ",".join(inner) + "]" + space
    return "{" + space + ",".join(f"{random_text(chance)}{space}:{space}{value}"
                                  for value in inner) + "}" + space


def random_document(chance):
    document = random_value(chance).encode("utf-8")
    while chance.random() < 0.4:
        at = chance.randrange(len(document) + 1)
        end = min(at + chance.randrange(3), len(document))
        document = document[:at] + chance.choice(DAMAGE) + document[end:]
    return document


def check_random(program, seed, count):
    chance = random.Random(seed)
    documents = [random_document(chance) for _ in range(count)]
    wrong, taken = [], 0
    for document, (verdict, answer) in zip(documents, verdicts(program, documents)):
        wanted = expected(document)
        taken += verdict == "taken"
        if (answer if verdict == "taken" else None) != wanted:
            wrong.append(f"{document!r}: {verdict} {answer}, wanted {wanted}")
    assert wrong or count // 10 < taken < count - count // 10, f"{taken} of {count} are taken"
    return wrong


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else COUNT
    wrong = check_table(program) + check_random(program, seed, count)
    print(f"seed {seed}, {count} documents, {len(list(rows()))} rows, {len(wrong)} wrong")
    print("\n".join(wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
