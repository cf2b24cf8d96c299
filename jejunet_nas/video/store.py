"""A cache file of the masks and gate scores that a network computed for its clips.

An .npz beside the network's graphs: the compressed masks of `results`, concatenated, and the gate
scores. A file that is missing or cut short is ignored.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.files import write_whole
from jejunet_nas.video.results import ClipResults, Shown


def read_results(file: Path, clips: Sequence[ClipResults]) -> int:
    """Add the masks and scores in `file` to `clips`; return the number of those known."""
    try:
        with file.open("rb") as opened, np.load(opened) as stored:
            masks, lengths, scored = stored["masks"], stored["lengths"], stored["scored"]
            scores, blob = stored["scores"].tolist(), stored["blob"].tobytes()
    except Exception:  # zipfile and NumPy raise a dozen types for broken files
        return 0
    ends = np.cumsum(lengths).tolist()
    for number, clip in enumerate(clips):
        mine = np.flatnonzero(masks[:, 0] == number).tolist()
        theirs = np.flatnonzero(scored[:, 0] == number).tolist()
        clip.take_up(
            [(Shown(*masks[i, 1:].tolist()), blob[ends[i] - lengths[i] : ends[i]]) for i in mine],
            [(Shown(*scored[i, 1:].tolist()), scores[i]) for i in theirs],
        )
    return sum(clip.size for clip in clips)


def write_results(file: Path, clips: Sequence[ClipResults]) -> None:
    """Write the masks and scores of `clips` to `file`."""
    masks: list[tuple[int, int, int]] = []
    scored: list[tuple[int, int, int]] = []
    blobs: list[bytes] = []
    scores: list[float] = []
    for number, clip in enumerate(clips):
        known, judged = clip.stored()
        masks += [(number, *shown) for shown in known]
        blobs += known.values()
        scored += [(number, *pair) for pair in judged]
        scores += judged.values()
    arrays: dict[str, Any] = {
        "masks": np.array(masks, np.int32).reshape(-1, 3),
        "lengths": np.array([len(blob) for blob in blobs], np.int64),
        "blob": np.frombuffer(b"".join(blobs), np.uint8),
        "scored": np.array(scored, np.int32).reshape(-1, 3),
        "scores": np.array(scores, np.float64),
    }
    write_whole(file, lambda beside: np.savez(beside, **arrays))
