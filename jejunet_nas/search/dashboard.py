"""Dashboard: optuna-dashboard on this computer, over a study as `shown` lays it out.

It edits notes and writes nothing else. What would (deleting a study, ending a trial) is answered
with 403: a search may be at work on the same storage.
"""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.artifacts import FileSystemArtifactStore

from jejunet_nas.errors import SettingError
from jejunet_nas.search.shown import ShownStorage

HOST = "127.0.0.1"
_INSTALL = "pip install 'jejunet-nas[dashboard]'"
_NOTE = re.compile(r"/api/studies/\d+/(\d+/)?note/?")

WebApp = Callable[..., Iterable[bytes]]


def require_dashboard() -> None:
    """Raise `SettingError` where optuna-dashboard is not installed."""
    try:
        import optuna_dashboard  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        raise SettingError(
            "optuna-dashboard is not installed; allowed: the extra `dashboard`. Install it: "
            f"`{_INSTALL}`"
        ) from None


def open_server(storage: ShownStorage, artifacts: Path, port: int) -> WSGIServer:
    """Return a server of the dashboard on 127.0.0.1, not yet serving; port 0 is any free one.

    artifacts: the folder in which pictures lie. Raises `SettingError` where the port is taken.
    """
    from optuna_dashboard import wsgi

    app = wsgi(storage, artifact_store=FileSystemArtifactStore(artifacts))
    app.install(_FeasibleAreBest())
    try:
        return make_server(HOST, port, _guarded(app), server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise SettingError(
            f"--port is {port}, which cannot be opened ({error.strerror}); allowed: a port that is "
            "free, or 0 for any. Give another one."
        ) from None


class _FeasibleAreBest:
    """Plugin of the dashboard's web framework: best trials are feasible ones.

    optuna-dashboard 0.21 ranks all complete trials (`_pareto_front.py`), whatever their
    constraints. No infeasible trial beats a feasible one, since it is slower, so that what is left
    is the front.
    """

    api = 2

    def apply(self, view: Callable[..., Any], route: Any) -> Callable[..., Any]:
        """Return `view` with the best trials of its answer filtered, where it has any."""

        def filtered(*args: Any, **kwargs: Any) -> Any:
            answer = view(*args, **kwargs)
            if isinstance(answer, dict) and "best_trials" in answer:
                best = answer["best_trials"]
                feasible = [t for t in best if all(over <= 0 for over in t["constraints"])]
                return answer | {"best_trials": feasible}
            return answer

        return filtered


def _guarded(app: WebApp) -> Callable[..., Iterable[bytes]]:
    """Return `app`, which reads and edits notes, and refuses all else that would write."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if reads or _NOTE.fullmatch(environ.get("PATH_INFO", "")):
            return app(environ, start_response)
        refused = HTTPStatus.FORBIDDEN
        headers = [("Content-Type", "application/json")]
        start_response(f"{refused.value} {refused.phrase}", headers)
        reason = "this dashboard edits notes alone: a search may be at work on the study"
        return [json.dumps({"reason": reason}).encode()]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that keeps a connection open holds nobody up


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""
