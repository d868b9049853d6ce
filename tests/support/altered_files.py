"""Files altered at random: bytes flipped, cut and doubled, lines moved, values made hostile, nested deep. A seed gives them again."""

import json
import random
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

from hpcheck.curves.formats.tensorboard import FOOTER, HEADER, masked_crc

DEEP = 100_000  # levels
LONG = 120_000  # characters without an end of the line
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
WORD = re.compile(rb"[A-Za-z_]{2,}")
HOSTILE = [
    b"",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"-0.0",
    b"1e300",
    b"-1e300",
    b"1e999",
    b"1e-320",
    b"9" * 400,
    b"9" * 5_000,
    b".inf",
    b"nan",
    b"NaN",
    b"-Infinity",
    b'"x"',
    b"x: y: z",
    b"[]",
    b"{}",
    b"[[1]]",
    b"0x7fffffffffffffffffff",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    b"\0",
    b"\xf0\x9f\x92\xa5",
    b"&a [*a]",
    b"!!python/object/apply:os.system [true]",
    b"<<: *x",
    b"\\ud800",
    *(
        part * (LONG // len(part))
        for part in (b"a", b" ", b"1", b"a ", b"a:", b"1,", b"1/", b"- ", b"a.", b"loss ", b"[1] a", b"=", b"'a", b"\t", b"\n", b"\r")
    ),
    b"tensor(" + b" " * LONG,
    b"epoch (" + b" " * LONG,
    b"nan(" * 20_000,
    b"[" * DEEP,
    b"{" * DEEP,
    b'{"a":' * DEEP,
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (90, 300, 500, 900, 960)),
    *(b"[" * depth + b"]" * depth for depth in (90, 300, 500, 900, 960)),
]
ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    0.5,
    1e300,
    -1e300,
    1e-320,
    10**400,
    2**63,
    float("inf"),
    float("nan"),
    "",
    "x",
    "nan",
    "\x1b[31m",
    "\u202e",
    "a\nb",
    "../../x",
    [],
    {},
    [[]],
    {"a": {"b": 1}},
    [1, "x"],
    [0.5] * 3,
    "A" * 10_000,
]


def altered(content: bytes, draw: random.Random) -> bytes:
    """`content` with one to three changes of its bytes."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        content = draw.choice(WAYS)(content, draw)
    return content


def _flipped(content: bytes, draw: random.Random) -> bytes:
    bytes_ = bytearray(content)
    for _ in range(draw.choice((1, 1, 4, 40))):
        if bytes_:
            bytes_[draw.randrange(len(bytes_))] ^= 1 << draw.randrange(8)
    return bytes(bytes_)


def _stretch(content: bytes, draw: random.Random) -> tuple[int, int]:
    first = draw.randrange(len(content) + 1)
    return first, min(len(content), first + draw.choice((1, 5, 30, 300)))


def _cut(content: bytes, draw: random.Random) -> bytes:
    first, last = _stretch(content, draw)
    return draw.choice((content[:first], content[:first] + content[last:], content[first:]))


def _doubled(content: bytes, draw: random.Random) -> bytes:
    first, last = _stretch(content, draw)
    return content[:last] + content[first:last] * draw.choice((1, 3, 200)) + content[last:]


def _lines_moved(content: bytes, draw: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    how = draw.random()
    if how < 0.4:
        lines[one], lines[other] = lines[other], lines[one]
    elif how < 0.6:
        lines.insert(other, lines[one])
    elif how < 0.8:
        del lines[one]
    else:
        lines[one:one] = [lines[other]] * draw.choice((10, 1000))
    return b"".join(lines)


def _replaced(content: bytes, draw: random.Random) -> bytes:
    found = list(draw.choice((NUMBER, NUMBER, WORD)).finditer(content))
    if not found:
        return content
    place, put = draw.choice(found), draw.choice(HOSTILE)
    return content[: place.start()] + put + content[place.end() :]


def _put_in(content: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.choice(HOSTILE) + content[at:]


def _all_replaced(content: bytes, draw: random.Random) -> bytes:
    """A word that stands for something, everywhere another's."""
    words = WORD.findall(content) or [b"x"]
    return content.replace(draw.choice(words), draw.choice((*words, b"0", b"")))


WAYS: list[Callable[[bytes, random.Random], bytes]] = [
    _flipped,
    _cut,
    _doubled,
    _lines_moved,
    _replaced,
    _replaced,
    _put_in,
    _all_replaced,
]


def with_odd_value(value: Any, draw: random.Random) -> Any:
    """Plain values with one of them, anywhere inside, another's, gone, or under another name. `value` itself is left as it was."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places:
        return draw.choice(ODD)
    inner, key = draw.choice(places)
    how = draw.random()
    if how < 0.15:
        del inner[key]
    elif how < 0.25 and isinstance(inner, dict):
        inner[draw.choice(("x", "a b", "\x1b", "é", ""))] = inner.pop(key)
    elif how < 0.35 and isinstance(inner, list):
        inner += [inner[key]] * draw.choice((1, 50))
    else:
        inner[key] = draw.choice(ODD)
    return value


def _places(value: Any) -> Any:
    """(container, key) of everything inside."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(item)


def sealed_anew(content: bytes, draw: random.Random) -> bytes:
    """A record of which one line says something else, with a checksum that is right: of its values, or of its text."""
    lines = content.splitlines()
    at = draw.choice((0, len(lines) - 1, draw.randrange(len(lines)))) if lines else 0
    if not lines:
        return content
    text = lines[at].rpartition(b"\t")[0]
    if draw.random() < 0.7:
        changed = json.dumps(with_odd_value(json.loads(text), draw)).encode()
    else:
        changed = draw.choice((_replaced, _put_in, _all_replaced))(text, draw).replace(b"\n", b" ")
    lines[at] = changed + b"\t%08x" % zlib.crc32(changed)
    return b"".join(line + b"\n" for line in lines)


def events_sealed_anew(content: bytes, draw: random.Random) -> bytes:
    """An event file of TensorBoard's with the bytes of one record altered and its checksums right."""
    records, at = [], 0
    while at + HEADER <= len(content):
        (length,) = struct.unpack("<Q", content[at : at + 8])
        records.append(content[at + HEADER : at + HEADER + length])
        at += HEADER + length + FOOTER
    number = draw.randrange(len(records))
    records[number] = altered(records[number], draw)
    return b"".join(map(_as_record, records))


def _as_record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
