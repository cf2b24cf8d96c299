import re
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.study.settings import init_file, start_choices
from jejunet_nas.study.study_file import read_study
from tests.search.build import SPACE, tiny_study, write_study
from tests.space.build import to_yaml

STUDIES = Path(__file__).parents[2] / "studies"

# What is added to a good study, and how the one line goes on after the file's name.
BAD_STUDIES = [
    (
        "trails: 3",
        "trails is an unknown key; allowed: name, search_space, .* Did you mean trials\\?",
    ),
    ("training: {stepz: 9}", "training.stepz is an unknown key; allowed: .*Did you mean steps\\?"),
    (
        "data: {rot: x}",
        "data.rot is an unknown key; allowed: dataset, root, options. Did you mean root\\?",
    ),
    ("latency: {thread: 2}", "latency.thread is an unknown key; .*Did you mean threads\\?"),
    ("compression: {prune: 2}", "compression.prune is an unknown key; allowed: .*mean pruning\\?"),
    (
        "compression: {post_training: {frames: 2}}",
        "compression.post_training.frames is an unknown key; .*mean calibration_frames\\?",
    ),
    ("training: {steps: many}", "training.steps is 'many'; allowed: integer"),
    ("training: {steps: 9.5}", "training.steps is 9.5; allowed: integer"),
    ("training: {learning_rate: true}", "training.learning_rate is True; allowed: number"),
    ("training: 9", "training is 9; allowed: an object"),
    ("training: {steps: 9, rungs: [9]}", "training.rungs is \\[9\\]; .* Remove them, or raise"),
    ("sampler: {round: 4}", "sampler.round is 4, but there are no training.rungs. Remove it, or"),
    ("last_round: {seeds: 0}", "last_round.seeds is 0; allowed: greater than or equal to 1"),
    ("training: {sampling: class}", "training.sampling is 'class'; allowed: 'frames' or 'classes'"),
    (
        "training: {augment: {blur: 2}}",
        "training.augment.blur is an unknown key; allowed: smallest_area, ",
    ),
    ("training: {augment: {zoom_out: 9}}", "training.augment.zoom_out is 9.0; allowed: 1.0 to 4.0"),
    ("training: {steps: 0}", "training.steps is 0; allowed: 1 to 10000000. The nearest is 1."),
    (
        "compression: {post_training: {calibration_frames: 0}}",
        "compression.post_training.calibration_frames is 0; allowed: 1 to 1024.",
    ),
    ("target_fps: fast", "target_fps is 'fast'; allowed: number"),
    (
        "feasible: sometimes",
        "feasible is 'sometimes'; allowed: 'no_drops', 'every_frame' or 'mean'",
    ),
    (
        "validation: {pick_on: half}",
        "validation is .*; allowed: pick_on and report_on both half, or both all: a pick on one",
    ),
    ("validation: {pick_on: some}", "validation.pick_on is 'some'; allowed: 'all' or 'half'"),
    ("target_fps: 0", "target_fps is 0; allowed: greater than or equal to 0.01"),
    ("training: {pairs_per_step: 1000000000000}", "training.pairs_per_step is 1000000000000; all"),
    (
        "training: {gate_pairs: 1000000}",
        "training.gate_pairs is 1000000 with a resol",
    ),
    ("latency: {device: " + "x" * 300 + "}\ntrials: 0", "trials is 0; allowed: greater"),
    ('latency: {device: "\\0"}\ntrials: 0', "trials is 0; allowed: greater"),
    ("trials: 0", "trials is 0; allowed: greater than or equal to 1"),
    ("trials: ten", "trials is 'ten'; allowed: integer"),
    ("latency: {threads: 3}", "latency.threads is 3; allowed: 1, 2 or 4"),
    ("latency: {backend: phone}", "latency.backend is 'phone'; allowed: 'predicted' or 'adb'"),
    ("latency: {serial: 12345}", "latency.serial is 12345; allowed: string"),
    ("latency: {serail: x}", "latency.serail is an unknown key; .*Did you mean serial\\?"),
    ("sampler: {name: tpee}", "sampler.name is 'tpee'; allowed: 'tpe', 'nsga2' or 'random'"),
    (
        "sampler: {policies_per_network: 2}",
        "sampler.policies_per_network is 2, but it is no longer a setting: .* Remove it.",
    ),
    (
        "training: {teacher: t.tflite}",
        "training.teacher is 't.tflite', but it is no longer a setting: .* Remove it.",
    ),
    (
        "training: {teacher_on: all}",
        "training.teacher_on is 'all', but it is no longer a setting: ",
    ),
    (
        "start_with: [{detial: thin}]",
        "start_with\\[0\\]: detial is an unknown dimension; .*mean detail\\?",
    ),
    ("start_with: [{}, {detail: narrow}]", "start_with\\[1\\]: detail is narrow; allowed: thin."),
    ("start_with: [{resolution: 128}]", "start_with\\[0\\]: resolution is 128; allowed: 64, 96."),
]


