"""Loads one graph and runs it once, in a process of its own: `gate` starts this file as a script.

    python trial.py GRAPH MEMORY_BYTES [HEIGHT WIDTH]

It imports nothing of this package: it has to start fast, and wherever the package lies. It prints
LiteRT's words if the graph loads neither with the default delegate nor without. A graph that ends
it otherwise would have ended the process that opens the graph.
"""

import contextlib
import sys
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def limit_memory(most_bytes: int) -> None:
    """Refuse more addresses than these to this process, and leave no core file of it."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # no such limits on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def load(graph: str, resolver: OpResolverType, size: tuple[int, ...]) -> Any:
    """Return the interpreter of `graph`; size: height and width where an input leaves them open."""
    interpreter = Interpreter(graph, experimental_op_resolver_type=resolver, num_threads=1)
    for tensor in interpreter.get_input_details() if size else ():
        if len(tensor["shape"]) == 4 and (tensor["shape_signature"][1:3] < 0).any():
            interpreter.resize_tensor_input(tensor["index"], (1, *size, tensor["shape"][3]))
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter: Any) -> None:
    """Run the graph on noise of whole numbers: 0 and 1 where they may be indices."""
    rng = np.random.default_rng(0)
    for tensor in interpreter.get_input_details():
        most = 127 if np.dtype(tensor["dtype"]).itemsize == 1 else 1
        noise = rng.integers(0, most, tensor["shape"], endpoint=True)
        interpreter.set_tensor(tensor["index"], noise.astype(tensor["dtype"]))
    interpreter.invoke()
    for tensor in interpreter.get_output_details():
        interpreter.get_tensor(tensor["index"])


def main() -> None:
    """Load and run the graph with LiteRT's default delegate, and without."""
    graph, most_bytes, *size = sys.argv[1:]
    limit_memory(int(most_bytes))
    refusals = []
    for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        try:
            interpreter = load(graph, resolver, tuple(map(int, size)))
        except (ValueError, RuntimeError, MemoryError) as reason:
            refusals.append(str(reason) or type(reason).__name__)
            continue
        with contextlib.suppress(ValueError, RuntimeError, TypeError, MemoryError):
            run(interpreter)
    if len(refusals) == 2:
        print(refusals[-1])


if __name__ == "__main__":
    main()
