"""TensorFlow Lite's own program `benchmark_model`: its command line, and what it prints.

`phone` pushes the program and runs it; here are only the words that the two exchange, so that they
can be tested without a phone. Its source is `tensorflow/lite/tools/benchmark` and, since 2025,
`tflite/tools/benchmark` of google-ai-edge/LiteRT; all versions since the end of 2018 are read.

- It ignores flags that it does not know (and says "Unconsumed cmdline flags"): old and new flags
  may be given together.
- It exits with 0, or with 1 after "Benchmarking failed.".
- Older versions write everything to stderr, newer ones information and warnings to stdout, errors
  to stderr. `parse_output` wants both, one after the other or interleaved.

LiteRT's newer program of the same name (`litert/tools`, for the CompiledModel API) prints other
words and is refused.

Units: microseconds (`_us`) as the program prints them; operator times in milliseconds.
"""

import dataclasses
import math
import re
from statistics import NormalDist

from jejunet_nas.errors import DeviceError

# The native binary of TensorFlow Lite's guide (tensorflow.org/lite/performance/measurement), built
# every night; LiteRT's page of that name links the Android app beside it.
DOWNLOAD = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/"
    "nightly/latest/android_aarch64_benchmark_model"
)
SUMMARY = (
    "Inference timings in us: Init: .., First inference: .., Warmup (avg): .., Inference (avg)"
)
PROFILE_TITLE = "Operator-wise Profiling Info for Regular Benchmark Runs"
QUOTED_CHARACTERS = 200
MOST_MESSAGES = 10

