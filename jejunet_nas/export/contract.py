"""Contract: the input and output tensors of a graph, read from the graph, for the manifest."""

from pathlib import Path

from jejunet_nas.compression.metadata import metadata_of
from jejunet_nas.litert import Graph
from jejunet_nas.video.manifest import GraphFile, Tensor


def contract_of(file: Path) -> GraphFile:
    """Return the tensors of the graph in `file`, in its order, and whether it has metadata."""
    graph = Graph(file)
    return GraphFile(
        file=file.name,
        metadata=bool(metadata_of(file.read_bytes())),
        inputs=tuple(_tensor(graph, name) for name in graph.input_names),
        outputs=tuple(_tensor(graph, name) for name in graph.output_names),
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
