"""A folder of pictures as a source of frames, in the order of their numbers."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import SUFFIXES, folders_in, pictures_in
from jejunet_nas.images.read import picture_size, read_rgb
from jejunet_nas.media.frames import Frame, ReadingEndedError, Source
from jejunet_nas.records.words import counted


def open_folder(folder: Path, fps: float) -> Source:
    """Return the frames in `folder` at `fps`, sorted so that 2 comes before 10.

    Raises `DataError`, naming the file, where a header cannot be read or has another size than the
    first, and where the first picture is damaged. A later one ends the iteration.
    """
    files = pictures_in(folder)
    below = folders_in(folder)
    if not files:
        instead = f"{below[0]}, one of its folders," if below else "another folder,"
        raise DataError(
            f"{folder} contains no pictures ({', '.join(SUFFIXES)}). Use {instead} or a video file."
        )
    size = picture_size(files[0])
    for file in files[1:]:
        if (other := picture_size(file)) != size:
            raise DataError(
                f"{file} is {other[0]}x{other[1]} pixels (height x width), but the first frame "
                f"{files[0].name} is "
                f"{size[0]}x{size[1]}. Resize it, or move it elsewhere."
            )
    names = _names(files)
    first = Frame(time_s=0.0, picture=read_rgb(files[0]), name=names[0])
    return Source(
        name=str(folder),
        fps=fps,
        frame_count=len(files),
        size=size,
        frames=itertools.chain([first], _later(files, names, fps)),
        close=lambda: None,
        notes=_notes(folder, len(files), below),
    )


def _names(files: Sequence[Path]) -> list[str]:
    """Return the names of the frames: stems, or with suffixes where two stems are the same."""
    stems = [file.stem for file in files]
    apart = len({stem.casefold() for stem in stems}) == len(stems)
    return stems if apart else [file.name for file in files]


def _notes(folder: Path, pictures: int, below: Sequence[Path]) -> tuple[str, ...]:
    if not below:
        return ()
    return (
        f"The {counted(pictures, 'picture')} of {folder} were taken as one video; what is in its "
        f"{counted(len(below), 'folder')} ({below[0].name}{', ...' if below[1:] else ''}) was not "
        f"read. For a clip there, use {below[0]}.",
    )


def _later(files: Sequence[Path], names: Sequence[str], fps: float) -> Iterator[Frame]:
    for number, (file, name) in enumerate(zip(files[1:], names[1:], strict=True), 1):
        try:
            picture = read_rgb(file)
        except DataError as error:
            raise ReadingEndedError(
                f"cannot be read beyond {file.name}; copy that file again."
            ) from error
        yield Frame(time_s=number / fps, picture=picture, name=name)
