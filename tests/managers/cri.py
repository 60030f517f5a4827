"""A small client of the Kubernetes container runtime interface: gRPC by curl, messages by hand.

A message is a dictionary from field number to value: a number, text, a message, or a list of these.
Source: k8s.io/cri-api/pkg/apis/runtime/v1/api.proto; grpc.io PROTOCOL-HTTP2.md.
"""

import os
import struct
import subprocess
import tempfile
from dataclasses import dataclass

NODE = 2  # NamespaceMode


def _varint(number):
    data = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def write_message(fields):
    data = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                data += _varint(number << 3) + _varint(item)
                continue
            content = write_message(item) if isinstance(item, dict) else item.encode()
            data += _varint(number << 3 | 2) + _varint(len(content)) + content
    return data


def read_message(data):
    """Field number to a list of numbers and byte strings."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value, at = data[at:at + size], at + size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


@dataclass
class Answer:
    code: int  # of gRPC: 0 is success
    error: str
    fields: dict

    def text(self, number, default=""):
        return self.fields[number][0].decode() if number in self.fields else default

    def number(self, number):
        value = self.fields.get(number, [0])[0]
        return value - (1 << 64) if value >> 63 else value

    def message(self, number):
        return Answer(self.code, self.error, read_message(self.fields[number][0]))


def call(socket, method, fields, seconds=60):
    """The Answer of runtime.v1.RuntimeService/`method`."""
    message = write_message(fields)
    with tempfile.TemporaryDirectory() as place:
        for name in ("headers", "body"):
            open(os.path.join(place, name), "wb").close()
        subprocess.run(
            ["curl", "--silent", "--http2-prior-knowledge", "--unix-socket", str(socket),
             "--header", "content-type: application/grpc", "--header", "te: trailers",
             "--data-binary", "@-", "--dump-header", f"{place}/headers", "--output", f"{place}/body",
             "--max-time", str(seconds), f"http://localhost/runtime.v1.RuntimeService/{method}"],
            input=b"\0" + struct.pack(">I", len(message)) + message, check=False)
        with open(f"{place}/headers", encoding="utf-8") as file:
            said = {name: text.strip() for name, _, text in (line.partition(":") for line in file)}
        with open(f"{place}/body", "rb") as file:
            body = file.read()[5:]
    return Answer(int(said.get("grpc-status", 2)), said.get("grpc-message", "no answer"),
                  read_message(body))
