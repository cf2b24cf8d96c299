"""The command `compress`: compare compression settings on a trial's network."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jejunet_nas.cli.arguments import (
    AsJson,
    DataRoot,
    Storage,
    StudyName,
    TrialNumber,
    report_file,
)
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.streams import native_log
from jejunet_nas.cli.targets import choose_trial
from jejunet_nas.errors import TrialError

FREE = ("float32", "float16", "dynamic", "int8")  # formats without training
SUMS = ("size_bytes", "deflated_bytes")  # over the graphs of a row
COMPRESSED = "compressed"  # the folder of graphs and rows, in the study's own

Chains = Annotated[
    list[str] | None,
    typer.Option(
        help="METHOD[:NAME=VALUE,...] + ...; methods: prune, cluster, float32, float16, dynamic, "
        "int8, qat. Repeatable [default: each format without training]. Values that are not given "
        "have the program's defaults, not the study's."
    ),
]


def compress(
    study: StudyName,
    trial: TrialNumber = None,
    settings: Chains = None,
    frames: Annotated[int, typer.Option(min=1, help="Validation frames for mIoU.")] = 256,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="Markdown file [default: reports/NAME/compression.md].")
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare compression settings on a trial's network: mIoU, latency, file size.

    Each starts from the trained weights. Graphs and figures are kept in studies/NAME/compressed;
    the same command resumes where it was interrupted.
    """
    from jejunet_nas.compression.chain import chain_from_words
    from jejunet_nas.files import write_text_whole

    chains = list(dict.fromkeys(chain_from_words(words) for words in settings or FREE))
    chosen = choose_trial(study, trial, storage, data_root)
    target = report_file(chosen.study.file, chosen.study.name, "compression.md", out)
    from jejunet_nas.reporting.compression import compression_page

    folder = chosen.study.folder
    printer = Printer(as_json=as_json)
    with native_log(folder / "tensorflow.log"):
        from jejunet_nas.search.prepare import prepare
        from jejunet_nas.search.view import make_view
        from jejunet_nas.trial.compress import compress_network

        with make_view(printer.messages) as view:
            setup = prepare(chosen.study.settings, folder, view.stage)
            rows, failures = compress_network(
                chosen.result.network, chains, setup, folder / COMPRESSED, view.stage, frames=frames
            )
    for failure in failures:
        printer.say(failure)
    if not rows:
        raise TrialError(f"All {len(chains)} compression settings failed; the first: {failures[0]}")
    text = compression_page(
        rows, chosen.result, history=chosen.history, frames=frames, name=chosen.study.word
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(target, text)
    printer.result(text)
    printer.json([asdict(row) | {sum_: getattr(row, sum_) for sum_ in SUMS} for row in rows])
    printer.say(f"compression: {target}")
    if failures:
        failed = f"{len(failures)} of {len(chains)} compression settings failed"
        raise TrialError(f"{failed}; see the messages above.")