@pytest.mark.parametrize(("more", "words"), BAD_STUDIES)
def test_a_bad_study_is_answered_with_file_key_value_and_what_is_allowed(
    more: str, words: str, tmp_path: Path
) -> None:
    file = write_study(tmp_path, more)

    with pytest.raises(SettingError, match=rf"^{re.escape(str(file))}: {words}[^\n]*\Z"):
        read_study(file)


@pytest.mark.parametrize("name", ["quickstart", "davis_pixel2"])
def test_a_study_that_ships_can_be_read(name: str) -> None:
    assert read_study(STUDIES / f"{name}.yaml").name == name


def test_a_study_says_what_it_wants_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, "target_fps: 25\ntraining: {steps: 9}\n")

    assert (study.training.steps, study.training.pairs_per_step) == (9, 8)
    assert study.deadline_ms == 40.0
    assert study.longest_age == 2


def test_an_override_wins_over_the_file(tmp_path: Path) -> None:
    file = write_study(tmp_path, "training: {steps: 9, seed: 1}\n")

    study = read_study(file, {"training.seed": 7, "trials": 3, "data.root": "/data"})

    assert (study.training.steps, study.training.seed, study.trials) == (9, 7, 3)
    assert study.data.root == "/data"


def test_an_override_of_a_section_that_holds_no_keys_is_refused(tmp_path: Path) -> None:
    file = write_study(tmp_path, "training: brief\n")

    with pytest.raises(SettingError, match=r"training is brief instead of keys with values\."):
        read_study(file, {"training.seed": 7})


def test_a_study_without_a_name_is_told_to_take_one(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)

    with pytest.raises(SettingError, match=r"s\.yaml: name is missing\. Add a line `name: \.\.\.`"):
        read_study(tmp_path / "s.yaml")


@pytest.mark.parametrize("name", ["a b", "../a", ".a", "''"])
def test_a_name_that_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"name: {name}\n{SPACE}")

    with pytest.raises(SettingError, match=r"s\.yaml: name is '.*'; allowed: "):
        read_study(tmp_path / "s.yaml")


