import pickle

import pytest

from jejunet_nas.errors import (
    DataError,
    DeviceAwayError,
    DeviceError,
    JejunetError,
    MachineError,
    NothingFeasibleError,
    SettingError,
    StoppedError,
    TrialError,
    check_choice,
    closest,
)

EXIT_CODES: dict[type[JejunetError], int] = {
    JejunetError: 1,
    TrialError: 1,
    SettingError: 2,
    DataError: 2,
    NothingFeasibleError: 3,
    DeviceError: 4,
    DeviceAwayError: 4,
    MachineError: 4,
    StoppedError: 130,
}


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_an_error_crosses_process_borders_unchanged(kind: type[JejunetError]) -> None:
    error = pickle.loads(pickle.dumps(kind("steps is 0; allowed: 1 or more. The nearest is 1.")))

    assert type(error) is kind
    assert str(error) == "steps is 0; allowed: 1 or more. The nearest is 1."


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_each_kind_of_error_has_its_exit_code(kind: type[JejunetError]) -> None:
    assert kind.exit_code == EXIT_CODES[kind]


def test_a_misspelt_word_gets_the_nearest_allowed_as_suggestion() -> None:
    assert closest("stepz", ["seed", "steps"]) == " Did you mean steps?"


def test_a_word_unlike_all_allowed_gets_no_suggestion() -> None:
    assert closest("zzz", ["seed", "steps"]) == ""
    assert closest("steps", []) == ""


@pytest.mark.parametrize("value", [0, 1, "yes"])
def test_a_number_is_not_accepted_as_on_or_off(value: object) -> None:
    check_choice("augmented", True, (False, True))
    with pytest.raises(SettingError, match=rf"^augmented is {value}; allowed: false, true\."):
        check_choice("augmented", value, (False, True))
