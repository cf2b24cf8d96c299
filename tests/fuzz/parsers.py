"""All parsers of the project, as the fuzzer sees them."""

from tests.fuzz import binaries, datasets, documents, phones, pictures, states
from tests.fuzz.attempt import Parser


def all_parsers() -> list[Parser]:
    """Return the parsers; the slowest come first, so that no core waits for the last."""
    parts = (states, binaries, pictures, documents, datasets, phones)
    return [parser for part in parts for parser in part.parsers()]
