"""The command `policies`: compare ways of choosing keyframes for a trial's network."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    Storage,
    StudyName,
    TrialNumber,
    report_file,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import choose_trial


def policies(
    study: StudyName,
    trial: TrialNumber = None,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Markdown file [default: reports/NAME/policies.md].")
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare ways of choosing keyframes for a trial's network, at equal mean latency.

    Latencies are the predictions of the search.
    """
    from jejunet_nas.evaluation.network import Evaluation
    from jejunet_nas.evaluation.policies import compare_policies
    from jejunet_nas.reporting.policies import policies_page

    chosen = choose_trial(study, trial, storage, data_root)
    settings, network, graphs = chosen.study.settings, chosen.result.network, chosen.graphs
    target = report_file(chosen.study.file, settings.name, "policies.md", out)
    target.parent.mkdir(parents=True, exist_ok=True)
    val = settings.data.open_split("val")
    printer = Printer(as_json=as_json)
    with printer.status("comparing policies") as say:
        rows = compare_policies(
            Evaluation(val, graphs),
            network.latencies,
            target_fps=settings.target_fps,
            say=lambda what: say(f"comparing policies: {what}"),
        )
    names = {"study": settings.name, "name": chosen.study.word}
    fps = settings.target_fps
    text = policies_page(rows, chosen.result, val=val, target_fps=fps, **names)
    target.write_text(text, encoding="utf-8")
    printer.result(text)
    printer.json([dataclasses.asdict(row) for row in rows])
    printer.say(f"comparison: {target}")
