"""The command `dashboard`: a study in optuna-dashboard, on this computer."""

from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import Storage, StudyName, sayer
from jejunet_nas.cli.targets import open_named


def dashboard(
    study: StudyName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8080,
    storage: Storage = None,
) -> None:
    """Show a study in optuna-dashboard on 127.0.0.1, until Ctrl-C.

    It shows a read-only copy of the study: notes describe the complete trials and cannot be edited.
    New trials of a running search appear by themselves. Reload the page to see new measurements.
    """
    from jejunet_nas.dashboard import serve

    serve(open_named(study, storage), port=port, say=sayer(Console(stderr=True)))
