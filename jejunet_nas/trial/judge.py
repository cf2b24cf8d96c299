"""Judge: the graphs of a network, compared with the float network that they were made from.

Both segment the same validation frames (`evaluation.keyframes`).
"""

import dataclasses

from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.compress import CompressedNetwork
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.evaluation.latencies import predict_graphs
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.records import (
    AgreementRecord,
    GraphName,
    GraphRecord,
    NetworkRecord,
    TrainingRecord,
)
from jejunet_nas.training.provenance import provenance_of
from jejunet_nas.trial.setup import NetworkJob

CHECKED_FRAMES = 64  # validation frames on which float and int8 masks are compared


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The checked graphs, and how they compare with the float network.

    agreement: layer by layer, on training frames. float_miou, miou: of the float network and of the
    graphs, on the same `frames` validation frames.
    """

    graphs: dict[GraphName, GraphRecord]
    agreement: AgreementRecord
    float_miou: float
    miou: float
    frames: int


def judge(made: CompressedNetwork, keyframes: Keyframes) -> Judgement:
    """Check the graphs of `made` and compare them with the float network.

    Raises `TrialError` where a graph does not run, or an int8 one runs outside the delegate.
    """
    int8 = made.int8 is not None
    return Judgement(
        graphs={name: check_graph(file, delegated=int8) for name, file in made.files.items()},
        agreement=made.agreement(),
        float_miou=keyframes.miou(made.trained.masks(keyframes.frames)),
        miou=keyframes.miou_of_graphs(made.files),
        frames=len(keyframes),
    )


def judge_network(
    made: CompressedNetwork,
    training: TrainingRecord,
    job: NetworkJob,
    *,
    compressed_from: str | None = None,
) -> NetworkRecord:
    """Judge the graphs and the gate of `made`, measure their latency, and return the record.

    compressed_from: the id of the network with which pruning or training with rounding began.
    """
    setup, network, clock = job.setup, job.network, job.clock
    with clock.stage("compare"):
        job.tell("compare float and int8", 0, 1)
        judged = judge(made, Keyframes(setup.val, network, count=CHECKED_FRAMES))
    with clock.stage("judge the gate"):
        job.tell("judge the gate", 0, 1)
        gate = Evaluation(setup.val, made.files).judge_gate(longest_age=setup.longest_age)
    with clock.stage("latency"):
        latencies = predict_graphs(made.files, network, setup.meter)
    return NetworkRecord(
        network_id=job.network_id,
        network=network,
        class_names=setup.val.class_names,
        training=training,
        graphs=judged.graphs,
        latencies=latencies,
        float_miou=judged.float_miou,
        int8_miou=judged.miou,
        checked_frames=judged.frames,
        gate=gate,
        stage_s=clock.stage_s,
        agreement=judged.agreement,
        compressed_from=compressed_from,
        provenance=provenance_of(setup.training.seed, setup.train, setup.val),
    )
