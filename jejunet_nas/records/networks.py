"""Networks: what is known of one once it is trained and quantised, whatever policy runs it."""

import dataclasses

from jejunet_nas.records.latencies import GraphName, PathLatencies
from jejunet_nas.space.architecture import Network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphRecord:
    """One graph on disk, and what the check after conversion found.

    deflated_bytes: of the file as zip packs it, which is what an app's download grows by.
    zero_weights: share of the convolutions' weights. values_a_channel: how many different weights
    an output channel has, in the mean.
    """

    file: str  # beside record.json
    size_bytes: int
    deflated_bytes: int
    macs: int
    operators: int
    not_delegated: tuple[str, ...]  # operators that LiteRT's default delegate leaves aside
    zero_weights: float
    values_a_channel: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """How far what a layer hands on is from the float network's: signal to noise, in decibels."""

    layer: str
    graph: GraphName
    snr_db: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRecord:
    """How far the graphs on disk agree with the float network, on `frames` training frames.

    key, propagate: share of class map pixels that are alike; propagate is given the context of
    another frame. gate_error: of its score, absolute, in the mean. logits_db: signal to noise.
    noisiest: the layers that are furthest off, the worst first. equalized, bias_corrected: what was
    done about it.
    """

    frames: int
    key: float
    propagate: float
    gate_error: float
    logits_db: float
    noisiest: tuple[LayerNoise, ...]
    equalized: bool
    bias_corrected: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What training did: the mean loss of each `loss_every_steps` steps, and the time it took."""

    steps: int
    loss_every_steps: int
    losses: tuple[float, ...]
    gate_loss: float
    median_step_ms: float
    input_wait_share: float  # of the training time, spent waiting for a batch
    parameters: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateBin:
    """Pairs of frames with about the same gate score, and how far their masks really disagree.

    score, disagreement: means over the `pairs`, in [0, 1].
    """

    pairs: int
    score: float
    disagreement: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """How far the int8 gate's scores can be believed, on pairs of validation frames.

    bins: from low scores to high ones, those without a pair left out. mean_error: of a score,
    absolute; None where all clips are single frames. rank_correlation: Spearman's, of scores and
    disagreements; None where either never changes.
    """

    bins: tuple[GateBin, ...]
    mean_error: float | None
    rank_correlation: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """A trained and quantised network, whatever policy runs it.

    `float_miou` and `int8_miou` are taken on the same `checked_frames` validation frames, each
    as a keyframe, so that their difference is what quantisation costs. compressed_from: the id of
    the network that it was pruned from, or trained on from with rounding; None where it was trained
    as it is, and int8 came after.
    """

    network_id: str
    network: Network
    class_names: tuple[str, ...]
    training: TrainingRecord
    graphs: dict[GraphName, GraphRecord]
    latencies: PathLatencies
    float_miou: float
    int8_miou: float
    checked_frames: int
    gate: GateRecord
    stage_s: dict[str, float]
    agreement: AgreementRecord
    compressed_from: str | None = None
