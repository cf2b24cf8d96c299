"""The program's words are read as they really were printed, by versions of eight years."""

import pytest

from jejunet_nas.errors import DeviceError
from jejunet_nas.latency.benchmark_model import RunStatistics, arguments, parse_output

# 2019, a phone with arm64-v8a: github.com/yuenshome/yuenshome.github.io, issue 77.
OLD = """STARTING!
Min num runs: [10]
nnapi error: unable to open library libneuralnetworks.so
Loaded model /data/local/tmp/tflite/tfmodel/mobilenet_v1_1.0_224_quant.tflite
resolved reporter
Initialized session in 9.933ms
Running benchmark for at least 4 iterations and at least 0.5 seconds
count=7 first=127425 curr=66709 min=66709 max=127425 avg=76605.9 std=20944

Running benchmark for at least 10 iterations and at least 1 seconds
count=15 first=66753 curr=66800 min=66699 max=66838 avg=66767.6 std=39

Average inference timings in us: Warmup: 76605.9, Init: 9933, no stats: 66767.6
"""
# 2020, a phone, with operators on stdout: github.com/tensorflow/tensorflow, issue 42507.
PROFILED = """STARTING!
Duplicate flags: num_threads
Num threads: [4]
Graph: [/data/local/tmp/espcn_harmonic_2x_slim_w_cl.tflite]
Initialized session in 0.855ms.
count=15 first=49060 curr=33682 min=32825 max=49060 avg=34825.1 std=3930

count=50 first=32891 curr=33978 min=32641 max=34005 avg=33209.4 std=450

Inference timings in us: Init: 855, First inference: 49060, Warmup (avg): 34825.1, Inference (avg): 33209.4
Peak memory footprint (MB): init=0 overall=12.8672
Timings (microseconds): count=50 first=32890 curr=33977 min=32640 max=34004 avg=33208.4 std=450
Memory (bytes): count=0
"""  # noqa: E501
# 2024: github.com/tensorflow/tensorflow, issue 73862.
PREFIXED = """INFO: STARTING!
INFO: Loaded model mobilenet_v1_1.0_224.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Initialized session in 12.75ms.
INFO: count=37 first=14744 curr=15520 min=13164 max=18295 avg=13764.3 std=967

INFO: count=74 first=14850 curr=13315 min=13105 max=15765 avg=13520.2 std=470

INFO: Inference timings in us: Init: 12750, First inference: 14744, Warmup (avg): 13764.3, Inference (avg): 13520.2
"""  # noqa: E501
# 2025, a board, --use_xnnpack=false: Texas Instruments' processor SDK documentation, ssd_mobilenet.
QUANTILES = """   INFO: Use xnnpack: [0]
   INFO: Initialized session in 5.579ms.
   INFO: count=1 curr=1357602 p5=1357602 median=1357602 p95=1357602

   INFO: count=50 first=1249964 curr=1240143 min=1238588 max=1252566 avg=1.24027e+06 std=2565 p5=1238753 median=1239807 p95=1247415

   INFO: Inference timings in us: Init: 5579, First inference: 1357602, Warmup (avg): 1.3576e+06, Inference (avg): 1.24027e+06
"""  # noqa: E501
# 2022, a phone: github.com/tensorflow/tensorflow, issue 56166.
REFUSED = """STARTING!
Graph: [pruning_model.tflite]
Loaded model pruning_model.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
XNNPACK delegate created.
Failed to apply XNNPACK delegate.
Benchmarking failed.
"""

# LiteRT's program, as its source prints it (v2.2.0 of google-ai-edge/LiteRT): what comes from
# tflite/tools/benchmark/benchmark_model.cc on stdout, and what litert/tools/
# benchmark_litert_model.h prints on stderr. Figures are made up.
LITERT_STDOUT = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Min num runs: [10]
INFO: Num threads: [1]
INFO: The input model file size (MB): 0.061
INFO: Initialized session in 4.125ms.
INFO: Running benchmark for at least 1 iterations and at least 0 seconds but terminate if exceeding 60 seconds.
INFO: count=1 curr=9100 p5=9100 median=9100 p95=9100

INFO: Running benchmark for at least 10 iterations and at least 0 seconds but terminate if exceeding 60 seconds.
INFO: count=10 first=8011 curr=7990 min=7950 max=8300 avg=8032.4 std=97 p5=7950 median=8003 p95=8300

"""  # noqa: E501
LITERT_STDERR = """INFO: Loading model from: /data/local/tmp/jejunet_nas/0123.tflite
INFO: 
========== BENCHMARK RESULTS ==========
INFO: Signature name:       <placeholder signature>
INFO: Model initialization: 4.12 ms
INFO: Warmup (first):       9.10 ms
INFO: Warmup (avg):         9.10 ms (1 runs)
INFO: Inference (avg):      8.03 ms (10 runs)
INFO: Inference (min):      7.95 ms
INFO: Inference (max):      8.30 ms
INFO: Inference (std):      0.10
INFO: Throughput:           1.53 MB/s
INFO: 
Memory Usage:
INFO: Init footprint:       11.00 MB
INFO: ======================================

