"""How a trained network is compressed: one frozen settings class a method."""

import dataclasses

from jejunet_nas.errors import SettingError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostTrainingInt8:
    """Full integer quantisation after training: int8 activations, int8 weights per channel.

    `calibration_frames` training frames are run in float to find each activation's range.
    """

    calibration_frames: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.calibration_frames <= 1024:
            nearest = min(max(self.calibration_frames, 1), 1024)
            raise SettingError(
                f"calibration_frames is {self.calibration_frames}; allowed: 1 to 1024. "
                f"The nearest is {nearest}."
            )
