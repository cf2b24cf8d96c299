"""Compares ways of choosing keyframes for one trained network, each at the same mean latency.

A fixed interval costs what it costs. A rule that looks at the frames (the gate, or plainly how much
their brightness differs) spends the same mean latency where it thinks it is needed: its threshold
is set to be as dear as the interval, not to score well, so nothing is tuned on the score.

Units: milliseconds a frame, on the device of the given latencies; ratios in [0, 1].
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.stream import background_lag, stream_latency
from jejunet_nas.records import FramePaths, PathLatencies, StreamLatency
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.space.architecture import BetweenKeyframes, Policy
from jejunet_nas.video.results import ClipResults
from jejunet_nas.video.walk import Gate

INTERVALS = (2, 4, 8)
# Of its fixed interval, how long a rule that looks may go without a keyframe: a little longer, or
# twice as long.
LONGEST_OVER_FIXED = (1.25, 2.0)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_HALVINGS = 14  # of the threshold's range: finer than scores are stored


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """A score of frames; `free` where its latency is not known, and counts as none."""

    name: str
    gates: Callable[[ClipResults], Gate]
    free: bool = False
    reuse_below: float | None = None


def luma_gate(results: ClipResults) -> Gate:
    """Return the mean absolute difference in brightness of two frames' thumbnails, in [0, 1]."""
    small = np.stack([results.thumbnail(frame) for frame in range(len(results))])
    lumas = small @ _LUMA / 255
    return lambda frame, keyframe: float(np.abs(lumas[frame] - lumas[keyframe]).mean())


_FIXED = _Rule("fixed interval", lambda results: results.gate)
_BETWEEN: tuple[BetweenKeyframes, ...] = ("propagate", "reuse")
_RULES = (
    _Rule("gate", lambda results: results.gate),
    _Rule("gate, reuse below 0.1", lambda results: results.gate, reuse_below=0.1),
    _Rule("luma difference", luma_gate, free=True),
)


def compare_policies(
    evaluation: Evaluation,
    latencies: PathLatencies,
    *,
    target_fps: float,
    intervals: Sequence[int] = INTERVALS,
    tell: Callable[[str], None] = lambda _: None,
) -> list[PolicyRow]:
    """Return a row for each interval, kind of frames between, and rule; the fixed interval first.

    Before them stands the whole network on every frame, behind them keyframes in the background,
    one after the other. The luma difference is taken to cost nothing, which is more than a phone
    grants it.
    """
    comparison = _Comparison(evaluation, latencies, target_fps)
    rows = [comparison.row(_FIXED, Policy(keyframe_interval=1), 1)]
    for interval in intervals:
        for rule, policy in comparison.contenders(interval):
            tell(f"{rule.name}, as interval {interval}")
            rows.append(comparison.row(rule, policy, interval))
    tell("keyframes in the background")
    background = Policy(keyframe_interval=1, asynchronous=True)
    return [*rows, comparison.row(_FIXED, background, 1)]


@dataclasses.dataclass(frozen=True, slots=True)
class _Comparison:
    evaluation: Evaluation
    latencies: PathLatencies
    target_fps: float

    def contenders(self, interval: int) -> Iterator[tuple[_Rule, Policy]]:
        """Yield each rule with its policy that is no dearer than the fixed interval."""
        for between in _BETWEEN:
            fixed = Policy(keyframe_interval=interval, between_keyframes=between)
            yield _FIXED, fixed
            allowed_ms = self.stream(_FIXED, self.walks(_FIXED, fixed)).mean_ms
            for rule, longest in itertools.product(_RULES, LONGEST_OVER_FIXED):
                if between == "reuse" and rule.reuse_below is not None:
                    continue  # every mask is reused already
                latest = math.ceil(longest * interval)
                policy = self._within(
                    allowed_ms, rule, dataclasses.replace(fixed, keyframe_interval=latest)
                )
                if policy is not None:
                    yield rule, policy

    def _within(self, allowed_ms: float, rule: _Rule, latest: Policy) -> Policy | None:
        """Return `latest` with a threshold just high enough to be allowed; None where none is.

        The lower the threshold, the more keyframes, as a rule: where one comes sooner, the next
        may be spared. So a far lower threshold may be allowed again, which is not sought.
        """

        def at(threshold: float) -> Policy:
            return dataclasses.replace(
                latest, reuse_below=rule.reuse_below, refresh_above=threshold
            )

        def allowed(threshold: float) -> bool:
            return self.stream(rule, self.walks(rule, at(threshold))).mean_ms <= allowed_ms

        low, high = rule.reuse_below or 0.0, 1.0
        if not allowed(high):
            return None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if allowed(middle) else (middle, high)
        return at(high)

    def row(self, rule: _Rule, policy: Policy, interval: int) -> PolicyRow:
        """Return what `policy` under `rule` costs and is worth."""
        (scored,) = self.evaluation.score([policy], lag=self.lag, gates=rule.gates)
        assert scored.temporal is not None, "asked for"
        keyframes = sum(walk.paths.count("key") for walk in scored.walks)
        frames = sum(len(walk.letters) for walk in scored.walks)
        stream = self.stream(rule, scored.walks)
        return PolicyRow(
            rule=_words(rule, policy, self.lag),
            between=policy.between_keyframes,
            interval=interval,
            latest=policy.keyframe_interval if policy.refresh_above is not None else None,
            threshold=policy.refresh_above,
            lag=self.lag if policy.asynchronous else None,
            mean_ms=stream.mean_ms,
            worst_ms=stream.worst_ms,
            mean_interval=self.lag if policy.asynchronous else frames / keyframes,
            miou=scored.score.miou,
            consistency=scored.temporal.consistency,
        )

    def walks(self, rule: _Rule, policy: Policy) -> tuple[FramePaths, ...]:
        """Return which path each frame takes."""
        return self.evaluation.walks(policy, lag=self.lag, gates=rule.gates)

    def stream(self, rule: _Rule, walks: Sequence[FramePaths]) -> StreamLatency:
        """Return the latency of a frame."""
        costs = self.latencies
        if rule.free:
            nothing = dataclasses.replace(costs.gate, median_ms=0.0, low_ms=0.0, high_ms=0.0)
            costs = dataclasses.replace(costs, gate=nothing)
        return stream_latency(walks, costs, target_fps=self.target_fps)

    @property
    def lag(self) -> int:
        """Frames that a keyframe takes in the background."""
        return background_lag(self.latencies, target_fps=self.target_fps)


def _words(rule: _Rule, policy: Policy, lag: int) -> str:
    if policy.asynchronous:
        return f"in the background, {lag} frame{'' if lag == 1 else 's'} each"
    if policy.refresh_above is not None:
        return rule.name
    return "every frame" if not policy.spares_frames else f"every {policy.keyframe_interval}"
