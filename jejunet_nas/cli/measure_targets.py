"""What the command `measure` does with graphs and with studies. Imported when it is called."""

import dataclasses
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from jejunet_nas.cli.arguments import print_json, sayer
from jejunet_nas.errors import SettingError
from jejunet_nas.latency.device import Device, HowToMeasure, open_meter, open_phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.measure.bundle import bundle_at, keep_host, keep_measured
from jejunet_nas.measure.front import (
    add_to_profile,
    graphs_at,
    require_folder,
    require_profile_of,
    time_files,
    time_front,
    write_operator_tables,
)
from jejunet_nas.records.measurements import Measurement
from jejunet_nas.reporting.timings import (
    files_json,
    files_table,
    front_json,
    front_table,
    graphs_table,
    operators_table,
)
from jejunet_nas.study.opened import open_study


def measure_files(
    target: Path,
    device: Device,
    how: HowToMeasure,
    operators: Path | None,
    add_to: Path | None,
    console: Console,
    as_json: bool,
) -> None:
    """Time the graphs at `target` and print them; on a phone, with all that was asked for.

    What was measured of a bundle is kept in it, and in the record of the study that it is of.
    """
    bundle, say = bundle_at(target), sayer(console)
    files = [*bundle.graphs.values()] if bundle else graphs_at(target)
    if device.kind == "adb":
        phone = open_phone(device, how, say)
        try:
            if add_to is not None:
                require_profile_of(phone.phone.info.name, add_to)
            if operators is not None:
                require_folder(operators)
            taken = [_take(phone, file, say) for file in _one_by_one(files, say)]
            tables = write_operator_tables(files, phone, operators) if operators else []
        finally:
            phone.close()
        timed = [(file, one.latency) for file, one in zip(files, taken, strict=True)]
        for file, one in zip(files, taken, strict=True):
            for doubt in one.unstable:
                say(f"{file.name} is unstable: {doubt}")
        for file, rows in tables:
            console.print(operators_table(file, rows))
    else:
        timed, taken = time_files(files, open_meter(device, how, say), lambda *_: None), []
    console.print(files_table(timed))
    if device.kind == "host":
        say("Timed on this computer: these are no phone's figures.")
    if bundle is not None and device.kind == "adb":
        keep_measured(bundle, target, taken, say)
    elif bundle is not None and device.kind == "host":
        keep_host(target, [latency for _, latency in timed], say)
    if as_json:
        print_json(files_json(timed))
    if add_to is not None:  # last: a graph that no profile can hold was measured all the same
        say(add_to_profile(add_to, files, taken))


def measure_study(
    study: Path,
    device: Device,
    how: HowToMeasure,
    threads: int | None,
    again: bool,
    storage: str | None,
    console: Console,
    as_json: bool,
) -> None:
    """Time the front of a study and print it, ranked anew where a phone measured it."""
    opened = open_study(study, storage=storage)
    settings, networks = opened.settings, opened.networks
    if threads not in (None, settings.latency.threads) and device.kind == "adb":
        raise SettingError(
            f"--threads is {threads}; allowed for {settings.name}: {settings.latency.threads}, "
            "with which its trials are ranked. Leave it out, or measure a graph's file."
        )
    latency = settings.latency
    how = dataclasses.replace(how, threads=latency.threads if threads is None else threads)
    if how.program is None and latency.benchmark_binary is not None:
        how = dataclasses.replace(how, program=Path(latency.benchmark_binary))
    if device == Device(kind="adb"):
        device = dataclasses.replace(device, name=latency.serial)
    say = sayer(console)
    meter = open_meter(device, how, say)
    phone = meter.phone.info if isinstance(meter, PhoneMeter) else None
    try:
        timed = time_front(
            lambda: opened.history_on(phone),
            networks,
            meter,
            again=again,
            say=say,
        )
    finally:
        if isinstance(meter, PhoneMeter):
            meter.close()
    console.print(graphs_table(timed.graphs))
    console.print()
    console.print(front_table(timed.history, timed.trials))
    if device.kind == "host":
        say("Timed on this computer: the target is a phone's, and nothing is ranked by this.")
    elif device.kind == "adb":
        say(f"kept in {networks}; write the report anew: jejunet-nas report {_name_of(study)}")
    if as_json:
        print_json(front_json(timed.history, timed.graphs, timed.trials))


def _name_of(study: Path) -> str:
    """Return how a person names the study of a file."""
    in_reach = study == Path("studies") / f"{study.stem}.yaml"
    return shlex.quote(study.stem if in_reach else str(study))


def _take(phone: PhoneMeter, file: Path, say: Callable[[str], None]) -> Measurement:
    """Measure one graph, and say its figure at once: the next one may not run."""
    taken = phone.take(file)
    say(f"{file.name}: {taken.latency.median_ms:.2f} ms")
    return taken


def _one_by_one(files: list[Path], say: Callable[[str], None]) -> Iterator[Path]:
    for number, file in enumerate(files, start=1):
        say(f"measuring {file.name} ({number} of {len(files)})")
        yield file
