"""The command `export`: write a bundle of a trial."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jejunet_nas.cli.arguments import AsJson, DataRoot, ProfileName, Storage, StudyName, TargetFps
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.streams import native_log
from jejunet_nas.cli.targets import Wanted, open_wanted, trial_of, under_row
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.records import GraphName
    from jejunet_nas.space.architecture import Policy
    from jejunet_nas.study.opened import Trial

Pick = Literal["best", "knee", "fastest"]
TrainOn = Literal["train", "all"]
Steps = Annotated[
    int,
    typer.Option(
        min=0,
        help="Train the network anew for at most this many steps, more than the trial's. It ends "
        "early when val gets no better, and keeps the best weights.",
    ),
]
TrainOnOption = Annotated[
    TrainOn,
    typer.Option(
        help="all: then train on train and val, for as many steps as were best on train. The "
        "bundle's figures are those from before."
    ),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """How the network is made again; by default it is not."""

    steps: int = 0
    train_on: TrainOn = "train"
    qat: bool = False


def export(
    study: StudyName,
    out: Annotated[Path, typer.Option(help="Folder or .zip to write; must not exist.")],
    trial: Annotated[int | None, typer.Option(help="Trial [default: see --pick].")] = None,
    pick: Annotated[
        Pick | None,
        typer.Option(
            help="best: the highest mIoU at the target, or the highest mean of its trainings where "
            "networks were trained again. fastest: of the front. knee: the trial of the front that "
            "is furthest from the line between its ends [default: best]."
        ),
    ] = None,
    policy: Annotated[
        int | None,
        typer.Option(help="Policy: a row of the table that `policies` prints for the trial."),
    ] = None,
    target_fps: TargetFps = None,
    device: ProfileName = None,
    steps: Steps = 0,
    train_on: TrainOnOption = "train",
    qat: Annotated[
        bool, typer.Option("--qat", help="Compress with quantisation-aware training.")
    ] = False,
    data_root: DataRoot = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Write a bundle of a trial: graphs, manifest, model card, and an example that runs it.

    By default, a bundle has the trial's own graphs and scores. With --policy it has another policy
    and the figures of that. With --steps or --qat the network is trained, compressed and scored
    again; the result is kept in studies/NAME/exports: the same command resumes an interrupted
    export.
    """
    from jejunet_nas.export.write import require_free

    require_free(out)
    wanted = Wanted(storage=storage, data_root=data_root, target_fps=target_fps, device=device)
    printer = Printer(as_json=as_json)
    chosen = _chosen(study, trial, pick, wanted, printer)
    own = chosen.result.architecture.policy
    if policy is not None:
        chosen = under_row(chosen, policy, "--policy", printer)
    made = _Making(steps=steps, train_on=train_on, qat=qat)
    chosen, facts = _write(chosen, own, made, out, printer)
    from jejunet_nas.records.words import latency_figures, miou_words, policy_words

    result = chosen.result
    under = "" if policy is None else f" with {policy_words(result.architecture.policy)}"
    printer.result(
        f"exported: {out}, trial {result.number}{under}, {miou_words(result)}, "
        f"{latency_figures(result.latency)}"
    )
    _warn_if_missed(chosen, printer)
    printer.json({"out": str(out), **facts})


def _write(
    chosen: "Trial", own: "Policy", making: _Making, out: Path, printer: Printer
) -> "tuple[Trial, dict[str, Any]]":
    """Write the bundle; return the trial as it is in it, and its facts. own: the trial's policy."""
    from jejunet_nas.export.facts import facts_of, known_fingerprints
    from jejunet_nas.export.write import write_bundle

    state, brief = chosen.study.folder, chosen.result.network.training.steps
    with native_log(state / "tensorflow.log"):
        if making != _Making():
            chosen, graphs, fingerprints = _made(chosen, state, making, printer)
        else:
            graphs, fingerprints = chosen.graphs, known_fingerprints(state)
        facts = facts_of(
            chosen.result,
            chosen.history,
            chosen.study.settings,
            fingerprints=fingerprints,
            trained_on=making.train_on,
            searched_steps=brief if making.steps else None,
            trial_policy=None if chosen.result.architecture.policy == own else own,
        )
        write_bundle(graphs, facts, out)
    return chosen, facts


def _warn_if_missed(chosen: "Trial", printer: Printer) -> None:
    from jejunet_nas.scoring.ranking import miss_words

    history, number = chosen.history, chosen.result.number
    missed = miss_words(chosen.result.latency, history.feasible_rule, history.target_fps)
    if missed:
        printer.say(
            f"warning: trial {number} misses the target of {history.target_fps:g} fps: {missed}"
        )


def _chosen(
    study: str, number: int | None, pick: Pick | None, wanted: Wanted, printer: Printer
) -> "Trial":
    if number is not None and pick is not None:
        raise SettingError(f"--trial is {number} and --pick is {pick}. Give only one of them.")
    chosen = trial_of(open_wanted(study, wanted, printer), number)
    if pick is None:
        return chosen
    from jejunet_nas.scoring.ranking import picks

    return dataclasses.replace(chosen, result=picks(chosen.history)[pick])


def _made(
    chosen: "Trial", state: Path, making: _Making, printer: Printer
) -> "tuple[Trial, dict[GraphName, Path], dict[str, str]]":
    """Train, compress and score again; return the trial, its graphs, and data fingerprints."""
    from jejunet_nas.export.retrain import EXPORTS, require_more_steps, retrain
    from jejunet_nas.search.prepare import prepare
    from jejunet_nas.search.view import make_view

    require_more_steps(chosen.result, making.steps, making.train_on)  # before data are read
    with make_view(printer.messages) as view:
        setup = prepare(chosen.study.settings, state, view.stage)
        trial, folder = retrain(
            chosen.result,
            setup,
            state / EXPORTS,
            steps=making.steps,
            qat=making.qat,
            train_on=making.train_on,
            tell=view.stage,
        )
    graphs = {name: folder / graph.file for name, graph in trial.network.graphs.items()}
    fingerprints = {"train": setup.train.fingerprint, "val": setup.val.fingerprint}
    return dataclasses.replace(chosen, result=trial), graphs, fingerprints
