"""The command `doctor`: checks what measuring needs, or how far a profile can be trusted."""

import dataclasses
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, Program
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import DeviceError, SettingError


def doctor(
    profile: Annotated[
        str | None, typer.Option(help="Show how far a device profile can be trusted.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="adb or adb:SERIAL: require what measuring on this phone needs."),
    ] = None,
    benchmark_binary: Program = None,
    as_json: AsJson = False,
) -> None:
    """Check what measuring needs, or show how far a profile can be trusted.

    A search needs the libraries only. Exit code 4: measuring was asked for, with --device or
    --benchmark-binary, and something that it needs is missing. Exit code 2: a library is missing.
    """
    printer = Printer(as_json=as_json)
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
