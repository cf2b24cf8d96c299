"""The command line: parses, calls, prints.

With `--json` standard output has only the result; messages go to standard error. Commands import
what they need when they are called, so `--help` is fast. Exit codes: 0 done, 1 internal error,
2 bad input, 3 nothing feasible, 4 the device failed, 130 interrupted.
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
    """Run the command line; an error becomes one line and an exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:  # --debug may be anywhere in the line
        code = app(
            args=[word for word in given if word != "--debug"],
            prog_name="jejunet-nas",
            standalone_mode=False,
        )
    except JejunetError as error:
        sys.exit(_fail(str(error), error.exit_code, given))
    except (typer.Abort, KeyboardInterrupt) as end:
        if isinstance(end.__cause__, EOFError):  # typer takes any for the end of the user's input
            sys.exit(_fail(_internal(end.__cause__), 1, given))
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # an error of the parser
            sys.exit(_fail(error.format_message(), SettingError.exit_code, given))
        sys.exit(_fail(_internal(error), 1, given))
    if code == INTERRUPTED:  # typer mostly turns the interrupt into this code
        _fail("Interrupted. Finished work is kept; run the same command to resume.", code, [])
    sys.exit(code if isinstance(code, int) else 0)


def _internal(error: BaseException) -> str:
    return f"internal error: {error!r}. Add --debug for the traceback."


def _fail(line: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    print(f"jejunet-nas: {line}", file=sys.stderr)
    return code
