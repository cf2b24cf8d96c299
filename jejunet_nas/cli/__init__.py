"""The command line: parses, calls, prints.

Results go to standard output, messages to standard error; with `--json` standard output has only
JSON, also if the command fails. Commands import what they need when they are called, so `--help` is
fast. Exit codes: 0 done, 1 internal error, 2 bad input, 3 nothing feasible, 4 the phone or this
computer failed, 128 + n ended by signal n (141: the reader of a pipe is gone).
"""

import os
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
    evaluate,
    export,
    init,
    measure,
    policies,
    replay,
    report,
    search,
    segment,
    show,
    studies,
    verify,
)
from jejunet_nas.cli.parser_errors import parser_words
from jejunet_nas.cli.printer import print_error, print_json
from jejunet_nas.cli.signals import Ending, end_children, ending_signals
from jejunet_nas.cli.streams import standard_streams, streams
from jejunet_nas.errors import SettingError, StoppedError
from jejunet_nas.faults import fault_of, without_passwords
from jejunet_nas.progress import printable
from jejunet_nas.version import __version__

INTERRUPTED = 130

app = typer.Typer(
    name="jejunet-nas",
    help="Search for int8 video segmentation networks that keep up with a phone's camera.",
    epilog="Exit codes: 0 done, 1 internal error or failed replay, 2 bad input, 3 no trial meets "
    "the target, 4 failure of the phone or of this computer (full disk), 128 + n ended by signal n "
    "(130: Ctrl-C, 141: closed pipe).",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    init.init,
    search.search,
    report.report,
    dashboard.dashboard,
    show.show,
    segment.segment,
    policies.policies,
    compress.compress,
    export.export,
    verify.verify,
    evaluate.evaluate,
    replay.replay,
    measure.measure,
    calibrate.calibrate,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(studies.app, name="studies")
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
    # Charts are files: a notebook's backend, or one that matplotlib does not know, is not for us.
    os.environ["MPLBACKEND"] = "Agg"
    with standard_streams() as ours, ending_signals() as ending:
        code = ours.exit_code(_run(given, ending))
        if ending.signal is not None:
            end_children()
    sys.exit(code)


def _run(given: list[str], ending: Ending) -> int:
    """Run the command `given`, print its error, and return its exit code."""
    try:  # --debug may be anywhere in the line
        code = app(
            args=[word for word in given if word != "--debug"],
            prog_name="jejunet-nas",
            standalone_mode=False,
        )
    except StoppedError as error:
        return _fail(str(error), ending.exit_code, given)
    except (typer.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):  # typer takes it for the end of the keyboard
            return _fail(_internal(error.__cause__), 1, given)
        code = INTERRUPTED
    except Exception as error:
        fault = fault_of(error)
        if fault is not None:
            return _fail(str(fault), fault.exit_code, given)
        if hasattr(error, "format_message"):  # an error of the parser
            return _fail(parser_words(error, given), SettingError.exit_code, given)
        return _fail(_internal(error), 1, given)
    if code == INTERRUPTED:  # typer mostly turns the interrupt into this code
        line = f"{ending.words}. Finished work is kept; run the same command to resume."
        return _fail(line, ending.exit_code, [word for word in given if word != "--debug"])
    return code if isinstance(code, int) else 0


def _internal(error: BaseException) -> str:
    return f"internal error: {error!r}. Add --debug for the traceback."


def _fail(line: str, code: int, given: list[str]) -> int:
    line = without_passwords(line, given)
    if "--debug" in given:
        streams().err.write(without_passwords(printable(traceback.format_exc()), given))
    if "--json" in given and not streams().out.used:
        print_json({"error": line, "exit_code": code})
    print_error(line)
    return code
