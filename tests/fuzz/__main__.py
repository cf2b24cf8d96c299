"""Fuzz every parser, and write reports/fuzz.md and reports/fuzz.json: `make fuzz`.

python -m tests.fuzz --inputs 100000 --seed 0 [--parser NAME] [--keep FOLDER] [--out FOLDER]
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.attempt import MEMORY_BYTES, Failure, Parser, minimised, name_of, run
from tests.fuzz.parsers import all_parsers


def shares(parsers: Sequence[Parser], inputs: int) -> dict[str, int]:
    """Return the number of inputs of each parser; they add up to `inputs` or a few more."""
    whole = sum(parser.share for parser in parsers)
    return {parser.name: math.ceil(inputs * parser.share / whole) for parser in parsers}


def fuzz(parsers: Sequence[Parser], inputs: int, seed: int, *, workers: int) -> dict[str, Any]:
    """Return inputs, seconds, peak memory and failures of each parser."""
    counts = shares(parsers, inputs)

    def one(parser: Parser) -> dict[str, Any]:
        began = time.monotonic()
        failures, peak, accepted = run(parser, range(counts[parser.name]), seed)
        seconds = time.monotonic() - began
        said = f"{counts[parser.name]} inputs, {len(failures)} failures, {seconds:.0f} s"
        print(f"{parser.name}: {said}", file=sys.stderr, flush=True)
        return {
            "inputs": counts[parser.name],
            "accepted": accepted,
            "seconds": round(seconds, 1),
            "peak_mb": round(peak / 1e6),
            "failures": failures,
        }

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        found = pool.map(one, parsers)
        return {parser.name: each for parser, each in zip(parsers, found, strict=True)}


def keep(parsers: Sequence[Parser], failures: Sequence[Failure], seed: int, folder: Path) -> None:
    """Write the shortest input of each kind of failure into `folder`, and name it."""
    known = {parser.name: parser for parser in parsers}
    kinds = {(each.parser, each.kind): each for each in reversed(failures)}
    folder.mkdir(parents=True, exist_ok=True)

    def one(each: Failure) -> None:
        parser = known[each.parser]
        data = minimised(parser, parser.input(seed, each.number), each.kind)
        file = folder / f"{each.parser.replace(' ', '_')}-{name_of(data)}"
        file.write_bytes(data)
        print(
            f"{each.parser}: {each.kind}: input {each.number}, shortened: {file}", file=sys.stderr
        )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, kinds.values()))


def report(found: dict[str, Any], seed: int, wall_s: float) -> dict[str, Any]:
    """Return the figures as plain JSON values."""
    parsers = {}
    for name, each in found.items():
        kinds = collections.Counter(failure.kind for failure in each["failures"])
        parsers[name] = {**each, "failures": dict(kinds)}
    return {
        "command": f"python -m tests.fuzz {' '.join(sys.argv[1:])}".strip(),
        "seed": seed,
        "inputs": sum(each["inputs"] for each in found.values()),
        "failures": sum(len(each["failures"]) for each in found.values()),
        "peak_mb": max(each["peak_mb"] for each in found.values()),
        "wall_s": round(wall_s),
        "cores": os.cpu_count(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "parsers": parsers,
    }


def in_words(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "# Fuzzed inputs",
        "",
        f"{figures['inputs']} made-up and damaged inputs, {figures['failures']} failures. A "
        "failure is an end by a signal, an error not of the project's own, a message of several "
        f"lines, too much time, or more than {MEMORY_BYTES >> 30} GB.",
        "",
        f"`{figures['command']}` took {figures['wall_s']} s ({figures['cores']} cores, "
        f"{figures['machine']}); the largest process had {figures['peak_mb']} MB.",
        "",
        "| parser | inputs | accepted | failures | seconds | peak MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, each in figures["parsers"].items():
        failed = sum(each["failures"].values())
        cells = (name, each["inputs"], each["accepted"], failed, each["seconds"], each["peak_mb"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Fuzz, report, and return 1 if an input failed."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz")
    arguments.add_argument("--inputs", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--parser", help="only this parser; none of the reports is written")
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments.add_argument(
        "--keep", type=Path, default=Path(tempfile.gettempdir()) / "jejunet_fuzz"
    )
    arguments.add_argument("--out", type=Path, default=Path("reports"))
    given = arguments.parse_args()
    parsers = all_parsers()
    names = [parser.name for parser in parsers]
    if given.parser:
        parsers = [parser for parser in parsers if parser.name == given.parser]
        if not parsers:
            arguments.error(f"--parser is {given.parser}; allowed: {', '.join(names)}")
    began = time.monotonic()
    found = fuzz(parsers, given.inputs, given.seed, workers=given.workers)
    figures = report(found, given.seed, time.monotonic() - began)
    failures = [failure for each in found.values() for failure in each["failures"]]
    keep(parsers, failures, given.seed, given.keep)
    if not given.parser:
        given.out.mkdir(exist_ok=True)
        (given.out / "fuzz.json").write_text(json.dumps(figures, indent=1) + "\n")
        (given.out / "fuzz.md").write_text(in_words(figures))
    print(f"{figures['inputs']} inputs, {figures['failures']} failures, {figures['wall_s']} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
