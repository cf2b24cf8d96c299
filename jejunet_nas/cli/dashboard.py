"""The command `dashboard`: a study in optuna-dashboard, on this computer."""

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import DataRoot, Storage, StudyName, sayer
from jejunet_nas.cli.targets import open_named


def dashboard(
    study: StudyName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8080,
    data_root: DataRoot = None,
    storage: Storage = None,
) -> None:
    """Show a study in optuna-dashboard on 127.0.0.1, until Ctrl-C.

    Each trial with a note, its figures and, where it is on the front, frames of a validation video
    with its masks. Notes can be edited; nothing else is written, so that a search may go on.
    """
    from jejunet_nas.search.dashboard import require_dashboard

    require_dashboard()

    from jejunet_nas.cli.native_log import console_of_its_own, native_log
    from jejunet_nas.dashboard import serve

    opened = open_named(study, storage, data_root)
    console = console_of_its_own()
    with closing(console.file), native_log(Path(os.devnull)):  # LiteRT tells of its delegate
        serve(opened, port=port, storage=storage, say=sayer(console))
