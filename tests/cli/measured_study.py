"""A study as a search leaves it, of trials that a test makes up one by one."""

import dataclasses
from pathlib import Path

from jejunet_nas.records import FramePaths, StudyHistory, to_json
from jejunet_nas.records.measurements import NetworkMeasurement
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.space.architecture import Architecture
from jejunet_nas.space.draw import draw
from jejunet_nas.study.kept_measurements import NETWORKS, read_measurements, save_measurement
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from jejunet_nas.video.graphs import graph_files
from tests.cli.commands import takes
from tests.made_up import as_in, on_screen, scored
from tests.search.build import result, tiny_study
from tests.search.measured import OTHER_PHONE, network_measurement, of_graphs

TARGET = "target_fps: 25\n"  # 40 ms a frame


class MeasuredStudy:
    """The study `tiny` of `folder`; its graphs are copies of `graph`."""

    def __init__(self, folder: Path, graph: Path) -> None:
        self.folder, self.graph, self._trials = folder, graph, 0
        self.state = folder / "studies" / "tiny"
        self.networks = self.state / NETWORKS
        self.networks.mkdir(parents=True)
        self.configure("")
        ledger = self.ledger()
        ledger.keep_identity(self.settings.identity())
        ledger.note_class_names(("background",))

    @property
    def file(self) -> Path:
        """Its YAML file."""
        return self.folder / "tiny.yaml"

    def configure(self, more: str) -> None:
        """Write its file with `more` in it."""
        self.settings = tiny_study(self.folder, TARGET + more)

    def ledger(self) -> Ledger:
        return Ledger(self.settings, storage_url(self.state))

    def history(self) -> StudyHistory:
        """Return what its ledger holds: predictions."""
        return self.ledger().history()

    def add(
        self,
        *,
        miou: float,
        predicted_ms: float,
        us: int,
        network: int | None = None,
        letters: str = "k",
    ) -> None:
        """Add a trial whose key graph takes `us` microseconds, the two others half of that."""
        number = self._trials
        architecture = self._architecture(number if network is None else network)
        made = result(number, architecture, mean_ms=predicted_ms)
        right = (round(100 * miou),)
        clip = ClipScore(name="bear", frames=1, annotated=(100,), intersection=right, union=(100,))
        made = scored(made, Score(miou=miou, class_iou=(miou,), clips=(clip,)))
        made = on_screen(made, walks=(FramePaths(clip="bear", letters=letters),))
        for name, file in graph_files(made.network, self.networks).items():
            takes(self.graph, file, us if name == "key" else us // 2)
        folder = self.networks / made.network_id
        made = dataclasses.replace(made, network=as_in(folder, made.network))
        (folder / "record.json").write_text(to_json(made.network))
        ledger = self.ledger()
        ledger.complete(ledger.ask(), made)
        self._trials += 1

    def measurements(self) -> list[NetworkMeasurement]:
        """Return what was measured, of all networks."""
        return [
            one
            for folder in self.networks.iterdir()
            for one in read_measurements(folder, threads=1)
        ]

    def measured_elsewhere(self, trial: int, *, key_ms: float) -> None:
        """Have the network of `trial` measured on another phone, later than anything else."""
        taken = network_measurement(key_ms, phone=OTHER_PHONE)
        late = {
            name: dataclasses.replace(one, taken_at="2999-01-01T00:00:00+00:00")
            for name, one in taken.graphs.items()
        }
        network = self.history().complete[trial].network
        save_measurement(
            of_graphs(dataclasses.replace(taken, graphs=late), network),
            self.networks / network.network_id,
        )

    def written(self) -> dict[Path, bytes]:
        """Return all files of its state with what they hold."""
        return {file: file.read_bytes() for file in self.state.rglob("*") if file.is_file()}

    def _architecture(self, number: int) -> Architecture:
        multiplier, resolution = divmod(number, 2)
        of = {"depth_multiplier": multiplier, "resolution": resolution}
        return draw(self.settings.search_space, lambda name, choices: choices[of.get(name, 0)])
