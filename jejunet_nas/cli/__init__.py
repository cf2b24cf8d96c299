"""The command line: parses, calls, prints.

With `--json` the result alone goes to standard output; all that is for people goes to standard
error. What a command needs is imported inside it, so that `--help` answers at once. Exit codes: 0
done, 1 a fault of ours, 2 bad input, 3 nothing feasible, 4 the device failed, 130 interrupted.
"""

import sys
import traceback
from typing import Annotated

import typer

from jejunet_nas.cli import (
    calibrate,
    compress,
    dashboard,
    data,
    doctor,
    export,
    measure,
    policies,
    report,
    search,
    segment,
    show,
    verify,
)
from jejunet_nas.errors import JejunetError, SettingError
from jejunet_nas.version import __version__

INTERRUPTED = 130

app = typer.Typer(
    name="jejunet-nas",
    help="Search for int8 video segmentation networks that keep up with a phone's camera.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    search.search,
    report.report,
    dashboard.dashboard,
    show.show,
    segment.segment,
    policies.policies,
    compress.compress,
    export.export,
    verify.verify,
    measure.measure,
    calibrate.calibrate,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of errors.")] = False,
) -> None:
    """Search for int8 video segmentation networks that keep up with a phone's camera."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors of ours become one line and their exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:  # --debug is taken wherever it stands
        code = app(
            args=[word for word in given if word != "--debug"],
            prog_name="jejunet-nas",
            standalone_mode=False,
        )
    except JejunetError as error:
        sys.exit(_fail(str(error), error.exit_code, given))
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # of the parser: an option that does not exist
            sys.exit(_fail(error.format_message(), SettingError.exit_code, given))
        sys.exit(_fail(f"a fault of ours: {error!r}. Add --debug to see where.", 1, given))
    if code == INTERRUPTED:  # typer makes a code of the interrupt, most of the time
        _fail("interrupted; what was done is kept, and the same command goes on", INTERRUPTED, [])
    sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    print(f"jejunet-nas: {line}", file=sys.stderr)
    return code
