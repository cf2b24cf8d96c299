"""Makes inputs from seeds: damage to bytes, to the words of a text, and to the values of JSON.

Everything is drawn from the `random.Random` that is given, so that an input has a name: seed,
parser and number.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

Seeds = Sequence[bytes]

_WORD = re.compile(rb"[A-Za-z0-9_.+-]+|\s+|.", re.DOTALL)
_NUMBERS = (
    *("0", "-1", "1", "2", "255", "256", "65536", "1e9", "1e-3", "1e999", "-0.0", ".inf", ".nan"),
    *("NaN", "Infinity", str(2**31), str(2**63), str(-(2**63)), "9" * 400, "9" * 5000),
    *("0x" + "f" * 99, "1_000", "0o17", "1:30:00", "2024-13-45", "0.1", "1.5", "32", "1000000000"),
)
_WORDS = (
    *("", " ", "\t", "\0", "\n", "\r\n", "\ufeff", "\x1b[31m", "\u202e", "é", "e\u0301", "😀"),
    *(
        "\\",
        "/",
        "..",
        "../../x",
        "/dev/zero",
        "[bold]",
        "<b>",
        "%s%n",
        "{0}",
        "null",
        "true",
        "off",
    ),
    *("~", "'", '"', "x" * 300, "x" * 5000, "a b", "!!python/object:os.system x", "!!int x"),
    *("&a [*a]", "*a", "<<: *a", "{", "}", "[", "]", "- ", ": ", "? ", "# ", "---\n", "...", "|"),
    *(">", "&a ", "[" * 200, "{a: " * 60, '"\\ud800"', '"\\Uffffffff"', '"\\0"'),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**63, -(2**63), 10**30, 1e-320),
    *(
        "",
        "x",
        "x" * 300,
        "\0",
        "..",
        "/dev/zero",
        "[bold]",
        "1",
        "nan",
        "é",
        [],
        {},
        [[]],
        {"": 0},
    ),
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def mutated(rng: random.Random, seeds: Seeds, *, text: bool) -> bytes:
    """Return an input: one of `seeds` with one to four changes; of text, or of any bytes."""
    data = rng.choice(seeds)
    ways = _TEXT_WAYS if text else _BYTE_WAYS
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(ways)(rng, data, seeds)
    return data[: 1 << 20]


def mutated_json(rng: random.Random, plain: Any) -> Any:
    """Return `plain`, JSON values, with one to three values, keys or items changed."""
    copy = json.loads(json.dumps(plain))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(copy))
        if places:
            _change(rng, *rng.choice(places))
    return copy


def _places(value: Any) -> Any:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _change(rng: random.Random, holder: Any, key: Any) -> None:
    way = rng.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, list):
        holder.extend([holder[key]] * rng.choice((1, 2, 50)))
    elif way == 2 and isinstance(holder, dict):
        holder[rng.choice((f"{key}x", "", "x" * 300))] = holder[key]
    elif way == 3 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = rng.choice(
            (-holder[key], holder[key] * 10**9, holder[key] + 1, holder[key] / 3)
        )
    else:
        holder[key] = rng.choice(_VALUES)


def _flip(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    changed = bytearray(data)
    for _n in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    at, size = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 8))
    value = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    filled = rng.choice((bytes([value]) * size, value.to_bytes(size, "little")))
    return data[:at] + filled + data[at + size :]


def _cut(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 4, 16, 256)) :]


def _repeat(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.choice((1, 8, 64, 512))]
    return data[:at] + piece * rng.choice((2, 3, 100)) + data[at:]


def _insert(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 8, 100))) + data[at:]


def _splice(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _word(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    words = list(_WORD.finditer(data))
    if not words:
        return rng.choice(_WORDS).encode()
    word = rng.choice(words)
    put = rng.choice((*_WORDS, *_NUMBERS)).encode()
    return data[: word.start()] + put + data[word.end() :]


def _number(rng: random.Random, data: bytes, _: Seeds) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data + rng.choice(_NUMBERS).encode()
    number = rng.choice(numbers)
    return data[: number.start()] + rng.choice(_NUMBERS).encode() + data[number.end() :]


def _line(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    other = rng.choice(rng.choice(seeds).split(b"\n"))
    way = rng.randrange(4)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[at])
    elif way == 2:
        lines[at] = other
    else:
        lines[at] = b" " * rng.randrange(6) + lines[at].lstrip()
    return b"\n".join(lines)


_Way = Callable[[random.Random, bytes, Seeds], bytes]
_BYTE_WAYS: tuple[_Way, ...] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _cut,
    _remove,
    _repeat,
    _insert,
    _splice,
)
_TEXT_WAYS: tuple[_Way, ...] = (_word, _word, _word, _number, _number, _line, _line, *_BYTE_WAYS)
