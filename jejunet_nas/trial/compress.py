"""Compress: a trial's network through several chains, each judged like the graphs of a trial.

    <folder>/<network_id>/<key>/    *.tflite  row.json

Each chain starts from the trained weights. Its graphs and its row are kept, and found again by a
key of all settings that decide the row.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.compression.chain import chain_in_words
from jejunet_nas.compression.compress import compress
from jejunet_nas.compression.settings import Chain
from jejunet_nas.errors import TrialError
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.evaluation.latencies import predict_graphs
from jejunet_nas.progress import Tell
from jejunet_nas.records import NetworkRecord, to_json
from jejunet_nas.records.rows import CompressionRow
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.trial.judge import judge
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import new_folder, read_record, trained_network
from jejunet_nas.video.graphs import damage_of

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
    """Return a row for each of `chains` that worked, and an error message for each that failed.

    folder: where rows and graphs are kept. frames: validation frames on which mIoU is computed.
    Raises `SettingError` where the trained weights are missing.
    """
    comparison = _Comparison(record=record, setup=setup, frames=frames)
    rows, failures = [], []
    for chain in chains:
        try:
            rows.append(comparison.row(chain, folder, tell))
        except TrialError as error:
            failures.append(f"{chain_in_words(chain)}: {error}")
    return rows, failures


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Comparison:
    """A trained network and the frames on which all chains are compared with it."""

    record: NetworkRecord
    setup: TrialSetup
    frames: int

    @functools.cached_property
    def keyframes(self) -> Keyframes:
        return Keyframes(self.setup.val, self.record.network, count=self.frames)

    @functools.cached_property
    def trained_miou(self) -> float:
        network = trained_network(self.record, self.setup)
        return self.keyframes.miou(network.masks(self.keyframes.frames))

    def row(self, chain: Chain, folder: Path, tell: Tell) -> CompressionRow:
        """Return the row of `chain`, found in `folder` or made."""
        trained_id = self.record.compressed_from or self.record.network_id
        kept = folder / trained_id / self._key(chain)
        row = read_record(CompressionRow, kept / ROW)
        if row is not None and damage_of(row.graphs, kept) is None:
            return row
        words = chain_in_words(chain)
        with new_folder(kept) as part:
            tell(f"{words}: convert", 0, 1)
            made = compress(
                trained_network(self.record, self.setup),
                chain,
                self.setup.material,
                part,
                lambda what, done, total: tell(f"{words}: {what}", done, total),
                calibration=self.setup.compression.post_training,
            )
            tell(f"{words}: check", 0, 1)
            judged = judge(made, self.keyframes)
            row = CompressionRow(
                settings=words,
                miou=judged.miou,
                trained_miou=self.trained_miou,
                float_miou=judged.float_miou,
                frames=judged.frames,
                agreement=judged.agreement,
                graphs=judged.graphs,
                latencies=predict_graphs(made.files, self.record.network, self.setup.meter),
                train_s=made.train_s,
                convert_s=made.convert_s,
            )
            (part / ROW).write_text(to_json(row, indent=2), encoding="utf-8")
        return row

    def _key(self, chain: Chain) -> str:
        decisive = [
            canonical_json(self.record.network.as_trained),
            repr(chain),
            repr(self.setup.compression.post_training),
            self.setup.train.fingerprint,
            self.setup.val.fingerprint,
            str(self.frames),
            repr(self.setup.meter),
        ]
        return hashlib.sha256(" ".join(decisive).encode()).hexdigest()[:12]
