"""Policies: ways of choosing keyframes for one trained network, compared at equal mean latency.

A rule that looks at the frames (the gate, or the difference in brightness) gets the mean latency
of a fixed interval and places its keyframes freely. Its threshold is set by latency alone, so
nothing is tuned on the score.

Masks are scored as on the screen (`evaluation.screen`). A rule that drops frames sees other frames
than one that keeps up, so its mean latency is that of the frames it takes.

Units: milliseconds a frame, on the device of the given latencies; ratios in [0, 1].
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jejunet_nas.errors import SettingError, check_range
from jejunet_nas.evaluation.clip import GateOf, own_gate
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.stream import background_lag, stream_latency
from jejunet_nas.progress import Say
from jejunet_nas.records import PathLatencies
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.records.words import counted
from jejunet_nas.space.architecture import EVERY_FRAME, FOLLOWING, BetweenKeyframes, Policy
from jejunet_nas.video.policy import Gate
from jejunet_nas.video.results import ClipResults

INTERVALS = (2, 4, 8)
# The longest wait for a keyframe under a rule, in fixed intervals: a little longer, or twice.
LONGEST_OVER_FIXED = (1.25, 2.0)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
LUMA = "luma difference"  # a rule for comparison: graphs and policies of a bundle have none
_HALVINGS = 14  # of the threshold's range: finer than scores are stored


class _Rule(NamedTuple):
    """A score of frames; the latency of a `free` one is unknown and counts as zero."""

    name: str
    gate_of: GateOf
    free: bool = False
    reuse_below: float | None = None


class _Way(NamedTuple):
    """A rule with its policy, and the interval that it is compared with."""

    rule: _Rule
    policy: Policy
    interval: int

    def words(self, lag: int) -> str:
        """Return the rule in words; `lag`: of keyframes in the background."""
        if self.policy.asynchronous:
            return f"in the background, {counted(lag, 'frame')} each"
        if self.policy.refresh_above is not None:
            return self.rule.name
        if not self.policy.spares_frames:
            return "every frame"
        return f"every {self.policy.keyframe_interval}"


def luma_gate(results: ClipResults) -> Gate:
    """Return the mean absolute difference in brightness of two frames' thumbnails, in [0, 1]."""
    small = np.stack([results.thumbnail(frame) for frame in range(len(results))])
    lumas = small @ _LUMA / 255
    return lambda frame, keyframe: float(np.abs(lumas[frame] - lumas[keyframe]).mean())


_FIXED = _Rule("fixed interval", own_gate)
_RULES = (
    _Rule("gate", own_gate),
    _Rule("gate, reuse below 0.1", own_gate, reuse_below=0.1),
    _Rule(LUMA, luma_gate, free=True),
)


def compare_policies(
    evaluation: Evaluation,
    latencies: PathLatencies,
    *,
    target_fps: float,
    intervals: Sequence[int] = INTERVALS,
    propagates: bool = True,
    say: Say = lambda _: None,
) -> list[PolicyRow]:
    """Return a row for each interval, kind of frames between, and rule; the fixed interval first.

    The first row has every frame a keyframe; the last ones have keyframes in the background, one
    after the other. propagates: whether the network can propagate. The luma difference counts as
    free, which favours it: a phone takes time for it.
    """
    comparison = _Comparison(evaluation, latencies, target_fps)
    rows: list[PolicyRow] = []
    for way in comparison.ways(intervals, propagates):
        if way.policy.asynchronous:
            say("keyframes in the background")
        elif way.interval > 1:
            say(f"{way.rule.name}, at the latency of interval {way.interval}")
        rows.append(comparison.row(len(rows) + 1, way))
    return rows


def policy_of_row(
    number: int,
    evaluation: Evaluation,
    latencies: PathLatencies,
    *,
    target_fps: float,
    propagates: bool = True,
) -> Policy:
    """Return the policy of the row `number` of `compare_policies`, without the other rows' scores.

    Raises `SettingError` where there is no such row, or no bundle can run its rule.
    """
    ways = [*_Comparison(evaluation, latencies, target_fps).ways(INTERVALS, propagates)]
    check_range("row", number, 1, len(ways))
    rule, policy, _ = ways[number - 1]
    if rule.name == LUMA:
        fit = [n for n, way in enumerate(ways, 1) if way.rule.name != LUMA]
        near = min(fit, key=lambda each: abs(each - number))
        raise SettingError(
            f"row is {number}, the {LUMA}, a rule for comparison that no bundle can run. The "
            f"nearest that one can run is {near}."
        )
    return policy


