"""What the rows of a trial are to be, as Optuna's `FrozenTrial`, for each outcome of the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState, create_trial

from jejunet_nas.records import RefusedTrial, TrialResult, to_json
from jejunet_nas.scoring.ranking import Timed, over_target_ms
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import choices_of, network_choices
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.history import ADDED, ARCHITECTURE, OUTCOME, REASON, RECORD
from jejunet_nas.study.samplers import params_of
from jejunet_nas.study.settings import StudySettings

Dropped = Literal["failed", "duplicate", "interrupted"]
_CONSTRAINT = "ms_over_target"


def running(settings: StudySettings, architecture: Architecture) -> FrozenTrial:
    """Return a trial of a network; its policy is not among the choices before the best is known."""
    choices = network_choices(architecture.network)
    attributes = {ARCHITECTURE: canonical_json(architecture)}
    return _template(settings, TrialState.RUNNING, choices, attributes)


def held(settings: StudySettings, result: TrialResult) -> FrozenTrial:
    """Return a trial with a result whose latency is still to be measured."""
    choices = choices_of(result.architecture)
    return _template(settings, TrialState.RUNNING, choices, _attributes(result, "held"))


def completed(settings: StudySettings, result: TrialResult) -> FrozenTrial:
    """Return a trial that ended with `result`."""
    return _template(
        settings,
        TrialState.COMPLETE,
        choices_of(result.architecture),
        _attributes(result, "complete"),
        result.latency,
        [result.score.miou, result.latency.mean_ms],
    )


def refused(settings: StudySettings, result: RefusedTrial) -> FrozenTrial:
    """Return a trial that ended because it cannot meet the target."""
    attributes = {RECORD: to_json(result), OUTCOME: "refused"}
    return _template(settings, TrialState.PRUNED, {}, attributes, result)


def dropped(outcome: Dropped, reason: str | None) -> FrozenTrial:
    """Return a trial that ended without a result."""
    why = {} if reason is None else {REASON: reason}
    return create_trial(state=TrialState.FAIL, user_attrs={**why, OUTCOME: outcome})


def _attributes(result: TrialResult, outcome: str) -> dict[str, Any]:
    attributes = {
        ARCHITECTURE: canonical_json(result.architecture),
        RECORD: to_json(result),
        OUTCOME: outcome,
    }
    return {**attributes, ADDED: True} if result.added else attributes


def _template(
    settings: StudySettings,
    state: TrialState,
    choices: Mapping[str, Choice],
    attributes: Mapping[str, Any],
    timed: Timed | None = None,
    values: Sequence[float] | None = None,
) -> FrozenTrial:
    """Return a trial. timed: what the constraint is computed from."""
    params = params_of(choices, settings)
    over = None
    if timed is not None:
        over = {_CONSTRAINT: over_target_ms(timed, settings.feasible, settings.target_fps)}
    return create_trial(
        state=state,
        values=values,
        params={name: choice for name, (choice, _) in params.items()},
        distributions={name: kind for name, (_, kind) in params.items()},
        user_attrs=dict(attributes),
        constraints=over,
    )
