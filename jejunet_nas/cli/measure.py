"""The command `measure`: times graphs, a bundle, or the front of a study."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DeviceName,
    Program,
    Storage,
    find_study,
)
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import SettingError

if TYPE_CHECKING:
    from jejunet_nas.latency.device import Device, HowToMeasure

CoreMask = Annotated[
    str | None,
    typer.Option(help="Cores to pin to, hexadecimal, or none [default: the fastest]."),
]


def measure(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A .tflite file, a folder of them, a bundle, or a study's name."
        ),
    ],
    device: DeviceName = "adb",
    runs: Annotated[
        int, typer.Option(min=1, max=100_000, help="Runs of each graph; on a phone 50 or more.")
    ] = 50,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads [default: the study's, or 1].")
    ] = None,
    core_mask: CoreMask = None,
    benchmark_binary: Program = None,
    input_size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH, for graphs that leave them open.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Repeat measurements that this phone has made.")
    ] = False,
    operators: Annotated[
        Path | None,
        typer.Option(help="Folder for tables of each operator's time (phone only)."),
    ] = None,
    add_to: Annotated[
        Path | None,
        typer.Option(help="A profile of this phone: add these graphs and fit it again."),
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Time graphs, or the front of a study, on a phone, on this computer, or by a profile.

    A phone's measurements are saved: those of a front in its study, those of a bundle in the bundle
    and in its study if that is in studies/ here. `report` then shows them.
    """
    from jejunet_nas.latency.device import Device, HowToMeasure

    named = Device.parse(device)
    study = find_study(target, "For a graph, give its .tflite file or its folder.")
    given = {"--operators": operators, "--add-to": add_to, "--core-mask": core_mask}
    _check_options([option for option in given if given[option] is not None], named, study)
    how = HowToMeasure(
        threads=threads,
        runs=runs,
        program=benchmark_binary,
        core_mask=core_mask,
        input_size=_size(input_size, study),
    )
    printer = Printer(as_json=as_json)
    names = {"runs": "--runs", "core mask": "--core-mask"}
    with naming_options(names | ({} if threads is None else {"threads": "--threads"})):
        if study is None:
            _measure_graphs(Path(target), named, how, operators, add_to, printer)
        else:
            _measure_study(study, named, how, again, storage, printer)


def _size(words: str | None, study: Path | None) -> tuple[int, int] | None:
    """Return height and width; None without words. Raises `SettingError`."""
    if words is None:
        return None
    if study is not None:
        raise SettingError(
            f"--input-size works with graphs only, and {study} is a study. Leave it out."
        )
    match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", words.strip())
    if not match:
        raise SettingError(
            f"--input-size is {words}; allowed: HEIGHTxWIDTH in pixels, up to 9999x9999, such as "
            "256x256."
        )
    return int(match[1]), int(match[2])


def _check_options(given: list[str], device: "Device", study: Path | None) -> None:
    for option in given:
        if not device.is_phone:
            raise SettingError(
                f"{option} works on a phone only, and --device is {device.words}. Leave it out."
            )
        if study is not None and option != "--core-mask":
            raise SettingError(
                f"{option} works with graphs only, and {study} is a study. Name graphs."
            )


def _measure_graphs(
    target: Path,
    device: "Device",
    how: "HowToMeasure",
    operators: Path | None,
    add_to: Path | None,
    printer: Printer,
) -> None:
    from jejunet_nas.latency.device import open_meter
    from jejunet_nas.measure import bundle as bundles
    from jejunet_nas.measure import graphs
    from jejunet_nas.reporting.timings import (
        MOTION_PREDICTED,
        files_json,
        files_table,
        operators_table,
    )

    bundle, say = bundles.bundle_at(target), printer.say
    files = [*bundle.graphs.values()] if bundle else graphs.graphs_at(target)
    with open_meter(device, how, say) as meter:
        if add_to is not None:
            graphs.require_profile_of(meter, add_to)
        if operators is not None:
            graphs.require_folder(operators)
        timed = graphs.time_graphs(files, meter, say)
        if operators is not None:
            for file in files:
                rows = meter.profile_operators(file, operators / f"{file.stem}_operators.csv")
                printer.result(operators_table(file, rows))
    latencies = [(each.file, each.latency) for each in timed]
    printer.result(files_table(latencies))
    if timed[0].latency.source == "host":
        printer.result("Timed on this computer; a phone's latencies differ.")
    elif bundle is not None and bundle.policy.follows_motion:
        printer.result(MOTION_PREDICTED)
    if bundle is not None:
        bundles.save_timings(bundle, target, timed, say)
    printer.json(files_json(latencies))
    if add_to is not None:  # last: a graph that fits into no profile was measured all the same
        say(graphs.add_to_profile(add_to, timed, how.input_size))


def _measure_study(
    file: Path,
    device: "Device",
    how: "HowToMeasure",
    again: bool,
    storage: str | None,
    printer: Printer,
) -> None:
    from jejunet_nas.measure.front import measure_front
    from jejunet_nas.reporting.timings import (
        MOTION_PREDICTED,
        front_json,
        front_table,
        graphs_table,
    )
    from jejunet_nas.study.opened import open_study

    say, study = printer.say, open_study(file, storage=storage)
    timed = measure_front(study, device, how, again=again, say=say)
    printer.result(graphs_table(timed.graphs))
    printer.result()
    printer.result(front_table(timed.history, timed.trials))
    source = timed.graphs[0].latency.source
    if source == "host":
        printer.result(
            "Timed on this computer: the target is a phone's, so the ranking does not change."
        )
    elif source == "measured":
        if any(each.motion_predicted for each in timed.trials):
            printer.result(MOTION_PREDICTED)
        report = f"jejunet-nas report {shlex.quote(study.word)}"
        say(f"saved in {study.networks}; update the report: {report}")
    printer.json(front_json(timed.history, timed.graphs, timed.trials))
