"""A video is segmented frame by frame into a video, masks, or both."""

import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.drawing.live import LiveView
from jejunet_nas.drawing.segment import Outputs, Tally, segment_video, summary
from jejunet_nas.errors import SettingError
from jejunet_nas.media.source import open_source
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import Bundle
from jejunet_nas.video.runtime import VideoSegmenter
from tests.media.films import FPS, FRAMES, HEIGHT, WIDTH, ramp, read_back, sound_of, write_film
from tests.video.bundles import tiny_bundle

EVERY_THIRD = Policy(keyframe_interval=3)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", sound="aac")


def run(
    what: Path,
    outputs: Outputs,
    *,
    bundle: Bundle | None = None,
    most: int | None = None,
    tell: object = lambda frames: None,
) -> Tally:
    with (
        VideoSegmenter(bundle or tiny_bundle(EVERY_THIRD)) as segmenter,
        open_source(what) as source,
    ):
        return segment_video(source, segmenter, outputs, path=what, most=most, tell=tell)  # type: ignore[arg-type]


def test_a_film_becomes_a_film_of_as_many_frames_with_its_sound(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"

    tally = run(film, Outputs(video=out, masks=None))

    times, pictures = read_back(out)
    view = LiveView((HEIGHT, WIDTH), ("background",), EVERY_THIRD)
    assert len(pictures) == FRAMES == tally.frames
    assert times == pytest.approx([n / FPS for n in range(FRAMES)], abs=1e-3)
    assert pictures[0].shape[0] >= view.size[0] > HEIGHT
    assert sound_of(out)[0] == "aac"
    assert {path: len(ms) for path, ms in tally.latencies_ms.items()} == {
        "key": 7,
        "propagate": 13,
        "warp": 0,
        "move": 0,
        "reuse": 0,
    }
    assert (tally.trouble, tally.interrupted, tally.notes) == (None, False, [])


@pytest.mark.parametrize("full_size", [True, False])
def test_masks_are_those_of_the_runtime_in_the_classes_colours(
    full_size: bool, film: Path, tmp_path: Path
) -> None:
    run(film, Outputs(video=None, masks=tmp_path / "masks", full_size=full_size), most=5)

    files = sorted((tmp_path / "masks").iterdir())
    assert [file.name for file in files] == [f"{n:05d}.png" for n in range(5)]
    with VideoSegmenter(tiny_bundle(EVERY_THIRD)) as segmenter, open_source(film) as source:
        for file, frame in zip(files, source, strict=False):
            with Image.open(file) as image:
                assert image.mode == "P"
                found = np.asarray(image)
            wanted = segmenter.segment(frame.picture, full_size=full_size).mask
            np.testing.assert_array_equal(found, wanted)


def test_a_folder_of_frames_becomes_a_film_and_masks_at_once(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(4):
        Image.fromarray(ramp(number)).save(tmp_path / "frames" / f"{number}.png")

    outputs = Outputs(video=tmp_path / "out.webm", masks=tmp_path / "masks")
    run(tmp_path / "frames", outputs)

    assert len(read_back(tmp_path / "out.webm")[1]) == 4
    assert len(list((tmp_path / "masks").iterdir())) == 4


def test_ctrl_c_keeps_what_is_done(film: Path, tmp_path: Path) -> None:
    def press(frames: int) -> None:
        if frames == 7:
            raise KeyboardInterrupt

    tally = run(film, Outputs(video=tmp_path / "out.mp4", masks=None), tell=press)

    assert (tally.interrupted, tally.frames) == (True, 7)
    assert len(read_back(tmp_path / "out.mp4")[1]) == 7
    assert not list(tmp_path.glob("*.part*"))


def test_ctrl_c_within_a_frame_waits_until_it_is_in_all_outputs(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = LiveView.draw

    def press(view: LiveView, *given: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return draw(view, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(LiveView, "draw", press)

    tally = run(film, Outputs(video=tmp_path / "out.mp4", masks=tmp_path / "masks"))

    assert (tally.interrupted, tally.frames) == (True, 1)
    assert len(read_back(tmp_path / "out.mp4")[1]) == 1
    assert len(list((tmp_path / "masks").iterdir())) == 1


def test_an_error_leaves_no_film(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(frames: int) -> None:
        raise ZeroDivisionError("at frame 1")

    with pytest.raises(ZeroDivisionError, match="at frame 1"):
        run(film, Outputs(video=tmp_path / "out.mp4", masks=None), tell=fail)
    assert {file.name for file in tmp_path.iterdir()} == {"film.mp4"}


def test_a_film_that_breaks_off_is_segmented_as_far_as_it_goes(film: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
    content = write_film(tmp_path / "whole.mp4", noisy).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])

    tally = run(tmp_path / "cut.mp4", Outputs(video=tmp_path / "out.mp4", masks=None))

    assert 1 <= tally.frames < FRAMES
    assert len(read_back(tmp_path / "out.mp4")[1]) == tally.frames
    assert tally.trouble is not None
    assert "cut.mp4 breaks off after" in tally.trouble


def test_the_film_that_is_read_is_not_written(film: Path, tmp_path: Path) -> None:
    before = film.read_bytes()

    with pytest.raises(
        SettingError, match=r"film\.mp4 cannot be written: .* Use .*film-segmented\.mp4"
    ):
        run(film, Outputs(video=film, masks=None))
    assert film.read_bytes() == before


def test_masks_do_not_go_among_the_frames_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    Image.fromarray(ramp(0)).save(tmp_path / "frames" / "0.jpg")

    with pytest.raises(SettingError, match=r"which contains the input frames\. Use .*frames-masks"):
        run(tmp_path / "frames", Outputs(video=None, masks=tmp_path / "frames"))


def test_an_output_is_asked_for() -> None:
    with pytest.raises(SettingError, match=r"neither --out nor --masks is given\. Add"):
        Outputs(video=None, masks=None)


def test_the_summary_counts_paths_and_takes_figures_of_each(film: Path, tmp_path: Path) -> None:
    tally = Tally(seconds=2.0, resize_ms=[1.0] * 4)
    tally.latencies_ms |= {"key": [8.0], "propagate": [1.0, 2.0, 6.0]}

    plain = summary(
        tally,
        bundle=tiny_bundle(EVERY_THIRD),
        pace="scored",
        video="film.mp4",
        outputs=Outputs(video=tmp_path / "out.mp4", masks=None),
    )

    assert (plain["frames"], plain["fps"]) == (4, 2.0)
    assert plain["paths"] == {
        "key": 0.25,
        "propagate": 0.75,
        "warp": 0.0,
        "move": 0.0,
        "reuse": 0.0,
    }
    assert plain["host_ms"]["propagate"] == {"mean": 3.0, "median": 2.0, "p95": 5.6}
    assert plain["host_ms"]["reuse"] is None
    assert plain["host_ms"]["all"]["mean"] == 4.25
    assert plain["host_draw_ms"] is None
    assert (plain["study"], plain["trial"]) == ("tiny", 3)
