"""The command `verify`: check a bundle."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import AsJson, print_json, sayer

Target = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle: a folder, or a .zip.")]


def verify(bundle: Target, as_json: AsJson = False) -> None:
    """Check that a bundle is complete and unchanged, and runs as its manifest says."""
    from jejunet_nas.cli.native_log import native_log
    from jejunet_nas.export.verify import verify as check

    with native_log(Path(os.devnull)):  # LiteRT logs its delegate
        checks = check(Path(bundle))
    say = sayer(Console(stderr=True))
    for name, found in checks.items():
        say(f"{name}: {found}")
    say(f"{bundle} passed all checks")
    if as_json:
        print_json({"bundle": bundle, "checks": checks})
