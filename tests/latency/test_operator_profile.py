"""Operator profiles are read as versions of eight years wrote them."""

import pytest

from jejunet_nas.errors import DeviceError
from jejunet_nas.latency.benchmark_model import parse_operator_profile

# An older version's file for a network of 12 operators, shortened, as found in a public parser's
# test.
PROFILE_WITH_START = """Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
AllocateTensors, 0, 0.029, 0.029, 100%, 100%, 0, 1, AllocateTensors/0

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 0, 0.11, 0.0930388, 44.8994%, 44.8994%, 0, 1, [sequential_11/conv2d_33/Conv2D]:0
ELU, 0.0931277, 0.034, 0.0300884, 14.5203%, 59.4197%, 0, 1, [sequential_11/conv2d_33/Elu]:1

============================== Top by Computation Time ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 0, 0.11, 0.0930388, 44.8994%, 44.8994%, 0, 1, [sequential_11/conv2d_33/Conv2D]:0
"""
# As tensorflow's stats_calculator.cc and profile_summary_formatter.cc write it since: no `start`,
# and kinds with commas inside the delegate. The figures are for illustration.
PROFILE_WITH_DELEGATE = """Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
TfLiteXNNPackDelegate, 15.1, 15.08, 100%, 100%, 0, 1, [StatefulPartitionedCall:0]:66

Number of nodes executed: 1

Delegate internal: 
============================== Run Order ==============================
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, QC8) IGEMM, 0.398, 0.407, 2.658%, 3.986%, 0, 1, Delegate/Convolution (NHWC\t QC8) IGEMM:0
Convolution (NHWC, QC8) DWConv, 0.428, 0.051, 4.31%, 8.296%, 0, 1, Delegate/Convolution (NHWC\t QC8) DWConv:1
"""  # noqa: E501, W291


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_operators_come_in_the_order_in_which_they_run(end: str) -> None:
    conv, elu = parse_operator_profile(PROFILE_WITH_START.replace("\n", end))

    assert (conv.kind, conv.name) == ("CONV_2D", "[sequential_11/conv2d_33/Conv2D]:0")
    assert (conv.avg_ms, conv.inside_delegate) == (0.0930388, False)
    assert conv.share == pytest.approx(0.448994)
    assert elu.kind == "ELU"


def test_a_kind_inside_the_delegate_may_hold_commas() -> None:
    delegate, conv, depthwise = parse_operator_profile(PROFILE_WITH_DELEGATE)

    assert (delegate.kind, delegate.share) == ("TfLiteXNNPackDelegate", 1)
    assert (conv.kind, conv.avg_ms) == ("Convolution (NHWC, QC8) IGEMM", 0.407)
    assert [row.inside_delegate for row in (delegate, conv, depthwise)] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"printed: an empty file; expected: a profile as CSV"),
        ("INFO: STARTING!\nINFO: count=1", r"printed: INFO: STARTING!; expected: a profile as CSV"),
        (
            PROFILE_WITH_START.replace("avg_ms", "average"),
            r"printed: node type, start, first, average.*; expected: a header",
        ),
        (PROFILE_WITH_START.replace("44.8994%, 44", "-nan%, 44"), r"-nan%.*; expected: finite"),
        (PROFILE_WITH_START.replace(", 14.5203%", ""), r"printed: ELU, .*; expected: .*9 columns"),
    ],
)
def test_what_is_no_profile_is_refused(text: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        parse_operator_profile(text)
