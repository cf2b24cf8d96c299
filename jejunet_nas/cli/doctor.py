"""The command `doctor`: checks a study, what measuring needs, or how far a profile is trusted."""

import dataclasses
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, Program, Storage, complete_study
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import DeviceError, SettingError


def doctor(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="A study whose records, networks and files are checked.",
            autocompletion=complete_study,
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Show how far a device profile can be trusted.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="adb or adb:SERIAL: require what measuring on this phone needs."),
    ] = None,
    benchmark_binary: Program = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Check a study, or what measuring needs, or show how far a profile can be trusted.

    With STUDY, each line names what is damaged and the command that mends it; nothing is changed.
    Exit code 2: something is damaged. Notes are harmless.

    Without STUDY, what searching and measuring need. A search needs the libraries only. Exit code
    4: measuring was asked for, with --device or --benchmark-binary, and something that it needs is
    missing. Exit code 2: a library is missing.
    """
    printer = Printer(as_json=as_json)
    if study is not None:
        others = {"--profile": profile, "--device": device, "--benchmark-binary": benchmark_binary}
        if given := next((name for name, value in others.items() if value is not None), None):
            raise SettingError(f"{given} is no option for a study. Leave it out, or STUDY.")
        _check_study(study, storage, printer)
        return
    if storage is not None:
        raise SettingError("--storage is given without STUDY. Name the study that it belongs to.")
    if profile is not None:
        from jejunet_nas.latency.profile_json import profile_file
        from jejunet_nas.latency.trust import trust, trust_lines

        with naming_options({"device profile": "--profile"}):
            trusted = trust(profile_file(profile))
        printer.result("\n".join(trust_lines(trusted)))
        printer.json(dataclasses.asdict(trusted))
        return
    from jejunet_nas.latency.doctor import LIBRARIES_CHECK, examine

    checks = examine(device or "adb", benchmark_binary, measuring=bool(device or benchmark_binary))
    missing = [check for check in checks if check.required and not check.works]
    for check in checks:
        printer.result(f"{'ok' if check.works else 'no':4}{check.name}: {check.words}")
    if not missing and not all(check.works for check in checks):
        printer.result("Latencies can be predicted. To measure them, get what has no ok.")
    printer.json({"works": not missing, "checks": [dataclasses.asdict(check) for check in checks]})
    if missing:
        names = ", ".join(check.name for check in missing)
        error = SettingError if missing[0].name == LIBRARIES_CHECK else DeviceError
        raise error(f"missing: {names}. Its line above says how to get it.")


def _check_study(study: str, storage: str | None, printer: Printer) -> None:
    from jejunet_nas.study.checkup import check_up

    with printer.status("checking the study"):
        found = check_up(study, storage, printer.say)
    for each in found.findings:
        kind = "damaged" if each.damaged else "note"
        mend = f" Mend it: {each.command}" if each.command else ""
        printer.result(f"{kind:8}{each.what}: {each.means}.{mend}")
    printer.result(found.words())
    printer.json(
        {"study": found.study, "whole": not found.damages, "searching": found.searching}
        | {"findings": [dataclasses.asdict(each) for each in found.findings]}
    )
    if found.damages:
        raise SettingError(
            f"{found.study} is damaged, as listed above. Run the commands, then check it again."
        )
