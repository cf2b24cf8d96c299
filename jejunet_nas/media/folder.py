"""A folder of pictures as a source of frames, in the order of their numbers."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from jejunet_nas.errors import DataError
from jejunet_nas.images.listing import SUFFIXES, pictures_in
from jejunet_nas.images.read import picture_size, read_rgb
from jejunet_nas.media.frames import Frame, ReadingEndedError, Source


def open_folder(folder: Path, fps: float) -> Source:
    """Return the frames in `folder` at `fps`, sorted so that 2 comes before 10.

    Raises `DataError`, naming the file, where a header cannot be read or has another size than the
    first, and where the first picture is damaged. A later one ends the iteration.
    """
    files = pictures_in(folder)
    if not files:
        raise DataError(
            f"{folder} contains no pictures ({', '.join(SUFFIXES)}). Use another folder, or a "
            "video file."
        )
    size = picture_size(files[0])
    for file in files[1:]:
        if (other := picture_size(file)) != size:
            raise DataError(
                f"{file} is {other[0]}x{other[1]} pixels (height x width), but the first frame "
                f"{files[0].name} is "
                f"{size[0]}x{size[1]}. Resize it, or move it elsewhere."
            )
    first = Frame(time_s=0.0, picture=read_rgb(files[0]))
    return Source(
        name=str(folder),
        fps=fps,
        frame_count=len(files),
        size=size,
        frames=itertools.chain([first], _later(files, fps)),
        close=lambda: None,
    )


def _later(files: Sequence[Path], fps: float) -> Iterator[Frame]:
    for number, file in enumerate(files[1:], 1):
        try:
            picture = read_rgb(file)
        except DataError as error:
            raise ReadingEndedError(
                f"cannot be read beyond {file.name}; copy that file again."
            ) from error
        yield Frame(time_s=number / fps, picture=picture)
