"""Rescoring: trained networks at another target, on another device, or under another policy.

    networks/<id>/screens/again-<key>.json

Nothing is trained. The graphs run only where the camera's rate or the device lets the processor
take frames that no earlier evaluation saw. Scores are kept: the second time needs no clips.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jejunet_nas.errors import check_range
from jejunet_nas.evaluation.latencies import predict_graphs
from jejunet_nas.evaluation.network import Evaluation, PolicyScore
from jejunet_nas.files import RECORD, keep_text
from jejunet_nas.latency.predicted_meter import DeviceProfile, PredictedMeter, load_profile
from jejunet_nas.progress import Say, Tell
from jejunet_nas.records import (
    GRAPH_NAMES,
    DataSplit,
    NetworkRecord,
    RefusedTrial,
    Repeat,
    SearchedFor,
    StudyHistory,
    TrialResult,
    graphs_run_by,
    to_json,
)
from jejunet_nas.space.architecture import Architecture, Policy, canonical_json
from jejunet_nas.study.kept_measurements import with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.prediction import predict_least
from jejunet_nas.study.screens import FOLDER, Screens, read_kept
from jejunet_nas.study.settings import TARGET_FPS, StudySettings
from jejunet_nas.video.graphs import graphs_of

OpenVal = Callable[[], DataSplit]  # opens the validation clips; called only if they are needed


def rescored(
    history: StudyHistory,
    networks: Path,
    open_val: OpenVal,
    *,
    target_fps: float,
    profile: DeviceProfile,
    another: bool = False,
    asked: tuple[str, ...] = (),
    tell: Tell = lambda what, done, total: None,
    say: Say = lambda _: None,
) -> StudyHistory:
    """Return `history` with its trials scored again at `target_fps`, by the profile of a device.

    Refused trials stay refused, with the bounds of their latency at the new target: they have no
    graphs.

    networks: the folder of the study's networks. another: whether `profile` is of another device
    than the study's; otherwise measurements count as in the study. asked: as in `SearchedFor`.
    tell: receives the number of networks done. say: receives why a measured trial has no score.

    Raises `SettingError` where a graph is missing or was changed since it was scored.
    """
    before = history.searched_for or SearchedFor(
        target_fps=history.target_fps, device=history.device
    )
    meter = PredictedMeter(profile=profile, threads=history.threads) if another else None
    done: dict[int, TrialResult] = {}
    trials = sorted(history.complete, key=lambda trial: trial.network_id)
    groups = [[*same] for _, same in itertools.groupby(trials, key=lambda t: t.network_id)]
    for count, same in enumerate(groups):
        tell("score again", count, len(groups))
        network = same[0].network
        if meter is not None:
            files = graphs_of(network, networks)
            latencies = predict_graphs(files, network.network, meter)
            network = dataclasses.replace(network, latencies=latencies)
        policies = [trial.architecture.policy for trial in same]
        scores = _scores(network, policies, networks, open_val, target_fps)
        for trial, score in zip(same, scores, strict=True):
            done[trial.number] = _with(dataclasses.replace(trial, network=network), score)
    searched = before.target_fps, before.device
    as_searched = not another and searched == (target_fps, history.device)
    repeats = history.repeats
    if not as_searched:
        repeats = _repeats(history, done, networks, open_val, target_fps)
    after = dataclasses.replace(
        history,
        target_fps=target_fps,
        device=profile.device if another else history.device,
        complete=tuple(done[trial.number] for trial in history.complete),
        refused=tuple(_refused(trial, history, profile, target_fps) for trial in history.refused),
        phone=None,
        unscored=(),
        repeats=repeats,
        searched_for=None if as_searched else dataclasses.replace(before, asked=asked),
    )
    if another:
        return after
    return with_measured(after, networks, screens=Screens(networks, target_fps, open_val, say))


def rescored_study(
    ledger: Ledger,
    settings: StudySettings,
    networks: Path,
    target_fps: float | None,
    device: str | None,
    tell: Tell,
) -> tuple[StudyHistory, StudySettings]:
    """Return the history of a study at another target or device, and settings that have them.

    settings: those of the ledger, or of an earlier call, whose target and device stay where no
    other is given. device: the name or file of a device profile.
    """
    own, latency = ledger.settings, settings.latency
    fps = settings.target_fps if target_fps is None else target_fps
    check_range("target_fps", int(fps) if float(fps).is_integer() else fps, *TARGET_FPS)
    device = device or latency.device
    asked = ("--target-fps", f"{fps:.10g}") if fps != own.target_fps else ()
    if device != own.latency.device:
        asked = (*asked, "--device", device)
    history = rescored(
        ledger.history(),
        networks,
        functools.cache(lambda: settings.data.open_split("val", tell)),
        target_fps=fps,
        profile=load_profile(device),
        another=device != own.latency.device,
        asked=asked,
        tell=tell,
    )
    now = {"target_fps": fps, "latency": latency.model_copy(update={"device": device})}
    return history, settings.model_copy(update=now)


def under_policy(
    trial: TrialResult, policy: Policy, history: StudyHistory, networks: Path, open_val: OpenVal
) -> TrialResult:
    """Return `trial` as its network scores under another `policy`, at the target of `history`.

    Measured latencies count if they rank `trial` and include each graph that `policy` runs.

    Raises `SettingError` where the network has no decoder and `policy` needs one, and as above.
    """
    fps, network = history.target_fps, trial.network
    architecture = Architecture(network=trial.architecture.network, policy=policy)
    (score,) = _scores(network, [policy], networks, open_val, fps)
    again = _with(dataclasses.replace(trial, architecture=architecture), score)
    graphs = trial.measured_graphs
    if graphs is None or any(
        getattr(graphs, name).source != "measured" for name in graphs_run_by(policy)
    ):
        return again
    streamed = Screens(networks, fps, open_val).at(again, graphs, trial.latency.doubts)
    return dataclasses.replace(
        again, on_measurement=streamed, measured_graphs=graphs if streamed else None
    )


def _repeats(
    history: StudyHistory,
    trials: Mapping[int, TrialResult],
    networks: Path,
    open_val: OpenVal,
    target_fps: float,
) -> dict[int, tuple[Repeat, ...]]:
    """Return the further trainings of `trials` whose networks are there, scored again."""
    found: dict[int, tuple[Repeat, ...]] = {}
    for number, repeats in history.repeats.items():
        trial = trials[number]
        for repeat in repeats:
            record = read_kept(NetworkRecord, networks / repeat.network_id / RECORD)
            if record is None:
                continue
            network = dataclasses.replace(record, latencies=trial.network.latencies)
            policies = [trial.architecture.policy]
            (score,) = _scores(network, policies, networks, open_val, target_fps)
            again = dataclasses.replace(repeat, streamed=score.streamed)
            found[number] = (*found.get(number, ()), again)
    return found


def _with(trial: TrialResult, score: PolicyScore) -> TrialResult:
    """Return `trial` with `score`, by predicted latencies alone."""
    return dataclasses.replace(
        trial,
        own_frame_score=score.own_frame,
        temporal=score.temporal,
        on_prediction=score.streamed,
        on_measurement=None,
        measured_graphs=None,
    )


def _scores(
    network: NetworkRecord,
    policies: Sequence[Policy],
    networks: Path,
    open_val: OpenVal,
    target_fps: float,
) -> list[PolicyScore]:
    """Return the scores of `network` under each of `policies`; kept ones need no clips."""
    folder = networks / network.network_id / FOLDER
    files = {
        policy: folder / f"again-{_key(network, policy, target_fps)}.json" for policy in policies
    }
    kept = {policy: read_kept(PolicyScore, file) for policy, file in files.items()}
    found = {policy: score for policy, score in kept.items() if score is not None}
    if missing := [policy for policy in files if policy not in found]:
        evaluation = Evaluation(open_val(), graphs_of(network, networks))
        made = evaluation.score(missing, network.latencies, target_fps=target_fps)
        for policy, score in zip(missing, made, strict=True):
            keep_text(files[policy], to_json(score))
            found[policy] = score
    return [found[policy] for policy in policies]


def _key(network: NetworkRecord, policy: Policy, target_fps: float) -> str:
    """Return the name of a score: a hash of all that decides it but the clips."""
    graphs = [network.graphs[name].sha256 for name in GRAPH_NAMES if name in network.graphs]
    latencies = network.latencies
    decisive = (
        f"{canonical_json(policy)} {graphs} {latencies.medians} {latencies.source} {target_fps}"
    )
    return hashlib.sha256(decisive.encode()).hexdigest()[:12]


def _refused(
    trial: RefusedTrial, history: StudyHistory, profile: DeviceProfile, target_fps: float
) -> RefusedTrial:
    least = predict_least(
        trial.architecture,
        profile,
        classes=len(history.class_names),
        threads=history.threads,
        target_fps=target_fps,
    )
    return dataclasses.replace(
        trial,
        mean_ms=least.mean_ms,
        worst_ms=least.worst_ms,
        dropped_frames=least.dropped_frames,
    )
