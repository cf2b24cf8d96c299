"""The commands of a phone: measure on it, calibrate a profile of it, see whether it works."""

import dataclasses
import os
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import (
    AsJson,
    DeviceName,
    PhoneName,
    Program,
    Storage,
    find_study,
    print_json,
    sayer,
    seconds_of,
)
from jejunet_nas.errors import SettingError

CoreMask = Annotated[
    str | None, typer.Option(help="Cores to pin to, hexadecimal [default: the fastest].")
]


def measure(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A .tflite file, a folder of them, a bundle, or a study's name."
        ),
    ],
    device: DeviceName = "adb",
    runs: Annotated[int, typer.Option(help="Runs of each graph, at least 50 on a phone.")] = 50,
    threads: Annotated[
        int | None, typer.Option(help="Threads [default: the study's, or 1].")
    ] = None,
    core_mask: CoreMask = None,
    benchmark_binary: Program = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure what this phone has measured, too.")
    ] = False,
    operators: Annotated[
        Path | None,
        typer.Option(help="Folder for a table of each operator's time (on a phone)."),
    ] = None,
    add_to: Annotated[
        Path | None, typer.Option(help="A profile of this phone, to be fitted anew with this.")
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Time graphs, or the front of a study, on a phone, on this computer, or by a profile.

    What a phone took is kept: of a front in the study's record, of a bundle in its folder and in
    the record of its study, where that lies in studies/ here. `report` then shows it.
    """
    from jejunet_nas.cli.measure_targets import measure_files, measure_study
    from jejunet_nas.cli.native_log import console_of_its_own, native_log
    from jejunet_nas.latency.device import Device, HowToMeasure

    named = Device.parse(device)
    phones = (("--operators", operators), ("--add-to", add_to), ("--core-mask", core_mask))
    for option, given in phones:
        if given is not None and named.kind != "adb":
            raise SettingError(
                f"{option} is given with --device {device}; allowed: a phone, adb. Leave it out."
            )
    how = HowToMeasure(
        threads=1 if threads is None else threads,
        runs=runs,
        program=benchmark_binary,
        core_mask=core_mask,
    )
    study = find_study(target)
    for option, given in (("--operators", operators), ("--add-to", add_to)):
        if given is not None and study is not None:
            raise SettingError(f"{option} is given with a study; allowed: graphs. Name them.")
    console = console_of_its_own()
    with closing(console.file), native_log(Path(os.devnull)):  # LiteRT tells of its delegate
        if study is None:
            measure_files(Path(target), named, how, operators, add_to, console, as_json)
        else:
            measure_study(study, named, how, threads, again, storage, console, as_json)


def calibrate(
    out: Annotated[Path, typer.Option(help="The profile to write (.json).")],
    device: PhoneName = "adb",
    budget: Annotated[str, typer.Option(help="Phone time at most: 90s, 10m.")] = "10m",
    core_mask: CoreMask = None,
    benchmark_binary: Program = None,
    as_json: AsJson = False,
) -> None:
    """Measure a few well-chosen graphs on the phone and fit a profile that predicts the others."""
    from jejunet_nas.latency.device import Device, HowToMeasure

    named = Device.parse(device)
    if named.kind != "adb":
        raise SettingError(f"--device is {device}; allowed: adb or adb:SERIAL. Attach a phone.")
    if out.suffix != ".json" or not out.absolute().parent.is_dir():
        raise SettingError(
            f"--out is {out}; allowed: a .json file in a folder that exists. Name one."
        )
    seconds = seconds_of(budget, "--budget")
    assert seconds is not None, "it has a default"
    how = HowToMeasure(program=benchmark_binary, core_mask=core_mask)

    from jejunet_nas.cli.native_log import console_of_its_own, native_log
    from jejunet_nas.latency.trust import trust, trust_lines
    from jejunet_nas.profiling.phone import calibrate_phone

    console = console_of_its_own()
    say = sayer(console)
    with closing(console.file):
        with native_log(Path(os.devnull)):  # what the converter prints of every graph
            calibrate_phone(named, how, out, budget_s=seconds, say=say)
        trusted = trust(out)
        for line in trust_lines(trusted):
            say(line)
        say(f"profile: {out}; use it as --device predicted:{out}, or as latency.device of a study")
    if as_json:
        print_json(dataclasses.asdict(trusted))


def doctor(
    profile: Annotated[
        str | None, typer.Option(help="Show how far a device profile can be trusted.")
    ] = None,
    device: PhoneName = "adb",
    benchmark_binary: Program = None,
    as_json: AsJson = False,
) -> None:
    """See whether all that measuring needs is there, or how far a profile can be trusted."""
    console = Console(stderr=True)
    if profile is not None:
        from jejunet_nas.latency.predicted_meter import profile_file
        from jejunet_nas.latency.trust import trust, trust_lines

        trusted = trust(profile_file(profile))
        if as_json:
            print_json(dataclasses.asdict(trusted))
        else:
            typer.echo("\n".join(trust_lines(trusted)))
        return
    from jejunet_nas.latency.doctor import examine

    checks = examine(device, benchmark_binary)
    if as_json:
        print_json({"checks": [dataclasses.asdict(check) for check in checks]})
    say = sayer(console)
    for check in checks:
        say(f"{'ok' if check.works else 'no':4}{check.name}: {check.words}")
    if not all(check.works for check in checks):
        say("Until all is ok, latencies can be predicted, not measured.")
