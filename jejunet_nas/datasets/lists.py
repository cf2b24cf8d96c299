"""Lists of a split: text files with a clip, a photo, or a frame and its mask on each line.

They come from any editor: in UTF-8 or UTF-16, with a byte order mark, with line ends of any system,
with blank lines, comments (`# ...`), doubled or trailing spaces, backslashes, a trailing slash, or
names in another Unicode form. A line that names nothing raises `DataError`, with its number.
"""

import codecs
import dataclasses
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from jejunet_nas.datasets.layout import by_stem, missing
from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import SUFFIXES, plain

_MOST_BYTES = 32 * 1024 * 1024
_AGAIN = "Copy or download this file again."
_PAIR = "the paths of a frame and its mask"
_MOST_NAMED = 5  # names, in an error
_MOST_SHOWN = 100  # characters of a line, in an error
_LONGEST_NAME = 240  # bytes between slashes: disks take 255, with a suffix


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line of a list. text: without spaces at its ends, and with slashes only between names."""

    file: Path
    number: int
    text: str

    @property
    def words(self) -> list[str]:
        """The text between spaces, each without slashes at its ends."""
        return [word.strip("/") for word in self.text.split()]

    @property
    def place(self) -> str:
        """Where the line is, for an error."""
        return f"line {self.number} of {self.file}"

    def error(
        self, expected: str, fix: str = "Fix that line, or copy the file again."
    ) -> DataError:
        """Return the error for this line."""
        text = self.text if len(self.text) <= _MOST_SHOWN else f"{self.text[:_MOST_SHOWN]}..."
        return DataError(f"{self.file} line {self.number} is {text!r}; expected: {expected}. {fix}")


def read_list(path: Path, what: str, fix: str) -> list[Line]:
    """Return the lines of a list that are not blank, at least one; `what` is what a line names."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES // 2**20} MB")
        text = _decoded(path.read_bytes())
    except FileNotFoundError:
        raise missing(path, f"a list with {what} on each line", fix) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected: a list with {what} on each line. {_AGAIN}"
        ) from error
    numbered = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    lines = [Line(path, number, cleaned) for number, raw in numbered if (cleaned := _cleaned(raw))]
    if not lines:
        raise DataError(f"{path} is empty; expected: {what} on each line. {_AGAIN}")
    for line in lines:
        too_long = any(len(part.encode()) > _LONGEST_NAME for part in line.text.split("/"))
        if too_long or re.search(r"[\x00-\x1f\x7f]", line.text):
            raise line.error(f"{what}, in plain text")
    return lines


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows' editor and shell
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _cleaned(raw: str) -> str:
    """Return a line as it is compared; "" for a blank one or a comment."""
    text = plain(raw).replace("\ufeff", "").replace("\t", " ").strip()
    if text.startswith("#"):
        return ""
    text = re.sub(r"/{2,}", "/", text.replace("\\", "/"))
    return text.removeprefix("./").rstrip("/").rstrip()


def stem_of(path: str) -> str:
    """Return the last name of a listed path, without the suffix of a picture."""
    name = PurePosixPath(path).name
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES else name


def listed_pairs(list_file: Path, root: Path) -> dict[str, tuple[Path, Path]]:
    """Return frame and mask of each line of a list, by the frame's stem.

    Only the last folder and the stem of a listed path count: releases differ in the rest.
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    files: dict[Path, dict[str, Path]] = {}
    for line in read_list(list_file, _PAIR, _AGAIN):
        if len(line.words) != 2:
            raise line.error(_PAIR)
        found = []
        for word in line.words:
            path = root.joinpath(*PurePosixPath(word).parts[-2:])
            if path.parent not in files:
                files[path.parent] = by_stem(path.parent)
            file = files[path.parent].get(stem_of(word))
            if file is None:
                expected = f"a file that {line.place} names"
                raise missing(path, expected, f"{_AGAIN[:-1]}, or remove it from the list.")
            found.append(file)
        frame, mask = found
        pairs[plain(frame.stem)] = frame, mask
    return pairs


def listed_stems(list_file: Path) -> list[str]:
    """Return the stem of the frame on each line of a list; its files need not be there."""
    return [plain(stem_of(line.words[0])) for line in read_list(list_file, _PAIR, _AGAIN)]


def check_apart(names: Iterable[str], list_file: Path, others: Collection[str], other: str) -> None:
    """Raise `DataError` where `list_file` shares names with the list `other` beside it."""
    shared = [name for name in dict.fromkeys(names) if name in others]
    if shared:
        shown = ", ".join(shared[:_MOST_NAMED])
        more = f" and {len(shared) - _MOST_NAMED} more" if len(shared) > _MOST_NAMED else ""
        raise DataError(
            f"{list_file} and {other} share {shown}{more}; expected: no clip or photo in both, "
            "because a score on training data says nothing. Remove them from one list."
        )