_NUMBER = r"[-+]?(?:nan|inf|\d+(?:\.\d*)?(?:e[-+]?\d+)?)"  # C++ prints 1.23457e+06 for 1234567
_SUMMARY = re.compile(r"inference timings in us:(.*)", re.IGNORECASE)
_RUNS = re.compile(r"\bcount=(\d+)(.*)")
_FIELD = re.compile(rf"\b(first|curr|min|max|avg|std|p5|median|p95)=({_NUMBER})", re.IGNORECASE)
# Each figure of the summary by the names that it had: newest first.
_LABELS = {
    "init_us": (r"Init",),
    "warmup_us": (r"Warmup \(avg\)", r"Warmup"),
    "inference_us": (r"Inference \(avg\)", r"no stats", r"(?<!First )Inference"),
}
_MESSAGE = re.compile(
    r"(?:\b(?:ERROR|FATAL|WARN(?:ING)?):\s|(?<=[EWF] tflite)\s*:\s|Created TensorFlow Lite |"
    r"Explicitly applied |Though \w+ delegate |Replacing \d+ out of |Unconsumed cmdline flags:).+"
)
_BLAMED = re.compile(
    r"error|fail|unsupported|didn't find|cannot|can't|not executable|denied|no such|not found|"
    r"killed|abort|segmentation fault",
    re.IGNORECASE,
)
_CONVERT = "Convert the graph again, or time it without the delegate."
_FIXES = (
    (r"failed to load model|model loader", "Push the graph again; if it stays so, convert it."),
    (r"didn't find op|unresolved custom op", f"Fetch a newer program: {DOWNLOAD}"),
    (r"failed to initialize the interpreter", f"Fetch a newer program: {DOWNLOAD}"),
    (r"failed to apply \w+ delegate|failed to prepare|allocate tensors", _CONVERT),
    (r"not executable|syntax error|cannot link|denied|no such|not found", "Push it again: adb "
     f"push, chmod 755, in a version for the phone's processor: {DOWNLOAD}"),
    (r"parse flag|--help", f"Fetch a newer program: {DOWNLOAD}"),
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunStatistics:
    """A line `count=50 first=.. curr=.. min=.. max=.. avg=.. std=..`.

    Newer versions print the quantiles p5, median and p95 too; of older ones they are None.
    """

    count: int
    first_us: float
    min_us: float
    max_us: float
    avg_us: float
    std_us: float
    p5_us: float | None = None
    median_us: float | None = None
    p95_us: float | None = None

    def quantile_us(self, share: float) -> float:
        """Return an estimate of the time that `share` of the runs, in [0, 1], stay within.

        Where quantiles were printed, it is linear between the known ones (minimum, p5, median,
        p95, maximum). Otherwise the runs are taken for normally distributed with the printed mean
        and deviation, clipped to [minimum, maximum]: real runs have a longer tail to the right, so
        their median lies a little below this estimate.
        """
        assert 0 <= share <= 1, share
        if self.p5_us is not None and self.median_us is not None and self.p95_us is not None:
            shares = (0.0, 0.05, 0.5, 0.95, 1.0)
            known = (self.min_us, self.p5_us, self.median_us, self.p95_us, self.max_us)
            right = next(i for i in range(1, 5) if share <= shares[i])
            part = (share - shares[right - 1]) / (shares[right] - shares[right - 1])
            return known[right - 1] + part * (known[right] - known[right - 1])
        if share in (0, 1):
            return self.min_us if share == 0 else self.max_us
        normal_us = self.avg_us
        if self.std_us > 0:
            normal_us = NormalDist(self.avg_us, self.std_us).inv_cdf(share)
        return min(max(normal_us, self.min_us), self.max_us)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOutput:
    """What one run of the program tells.

    The averages of its summary, the statistics of the timed runs (those of the warm-up are left
    out), and the lines that a person should see: errors, warnings, what delegate runs the graph.
    """

    init_us: float
    warmup_us: float
    inference_us: float
    runs: RunStatistics
    messages: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTime:
    """The mean time of one operator, and its share of its list's time.

    A graph's list holds a delegate as one operator; what runs inside it is a list of its own, whose
    shares sum to 1 again (`inside_delegate`).
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
) -> list[str]:
    """Return the arguments after the program's name; `graph` is a path on the phone.

    `runs` runs are made, fewer if they take longer than `max_s` seconds, after a warm-up of at
    least one run and `warmup_s` seconds. operator_profile: a file on the phone into which each
    operator's time is written as CSV; profiling slows the runs, so do not use their times.

    The delegate is the program's default, XNNPACK, as in an app: asking for it by
    `--use_xnnpack=true` fails or warns in some versions (tensorflow issues 41977 and 56166).
    delegate=False leaves it out.
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
    if operator_profile is not None:
        flags += [
            "--enable_op_profiling=true",
            f"--profiling_output_csv_file={operator_profile}",  # deprecated, but known to all
            "--op_profiling_output_mode=csv",
            f"--op_profiling_output_file={operator_profile}",
        ]
    return flags


def parse_output(text: str) -> BenchmarkOutput:
    """Return what the program printed: any version, lines with a prefix (`INFO:`, logcat) or not.

    Raise `DeviceError` where it failed, or there is no summary, or figures are missing or NaN.
    """
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if _SUMMARY.search(line)), None)
    if at is None or "Benchmarking failed" in text:
        raise _failure(lines)
    summary = lines[at]
    averages = {name: _labelled(summary, labels) for name, labels in _LABELS.items()}
    # With a profile on stdout, `count=` stands behind the summary too: there it is the operators'.
    counted = [match for line in lines[:at] if (match := _RUNS.search(line))]
    if not counted:
        raise _error(
            _short(summary), "a line 'count=.. first=.. curr=..' before it", "Run it again."
        )
    return BenchmarkOutput(**averages, runs=_statistics(counted[-1]), messages=_messages(lines))


def parse_operator_profile(csv_text: str) -> tuple[OperatorTime, ...]:
    """Return the operators in the order in which they run, from the file of `operator_profile`.

    Those of the graph come first, then those inside its delegate; subgraphs are left out. Older
    versions have a column `start`, which the header tells.

    Raise `DeviceError` where the text is no such profile.
    """
    _, found, runs = "\n".join(csv_text.splitlines()).partition(PROFILE_TITLE)
    graph, _, delegate = runs.partition("Delegate internal")
    operators = (*_run_order(graph, False), *_run_order(delegate, True))
    if not found or not operators:
        raise _error(
            _short(csv_text.strip().partition("\n")[0]) or "an empty file",
            f"a profile as CSV with '{PROFILE_TITLE}'",
            "Run it with the arguments for an operator profile.",
        )
    return operators