"""  # noqa: W291


def test_the_median_of_litert_s_program_is_read() -> None:
    expected = RunStatistics(count=10, median_us=8003)

    assert parse_output(f"{LITERT_STDOUT}\n{LITERT_STDERR}") == expected


def test_without_its_lines_of_runs_the_mean_of_litert_s_summary_is_read() -> None:
    # A build may log them to logcat alone.
    assert parse_output(LITERT_STDERR) == RunStatistics(count=10, median_us=8030)


def test_litert_s_summary_of_no_runs_is_a_failure() -> None:
    none = LITERT_STDERR.replace("8.03 ms (10 runs)", "0.00 ms (0 runs)")

    with pytest.raises(DeviceError, match=r"expected: a line 'count=\.\."):
        parse_output(none)


@pytest.mark.parametrize("runs", ["9" * 400, "9" * 5000])
def test_more_runs_than_there_can_be_are_a_failure(runs: str) -> None:
    for text in (
        OLD.replace("count=", f"count={runs}"),
        LITERT_STDERR.replace("10 runs", f"{runs} runs"),
    ):
        with pytest.raises(DeviceError, match=r"^benchmark_model printed: .*; expected: a line"):
            parse_output(text)


def test_the_output_of_2019_is_read() -> None:
    assert parse_output(OLD) == RunStatistics(count=15, median_us=66767.6)


def test_statistics_of_the_operators_are_not_taken_for_those_of_the_runs() -> None:
    assert parse_output(PROFILED).count == 50


def test_prefixed_lines_are_read() -> None:
    assert parse_output(PREFIXED) == RunStatistics(count=74, median_us=13520.2)


def test_a_printed_median_is_read() -> None:
    assert parse_output(QUANTILES) == RunStatistics(count=50, median_us=1_239_807)


def test_scientific_notation_is_read() -> None:
    text = QUANTILES.replace(" p5=1238753 median=1239807 p95=1247415", "")

    assert parse_output(text).median_us == 1_240_270


@pytest.mark.parametrize("text", [OLD, PROFILED, PREFIXED, QUANTILES])
def test_what_logcat_or_adb_put_around_a_line_changes_nothing(text: str) -> None:
    logged = "\r\n".join(
        f"05-31 10:31:13.157 21767 21767 I tflite  : {line}" for line in text.splitlines()
    )

    assert parse_output(logged) == parse_output(text)


def test_runs_of_one_duration_are_all_that_duration() -> None:
    text = "count=3 curr=7(all same)\n" + PREFIXED.splitlines()[-1]

    assert parse_output(text) == RunStatistics(count=3, median_us=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REFUSED, r"printed: Failed to apply XNNPACK delegate\.; expected: .*without the delegate"),
        (
            "ERROR: Failed to load model /data/local/tmp/g.tflite\nERROR: Benchmarking failed.",
            r"Failed to load model /data/local/tmp/g\.tflite; .*Push the graph again",
        ),
        (
            "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '5'\n"
            "ERROR: Failed to initialize the interpreter\nERROR: Benchmarking failed.",
            r"Didn't find op .*'5'; ERROR: Failed to initialize .*newer program: https://",
        ),
        (
            "ERROR: failed to delegate RESIZE_BILINEAR node #63\n"
            "ERROR: Node number 72 (TfLiteXNNPackDelegate) failed to prepare.\n"
            "ERROR: Failed to allocate tensors!\nERROR: Benchmarking failed.",
            r"Node number 72 .* failed to prepare.*without the delegate",
        ),
        (PREFIXED + "ERROR: Benchmarking failed.", r"Run it by hand in `adb shell`"),
        # tensorflow issue 42956
        (
            "/system/bin/sh: ./benchmark_model: not executable: 64-bit ELF file",
            r"not executable: 64-bit ELF file; .*chmod 755.*https://",
        ),
        ("INFO: Loaded model g.tflite\nKilled", r"printed: Killed; expected: 'Inference timings"),
        ("", r"benchmark_model printed: nothing; expected: 'Inference timings in us: "),
        (PREFIXED.replace("avg=13520.2", "avg=-nan"), r"avg=-nan .*; expected: finite figures"),
        ("count=0\n" + PREFIXED.splitlines()[-1], r"count=0; expected: at least one run"),
        (PREFIXED.splitlines()[-1], r"expected: a line 'count=\.\."),
    ],
)
def test_a_failure_quotes_what_was_printed_and_says_what_to_do(text: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message) as failure:
        parse_output(text)
    assert "\n" not in str(failure.value)


def test_without_a_printed_median_it_is_the_mean() -> None:
    assert parse_output(PROFILED).median_us == 33209.4


def test_the_arguments_are_those_of_all_versions() -> None:
    assert arguments("/data/g.tflite", threads=2, runs=50, warmup_s=0.5, max_s=60) == [
        "--graph=/data/g.tflite",
        "--num_threads=2",
        "--num_runs=50",
        "--min_secs=0",
        "--max_secs=60",
        "--warmup_runs=1",
        "--warmup_min_secs=0.5",
    ]


def test_the_shapes_of_all_inputs_are_asked_for() -> None:
    shapes = {"image": (1, 64, 96, 3), "my context": (1, 4, 6, 8)}

    flags = arguments("g", threads=1, runs=1, warmup_s=0, max_s=1, input_shapes=shapes)

    assert flags[-2:] == [
        "--input_layer='image,my context'",
        "--input_layer_shape=1,64,96,3:1,4,6,8",
    ]


def test_a_profile_and_no_delegate_are_asked_for_in_old_words_and_new() -> None:
    flags = arguments(
        "g", threads=1, runs=1, warmup_s=0, max_s=1, operator_profile="/data/p", delegate=False
    )
    assert flags[7:] == [
        "--use_xnnpack=false",
        "--enable_op_profiling=true",
        "--profiling_output_csv_file=/data/p",
        "--op_profiling_output_mode=csv",
        "--op_profiling_output_file=/data/p",
    ]
