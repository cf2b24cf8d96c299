"""Cards: one trial of the front as the values that a template prints.

Units: mIoU and shares in [0, 1]; latency in ms a frame, or a run of a graph; sizes in kB of 1000
bytes; MACs in millions.
"""

import base64
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.drawing.overlay import class_colours
from jejunet_nas.drawing.pictures import TrialPictures
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import (
    GRAPH_NAMES,
    GraphName,
    Latency,
    PathLatencies,
    StreamLatency,
    StudyHistory,
    TrialResult,
)
from jejunet_nas.records.words import (
    asked_words,
    latency_source,
    network_words,
    per_cent,
    points,
    trial_policy_words,
)
from jejunet_nas.reporting.glossary import network_meaning, policy_meaning
from jejunet_nas.scoring.bootstrap import Interval
from jejunet_nas.scoring.ranking import deadline_ms, roles
from jejunet_nas.study.tables import trial_figures

Card = dict[str, Any]
TRIAL = "NUMBER_OF_THE_TRIAL"  # stands for a number in a command that the script completes
_BACKGROUND = "#868e96"  # background has no colour in pictures: it is muted


def card(
    trial: TrialResult,
    history: StudyHistory,
    *,
    interval: Interval | None,
    pictures: TrialPictures | None,
    study: str,
    annotations: Mapping[bytes, str],
) -> Card:
    """Return the card of a complete trial; `study` is the study's name on the command line.

    annotations: the style that shows each picture of an annotation.
    """
    network, policy = trial.network, trial.architecture.policy
    # The interval of the mean latency follows from the intervals of the graphs.
    low, high = (
        stream_latency(
            trial.walks, _all_at(trial.graph_latencies, end), target_fps=history.target_fps
        )
        for end in ("low_ms", "high_ms")
    )
    return trial_figures(trial) | {
        "number": trial.number,
        "roles": roles(trial, history),
        "network": network_words(network.network),
        "policy": trial_policy_words(trial),
        "meaning": f"{network_meaning(network.network)} {policy_meaning(policy)}",
        "interval": interval,
        "in_time": in_time(trial.latency, deadline_ms(history)),
        "low_ms": low.mean_ms,
        "high_ms": high.mean_ms,
        "measured": trial.measured is not None,
        "source": latency_source(trial.latency, motion_predicted=trial.motion_predicted),
        "doubts": trial.latency.doubts,
        "paths": list(trial.paths.items()),
        "graphs": [_graph(trial, name) for name in GRAPH_NAMES],
        "classes": list(
            zip(
                history.class_names,
                trial.score.class_iou,
                colours_of(history.class_names),
                strict=True,
            )
        ),
        "int8_minus_float": points(trial.int8_miou - trial.float_miou, 2),
        "checked_frames": network.checked_frames,
        "parameters": network.training.parameters,
        "size_kb": sum(graph.size_bytes for graph in network.graphs.values()) / 1000,
        "pictures": _pictures(pictures, annotations),
        "export": export_command(study, trial.number, asked_words(history)),
    }


def in_time(latency: StreamLatency, deadline_ms: float) -> str:
    """Return why frames are dropped or not, although some take longer than the camera's period."""
    if latency.every_frame:
        return f"Every frame takes less than {deadline_ms:.1f} ms."
    slow = f"Some frames take longer than the {deadline_ms:.1f} ms between two camera frames. "
    if not latency.dropped_frames:
        return f"{slow}The next frame waits in the buffer, and faster ones catch up: none is lost."
    return f"{slow}What arrives meanwhile replaces the frame in the buffer, which is dropped."


def colours_of(class_names: Sequence[str]) -> list[str]:
    """Return the colour of each class in the pictures, as CSS."""
    found = class_colours(class_names)
    return [f"rgb{colour}" if colour else _BACKGROUND for colour in found]


def jpeg_url(jpeg: bytes) -> str:
    """Return a JPEG as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def export_command(study: str, number: int | str, asked: Sequence[str] = ()) -> str:
    """Return the command that exports a trial as it is; `asked`: its other options."""
    out = shlex.quote(f"{Path(study).stem}-{number}")
    words = ["jejunet-nas export", shlex.quote(study), f"--trial {number}", *asked, f"--out {out}"]
    return " ".join(words)


def _all_at(latencies: PathLatencies, end: str) -> PathLatencies:
    def at(latency: Latency) -> Latency:
        value = getattr(latency, end)
        return dataclasses.replace(latency, median_ms=value, low_ms=value, high_ms=value)

    graphs = {name: at(getattr(latencies, name)) for name in GRAPH_NAMES}
    return PathLatencies(**graphs, move=latencies.move and at(latencies.move))


def _graph(trial: TrialResult, name: GraphName) -> Mapping[str, Any]:
    graph, latency = trial.network.graphs[name], getattr(trial.graph_latencies, name)
    macs, kb = graph.macs / 1e6, graph.size_bytes / 1000
    return {"name": name, "latency": latency, "macs": macs, "kb": kb}


def _pictures(
    pictures: TrialPictures | None, annotations: Mapping[bytes, str]
) -> list[Mapping[str, Any]]:
    if pictures is None:
        return []
    return [
        {
            "title": f"{frame.role} clip: {frame.clip}"
            if frame.role in ("worst", "best")
            else f"{frame.clip}, {frame.role}",
            "note": f"frame {frame.frame}, {frame.path}; clip {per_cent(frame.clip_miou)} % mIoU",
            "data": jpeg_url(jpeg),
            "annotation": annotations[annotation],
            "shape": f"{frame.width_px} / {frame.height_px}",
        }
        for frame, jpeg, annotation in zip(
            pictures.frames, pictures.jpegs, pictures.annotations, strict=True
        )
    ]
