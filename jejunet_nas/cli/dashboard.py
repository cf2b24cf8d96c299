"""The command `dashboard`: a study in optuna-dashboard, on this computer."""

from typing import Annotated

import typer

from jejunet_nas.cli.arguments import Storage, StudyName
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import open_named


def dashboard(
    study: StudyName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8080,
    storage: Storage = None,
) -> None:
    """Show a study in optuna-dashboard on 127.0.0.1, until Ctrl-C.

    It shows a read-only copy of the study, with a note on each complete trial. The best trials are
    the Pareto front; trials over the target are shown as pruned. New trials of a running search
    appear by themselves. Reload the page to see new measurements.
    """
    from jejunet_nas.dashboard import serve

    serve(open_named(study, storage), port=port, say=Printer().say)
