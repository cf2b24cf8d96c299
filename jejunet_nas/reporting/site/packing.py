"""Packing: large texts made small enough to stand inside a page, and safe to stand there.

A script tag of a type that no browser runs holds the text gzipped, in base64; the page unpacks it
by `DecompressionStream` when it is opened. Plotly's library shrinks so from 4.8 MB to 2.0 MB; the
highest level would take half a second longer for 1 % less.
"""

import base64
import functools
import gzip
import json
from typing import Any


def packed(text: str) -> str:
    """Return `text` gzipped and in base64; the same text gives the same letters."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


@functools.cache
def packed_plotly() -> str:
    """Return plotly's JavaScript library, packed."""
    from plotly.offline import get_plotlyjs  # 0.2 s, which no other command is to pay

    return packed(get_plotlyjs())


def safe_json(plain: Any) -> str:
    """Return `plain` as JSON that ends no script tag: names are other people's."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
