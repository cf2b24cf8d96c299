"""A folder of masks as an output of segmented frames."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from jejunet_nas.errors import SettingError
from jejunet_nas.media.containers import writing


class MaskSink:
    """A folder of masks as PNGs of palette indices: `00000.png`, `00001.png`, ...

    palette: uint8 [n, 3], the colour of each index. The folder is created if it is missing. Raises
    `SettingError` where that fails, and where it contains PNGs: those of a longer video would stay.
    """

    def __init__(self, folder: Path, palette: npt.NDArray[np.uint8]) -> None:
        assert palette.shape == (len(palette), 3), palette.shape
        self._folder, self._palette = folder, palette
        self.frames = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            count = sum(1 for _ in folder.glob("*.png"))
        if count:
            raise SettingError(
                f"{folder} contains {count} PNG file{'s' * (count != 1)}, which would be mixed "
                "with the new masks. Remove them, or use another folder."
            )

    def write(self, mask: npt.NDArray[np.uint8]) -> None:
        """Add a mask, uint8 [height, width], of indices into the palette."""
        assert int(mask.max()) < len(self._palette), mask.max()
        image = Image.fromarray(mask)
        image.putpalette(self._palette.tobytes())
        file = self._folder / f"{self.frames:05d}.png"
        with writing(self._folder, file):
            image.save(file)
            self.frames += 1
