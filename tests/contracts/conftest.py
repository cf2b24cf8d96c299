from tests.latency.conftest import cache

__all__ = ["cache"]
