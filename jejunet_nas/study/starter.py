"""A commented study to start from: its data set, an inline search space, a brief recipe.

    print(starter_study("street", read_facts("folder", Path("MY_DATA"))))

The recipe is for a first look: few trials, few training steps. The text says what to raise.
"""

import re

import yaml

from jejunet_nas.datasets.recognise import DataFacts
from jejunet_nas.records.words import counted

SCHEMA_FILE = ".study.schema.json"  # beside the studies, for editors
_GRID = 32
_SHORT_SIDES = (96, 128, 160, 192, 224, 256)
_LONGEST = 384
_SQUARE_BELOW = 1.15  # long side / short side: the input is square
_SQUARES = (128, 160, 192, 224, 256)
_FPS = (10.0, 60.0)  # a target outside of these is no camera's
_DEFAULT_FPS = 24.0
_COMMENT, _COLUMN = re.compile(r'^( *[^# \n"][^#\n"]*?) +# (.*)$', re.MULTILINE), 30

_HEAD = """\
# yaml-language-server: $schema={schema}
#
#   jejunet-nas search {name}
#   jejunet-nas report {name}
#
# A first look: {trials} trials, each a network of {steps} training steps and its policies.
# For results, raise `trials` to 20 or more, and make a copy with `steps` of 400 or more, because
# all trials of a study share their recipe: jejunet-nas studies copy {name} NAME
name: {name}

{data}
training:
  init: {init}
  steps: {steps}          # of each network
  # rungs: [{rung}]         # compare rounds of 6 after so many steps; train only the best third on
  pairs_per_step: 8
  learning_rate: 0.004
  sampling: {sampling}    # frames: every frame equally often; classes: every class

target_fps: {fps:g}         # of the camera; slower architectures are refused untrained
trials: {trials}               # networks; all policies of each are scored
# last_round: {{seeds: 3}}  # train the best at the target again, until the pick is told apart

latency:
  backend: predicted      # adb: measure on the phone that is attached
  device: pixel2          # or a profile of your phone: jejunet-nas calibrate --out my_phone.json
  threads: 1

sampler:
  name: tpe
  seed: 0

# What may vary: lists are choices; {{from, to}} is a range of whole numbers.
search_space:
  # The network.
  depth_multiplier: [{widths}]    # width of MobileNetV2
  last_block: [9, 12]             # of MobileNetV2's blocks 0 to 16: fewer are faster
  output_stride: [16]             # input pixels per pixel of the deepest features
  decoder_channels: [16, 32, 48]
  detail: [shared, thin]          # the source of a frame's detail features
  logit_stride: [8]               # 4: finer edges, slower
  resolution: [{sizes}]    # {size_words}
  # The policy: how the network runs on video.
  keyframe_interval: {{from: 1, to: 8}}    # 1: the whole network on every frame
  between_keyframes: [propagate, warp, move, reuse]   # warp, move: follow the motion
  reuse_below: [off, 0.05]        # reuse the last mask if little has changed
  refresh_above: [off, 0.25]      # make the frame a keyframe if much has changed
  asynchronous: [off]             # on: keyframes run in the background, on a second core
  ahead: [on]                     # with warp, move: masks are shown moved on to the next frame

# Networks that are tried first; the sampler chooses what a point leaves out.
start_with:
  - {{depth_multiplier: {width}, last_block: 12, detail: thin, resolution: {size}}}
"""


def starter_study(name: str, facts: DataFacts | None) -> str:
    """Return the YAML of a study on the data set of `facts`, or on generated clips without one."""
    sizes = _sizes(facts.aspect) if facts else (96, 128)
    square = isinstance(sizes[0], int)
    widths = (0.35, 0.5, 0.75, 1.0) if facts else (0.25, 0.35)
    text = _HEAD.format(
        schema=SCHEMA_FILE,
        name=name,
        data=_data(facts),
        init="imagenet          # downloaded once; or a file (.npz, .h5), or scratch"
        if facts
        else "scratch           # or imagenet: better masks, needs a download",
        steps=200 if facts else 120,
        rung=60 if facts else 40,
        sampling="classes" if facts and len(facts.class_names) > 2 else "frames",
        fps=_target_fps(facts),
        trials=3,
        widths=", ".join(map(str, widths)),
        width=widths[1],
        sizes=", ".join(map(str, sizes)),
        size=sizes[len(sizes) // 2 - 1],
        size_words="square inputs" if square else "height x width, shaped as your pictures",
    )
    return _COMMENT.sub(lambda found: f"{f'{found[1]}  ':<{_COLUMN}}# {found[2]}", text)


def _data(facts: DataFacts | None) -> str:
    if facts is None:
        return "data:\n  dataset: procedural     # generated clips; no download\n"
    lines = [
        f"# {len(facts.class_names)} classes, {counted(facts.clips, 'clip')}, "
        f"{counted(facts.photos, 'photo')}.",
        "data:",
        f"  dataset: {facts.dataset}",
        f"  root: {_quoted(str(facts.root))}",
    ]
    options = {key: f"{value}" for key, value in facts.options.items()}
    if facts.photos:
        options["frames"] = "12            # of the clip that a camera pan makes of each photo"
    lines += ["  options:"] if options else []
    lines += [f"    {key}: {value}" for key, value in options.items()]
    if facts.dataset == "folder" and facts.fps and "fps" not in options:  # a search says it too
        fps = f"{facts.fps:g}"
        mark = f"    # fps: {fps}" if options else f"  # options: {{fps: {fps}}}"
        lines.append(f"{mark}   # assumed: write your clips' rate, and remove the first #")
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Return `text` in double quotes, on one line, with YAML's escapes."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6).strip()


def _target_fps(facts: DataFacts | None) -> float:
    if facts is None:
        return 150.0  # pictures are small, so a network takes few ms
    fps = facts.fps or _DEFAULT_FPS
    return float(round(fps)) if _FPS[0] <= fps <= _FPS[1] else _DEFAULT_FPS


def _sizes(aspect: float) -> tuple[int, ...] | tuple[str, ...]:
    """Return input sizes of about `aspect`, width / height, from small to large."""
    ratio = max(aspect, 1 / aspect)
    pairs = [(short, round(short * ratio / _GRID) * _GRID) for short in _SHORT_SIDES]
    fit = [(short, long) for short, long in pairs if short < long <= _LONGEST]
    if ratio < _SQUARE_BELOW or len(fit) < 2:
        return _SQUARES
    return tuple(f"{short}x{long}" if aspect > 1 else f"{long}x{short}" for short, long in fit)
