"""What all readers of documents share: which files they open, and how they quote them."""

import stat
from pathlib import Path

from jejunet_nas.errors import SettingError


def require_file(file: Path, most_bytes: int) -> None:
    """Raise `SettingError` unless `file` is a regular file of at most `most_bytes`.

    Anything else could be endless, such as /dev/zero, or wait for ever, such as a pipe.
    """
    try:
        about = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(f"{file} does not exist. Check the path.") from None
    except ValueError:  # the path contains a NUL
        raise SettingError(f"{str(file)!r} is not a path. Check it.") from None
    if not stat.S_ISREG(about.st_mode):
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "a device or pipe"
        raise SettingError(f"{file} is {kind}, not a file. Check the path.")
    if about.st_size > most_bytes:
        raise SettingError(
            f"{file} has {about.st_size} bytes; allowed: up to {most_bytes}. Check the path."
        )


def shortened(text: str, most: int = 60) -> str:
    """Return `text` with single spaces, cut if it has more than `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 20]}... ({len(text)} characters)"
