"""The command `search`: start or resume the search of a study."""

import contextlib
import functools
import shlex
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    Program,
    Storage,
    StudyName,
    data_root_override,
    require_feasible,
    seconds_of,
    show_front,
)
from jejunet_nas.cli.parser_errors import naming_options
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.streams import native_log
from jejunet_nas.errors import SettingError
from jejunet_nas.files import NOTED

if TYPE_CHECKING:
    from jejunet_nas.study.named import NamedStudy

Trials = Annotated[
    int | None, typer.Option(min=1, help="Complete trials in total [default: the study's].")
]
TimeBudget = Annotated[
    str | None, typer.Option(help="Start no new trial after this time: 90s, 30m, 2h.")
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**31 - 1, help="Seed of sampler and training [default: the study's]."),
]
Init = Annotated[
    str | None,
    typer.Option(
        help="Backbone weights: imagenet, scratch, or a file (.npz, .h5) [default: study's]."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, help="Processes that train, each with its share of the cores [default: 1]."
    ),
]
Executor = Annotated[
    Literal["processes", "ray"],
    typer.Option(help="What runs them: processes of this machine, or Ray."),
]
Address = Annotated[
    str | None, typer.Option(help="Of the Ray cluster [default: a new one of this machine].")
]
Store = Annotated[
    str | None,
    typer.Option(
        help="Where machines share networks: a folder, or a URL for fsspec, such as s3://bucket."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the forecast and stop; write nothing.")
]
Repair = Annotated[
    bool,
    typer.Option("--repair", help="First make networks again that `doctor STUDY` finds damaged."),
]


def search(
    study: StudyName,
    trials: Trials = None,
    time_budget: TimeBudget = None,
    data_root: DataRoot = None,
    init: Init = None,
    storage: Storage = None,
    seed: Seed = None,
    benchmark_binary: Program = None,
    workers: Workers = None,
    store: Store = None,
    executor: Executor = "processes",
    address: Address = None,
    repair: Repair = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Search a study, or resume the search.

    Finished trials are kept: the same command resumes an interrupted search, and a larger --trials
    adds trials. --data-root, --init, --seed and --storage are noted in studies/NAME/study.yaml;
    later commands on the study need not repeat them.

    With --storage postgresql://..., the same command on another machine joins the search.

    It begins with a forecast: the share of the space that can meet the target by predicted latency,
    and, once networks are trained, when it ends. If nothing can meet the target it stops at once.
    """
    given = {"training.init": init, "training.seed": seed, "sampler.seed": seed, "trials": trials}
    given["latency.benchmark_binary"] = str(benchmark_binary or "") or None
    overrides = data_root_override(data_root)
    overrides |= {key: value for key, value in given.items() if value is not None}
    seconds = seconds_of(time_budget, "--time-budget")
    _require_ray(executor, address)

    from jejunet_nas.study.named import find_named

    named = find_named(study, overrides, storage)
    folder, printer = named.folder, Printer(as_json=as_json)
    if dry_run:
        _print_forecast(named, seconds, printer)
        return
    options = {"training.init": "--init"} if init else {}
    with _nothing_left(folder), native_log(folder / "tensorflow.log"), naming_options(options):
        from jejunet_nas.search.loop import search
        from jejunet_nas.search.view import make_view
        from jejunet_nas.study.tables import summary

        if repair:
            _repair(named, printer)
        view = make_view(printer.messages)
        run = functools.partial(search, named.settings, folder, view, seconds=seconds, store=store)
        run = functools.partial(run, storage=named.storage, notes=named.notes, workers=workers)
        history = run(executor=executor, address=address)
    show_front(history, printer)
    if history.complete:
        printer.say(f"next: jejunet-nas report {shlex.quote(named.word)}")
    printer.json(summary(history))
    require_feasible(history)


def _require_ray(executor: str, address: str | None) -> None:
    if address is not None and executor != "ray":
        raise SettingError(
            f"--address is {address}, but --executor is {executor}; allowed: an address with "
            "--executor ray. Add --executor ray, or leave --address out."
        )


def _repair(named: "NamedStudy", printer: Printer) -> None:
    from jejunet_nas.search.repair import repair
    from jejunet_nas.search.view import make_view

    repair(named, make_view(printer.messages))


def _print_forecast(named: "NamedStudy", seconds: float | None, printer: Printer) -> None:
    """Print what a search of the study would find. Raises `SettingError` if that is nothing."""
    from jejunet_nas.search.forecast import forecast_search
    from jejunet_nas.study.ledger import Ledger
    from jejunet_nas.study.storage import storage_url

    ledger = Ledger.find(named.settings, named.storage or storage_url(named.folder), printer.say)
    forecast = forecast_search(named.settings, ledger.history() if ledger else None, seconds)
    forecast.say(printer.result)
    printer.json(forecast.as_json(datetime.now()))


@contextlib.contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """Remove `folder` if a failed start has made it, and no search began in it."""
    new = [each for each in (folder, folder.parent) if not each.exists()]
    try:
        yield
    except BaseException:
        began = any((folder / name).exists() for name in (NOTED, "study.db"))
        if folder in new and not began:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # it holds something else by now
                for parent in new[1:]:
                    parent.rmdir()
        raise
