"""The Kotlin class `Segmenter` of a bundle: its graphs under its policy, for an Android app.

It holds the code and the numbers of this bundle's policy alone. `example.py` does the same in
Python.
"""

import math

import jinja2

from jejunet_nas.export.card import LITERT, TEMPLATES, context_scales, tensor_of
from jejunet_nas.records.words import one_line, policy_words
from jejunet_nas.video import motion
from jejunet_nas.video.manifest import Manifest

SEGMENTER = "Segmenter.kt"


def segmenter_of(manifest: Manifest) -> str:
    """Return the Kotlin source of the bundle that `manifest` describes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # text of others stands in comments of one line, or escaped in strings
    )
    graphs, size = manifest.graphs, manifest.input
    _, height, width = tensor_of(graphs.key, "class_map").shape
    context_shape, requantised = tensor_of(graphs.key, "context").shape, context_scales(graphs)
    return environment.get_template(SEGMENTER).render(
        version=manifest.versions["jejunet-nas"],
        study=one_line(manifest.source.study),
        source=manifest.source,
        policy=manifest.policy,
        policy_words=policy_words(manifest.policy),
        litert=LITERT,
        lag=manifest.keyframe_lag,
        input=size,
        graphs=graphs,
        threads=manifest.metrics.latency.threads,
        class_names=", ".join(map(kotlin_string, manifest.class_names)),
        class_colours=", ".join(f"0x{r:02x}{g:02x}{b:02x}" for r, g, b in manifest.palette),
        mask_width=width,
        mask_height=height,
        motion=motion,
        same_size=(height, width) == (size.height // motion.STRIDE, size.width // motion.STRIDE),
        context_shape=context_shape,
        context_bytes=math.prod(context_shape),
        requantised=requantised,
        score=tensor_of(graphs.gate, "score") if graphs.gate else None,
    )


def kotlin_string(text: str) -> str:
    r"""Return `text` as a string literal of Kotlin; all but plain characters as `\uXXXX`."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2))
    plain = (chr(code) if chr(code) in _PLAIN else f"\\u{code:04x}" for code in codes)
    return f'"{"".join(plain)}"'


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,:;()")
