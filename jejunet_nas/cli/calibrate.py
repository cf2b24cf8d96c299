"""The command `calibrate`: makes a profile of a phone."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, PhoneName, Program, print_json, sayer, seconds_of
from jejunet_nas.cli.measure import CoreMask
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

    from jejunet_nas.cli.native_log import native_log
    from jejunet_nas.latency.trust import trust, trust_lines
    from jejunet_nas.profiling.profile import profile_phone

    with native_log(Path(os.devnull)) as console:  # hides the converter's messages on each graph
        say = sayer(console)
        profile_phone(phone, how, out, budget_s=seconds, say=say)
        trusted = trust(out)
        for line in trust_lines(trusted):
            say(line)
        say(f"profile: {out}; use it as --device predicted:{out}, or as latency.device of a study")
    if as_json:
        print_json(dataclasses.asdict(trusted))
