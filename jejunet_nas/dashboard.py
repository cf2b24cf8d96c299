"""Serves a study's dashboard: what is shown of it, its pictures, and the server.

Pictures are the chart of the front and, of each trial on it, frames of the longest validation clip,
annotated above and as its int8 graphs segment them below. They lie in `studies/NAME/artifacts`,
each under a name that follows from what it shows, and are drawn once. The chart is of the front as
it stands; frames are of the trials that were on it when the dashboard was started.
"""

import hashlib
import warnings
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.drawing.film import draw_film
from jejunet_nas.drawing.front import draw_front
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.film import choose_clip, film_frames
from jejunet_nas.files import write_whole
from jejunet_nas.progress import Say
from jejunet_nas.records import Clip, DataSplit, StudyHistory, TrialResult, to_json
from jejunet_nas.reporting.notes import study_note, trial_figures, trial_notes
from jejunet_nas.scoring.ranking import deadline_ms, front_of
from jejunet_nas.search.dashboard import HOST, open_server, require_dashboard
from jejunet_nas.search.shown import Picture, Shown, ShownStorage
from jejunet_nas.study.ledger import storage_url
from jejunet_nas.study.opened import Study
from jejunet_nas.video.graphs import graphs_of

ARTIFACTS = "artifacts"  # the folder of pictures, in the study's own
FRAMES, FURTHEST = 8, 57  # of a clip: how many are shown, and the last of them

Pictures = dict[int, tuple[Picture, ...]]


def serve(study: Study, *, port: int, storage: str | None, say: Say) -> None:
    """Serve the dashboard of `study` until Ctrl-C; see `open_dashboard`."""
    with open_dashboard(study, port=port, storage=storage, say=say) as server:
        say(f"dashboard: {address(server)} (Ctrl-C ends it)")
        try:
            with warnings.catch_warnings(action="ignore"):  # Optuna's, of plots of few trials
                server.serve_forever()
        except KeyboardInterrupt:
            say("the dashboard has ended")


def address(server: WSGIServer) -> str:
    """Return where a browser finds `server`."""
    return f"http://{HOST}:{server.server_port}/"


def open_dashboard(study: Study, *, port: int, storage: str | None, say: Say) -> WSGIServer:
    """Return the server of a study's dashboard, frames of its front drawn, not yet serving.

    port: on 127.0.0.1; 0 is any free one. storage: the address of the study's storage, None for
    that in its folder. Raises `SettingError` where optuna-dashboard is not installed, or the port
    is taken.
    """
    require_dashboard()
    folder = study.folder / ARTIFACTS
    folder.mkdir(parents=True, exist_ok=True)
    films = Pictures()

    def look() -> Shown:
        history = study.history
        return what_is_shown(history, _front_picture(history, folder), films)

    shown = ShownStorage(storage or storage_url(study.folder), study.name, look)
    server = open_server(shown, folder, port)  # before much is drawn: the port may be taken
    try:
        films |= draw_films(study, folder, say)
    except BaseException:
        server.server_close()
        raise
    return server


def what_is_shown(history: StudyHistory, front: Picture, films: Pictures) -> Shown:
    """Return what the dashboard shows of a study as it stands in `history`."""
    deadline = deadline_ms(history)
    over = {trial.number: trial.latency.mean_ms - deadline for trial in history.complete}
    over |= {trial.number: trial.mean_ms - deadline for trial in history.refused}
    return Shown(
        note=study_note(history),
        notes=trial_notes(history),
        figures=trial_figures(history),
        values={t.number: (t.score.miou, t.latency.mean_ms) for t in history.complete},
        over_ms=over,
        pictures=films,
        study_pictures=(front,),
    )


def draw_films(study: Study, folder: Path, say: Say) -> Pictures:
    """Return a film of each trial on the front, drawn into `folder` where it was not before.

    Where the data set cannot be opened, or a trial's graphs are gone, a line says so.
    """
    history = study.history
    wanted = {trial.number: (trial, _film_picture(trial, history)) for trial in front_of(history)}
    missing = [t for t, picture in wanted.values() if not (folder / picture.name).is_file()]
    if missing:
        try:
            split = _val_split(study)
        except SettingError as error:
            say(f"no frames of validation videos: {error}")
        else:
            for trial in missing:
                _draw_film(trial, wanted[trial.number][1], split, study.networks, folder, say)
    there = {n: picture for n, (_, picture) in wanted.items() if (folder / picture.name).is_file()}
    return {number: (picture,) for number, picture in there.items()}


def _val_split(study: Study) -> DataSplit:
    data = study.settings.data
    root = Path(data.root) if data.root else None
    return open_split(data.dataset, "val", root=root, options=data.options)


def _draw_film(
    trial: TrialResult, picture: Picture, split: DataSplit, networks: Path, folder: Path, say: Say
) -> None:
    clip, names = choose_clip(split, None), split.class_names
    try:
        graphs_of(trial.network, networks)
    except SettingError as error:
        say(f"no frames of trial {trial.number}: {error}")
        return
    say(f"drawing frames of trial {trial.number}")
    frames = film_frames(trial, clip, networks, _times(clip), len(names))
    write_whole(
        folder / picture.name,
        lambda file: draw_film(frames, file, clip=clip.name, class_names=names, trial=trial),
    )


def _times(clip: Clip) -> list[int]:
    """Return `FRAMES` frames, evenly spread over the clip's beginning, or all of a shorter one."""
    every = max(1, min(len(clip), FURTHEST) // FRAMES)
    return list(range(0, len(clip), every))[:FRAMES]


def _front_picture(history: StudyHistory, folder: Path) -> Picture:
    picture = Picture(name=_name("front", to_json(history)), title="front.png")
    if not (folder / picture.name).is_file():
        write_whole(folder / picture.name, lambda file: draw_front(history, file))
    return picture


def _film_picture(trial: TrialResult, history: StudyHistory) -> Picture:
    """Return the picture of a trial as its film's title tells it now."""
    name = _name("film", history.study, to_json(trial))
    return Picture(name=name, title=f"trial_{trial.number}_frames.png")


def _name(*shown: str) -> str:
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:32]
