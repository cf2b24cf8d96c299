from tests.latency.conftest import cache, graph

__all__ = ["cache", "graph"]