@dataclasses.dataclass(frozen=True, slots=True)
class _Comparison:
    evaluation: Evaluation
    latencies: PathLatencies
    target_fps: float

    def ways(self, intervals: Sequence[int], propagates: bool) -> Iterator[_Way]:
        """Yield every way that is compared, in the order of the rows."""
        yield _Way(_FIXED, EVERY_FRAME, 1)
        for interval in intervals:
            for rule, policy in self._candidates(interval, propagates):
                yield _Way(rule, policy, interval)
        for between in self._between(propagates):
            if between != "reuse":
                behind = Policy(
                    keyframe_interval=1,
                    between_keyframes=between,
                    asynchronous=True,
                    ahead=between in FOLLOWING,
                )
                yield _Way(_FIXED, behind, 1)

    def _between(self, propagates: bool) -> Iterator[BetweenKeyframes]:
        if propagates:
            yield "propagate"
        if self.latencies.move is not None:
            if propagates:
                yield "warp"
            yield "move"
        yield "reuse"

    def _candidates(self, interval: int, propagates: bool) -> Iterator[tuple[_Rule, Policy]]:
        """Yield each rule with its policy that costs no more than the fixed interval."""
        for between in self._between(propagates):
            fixed = Policy(
                keyframe_interval=interval,
                between_keyframes=between,
                ahead=between in FOLLOWING,
            )
            yield _FIXED, fixed
            allowed_ms = self.mean_ms(_FIXED, fixed)
            for rule, longest in itertools.product(_RULES, LONGEST_OVER_FIXED):
                if between != "propagate" and rule.reuse_below is not None:
                    continue  # the gate can save nothing
                latest = math.ceil(longest * interval)
                policy = self._within(
                    allowed_ms, rule, dataclasses.replace(fixed, keyframe_interval=latest)
                )
                if policy is not None:
                    yield rule, policy

    def _within(self, allowed_ms: float, rule: _Rule, latest: Policy) -> Policy | None:
        """Return `latest` with the lowest threshold that bisection allows; None if all cost more.

        A lower threshold usually means more keyframes, but an early keyframe can save the next. A
        much lower threshold may therefore be allowed too; it is not searched for.
        """

        def at(threshold: float) -> Policy:
            return dataclasses.replace(
                latest, reuse_below=rule.reuse_below, refresh_above=threshold
            )

        def allowed(threshold: float) -> bool:
            return self.mean_ms(rule, at(threshold)) <= allowed_ms

        low, high = rule.reuse_below or 0.0, 1.0
        if not allowed(high):
            return None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if allowed(middle) else (middle, high)
        return at(high)

    def row(self, number: int, way: _Way) -> PolicyRow:
        """Return the scores and the latency of one way."""
        rule, policy, interval = way
        (scored,) = self.evaluation.score(
            [policy], self.costs(rule), target_fps=self.target_fps, gate_of=rule.gate_of
        )
        streamed = scored.streamed
        paths = [path for walk in streamed.walks for path in walk.paths]
        return PolicyRow(
            number=number,
            policy=None if rule.name == LUMA else policy,
            rule=way.words(self.lag),
            between=policy.between_keyframes,
            interval=interval,
            latest=policy.keyframe_interval if policy.refresh_above is not None else None,
            threshold=policy.refresh_above,
            lag=self.lag if policy.asynchronous else None,
            mean_ms=streamed.latency.mean_ms,
            worst_ms=streamed.latency.worst_ms,
            dropped_frames=streamed.latency.dropped_frames,
            mean_interval=self.lag if policy.asynchronous else len(paths) / paths.count("key"),
            miou=streamed.score.miou,
            own_frame_miou=scored.own_frame.miou,
            consistency=scored.temporal.consistency,
        )

    def mean_ms(self, rule: _Rule, policy: Policy) -> float:
        costs, fps = self.costs(rule), self.target_fps
        walks = self.evaluation.walks(policy, costs, target_fps=fps, gate_of=rule.gate_of)
        return stream_latency(walks, costs, target_fps=fps).mean_ms

    def costs(self, rule: _Rule) -> PathLatencies:
        if not rule.free:
            return self.latencies
        nothing = dataclasses.replace(self.latencies.gate, median_ms=0.0, low_ms=0.0, high_ms=0.0)
        return dataclasses.replace(self.latencies, gate=nothing)

    @property
    def lag(self) -> int:
        return background_lag(self.latencies, target_fps=self.target_fps)
