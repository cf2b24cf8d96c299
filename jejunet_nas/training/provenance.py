"""What decides the bits of a training beside its settings: threads, GPUs, processor, versions."""

import importlib.metadata
import os
import platform
from pathlib import Path

import tensorflow as tf

from jejunet_nas.progress import printable_line
from jejunet_nas.records import DataSplit, Provenance
from jejunet_nas.records.provenance import MOST_THREADS
from jejunet_nas.version import __version__

PACKAGES = (
    *("tensorflow", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert"),
    "numpy",
)
_CPUINFO = Path("/proc/cpuinfo")
_MODEL = ("cpu family", "model", "stepping")  # hypervisors give several processors one name


def provenance_of(seed: int, train: DataSplit, val: DataSplit) -> Provenance:
    """Return the provenance of what this process trains now, with `seed`."""
    return Provenance(
        processor=processor(),
        cores=_cores(),
        threads=threads(),
        gpus=_gpus(),
        versions=versions(),
        seed=seed,
        fingerprints={split.split: split.fingerprint for split in (train, val)},
    )


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of what computes."""
    return {
        "jejunet-nas": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def threads() -> int:
    """Return the number of threads of one TensorFlow operation in this process."""
    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    named = int(given) if given.isdecimal() else 0  # as TensorFlow reads it
    found = tf.config.threading.get_intra_op_parallelism_threads() or named or _cores()
    return min(int(found), MOST_THREADS)


def use_threads(count: int) -> None:
    """Have TensorFlow use `count` threads for an operation, unless it has begun to compute."""
    if count != threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
        except RuntimeError:  # it has begun; `threads` says how many it uses
            return


def processor(cpuinfo: Path = _CPUINFO) -> str:
    """Return the processor's name with its model numbers; its architecture where that is all."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return printable_line(platform.processor() or platform.machine())
    pairs = (line.partition(":") for line in reversed(lines))
    found = {key.strip(): value.strip() for key, _, value in pairs}  # the first core's
    name = found.get("model name") or platform.machine()
    numbers = ", ".join(f"{key} {found[key]}" for key in _MODEL if key in found)
    return printable_line(f"{name} ({numbers})" if numbers else name)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> tuple[str, ...]:
    return tuple(
        str(tf.config.experimental.get_device_details(each).get("device_name", each.name))
        for each in tf.config.list_physical_devices("GPU")
    )
