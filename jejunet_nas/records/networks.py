"""Networks: records of a trained and quantised network, which do not depend on a policy."""

import dataclasses

from jejunet_nas.records.latencies import GRAPH_NAMES, GraphName, PathLatencies
from jejunet_nas.records.provenance import Provenance
from jejunet_nas.space.architecture import Network, Policy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphRecord:
    """One graph on disk, as the check after conversion found it.

    sha256: of the file, so that figures are never told of another graph. deflated_bytes: size of
    the zipped file, by which an app's download grows. zero_weights: share of the convolutions'
    weights. values_a_channel: mean number of different weights per output channel.
    """

    file: str  # beside record.json
    sha256: str
    size_bytes: int
    deflated_bytes: int
    macs: int
    operators: int
    not_delegated: tuple[str, ...]  # operators that run outside LiteRT's default delegate
    zero_weights: float
    values_a_channel: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """The signal-to-noise ratio of a layer's output against the float network's."""

    layer: str
    graph: GraphName
    snr_db: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRecord:
    """Agreement of the graphs on disk with the float network, on `frames` training frames.

    key, propagate: share of equal class map pixels; propagate gets the context of another frame.
    gate_error: mean absolute error of its score. logits_db: signal-to-noise ratio. noisiest: the
    layers with the lowest ratios, the worst first. equalized, bias_corrected: the corrections used.
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
    """The mean loss of each `loss_every_steps` steps of training, and its speed.

    steps: of all rungs; the losses and times are those of the last. curve: steps of the last and
    mIoU in [0, 1] of validations in its course, float and every frame a keyframe; the best of them
    has the weights. Empty for brief trainings, which keep their last weights.
    """

    steps: int
    loss_every_steps: int
    losses: tuple[float, ...]
    gate_loss: float
    median_step_ms: float
    input_wait_share: float  # of the training time, spent waiting for a batch
    parameters: int
    curve: tuple[tuple[int, float], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateBin:
    """Pairs of frames with similar gate scores.

    score, disagreement: mean score, and mean disagreement of the two masks, in [0, 1].
    """

    pairs: int
    score: float
    disagreement: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """Accuracy of the int8 gate's scores, on pairs of validation frames.

    bins: from low scores to high ones, without empty ones. mean_error: absolute; None if all clips
    are single frames. rank_correlation: Spearman's, of scores and disagreements; None if either is
    constant.
    """

    bins: tuple[GateBin, ...]
    mean_error: float | None
    rank_correlation: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecord:
    """A trained and quantised network.

    float_miou, int8_miou: on the same `checked_frames` validation frames, each a keyframe; their
    difference is the cost of quantisation. compressed_from: the id of the trained network that this
    one was pruned from or trained with rounding; None with plain training and post-training int8.
    provenance: None in records of earlier versions.
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
    provenance: Provenance | None = None


def graphs_run_by(policy: Policy) -> tuple[GraphName, ...]:
    """Return the graphs that `policy` may run on a frame."""
    runs = {"key": True, "propagate": policy.propagates, "gate": policy.gated}
    return tuple(name for name in GRAPH_NAMES if runs[name])
