"""The command `policies`: compare ways of choosing keyframes for a trial's network."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    ProfileName,
    Storage,
    StudyName,
    TargetFps,
    TrialNumber,
    report_file,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import Wanted, open_wanted, trial_of, under_row
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.study.opened import Trial


def policies(
    study: StudyName,
    trial: TrialNumber = None,
    add: Annotated[
        int | None,
        typer.Option(help="Add the policy of this row of the table to the study, as a trial."),
    ] = None,
    target_fps: TargetFps = None,
    device: ProfileName = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Markdown file [default: reports/NAME/policies.md].")
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare ways of choosing keyframes for a trial's network, at equal mean latency.

    Latencies are those that rank the trial: measured if available, else predicted. With --add, a
    row becomes a complete trial of the study, without training.
    """
    if add is not None and (target_fps is not None or device is not None):
        raise SettingError(
            f"--add is {add} with --target-fps or --device; a study's trials have its own target "
            "and device. Leave these out, or use `jejunet-nas export` with --policy."
        )
    if add is not None and out is not None:
        raise SettingError(
            f"--out is {out} with --add {add}, which writes no page. Leave one of them out."
        )
    wanted = Wanted(storage=storage, data_root=data_root, target_fps=target_fps, device=device)
    printer = Printer(as_json=as_json)
    chosen = trial_of(open_wanted(study, wanted, printer), trial)
    chosen.graphs  # noqa: B018 (raises where one is missing)
    if add is not None:
        _add(chosen, add, printer)
    else:
        _compare(chosen, out, printer)


def _compare(chosen: "Trial", out: Path | None, printer: Printer) -> None:
    from jejunet_nas.evaluation.network import Evaluation
    from jejunet_nas.evaluation.policies import compare_policies
    from jejunet_nas.files import write_text_whole
    from jejunet_nas.reporting.policies import policies_page

    result, history = chosen.result, chosen.history
    target = report_file(chosen.study.file, chosen.study.name, "policies.md", out)
    target.parent.mkdir(parents=True, exist_ok=True)
    val = chosen.study.settings.data.open_split("val")
    with printer.status("comparing policies") as say:
        rows = compare_policies(
            Evaluation(val, chosen.graphs),
            result.graph_latencies,
            target_fps=history.target_fps,
            propagates=result.architecture.network.propagates,
            say=lambda what: say(f"comparing policies: {what}"),
        )
    text = policies_page(rows, result, history, val=val, name=chosen.study.word)
    write_text_whole(target, text)
    printer.result(text)
    printer.json([dataclasses.asdict(row) for row in rows])
    printer.say(f"comparison: {target}")


def _add(chosen: "Trial", row: int, printer: Printer) -> None:
    from jejunet_nas.records.words import latency_figures, miou_words, policy_words
    from jejunet_nas.scoring.ranking import verdict_words
    from jejunet_nas.study.adding import add_trial

    study = chosen.study
    result = under_row(chosen, row, "--add", printer).result
    added = add_trial(study.ledger, study.folder, result)
    printer.result(
        f"added: trial {added.number}, {policy_words(added.architecture.policy)}, of the network "
        f"of trial {chosen.number}: {miou_words(added)}, {latency_figures(added.latency)}, "
        f"{verdict_words(added.latency, chosen.history.feasible_rule, chosen.history.target_fps)}"
    )
    report = f"jejunet-nas report {shlex.quote(study.word)}"
    printer.say(f"stored in {study.folder}; update the report: {report}")
    printer.json({"trial": added.number, "policy": dataclasses.asdict(added.architecture.policy)})
