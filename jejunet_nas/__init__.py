"""jejunet_nas: search for int8 networks that segment video in real time on a phone.

    import jejunet_nas

    study = jejunet_nas.open_study("davis_pixel2")
    study.front()        # a DataFrame; study.plot_front() draws it
    study.trial(3).segmenter()

`open_study` and the classes it returns are the interface for notebooks. Import everything else from
its module.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from jejunet_nas.version import __version__

if TYPE_CHECKING:
    from jejunet_nas.study.opened import Study, Trial, open_study
    from jejunet_nas.video.runtime import VideoSegmenter

__all__ = ["Study", "Trial", "VideoSegmenter", "__version__", "open_study"]

# tensorflow-model-optimization needs Keras 2; this must be set before TensorFlow is imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_PLACES = {
    "Study": "jejunet_nas.study.opened",
    "Trial": "jejunet_nas.study.opened",
    "VideoSegmenter": "jejunet_nas.video.runtime",
    "open_study": "jejunet_nas.study.opened",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that `import jejunet_nas` is fast."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
