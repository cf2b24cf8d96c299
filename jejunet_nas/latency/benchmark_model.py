"""`benchmark_model`, TensorFlow Lite's and LiteRT's: its command line, and what it prints.

This module only writes and reads text; `benchmark_run` runs the program. TensorFlow Lite's source
is in `tensorflow/lite/tools/benchmark` and, since 2025, in `tflite/tools/benchmark` of
google-ai-edge/LiteRT. All versions since the end of 2018 are read.

LiteRT's (`litert/tools/benchmark_litert_model.h`, read at v2.1.3 and v2.2.0) is built on it: flags
and the lines `count=..` are the same, and the summary is "BENCHMARK RESULTS". It has no flags for a
delegate, an operator profile or an input's shape.

- The program ignores unknown flags, so old and new flags can be given together.
- It exits with 0, or with 1 after "Benchmarking failed.".
- Older versions write everything to stderr; newer ones write errors to stderr and the rest to
  stdout. `parse_output` needs both, one after the other or interleaved.

Units: microseconds (`_us`) as the program prints them; an operator's in milliseconds; shares in
[0, 1].
"""

import dataclasses
import functools
import math
import re
import shlex
from collections.abc import Mapping

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import DeviceError

# What litert-cli 0.2.1, which requires LiteRT 2.2.0, downloads (litert_cli/core/constants.py).
LITERT_DOWNLOAD = (
    "https://storage.googleapis.com/litert/binaries/2.2.0/android_arm64/benchmark_model"
)
# The nightly binary of TensorFlow Lite's guide (tensorflow.org/lite/performance/measurement).
DOWNLOAD = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/"
    "nightly/latest/android_aarch64_benchmark_model"
)
SUMMARY = "Inference timings in us"
LITERT_SUMMARY = "BENCHMARK RESULTS"
OPERATORS = "Operator-wise Profiling Info for Regular Benchmark Runs"
_shortened = functools.partial(shortened, most=200)  # for what the program printed

