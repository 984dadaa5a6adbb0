"""YAML files as people write them, read with bounds and without surprises.

Plain data only: no tags of programs, no duplicate keys, no alias that grows the document out
of proportion or holds itself. What YAML 1.1 would make a date or a number in base 60 stays
text. The only owner of PyYAML.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Final

import yaml

from opmas.errors import ConfigError, InvalidError

if TYPE_CHECKING:
    from pathlib import Path

SIZE_LIMIT: Final = 256 * 1024  # bytes; the largest manifest known has 9 KiB
NODE_LIMIT: Final = 20_000  # values after all aliases are followed
DEPTH_LIMIT: Final = 64
NUMBER_LIMIT: Final = 400  # characters; beyond 4,300 digits Python does not write an integer back

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_MERGE: Final = f"{_TAG}merge"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times as fast


def read_config(directory: Path, name: str) -> object:
    """Return the document of a configuration file, or raise `ConfigError`.

    A directory without the file is a configuration of defaults alone.
    """
    try:
        return read_yaml(directory / name)
    except InvalidError as error:
        if directory.is_dir() and isinstance(error.__cause__, FileNotFoundError):
            return None
        raise ConfigError(error.message, error.problems) from error


def read_yaml(path: Path) -> object:
    """Return the document of the file, or raise `InvalidError` that says where it is wrong."""
    return decode_yaml(read_bounded(path), path)


def read_bounded(path: Path) -> bytes:
    """Return the content of a regular file that is not too large, or raise `InvalidError`."""
    try:
        return _content(path)
    except OSError as error:
        raise InvalidError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        ) from error


def decode_yaml(content: bytes, path: Path) -> object:
    """Return the document in the file's content, or raise `InvalidError`."""
    try:
        return parse_yaml(content.decode("utf-8-sig"), where=str(path))
    except UnicodeDecodeError as error:
        raise InvalidError(f"cannot read {path}: not UTF-8 text at byte {error.start}") from error


def parse_yaml(text: str, *, where: str) -> object:
    """Return the document in the text, or raise `InvalidError`; `where` names its source."""
    try:
        _check_depth(text, where)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Check(where).node(node)
            document: object = loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidError(f"cannot read {where}: {_reason(error)}") from error
    return document


def _content(path: Path) -> bytes:
    # O_NONBLOCK: a FIFO in the place of the file must not hold the reader up
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no Path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidError(f"cannot read {path}: it is not a regular file")
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise InvalidError(f"cannot read {path}: it is larger than {SIZE_LIMIT // 1024} KiB")
    return content


def _check_depth(text: str, where: str) -> None:
    """Refuse deep nesting in the flat stream of events.

    libyaml's composer recurses without a bound: 100,000 brackets end the process (PyYAML 6.0).
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_LIMIT:
                place = _place(event.start_mark)
                raise InvalidError(
                    f"cannot read {where}: {place}nested more than {DEPTH_LIMIT} deep"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Check:
    """Walks the nodes once, refuses what is not plain data and tames YAML 1.1's readings."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._sizes: dict[int, int] = {}  # by id of the node; 0 while it is being walked

    def node(self, node: Any) -> int:
        """Return how many values the node is when all its aliases are followed."""
        known = self._sizes.get(id(node))
        if known == 0:
            raise self._error(node, "an alias (*) holds itself")
        if known is not None:
            return known
        self._sizes[id(node)] = 0
        size = 1 + sum(self.node(child) for child in self._children(node))
        if size > NODE_LIMIT:
            raise self._error(node, f"more than {NODE_LIMIT} values when its aliases are followed")
        self._sizes[id(node)] = size
        return size

    def _children(self, node: Any) -> list[Any]:
        if isinstance(node, yaml.MappingNode):
            self._plain(node)
            self._keys(node)
            return [child for pair in node.value for child in pair]
        if isinstance(node, yaml.SequenceNode):
            self._plain(node)
            return list(node.value)
        base_60 = node.tag in {f"{_TAG}int", f"{_TAG}float"} and ":" in node.value
        if base_60 or node.tag in {f"{_TAG}timestamp", f"{_TAG}value"}:
            node.tag = f"{_TAG}str"
        if node.tag in {f"{_TAG}int", f"{_TAG}float"} and len(node.value) > NUMBER_LIMIT:
            raise self._error(node, f"a number of more than {NUMBER_LIMIT} characters")
        self._plain(node)
        return []

    def _keys(self, node: Any) -> None:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a plain word, not a list or a mapping")
            if key.tag == _MERGE:
                continue
            if key.value in seen:
                raise self._error(key, f'the key "{key.value[:60]}" is there twice')
            seen.add(key.value)

    def _plain(self, node: Any) -> None:
        if node.tag not in _PLAIN and node.tag != _MERGE:
            shown = node.tag.replace(_TAG, "!!")[:60]
            raise self._error(node, f"the tag {shown} is refused: only plain data is read")

    def _error(self, node: Any, reason: str) -> InvalidError:
        return InvalidError(f"cannot read {self._where}: {_place(node.start_mark)}{reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        return f"{_place(mark)}{error.problem or 'not YAML'}{context}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"a character that YAML does not allow at position {error.position}"
    return str(error)


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
