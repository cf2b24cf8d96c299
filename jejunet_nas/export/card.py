"""The model card: a bundle's README.md, written from its manifest alone.

All text from a study or a data set is escaped. Text inside code is not escaped, and must be plain.

Units: per cent and ms on the page; ratios in [0, 1] in the manifest.
"""

import re
from pathlib import Path
from typing import Any

import jinja2

from jejunet_nas.records.words import escaped, network_words, per_cent, policy_words
from jejunet_nas.space.architecture import Network
from jejunet_nas.video.manifest import Manifest

TEMPLATES = Path(__file__).parent / "templates"
_PLAIN = re.compile(r"[\w.:/ -]*")


class _Code(str):
    """Plain text inside code, which is not escaped."""


def card_of(manifest: Manifest) -> str:
    """Return the model card of the bundle that `manifest` describes, as Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        finalize=lambda value: value if isinstance(value, _Code) else escaped(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # HTML escapes would be wrong in Markdown
    )
    environment.filters |= {
        "code": _code,
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
        graphs=[manifest.graphs.key, manifest.graphs.propagate, manifest.graphs.gate],
        policy=manifest.policy,
        network_words=network_words(Network(**manifest.source.network)),
        policy_words=policy_words(manifest.policy),
        tensor_words=_tensor_words,
    )


def _code(value: object) -> _Code:
    text = str(value)
    assert _PLAIN.fullmatch(text), text
    return _Code(text)


def _tensor_words(tensor: Any) -> str:
    """Return, for example, `image uint8 1 x 192 x 192 x 3`."""
    shape = " x ".join(map(str, tensor.shape))
    scale = f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}" if tensor.scale else ""
    return f"{tensor.name} {tensor.type} {shape}{scale}"