_NUMBER = r"[-+]?(?:nan|inf|\d+(?:\.\d*)?(?:e[-+]?\d+)?)"  # C++ prints 1.23457e+06 for 1234567
_SUMMARY = re.compile(f"{SUMMARY}|{LITERT_SUMMARY}", re.IGNORECASE)
_LITERT_RUNS = re.compile(r"Inference \(avg\): +(\d{1,9}\.\d\d) ms \(([1-9]\d{0,8}) runs\)")
_RUNS = re.compile(r"\bcount=(\d{1,9})\b(.*)")
_FIELD = re.compile(rf"\b(curr|avg|median)=({_NUMBER})", re.IGNORECASE)
_BLAMED = re.compile(
    r"error|fail|unsupported|didn't find|cannot|can't|not executable|denied|no such|not found|"
    r"killed|abort|segmentation fault",
    re.IGNORECASE,
)
_FIXES = (
    (r"failed to load model|model loader", "Push the graph again; if it fails, convert it again."),
    (r"didn't find op|unresolved custom op|failed to initialize the interpreter|parse flag|--help",
     f"Download a newer program: {DOWNLOAD}"),
    (r"failed to apply \w+ delegate|failed to prepare|allocate tensors", "Convert the graph again, "
     "or time it without the delegate."),
    (r"not executable|syntax error|cannot link|denied|no such|not found", "Push it again: adb "
     f"push, chmod 755, in a version for the phone's processor: {DOWNLOAD}"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunStatistics:
    """The number of timed runs, and the median of their times.

    Versions before 2025 print no median: it is then the mean, which lies slightly above, because
    runs have a longer right tail.
    """

    count: int
    median_us: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTime:
    """The mean time of one operator, and its share of the total time of its list.

    A graph's list holds a delegate as one operator. The operators inside the delegate are a second
    list, whose shares sum to 1 again (`inside_delegate`).
    """

    kind: str
    name: str
    avg_ms: float
    share: float
    inside_delegate: bool


def arguments(
    graph: str,
    *,
    threads: int,
    runs: int,
    warmup_s: float,
    max_s: float,
    operator_profile: str | None = None,
    delegate: bool = True,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> list[str]:
    """Return the command-line flags that time `graph`, a path on the phone.

    operator_profile: a path on the phone for the operators' times as CSV; profiling slows the
    runs, so their statistics are of no use then. input_shapes: of all inputs, by name, where the
    graph leaves sizes open.

    The delegate is the program's default, XNNPACK, as in an app: `--use_xnnpack=true` fails or
    warns in some versions (tensorflow issues 41977 and 56166). delegate=False turns it off.
    """
    flags = [
        f"--graph={graph}",
        f"--num_threads={threads}",
        f"--num_runs={runs}",
        "--min_secs=0",  # its default of 1 s would add runs
        f"--max_secs={max_s:g}",
        "--warmup_runs=1",
        f"--warmup_min_secs={warmup_s:g}",
    ]
    if not delegate:
        flags.append("--use_xnnpack=false")
    if input_shapes:
        shapes = ":".join(",".join(map(str, shape)) for shape in input_shapes.values())
        flags += [
            f"--input_layer={shlex.quote(','.join(input_shapes))}",
            f"--input_layer_shape={shapes}",
        ]
    if operator_profile is not None:
        flags += [
            "--enable_op_profiling=true",
            f"--profiling_output_csv_file={operator_profile}",  # deprecated, but known to all
            "--op_profiling_output_mode=csv",
            f"--op_profiling_output_file={operator_profile}",
        ]
    return flags


def parse_output(text: str) -> RunStatistics:
    """Return the statistics of the timed runs; those of the warm-up are left out.

    Lines may have a prefix (`INFO:`, logcat). Raises `DeviceError` if the program failed, there is
    no summary, or figures are missing or NaN.
    """
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if _SUMMARY.search(line)), None)
    if at is None or "Benchmarking failed" in text:
        raise _failure(lines)
    # With a profile on stdout, a later `count=` is that of the operators.
    counted = [match for line in lines[:at] if (match := _RUNS.search(line))]
    if not counted and (averages := _LITERT_RUNS.search(text)):
        return RunStatistics(count=int(averages[2]), median_us=round(1000 * float(averages[1]), 1))
    if not counted:
        expected = "a line 'count=.. first=.. curr=..' before it"
        raise _error(_shortened(lines[at]), expected, "Run it again.")
    return _statistics(counted[-1])


def parse_operator_profile(csv_text: str) -> tuple[OperatorTime, ...]:
    """Return the operators of the graph in run order, then those inside its delegate.

    Subgraphs are left out. Raises `DeviceError` if the text is no such profile.
    """
    _, found, runs = "\n".join(csv_text.splitlines()).partition(OPERATORS)
    graph, _, delegate = runs.partition("Delegate internal")
    operators = (*_run_order(graph, False), *_run_order(delegate, True))
    if not found or not operators:
        raise _error(
            _shortened(csv_text.strip().partition("\n")[0]) or "an empty file",
            f"a profile as CSV with '{OPERATORS}'",
            "Run it with the arguments for an operator profile.",
        )
    return operators


def _statistics(counted: re.Match[str]) -> RunStatistics:
    line, count = counted.group(0), int(counted.group(1))
    printed = {name.lower(): value for name, value in _FIELD.findall(counted.group(2))}
    if count == 0 or "curr" not in printed:
        raise _error(_shortened(line), "at least one run", "Allow more seconds: raise max_s.")
    # A single run, or runs of the same duration, are printed as `count=1 curr=..` alone.
    median = printed.get("median") or printed.get("avg") or printed["curr"]
    return RunStatistics(count=count, median_us=_number(median, line))


def _number(word: str, line: str) -> float:
    """Return the finite number of 0 or more in `word`. Raises `DeviceError` quoting `line`."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _error(_shortened(line), "finite figures of 0 or more", "Run it again.")
    return value


def _error(printed: str, expected: str, fix: str) -> DeviceError:
    """Return the error for text of the program that is not as expected."""
    return DeviceError(f"benchmark_model printed: {printed}; expected: {expected}. {fix}")


def _failure(lines: list[str]) -> DeviceError:
    text = "\n".join(lines)
    said = [line.strip() for line in lines if line.strip()]
    blamed = [line for line in said if _BLAMED.search(line) and "Benchmarking failed" not in line]
    quoted = "; ".join(dict.fromkeys(map(_shortened, (blamed or said)[-2:])))
    fixes = [fix for words, fix in _FIXES if re.search(words, text, re.IGNORECASE)]
    fix = fixes[0] if fixes else "Run it by hand in `adb shell` to see more."
    return _error(quoted or "nothing", f"'{SUMMARY}: ..'", fix)


def _run_order(section: str, inside_delegate: bool) -> list[OperatorTime]:
    _, _, table = section.partition("= Run Order =")
    rows = table.partition("\n")[2].split("\n\n")[0].splitlines()
    if not rows:
        return []
    columns = [column.strip() for column in rows[0].split(",")]  # older versions also have `start`
    if not {"node type", "avg_ms", "%", "name"} <= {*columns}:
        header = "a header 'node type, first, avg_ms, %, ..'"
        raise _error(_shortened(rows[0]), header, "Report it.")
    return [_operator(row, columns, inside_delegate) for row in rows[1:]]


def _operator(row: str, columns: list[str], inside_delegate: bool) -> OperatorTime:
    # A kind may hold commas, as in `Convolution (NHWC, QC8) IGEMM`; in names they are tabs.
    values = dict(zip(columns, row.rsplit(",", len(columns) - 1), strict=False))
    if len(values) < len(columns):
        raise _error(_shortened(row), f"{len(columns)} columns", "Run it again.")
    return OperatorTime(
        kind=values["node type"].strip(),
        name=values["name"].strip(),
        avg_ms=_number(values["avg_ms"], row),
        share=min(_number(values["%"].strip().removesuffix("%"), row) / 100, 1.0),
        inside_delegate=inside_delegate,
    )
