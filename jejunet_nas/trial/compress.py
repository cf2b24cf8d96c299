"""Compresses the network of a trial in several ways, and says what each costs and brings.

Each chain starts from the weights that the trial's network was trained to. What a chain came to is
kept beside the study's networks, and found again: the graphs, and `row.json` when they are whole.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from jejunet_nas.compression.chain import chain_in_words
from jejunet_nas.compression.check import check_graph, describe_graph
from jejunet_nas.compression.compress import CompressedNetwork, compress
from jejunet_nas.compression.settings import Chain
from jejunet_nas.errors import TrialError
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.records import NetworkRecord, PathLatencies, from_json, to_json
from jejunet_nas.records.rows import CompressionRow
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.trial.run import trained_network
from jejunet_nas.trial.setup import TrialSetup

ROW = "row.json"


def compress_network(
    record: NetworkRecord,
    chains: Sequence[Chain],
    setup: TrialSetup,
    folder: Path,
    tell: Tell,
    *,
    frames: int,
) -> tuple[list[CompressionRow], list[str]]:
    """Return what each of `chains` makes of the network in `record`, and why any made nothing.

    It begins as it was trained. folder: where the graphs of each chain are kept. frames: of the
    validation clips, on which mIoU is taken. Raises `SettingError` where the trained weights are
    gone.
    """
    workshop = _Workshop(record, setup, folder, tell, frames)
    rows, failures = [], []
    for chain in chains:
        try:
            rows.append(workshop.row(chain))
        except TrialError as error:
            failures.append(f"{chain_in_words(chain)}: {error}")
    return rows, failures


class _Workshop:
    """One trained network, and what was made of it so far."""

    def __init__(
        self, record: NetworkRecord, setup: TrialSetup, folder: Path, tell: Tell, frames: int
    ) -> None:
        self._record, self._setup, self._folder, self._tell = record, setup, folder, tell
        self._network = record.network.as_trained
        self._trained_id = record.compressed_from or record.network_id
        self._frames = frames
        self._keyframes: Keyframes | None = None
        self._trained_miou: float | None = None

    def row(self, chain: Chain) -> CompressionRow:
        """Return what `chain` comes to, made now or found."""
        folder = self._folder / self._trained_id / self._name(chain)
        known = _read_row(folder / ROW)
        if known is not None:
            return known
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        words = chain_in_words(chain)
        self._tell(f"{words}: convert", 0, 1)
        made = compress(
            self._trained(),
            chain,
            self._setup.material,
            part,
            lambda what, done, total: self._tell(f"{words}: {what}", done, total),
            calibration=self._setup.compression.post_training,
        )
        self._tell(f"{words}: check", 0, 1)
        row = self._judged(made, words)
        (part / ROW).write_text(to_json(row, indent=2), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        return row

    def _judged(self, made: CompressedNetwork, words: str) -> CompressionRow:
        keyframes = self._checked_frames()
        describe = check_graph if made.int8 else describe_graph
        return CompressionRow(
            settings=words,
            miou=keyframes.miou_of_graphs(made.files),
            trained_miou=self._as_trained(),
            float_miou=keyframes.miou(made.trained.masks(keyframes.frames)),
            frames=len(keyframes),
            agreement=made.agreement(),
            graphs={name: describe(file) for name, file in made.files.items()},
            latencies=PathLatencies(
                **{name: self._setup.meter.measure(file) for name, file in made.files.items()}
            ),
            train_s=made.train_s,
            convert_s=made.convert_s,
        )

    def _name(self, chain: Chain) -> str:
        """Return what a chain's folder is called: by all that decides its row."""
        told = [
            canonical_json(self._network),
            repr(chain),
            repr(self._setup.compression.post_training),
            self._setup.train.fingerprint,
            self._setup.val.fingerprint,
            str(self._frames),
            repr(self._setup.meter),
        ]
        return hashlib.sha256(" ".join(told).encode()).hexdigest()[:12]

    def _trained(self) -> KerasNetwork:
        return trained_network(self._record, self._setup)

    def _checked_frames(self) -> Keyframes:
        if self._keyframes is None:
            self._keyframes = Keyframes(
                self._setup.val,
                height=self._network.input_height,
                width=self._network.input_width,
                count=self._frames,
            )
        return self._keyframes

    def _as_trained(self) -> float:
        if self._trained_miou is None:
            keyframes = self._checked_frames()
            self._trained_miou = keyframes.miou(self._trained().masks(keyframes.frames))
        return self._trained_miou


def _read_row(file: Path) -> CompressionRow | None:
    """Return the row in `file`; None where there is none, or none that can be read."""
    try:
        return from_json(CompressionRow, file.read_bytes())
    except (OSError, ValidationError):
        return None
