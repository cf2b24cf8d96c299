"""Dashboard: a read-only optuna-dashboard over a copy of a study, on this computer.

The copy is made again when the study has changed, so that a running search can be followed.
"""

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from jejunet_nas.errors import SettingError
from jejunet_nas.progress import Say
from jejunet_nas.reporting.notes import study_note, trial_notes
from jejunet_nas.study.opened import Study
from jejunet_nas.study.optuna_copy import copy_study

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost", "[::1]")  # of this computer, as browsers send them
REFRESH_S = 2.0  # the page asks as often


def serve(study: Study, *, port: int, say: Say) -> None:
    """Serve the dashboard of `study` until Ctrl-C; see `open_dashboard`."""
    with open_dashboard(study, port=port) as server:
        say(f"dashboard: {address(server)} (Ctrl-C stops it)")
        try:
            with warnings.catch_warnings(action="ignore"):  # Optuna's, of plots of few trials
                server.serve_forever()
        except KeyboardInterrupt:
            say("dashboard stopped")


def address(server: WSGIServer) -> str:
    """Return the URL of `server`."""
    return f"http://{HOST}:{server.server_port}/"


def open_dashboard(study: Study, *, port: int) -> WSGIServer:
    """Return the server of a study's dashboard on 127.0.0.1, not yet serving.

    port: 0 is any free one. Raises `SettingError` where optuna-dashboard is not installed, or the
    port is taken.
    """
    app = _CopyApp(study)
    try:
        return make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise SettingError(
            f"--port is {port}, which cannot be opened ({error.strerror}). Choose a free port, or "
            "0 for any."
        ) from None


class _CopyApp:
    """A WSGI application: optuna-dashboard over the latest copy of a study; it only reads."""

    def __init__(self, study: Study) -> None:
        self._study, self._lock = study, threading.Lock()
        self._app: Any = None
        self._copied: Any = None  # the content that the copy has
        self._fresh_until_s = 0.0
        self._refresh()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if reason := _refusal(environ):
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [json.dumps({"reason": reason}).encode()]
        self._refresh()
        found: Iterable[bytes] = self._app(environ, start_response)
        return found

    def _refresh(self) -> None:
        """Copy the study again if it has changed; check a large one less often."""
        with self._lock:
            began_s = time.monotonic()
            if began_s < self._fresh_until_s:
                return
            history, trials = self._study.history, self._study.ledger.trials()
            found = (history, [trial.state for trial in trials])
            if found != self._copied:
                note, notes = study_note(history), trial_notes(history)
                storage = copy_study(trials, history, note=note, notes=notes)
                from optuna_dashboard import wsgi  # type: ignore[import-untyped]

                self._app = wsgi(storage)
                self._copied = found
            ended_s = time.monotonic()
            self._fresh_until_s = ended_s + max(REFRESH_S, 4 * (ended_s - began_s))


def _refusal(environ: Mapping[str, Any]) -> str | None:
    """Return why a request is refused, or None.

    A page of another site can give its own name this computer's address (DNS rebinding); the
    browser then lets it read the answers, but sends that name as the host.
    """
    hosts = {f"{name}:{environ['SERVER_PORT']}" for name in _NAMES}
    if environ.get("HTTP_HOST", "").lower() not in hosts:
        return f"unknown host; allowed: {', '.join(sorted(hosts))}"
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
        return "this dashboard answers no page of another site"
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return "this dashboard is read-only"
    return None


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # an open connection of a browser must not delay the end


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""
