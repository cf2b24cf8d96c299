"""Contract: what goes into each graph and comes out of it, as the graphs themselves say.

The same tensors are described twice: in the manifest for programs, and in the graphs' own metadata
for tools that know nothing of this project.
"""

from pathlib import Path

from jejunet_nas.export.metadata import GraphNote, TensorNote
from jejunet_nas.files import sha256_of
from jejunet_nas.litert import Graph
from jejunet_nas.records import GraphName
from jejunet_nas.video.manifest import GraphFile, Tensor

_ABOUT: dict[GraphName, str] = {
    "key": "Segments a frame, and hands out the context that the frames after it are decoded with.",
    "propagate": "Segments a frame with the context of the last keyframe.",
    "gate": "Says how far the mask of the last keyframe is out of date.",
}
_INPUTS = {
    "image": "The frame: uint8 pixels in RGB. The graph brings them to [-1, 1] itself.",
    "context": "What the key graph left on the last keyframe, as it is stored there.",
    "now": "The thumbnail of this frame: means of 8 x 8 pixels, rounded down; uint8 RGB.",
    "keyframe": "The thumbnail of the last keyframe.",
}
_OUTPUTS = {
    "class_map": "The mask: one class index a pixel.",
    "context": "What the frames after this one are decoded with: deep features, no picture.",
    "score": "The share of pixels whose class is expected to differ, 0 to 1 once dequantised.",
}
_PICTURES = ("image", "now", "keyframe")


def contract_of(file: Path) -> GraphFile:
    """Return the tensors of the graph in `file`, in its order."""
    graph = Graph(file)
    return GraphFile(
        file=file.name,
        study_sha256=sha256_of(file),
        inputs=tuple(_tensor(graph, name) for name in graph.input_names),
        outputs=tuple(_tensor(graph, name) for name in graph.output_names),
    )


def note_of(name: GraphName, graph: GraphFile, *, title: str, version: str) -> GraphNote:
    """Return what the metadata of a graph say of it."""
    return GraphNote(
        name=f"{title}: {name}",
        description=_ABOUT[name],
        version=version,
        inputs=tuple(
            TensorNote(
                name=tensor.name,
                description=_INPUTS.get(tensor.name, ""),
                picture=tensor.name in _PICTURES,
            )
            for tensor in graph.inputs
        ),
        outputs=tuple(
            TensorNote(
                name=tensor.name,
                description=_OUTPUTS.get(tensor.name, ""),
                labels=tensor.name == "class_map",
            )
            for tensor in graph.outputs
        ),
    )


def _tensor(graph: Graph, name: str) -> Tensor:
    info = graph.tensors[name]
    return Tensor.model_validate(
        {
            "name": name,
            "shape": info.shape,
            "type": info.dtype.name,
            "scale": info.scale,
            "zero_point": info.zero_point,
        }
    )
