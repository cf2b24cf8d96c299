"""Networks whose true mIoU is known, scored on clips with chance; nothing here is a test."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from jejunet_nas.records import Repeat, StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.score import combine
from tests import made_up
from tests.reporting.build import history, trial


def clips_of(ious: Sequence[float]) -> tuple[ClipScore, ...]:
    """Clips with one class and a thousand pixels of it, by their IoU."""
    return tuple(
        ClipScore(
            name=f"clip {number}",
            frames=10,
            annotated=(1000,),
            intersection=(round(1000 * iou),),
            union=(1000,),
        )
        for number, iou in enumerate(ious)
    )


def network(number: int, ious: Sequence[float], mean_ms: float = 20.0) -> TrialResult:
    """A trial by its IoU on each clip."""
    return made_up.scored(trial(number, 0.0, mean_ms), combine(clips_of(ious)))


def again(trained: TrialResult, seed: int, ious: Sequence[float]) -> Repeat:
    """A further training of the network of `trained`."""
    streamed = dataclasses.replace(trained.streamed, score=combine(clips_of(ious)))
    return Repeat(number=trained.number, seed=seed, network_id=f"{seed:012x}", streamed=streamed)


def halved(*trials: TrialResult, **changes: object) -> StudyHistory:
    """A study that holds out half of its clips."""
    return dataclasses.replace(
        history(*trials, class_names=("object",)), validation="half", **changes
    )  # type: ignore[arg-type]


def alike(
    rng: np.random.Generator,
    *,
    networks: int,
    repeats: int = 0,
    clips: int = 20,
    hardness: float = 0.0,
    luck: float = 0.05,
    seeds: float = 0.0,
) -> StudyHistory:
    """A halved study of networks with a true mIoU of 0.6, all alike.

    Standard deviations: hardness: of the clips; luck: of each network on each clip; seeds: of each
    training on all clips. repeats: of the four best.
    """
    hard = rng.normal(0.6, hardness, clips)

    def trained() -> list[float]:
        figures: list[float] = (hard + rng.normal(0, seeds) + rng.normal(0, luck, clips)).tolist()
        return figures

    trials = [network(number, trained()) for number in range(networks)]
    best = sorted(trials, key=lambda each: -each.score.miou)[:4] if repeats else []
    further = {
        each.number: [again(each, seed, trained()) for seed in range(1, repeats + 1)]
        for each in best
    }
    return halved(*trials, repeats=further)
