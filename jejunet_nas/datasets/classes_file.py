"""The file classes.yaml: the names of the classes, and the mask values of each.

    [background, person]                        value 0 is the first, and so on
    {background: 0, road: [1, 2], ignore: 9}    the values of each name; `ignore`: of no class

Value 255 is ignored unless a class has it. Only these two forms are read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from jejunet_nas.datasets.clip_files import NO_CLASS, MaskCode, mask_code
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.documents.yaml_file import read_nodes
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE

_IGNORED = "ignore"
_LONGEST_NAME = 60
_STRING, _WHOLE = "tag:yaml.org,2002:str", re.compile(r"0|[1-9][0-9]{0,2}")

Named = list[tuple[yaml.Node, list[tuple[int, yaml.Node]]]]  # a name, and its values


class _Fault(Exception):
    """What is wrong, and where."""

    def __init__(self, problem: str, at: yaml.Node | None = None) -> None:
        mark = at.start_mark if at else None
        super().__init__((f"line {mark.line + 1} " if mark else "") + problem)


def read_classes(file: Path) -> tuple[tuple[str, ...], MaskCode]:
    """Return the classes' names, and the code of masks. Raises `DataError` naming the line."""
    try:
        return _classes(read_nodes(file), file)
    except SettingError as error:
        raise DataError(str(error)) from None
    except _Fault as fault:
        raise DataError(
            f"{file} {fault}; expected: a list of names, or names with values from 0 to 255, each "
            "value once. Fix the file, as in {background: 0, road: [1, 2], ignore: 255}."
        ) from None


def _classes(root: yaml.Node | None, file: Path) -> tuple[tuple[str, ...], MaskCode]:
    names, class_of, ignored = list[str](), dict[int, int](), set[int]()
    seen = dict[str, int]()
    for node, values in _named(root):
        name = _name(node)
        if name in seen:
            raise _Fault(f"names {name!r} again, first in line {seen[name]}", node)
        seen[name] = node.start_mark.line + 1 if node.start_mark else 0
        for value, place in values:
            if value in class_of or value in ignored:
                raise _Fault(f"uses the value {value} twice", place)
            if name == _IGNORED:
                ignored.add(value)
            else:
                class_of[value] = len(names)
        if name != _IGNORED:
            if not values:
                raise _Fault(f"gives the class {name!r} no value", node)
            names.append(name)
    if not 1 <= len(names) < NO_CLASS:
        raise _Fault(f"names {len(names)} classes")
    code = {IGNORE: IGNORE, **dict.fromkeys(ignored, IGNORE), **class_of}
    return tuple(names), mask_code(code, fix=_fix(names, file))


def _fix(names: list[str], file: Path) -> str:
    """Return the advice for a mask's value without a class."""
    return (
        f"Give each value a name in {file.name}, or ignore it there, or fix the mask. Now "
        f"{file.name} names {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}."
    )


def _named(root: yaml.Node | None) -> Named:
    """Return each name with its values, in the order of the file."""
    if isinstance(root, yaml.SequenceNode):
        pairs = [item.value for item in root.value if isinstance(item, yaml.MappingNode)]
        if pairs and all(len(pair) == 1 for pair in pairs):
            first = pairs[0][0][0].value if isinstance(pairs[0][0][0], yaml.ScalarNode) else "x"
            raise _Fault(
                f"has {first!r} with a value in a list. Remove the dashes before names with values",
                root.value[0],
            )
        return [(item, [(index, item)]) for index, item in enumerate(root.value)]
    if not isinstance(root, yaml.MappingNode):
        raise _Fault("holds no names of classes")
    return [(key, [*_values(key, value)]) for key, value in root.value]


def _name(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Fault("holds no names of classes: a list or mapping is in place of one", node)
    shown = shortened(node.value)
    if node.tag != _STRING:
        raise _Fault(f"holds no names of classes: {shown} needs quotes to be one", node)
    name = " ".join(node.value.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise _Fault(f"holds a name that is empty, too long or unprintable: {shown!r}", node)
    return name


def _values(key: yaml.Node, node: yaml.Node) -> Iterator[tuple[int, yaml.Node]]:
    for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        plain = isinstance(each, yaml.ScalarNode) and each.style is None
        if not plain or not _WHOLE.fullmatch(each.value) or int(each.value) > IGNORE:
            if isinstance(each, yaml.ScalarNode):
                raise _Fault(f"gives a class the value {shortened(each.value)!r}", each)
            raise _Fault(
                f"has a list or mapping in place of a value of {shortened(key.value)!r}", each
            )
        yield int(each.value), each
