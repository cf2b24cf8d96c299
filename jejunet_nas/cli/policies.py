"""The command `policies`: compare ways of choosing keyframes for a trial's network."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    Storage,
    StudyName,
    TrialNumber,
    print_json,
    report_file,
    sayer,
)
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
    console = Console(stderr=True)
    with console.status("comparing policies") as status:
        rows = compare_policies(
            Evaluation(val, graphs),
            network.latencies,
            target_fps=settings.target_fps,
            say=lambda what: status.update(f"comparing policies: {what}"),
        )
    text = policies_page(
        rows, chosen.result, study=settings.name, target_fps=settings.target_fps, val=val
    )
    target.write_text(text, encoding="utf-8")
    if as_json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        typer.echo(text)
    sayer(console)(f"comparison: {target}")
