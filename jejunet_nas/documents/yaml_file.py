"""YAML 1.1 as PyYAML reads it, with two differences: dates remain text, and `1e-3` is a number.

Refused, with the line: aliases that stand for too much or for their own parents, deep nesting,
numbers that are not finite or have more than 64 bits, tags, and repeated keys, of which PyYAML
silently keeps the last.
"""

import codecs
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from jejunet_nas.documents.bounds import require_file, shortened
from jejunet_nas.errors import SettingError

MOST_BYTES = 256 * 1024  # PyYAML reads this in seconds
MOST_VALUES = 100_000  # of a YAML document with its aliases expanded
MOST_LEVELS = 40  # of nesting
_LARGEST = 2**63 - 1
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str")}
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the YAML mapping in `file`. Raises `SettingError` naming the file and the line."""
    content = read_yaml(file)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingError(
            f"{file} contains {_kind(content)} instead of keys with values. "
            "Write one `key: value` per line."
        )
    return content


def read_yaml(file: Path) -> Any:
    """Return the YAML in `file`: plain values, lists and dictionaries.

    Raises `SettingError` naming the file and, where it is known, the line.
    """
    return _worded(file, parse_yaml)


def read_nodes(file: Path) -> yaml.Node | None:
    """Return the YAML in `file` as PyYAML's nodes, which know their lines and quotes.

    Raises as `read_yaml` does, for all that it refuses.
    """
    root: yaml.Node | None = _worded(file, lambda text: _parse(text)[0])
    return root


def _worded(file: Path, parse: Callable[[str], Any]) -> Any:
    text = _read_text(file)
    try:
        return parse(text)
    except yaml.MarkedYAMLError as reason:
        mark = reason.problem_mark or reason.context_mark
        place = f" line {mark.line + 1}" if mark else ""
        problem = shortened(reason.problem or "the YAML cannot be parsed", 200)
        fix = "" if problem.endswith(".") else ". Fix the YAML of that line."
        raise SettingError(f"{file}{place}: {problem}{fix}") from None
    except ValueError as reason:
        raise SettingError(f"{file}: {reason}. Fix the file.") from None


def parse_yaml(text: str) -> Any:
    """Return the YAML value in `text`. Raises `yaml.MarkedYAMLError` or ValueError, in words."""
    return _parse(text)[1]


def yaml_text(value: Any, **style: Any) -> str:
    """Return YAML that `parse_yaml` reads as `value`; `style`: as of `yaml.safe_dump`.

    PyYAML's own writer leaves text such as `12e5` without quotes.
    """
    return str(yaml.dump(value, Dumper=_Dumper, **style))


def _parse(text: str) -> tuple[yaml.Node | None, Any]:
    """Return the root's node and value. Raises as `parse_yaml` does."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None, None
        _Bounds().check(root)
        return root, loader.construct_document(root)
    except yaml.MarkedYAMLError:
        raise
    except yaml.reader.ReaderError as reason:
        character = reason.character if isinstance(reason.character, int) else 0
        raise ValueError(
            f"character {reason.position + 1} is {character:#x}, which is not allowed in YAML"
        ) from None
    except (ValueError, OverflowError, RecursionError, IndexError) as reason:
        # PyYAML itself stumbles over `%YAML 1.` with 5,000 digits, or "\Uffffffff".
        raise ValueError(f"the YAML cannot be parsed ({shortened(str(reason))})") from None


def _read_text(file: Path) -> str:
    require_file(file, MOST_BYTES)
    try:
        content = file.read_bytes()
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as reason:
        raise SettingError(
            f"{file} is not text in UTF-8: byte {reason.start + 1} is "
            f"{reason.object[reason.start]:#x}. Save it as UTF-8."
        ) from None
    except OSError as reason:
        raise SettingError(
            f"{file} cannot be read ({reason.strerror}). Give the path of a text file in UTF-8."
        ) from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the bounds and differences that the module names."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._levels += 1
        if self._levels > MOST_LEVELS:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _fault(event, f"nested more than {MOST_LEVELS} levels deep")
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in (f"{_TAG}seq", f"{_TAG}map"):
            raise _fault(node, f"the tag {shortened(node.tag)} is not supported")
        return super().construct_object(node, deep=deep)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        if isinstance(node, yaml.MappingNode):
            self._refuse_repeated(node)
        return super().construct_mapping(node, deep=deep)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag not in _PLAIN_TAGS:
            if node.tag == f"{_TAG}value":  # a lone `=`
                return node.value
            raise _fault(node, f"the tag {shortened(node.tag)} is not supported")
        try:
            value = super().construct_object(node)
        except (ValueError, OverflowError, KeyError, IndexError):
            kind = node.tag.rpartition(":")[2]
            raise _fault(node, f"{shortened(node.value)} is not of the type {kind}") from None
        if isinstance(value, str):
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise _fault(node, "a text contains half of a character, a surrogate")
        elif isinstance(value, float) and not math.isfinite(value):
            raise _fault(node, f"{shortened(node.value)} is not a finite number")
        elif isinstance(value, int) and abs(value) > _LARGEST:
            raise _fault(node, f"{shortened(node.value)} is too large a number")
        return value

    def _refuse_repeated(self, node: yaml.MappingNode) -> None:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            name = self._scalar(key)
            if name in lines:
                raise _fault(
                    key, f"the key {shortened(str(name))} is there twice, first in line "
                    f"{lines[name]}. Remove one."
                )  # fmt: skip
            lines[name] = key.start_mark.line + 1


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe writer, which quotes text that `_Loader` takes for a number."""


for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver(
        f"{_TAG}float", re.compile(f"^{_EXPONENT.pattern}$"), list("-+0123456789")
    )


class _Bounds:
    """The number of values and levels below each node, aliases expanded; each is counted once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int] | None] = {}

    def check(self, node: yaml.Node) -> tuple[int, int]:
        """Return the values and levels of `node`. Raises `MarkedYAMLError` beyond the bounds."""
        if isinstance(node, yaml.ScalarNode):
            return 1, 1
        known = self._known.get(id(node), ())
        if known is None:
            raise _fault(node, "an alias stands inside of what it names")
        if known:
            return known
        self._known[id(node)] = None
        values, levels = 1, 0
        for child in _children(node):
            more, deep = self.check(child)
            values, levels = values + more, max(levels, deep)
        if values > MOST_VALUES:
            raise _fault(node, f"its aliases stand for more than {MOST_VALUES} values")
        if levels >= MOST_LEVELS:
            raise _fault(node, f"its aliases are nested more than {MOST_LEVELS} levels deep")
        self._known[id(node)] = values, levels + 1
        return values, levels + 1


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return (each for pair in node.value for each in pair)
    return node.value  # type: ignore[no-any-return]


def _fault(at: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=at.start_mark)


def _kind(content: object) -> str:
    if content is None:
        return "nothing"
    if isinstance(content, dict):
        return "keys that are not text"
    return "a list" if isinstance(content, list) else f"the value {shortened(str(content))}"
