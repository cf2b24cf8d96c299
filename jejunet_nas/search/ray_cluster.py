"""The connection to a Ray cluster."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from jejunet_nas.errors import MachineError, SettingError
from jejunet_nas.faults import fault_of

KNOCK_S = 10.0  # the longest for a cluster's port to answer


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Yield Ray, connected to the cluster at `address`; None: to one of this machine alone.

    Raises `SettingError` if Ray is not installed, `MachineError` if no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise SettingError(
            "--executor is ray, but Ray is not installed: `pip install 'jejunet_nas[ray]'`, or use "
            "--executor processes."
        ) from None
    try:
        _knock(address or "")
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(
            f"no Ray cluster answers at {address or 'this machine'} ({error}). Start one with `ray "
            "start --head`, and give its address."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise `OSError` if nothing listens at HOST:PORT: Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()


def fault_in(error: Any) -> BaseException:
    """Return the fault that a task of the cluster raised, or else Ray's own `error`."""
    cause = error.cause if isinstance(error.cause, Exception) else error
    return fault_of(cause) or error
