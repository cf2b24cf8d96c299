"""The command `verify`: check a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import SettingError

Target = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle: a folder, or a .zip.")]


def verify(bundle: Target, as_json: AsJson = False) -> None:
    """Check that a bundle is complete and unchanged, and runs as its manifest says."""
    from jejunet_nas.export.verify import each_check

    printer = Printer(as_json=as_json)
    checks: dict[str, str] = {}
    shown = {"bundle": bundle, "checks": checks}
    try:
        checks.update(each_check(Path(bundle)))
    except SettingError as error:
        printer.json(shown | {"whole": False, "problems": [str(error)]})
        raise
    for name, found in checks.items():
        printer.result(f"{name}: {found}")
    printer.result(f"{bundle} passed all checks")
    printer.json(shown | {"whole": True, "problems": []})
