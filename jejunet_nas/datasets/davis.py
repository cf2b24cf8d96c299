"""DAVIS 2016 on disk: the official layout, described without opening a picture.

    ROOT/ImageSets/2016/{train,val}.txt         sequence names, or image and mask paths a line
    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg     frames of a 24 fps video
    ROOT/Annotations/480p/SEQUENCE/00000.png    one mask a frame: 0 background, 255 object

The lists of the first release lie in ImageSets/480p and name files, those of the later ones in
ImageSets/2016 and name sequences; both are read. Masks of DAVIS 2017 merge into one object.
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets.clip_files import ClipFiles, SplitFiles
from jejunet_nas.datasets.options import Split, check_whole
from jejunet_nas.errors import DataError

FPS = 24.0
CLASS_NAMES = ("background", "object")
_MASK_CLASSES = bytes([0] + [1] * 255)
_PREFERRED_RESOLUTION = "480p"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DavisSettings:
    """How much of DAVIS is taken: every n-th frame of the first `clips` sequences of the list."""

    every: int = 1
    clips: int | None = None  # None: all

    def __post_init__(self) -> None:
        check_whole("every", self.every, 1, 24)
        if self.clips is not None:
            check_whole("clips", self.clips, 1, 1000)


def describe_split(split: Split, root: Path, settings: DavisSettings) -> SplitFiles:
    """Return the files of a DAVIS split; raises `DataError`, naming the file that is not there."""
    resolution = _resolution(root)
    sequence_list = _sequence_list(root, split, resolution)
    names = _sequences(sequence_list)[: settings.clips]
    return SplitFiles(
        dataset="davis",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=tuple(
            _describe(root, resolution, name, sequence_list, settings.every) for name in names
        ),
    )


def _resolution(root: Path) -> str:
    folder = root / "JPEGImages"
    found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    if _PREFERRED_RESOLUTION in found:
        return _PREFERRED_RESOLUTION
    if len(found) == 1:
        return found[0]
    state = f"holds {', '.join(found)}" if found else "is missing or empty"
    raise DataError(
        f"{folder} {state}; expected: JPEGImages/{_PREFERRED_RESOLUTION}, or one folder of another "
        f"resolution. {_root_hint(root)}"
    )


def _sequence_list(root: Path, split: Split, resolution: str) -> Path:
    lists = [root / "ImageSets" / folder / f"{split}.txt" for folder in ("2016", resolution)]
    for path in lists:
        if path.is_file():
            return path
    raise DataError(
        f"{lists[0]} is missing; expected: the list of DAVIS's {split} sequences. "
        f"{_root_hint(root)}"
    )


def _root_hint(root: Path) -> str:
    inside = root / "DAVIS"
    if (inside / "ImageSets").is_dir():
        return f"Use --data-root {inside}."
    return (
        "Give --data-root the folder that holds ImageSets, JPEGImages and Annotations; "
        "https://davischallenge.org offers it for download."
    )


def _sequences(sequence_list: Path) -> list[str]:
    """Return the names of a list's sequences, each once, in the order of the list."""
    entries = [line.split()[0] for line in sequence_list.read_text().splitlines() if line.strip()]
    if not entries:
        raise DataError(
            f"{sequence_list} is empty; expected: a sequence a line. "
            "Copy or download this file again."
        )
    return list(dict.fromkeys(Path(e).parent.name if "/" in e else e for e in entries))


def _describe(root: Path, resolution: str, name: str, sequence_list: Path, every: int) -> ClipFiles:
    frames = _pictures(root / "JPEGImages" / resolution / name, ".jpg", sequence_list)
    mask_folder = root / "Annotations" / resolution / name
    masks = {path.stem: path for path in _pictures(mask_folder, ".png", sequence_list)}
    for frame in frames:
        if frame.stem not in masks:
            raise DataError(
                f"{mask_folder / frame.stem}.png is missing; expected: the mask of {frame}. "
                "Copy or download this file again, or remove the frame."
            )
    return ClipFiles(
        name=name,
        frames=tuple(frames[::every]),
        masks=tuple(masks[frame.stem] for frame in frames[::every]),
        mask_classes=_MASK_CLASSES,
        fps=FPS / every,
    )


def _pictures(folder: Path, suffix: str, sequence_list: Path) -> list[Path]:
    found = sorted(folder.glob(f"*{suffix}")) if folder.is_dir() else []
    if not found:
        state = "holds no" if folder.is_dir() else "is missing; expected: a folder of"
        raise DataError(
            f"{folder} {state} {suffix} files of a sequence that {sequence_list} names. "
            "Copy or download it again, or take the sequence out of the list."
        )
    return found