def test_a_space_is_found_by_its_name_beside_the_studies_folder(tmp_path: Path) -> None:
    inline = tiny_study(tmp_path)
    for folder in ("search_spaces", "studies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "search_spaces" / "little.yaml").write_text(to_yaml(inline.search_space))

    study = tiny_study(tmp_path / "studies", space="search_space: little\n")

    assert study.search_space == inline.search_space
    with pytest.raises(SettingError, match=r"search_space is litle; .* Did you mean little\?"):
        tiny_study(tmp_path / "studies", space="search_space: litle\n")


def test_a_space_is_found_by_its_file_beside_the_study(tmp_path: Path) -> None:
    inline = tiny_study(tmp_path)
    (tmp_path / "little.yaml").write_text(to_yaml(inline.search_space))

    assert tiny_study(tmp_path, space="search_space: little.yaml\n") == inline


def test_an_error_in_a_space_inside_a_study_names_study_and_dimension(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"tiny\.yaml: search_space: resolution: .* is 65; "):
        tiny_study(tmp_path, space=SPACE.replace("[64, 96]", "[65]"))


def test_backbone_weights_below_the_data_root_need_one(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, 'training: {init: "{data_root}/../w.npz"}\n')

    with pytest.raises(
        SettingError, match=r"init is \{data_root\}/\.\./w\.npz, .* --data-root DIR"
    ):
        init_file(study)


def test_backbone_weights_are_found_from_the_data_root(tmp_path: Path) -> None:
    file = write_study(tmp_path, 'training: {init: "{data_root}/w.npz"}\n')

    assert init_file(read_study(file, {"data.root": "/data"})) == Path("/data/w.npz")
    assert init_file(tiny_study(tmp_path)) is None


def test_published_weights_are_no_file_of_the_user(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, "training: {init: imagenet}\n")

    assert init_file(study) is None
    assert study.identity()["training"]["init"] == "imagenet"


def test_settings_that_change_nothing_are_no_part_of_a_recipe(tmp_path: Path) -> None:
    """What a network was trained by before they were there keeps its id."""
    plain = tiny_study(tmp_path).identity()
    said = tiny_study(tmp_path, "training: {sampling: frames, augment: {zoom_out: 1.0}}\n")

    assert said.identity() == plain
    assert "augment" not in plain["training"]
    other = tiny_study(tmp_path, "training: {augment: {zoom_out: 2.0}}\n")
    assert other.identity() != plain


def test_where_the_data_lie_and_how_many_trials_are_wanted_is_no_part_of_a_study(
    tmp_path: Path,
) -> None:
    file = write_study(tmp_path, 'training: {init: "{data_root}/w.npz"}\n')
    here = read_study(file, {"data.root": "/here", "trials": 3, "sampler.seed": 1})
    there = read_study(file, {"data.root": "/there", "trials": 9})

    assert here.identity() == there.identity()
    assert here.identity()["training"]["init"] == "w.npz"


def test_the_clips_of_a_pick_may_be_chosen_after_the_search(tmp_path: Path) -> None:
    half = tiny_study(tmp_path, "validation: {pick_on: half, report_on: half}\n")

    assert half.validation.pick_on == "half"
    assert half.identity() == tiny_study(tmp_path).identity()


def test_rungs_make_rounds_of_six_and_are_part_of_the_recipe(tmp_path: Path) -> None:
    plain = tiny_study(tmp_path, "training: {steps: 9}\n")
    brief = tiny_study(tmp_path, "training: {steps: 9, rungs: [3]}\n")

    assert [plain.networks_a_round, brief.networks_a_round] == [1, 6]
    assert "rungs" not in plain.identity()["training"]  # so that older network ids stay
    assert brief.identity()["training"]["rungs"] == [3]


def test_a_last_round_may_be_asked_for_after_the_search(tmp_path: Path) -> None:
    asked = tiny_study(tmp_path, "last_round: {seeds: 3}\n")

    assert asked.last_round.contenders == 4
    assert asked.identity() == tiny_study(tmp_path).identity()


def test_a_study_predicts_unless_it_asks_for_a_phone(tmp_path: Path) -> None:
    predicted = tiny_study(tmp_path).latency
    measured = tiny_study(tmp_path, "latency: {backend: adb}\n").latency

    assert (predicted.backend, measured.backend) == ("predicted", "adb")
    assert (measured.device, measured.threads) == ("pixel2", 1)
    assert (measured.serial, measured.benchmark_binary) == (None, None)


def test_which_phone_and_which_program_measure_is_no_part_of_a_study(tmp_path: Path) -> None:
    any_phone = tiny_study(tmp_path, "latency: {backend: adb}\n")
    this_phone = tiny_study(
        tmp_path, "latency: {backend: adb, serial: FA8X, benchmark_binary: /tmp/program}\n"
    )

    assert (this_phone.latency.serial, this_phone.latency.benchmark_binary) == (
        "FA8X",
        "/tmp/program",
    )
    assert this_phone.identity() == any_phone.identity()


@pytest.mark.parametrize(
    "other",
    ["{backend: predicted}", "{backend: adb, threads: 4}", "{backend: adb, device: pixel6}"],
)
def test_where_latencies_come_from_is_part_of_a_study(other: str, tmp_path: Path) -> None:
    study = tiny_study(tmp_path, "latency: {backend: adb, threads: 1}\n")

    assert tiny_study(tmp_path, f"latency: {other}\n").identity() != study.identity()


def test_another_recipe_is_another_study(tmp_path: Path) -> None:
    first = tiny_study(tmp_path).identity()

    assert tiny_study(tmp_path, "training: {steps: 9}\n").identity() != first
    assert tiny_study(tmp_path, "target_fps: 30\n").identity() != first
    assert tiny_study(tmp_path, "feasible: mean\n").identity() != first


def test_a_starting_point_names_what_it_fixes_and_no_more(tmp_path: Path) -> None:
    study = tiny_study(tmp_path, "start_with: [{resolution: 64, keyframe_interval: 2}]\n")

    assert start_choices(study) == [{"resolution": 64, "keyframe_interval": 2}]


@pytest.mark.parametrize(("written", "choice"), [("on", True), ("off", False), ("true", True)])
def test_a_starting_point_may_run_keyframes_in_the_background_or_not(
    tmp_path: Path, written: str, choice: bool
) -> None:
    start = f"start_with: [{{asynchronous: {written}}}]\n"

    study = tiny_study(tmp_path, start, SPACE + "  asynchronous: [off, on]\n")

    assert start_choices(study) == [{"asynchronous": choice}]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("asynchronous: on", r"asynchronous is on; allowed: off\."),
        ("asynchronous: 0", r"asynchronous is 0; allowed: off\."),
        ("keyframe_interval: true", r"keyframe_interval is on; allowed: 1, 2, 3\."),
    ],
)
def test_a_starting_point_takes_switches_for_switches_alone(
    tmp_path: Path, start: str, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        tiny_study(tmp_path, f"start_with: [{{{start}}}]\n")
