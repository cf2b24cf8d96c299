"""The command `calibrate`: makes a profile of a phone."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, PhoneName, Program, seconds_of
from jejunet_nas.cli.measure import CoreMask
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import SettingError


def calibrate(
    out: Annotated[Path, typer.Option(help="The profile to write (.json).")],
    device: PhoneName = "adb",
    budget: Annotated[str, typer.Option(help="Phone time at most, such as 90s or 10m.")] = "10m",
    core_mask: CoreMask = None,
    benchmark_binary: Program = None,
    as_json: AsJson = False,
) -> None:
    """Measure a few well-chosen graphs on the phone and fit a profile that predicts the others."""
    from jejunet_nas.latency.device import Device, HowToMeasure

    phone = Device.parse(device).require_phone()
    if out.suffix != ".json" or not out.absolute().parent.is_dir():
        raise SettingError(
            f"--out is {out}, which is not a .json file in an existing folder. Name one, such as "
            "phone.json."
        )
    seconds = seconds_of(budget, "--budget")
    assert seconds is not None, "it has a default"
    how = HowToMeasure(program=benchmark_binary, core_mask=core_mask)

    from jejunet_nas.latency.trust import trust, trust_lines
    from jejunet_nas.profiling.profile import profile_phone

    printer = Printer(as_json=as_json)
    with naming_options({"core mask": "--core-mask"}):
        profile_phone(phone, how, out, budget_s=seconds, say=printer.say)
    trusted = trust(out)
    printer.result("\n".join(trust_lines(trusted)))
    printer.result(
        f"profile: {out}; use it as --device predicted:{out}, or as latency.device of a study"
    )
    printer.json(dataclasses.asdict(trusted))
