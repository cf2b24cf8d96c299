"""The model card: a bundle's README.md, written from its manifest alone.

All text from a study or a data set is escaped. Code holds only names of files and numbers, which
need no escapes.

Units: per cent and ms on the page; ratios in [0, 1] in the manifest.
"""

from pathlib import Path

import jinja2

from jejunet_nas.records.words import escaped, network_words, per_cent, policy_words
from jejunet_nas.space.architecture import Network, Policy
from jejunet_nas.video.manifest import GraphFile, Graphs, Manifest, Tensor
from jejunet_nas.video.motion import COARSE_REACH, FINE_REACH, STRIDE

TEMPLATES = Path(__file__).parent / "templates"
_REACH_PX = (2 * COARSE_REACH + FINE_REACH) * STRIDE  # the largest motion from frame to frame
# Of data sets that are not for commercial use, as their copies say.
_LICENCES = {"davis": "CC BY-NC 4.0", "camvid": "CC BY-NC 4.0"}
LITERT = "1.4.2"  # runs on Android 5; LiteRT 2 has the same Interpreter, for Android 6 and later


def card_of(manifest: Manifest) -> str:
    """Return the model card of the bundle that `manifest` describes, as Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        finalize=lambda value: escaped(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # HTML escapes would be wrong in Markdown
    )
    environment.filters |= {
        "pct": per_cent,
        "ms": lambda value: f"{value:.1f}",
        "short": lambda value: f"{value:g}",
    }
    accuracy = manifest.metrics.accuracy
    return environment.get_template("card.md").render(
        manifest=manifest,
        accuracy=accuracy,
        latency=manifest.metrics.latency,
        classes=list(zip(manifest.class_names, accuracy.class_iou, manifest.palette, strict=True)),
        graphs=manifest.graphs.by_name,
        paths=[(path, share) for path, share in accuracy.paths.items() if share],
        policy=manifest.policy,
        between=_between(manifest.policy),
        licence=_LICENCES.get(manifest.source.dataset),
        reach_px=_REACH_PX,
        grey_stride=STRIDE,
        requantised=context_scales(manifest.graphs) is not None,
        litert=LITERT,
        network_words=network_words(Network(**manifest.source.network)),
        policy_words=policy_words(manifest.policy),
        trial_policy_words=policy_words(was) if (was := manifest.source.trial_policy) else "",
        tensor_words=tensor_words,
    )


def _between(policy: Policy) -> str:
    """Return what a frame between keyframes uses."""
    if policy.moves:
        return "the keyframe's mask, moved with the picture"
    if not policy.propagates:
        return "the keyframe's mask"
    if policy.follows_motion:
        return "older features, warped by the motion of the picture"
    return "older features" if policy.reuse_below is None else "older features or an older mask"


def context_scales(graphs: Graphs) -> tuple[Tensor, Tensor] | None:
    """Return the context of key and of propagate if they are stored differently, else None."""
    if graphs.propagate is None:
        return None
    left, right = tensor_of(graphs.key, "context"), tensor_of(graphs.propagate, "context")
    same = (left.scale, left.zero_point) == (right.scale, right.zero_point)
    return None if same else (left, right)


def tensor_of(graph: GraphFile, name: str) -> Tensor:
    """Return the tensor `name` of a graph that has it."""
    return next(each for each in (*graph.inputs, *graph.outputs) if each.name == name)


def tensor_words(tensor: Tensor) -> str:
    """Return, for example, `image uint8 1 x 192 x 192 x 3`."""
    shape = " x ".join(map(str, tensor.shape))
    scale = f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}" if tensor.scale else ""
    return f"{tensor.name} {tensor.type} {shape}{scale}"