def _run_order(section: str, inside_delegate: bool) -> list[OperatorTime]:
    _, _, table = section.partition("= Run Order =")
    rows = table.partition("\n")[2].split("\n\n")[0].splitlines()
    if not rows:
        return []
    columns = [column.strip() for column in rows[0].split(",")]
    if not {"node type", "avg_ms", "%", "name"} <= {*columns}:
        raise _error(_short(rows[0]), "a header 'node type, first, avg_ms, %, ..'", "Report it.")
    operators = []
    for row in rows[1:]:
        # A kind may hold commas, as in `Convolution (NHWC, QC8) IGEMM`; in names they are tabs.
        values = dict(zip(columns, row.rsplit(",", len(columns) - 1), strict=False))
        if len(values) < len(columns):
            raise _error(_short(row), f"{len(columns)} columns", "Run it again.")
        operators.append(
            OperatorTime(
                kind=values["node type"].strip(),
                name=values["name"].strip(),
                avg_ms=_number(values["avg_ms"], row),
                share=min(_number(values["%"].strip().removesuffix("%"), row) / 100, 1.0),
                inside_delegate=inside_delegate,
            )
        )
    return operators


def _statistics(counted: re.Match[str]) -> RunStatistics:
    line, count = counted.group(0), int(counted.group(1))
    printed = {name.lower(): value for name, value in _FIELD.findall(counted.group(2))}
    if count == 0 or "curr" not in printed:
        raise _error(_short(line), "at least one run", "Allow more seconds: raise max_s.")
    # A single run, or runs of the same duration, are printed as `count=1 curr=..` alone.
    alike = dict.fromkeys(("first", "min", "max", "avg"), printed["curr"]) | {"std": "0"}
    values = {name: _number(value, line) for name, value in (alike | printed).items()}
    del values["curr"]
    return RunStatistics(count=count, **{f"{name}_us": us for name, us in values.items()})


def _labelled(summary: str, labels: tuple[str, ...]) -> float:
    for label in labels:
        if match := re.search(rf"\b{label}: ({_NUMBER})", summary, re.IGNORECASE):
            return _number(match.group(1), summary)
    raise _error(_short(summary), f"'{SUMMARY}: ..'", f"Fetch the program again: {DOWNLOAD}")


def _number(word: str, line: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _error(_short(line), "finite figures of 0 or more", "Run it again.")
    return value


def _messages(lines: list[str]) -> tuple[str, ...]:
    found = (match.group(0) for line in lines if (match := _MESSAGE.search(line)))
    shown = dict.fromkeys(_short(message.lstrip(" :")) for message in found)
    return tuple(shown)[:MOST_MESSAGES]


def _failure(lines: list[str]) -> DeviceError:
    """Return the error for an output without a summary, or with "Benchmarking failed"."""
    text = "\n".join(lines)
    said = [line.strip() for line in lines if line.strip()]
    blamed = [line for line in said if _BLAMED.search(line) and "Benchmarking failed" not in line]
    fixes = [fix for words, fix in _FIXES if re.search(words, text, re.IGNORECASE)]
    if "BENCHMARK RESULTS" in text:
        blamed = ["BENCHMARK RESULTS, as LiteRT's program for its CompiledModel API does"]
        fixes = [f"Take TensorFlow Lite's program: {DOWNLOAD}"]
    quoted = "; ".join(dict.fromkeys(map(_short, (blamed or said)[-2:])))
    fix = fixes[0] if fixes else "Run it by hand in `adb shell` to see more."
    return _error(quoted or "nothing", f"'{SUMMARY}: ..'", fix)


def _error(printed: str, expected: str, fix: str) -> DeviceError:
    return DeviceError(f"benchmark_model printed: {printed}; expected: {expected}. {fix}")


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= QUOTED_CHARACTERS else f"{line[:QUOTED_CHARACTERS]}..."
