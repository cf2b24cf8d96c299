from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import Path
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import PathChooser

clips = st.lists(st.floats(0, 1), min_size=1, max_size=60)  # what the gate would say of each frame


@st.composite
def policies(draw: st.DrawFn, gated: bool | None = None) -> Policy:
    gated = draw(st.booleans()) if gated is None else gated
    if not gated:
        between = draw(st.sampled_from(["propagate", "reuse"]))
        return Policy(keyframe_interval=draw(st.integers(1, 12)), between_keyframes=between)
    low, high = draw(st.sampled_from([(None, 0.6), (0.3, None), (0.3, 0.6), (0.0, 1.0)]))
    between = draw(st.sampled_from(["propagate", "reuse"])) if low is None else "propagate"
    return Policy(
        keyframe_interval=draw(st.integers(2, 12)),
        between_keyframes=between,
        reuse_below=low,
        refresh_above=high,
    )


def walk(policy: Policy, scores: list[float]) -> tuple[list[Path], list[bool]]:
    """Return each frame's path, and whether the gate was asked."""
    chooser, paths, asked = PathChooser(policy), [], []
    for score in scores:
        asked.append(chooser.wants_gate())
        paths.append(chooser.choose(score if asked[-1] else None))
    return paths, asked


@given(policies(), clips)
def test_a_clip_begins_with_a_keyframe_and_none_is_long_in_coming(
    policy: Policy, scores: list[float]
) -> None:
    paths, _ = walk(policy, scores)

    keyframes = [time for time, path in enumerate(paths) if path == "key"]
    assert keyframes[0] == 0
    gaps = [b - a for a, b in zip(keyframes, [*keyframes[1:], len(paths)], strict=True)]
    assert max(gaps) <= policy.keyframe_interval


@given(policies(gated=False), clips)
def test_without_a_gate_the_paths_are_periodic(policy: Policy, scores: list[float]) -> None:
    paths, asked = walk(policy, scores)

    period = ["key", *[policy.between_keyframes] * (policy.keyframe_interval - 1)]
    assert paths == (period * len(paths))[: len(paths)]
    assert not any(asked)


@given(policies(gated=True), clips)
def test_the_gate_is_asked_of_every_frame_that_need_not_be_a_keyframe(
    policy: Policy, scores: list[float]
) -> None:
    paths, asked = walk(policy, scores)

    since = policy.keyframe_interval
    for path, was_asked in zip(paths, asked, strict=True):
        assert was_asked == (since < policy.keyframe_interval)
        since = 1 if path == "key" else since + 1


@given(policies(gated=True), clips)
def test_a_score_beyond_a_threshold_decides_and_others_leave_the_policy_alone(
    policy: Policy, scores: list[float]
) -> None:
    paths, asked = walk(policy, scores)

    for path, score, was_asked in zip(paths, scores, asked, strict=True):
        if not was_asked or (policy.refresh_above is not None and score > policy.refresh_above):
            assert path == "key"
        elif policy.reuse_below is not None and score < policy.reuse_below:
            assert path == "reuse"
        else:
            assert path == policy.between_keyframes


def test_a_refresh_puts_the_next_keyframe_off_by_a_whole_interval() -> None:
    policy = Policy(keyframe_interval=3, reuse_below=0.2, refresh_above=0.8)

    paths, asked = walk(policy, [0.5, 0.1, 0.9, 0.5, 0.1, 0.5])

    assert paths == ["key", "reuse", "key", "propagate", "reuse", "key"]
    assert asked == [False, True, True, True, True, False]


def test_a_score_at_a_threshold_is_not_beyond_it() -> None:
    policy = Policy(keyframe_interval=9, reuse_below=0.2, refresh_above=0.8)

    assert walk(policy, [0.0, 0.2, 0.8])[0] == ["key", "propagate", "propagate"]
