"""The printer: text stays text, on every way to a terminal."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.table import Table

from jejunet_nas.cli.printer import PlainConsole, Printer, print_error, print_json
from jejunet_nas.cli.progress_bar import progress_bar
from jejunet_nas.cli.streams import Stream, standard_streams
from jejunet_nas.progress import printable, printable_line
from jejunet_nas.search.view import make_view
from tests.cli.commands import exit_code, takes

Capfd = pytest.CaptureFixture[str]
NAMES = st.text(st.characters(codec=None), min_size=1, max_size=12)


def table_of(text: str) -> Table:
    table = Table(text, box=None)
    table.add_row(text)
    return table


def show_progress(text: str) -> None:
    with progress_bar(Printer().messages) as tell:
        tell(text, 1, 2)


def show_status(text: str) -> None:
    with Printer().status(text) as say:
        say(text)


def show_search(text: str) -> None:
    with make_view(Printer().messages) as view:
        view.stage(text, 1, 2)
        view.say(text)


WAYS: dict[str, Callable[[str], None]] = {
    "result": lambda text: Printer().result(text),
    "message": lambda text: Printer().say(text),
    "table": lambda text: Printer().result(table_of(text)),
    "result beside JSON": lambda text: Printer(as_json=True).result(text),
    "JSON": lambda text: print_json([text]),
    "error": print_error,
    "progress": show_progress,
    "status": show_status,
    "search": show_search,
}


def printed(monkeypatch: pytest.MonkeyPatch, way: Callable[[str], None], text: str) -> str:
    """Return what `way` writes of `text` to standard output and standard error together."""
    written = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", written)
        patched.setattr("sys.stderr", written)
        with standard_streams():
            way(text)
    return written.getvalue()


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=25)
@given(name=NAMES)
@example(name="[brackets]")
@example(name="[/red]")
@example(name=":smile: [link=file:///etc]x[/link]")
@example(name="\x1b[2J\x1b]0;title\x07\x9b31m\u202e")
@example(name="a\r\nb\x00\x7f")
@example(name="\udcff")
def test_no_name_is_markup_or_moves_the_cursor(way: str, name: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        shown = printed(monkeypatch, WAYS[way], name)

    assert printable(shown) == shown
    if way == "JSON":
        assert json.loads(shown) == [name]
    elif way not in ("status", "progress", "table"):  # only on a terminal; a table folds words
        wanted = printable(name) if way.startswith("result") else printable_line(name)
        assert wanted in shown


@pytest.mark.parametrize("way", ["status", "progress", "search"])
@pytest.mark.parametrize("name", ["[brackets]", "[/red] :smile:", "\x1b[2J\x07"])
def test_on_a_terminal_too_names_are_shown_as_they_are(
    way: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainConsole, "is_terminal", True)

    shown = printed(monkeypatch, WAYS[way], name)

    assert printable(name) in shown
    assert "\x1b[2J" not in shown


@given(st.text(max_size=30))
def test_what_is_printable_stays_and_the_rest_is_spelt_out(text: str) -> None:
    shown = printable(text)

    assert printable(shown) == shown
    assert len(shown.split("\n")) == len(text.split("\n"))
    assert all(letter in shown for letter in text if letter.isprintable())


def test_scripts_that_join_letters_and_wide_spaces_are_left_alone() -> None:
    for text in ("\u0645\u06cc\u200c\u062e", "東京\u3000駅", "30\u00a0°C", "👩\u200d🚀"):
        assert printable(text) == text


def test_a_name_with_brackets_is_whole_in_the_table_of_measure(
    graph: Path, tmp_path: Path, capfd: Capfd
) -> None:
    file = takes(graph, tmp_path / "model [v2].tflite", 1000)

    assert exit_code("measure", file, "--device", "predicted") == 0

    assert "model [v2].tflite" in capfd.readouterr().out


def test_classes_with_brackets_are_whole_in_data_check(tmp_path: Path, capfd: Capfd) -> None:
    names = ["[brackets]", "[/red]", ":smile:"]
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(12):
        Image.new("RGB", (32, 32)).save(tmp_path / "images" / f"{number}.png")
        mask = np.full((32, 32), number % len(names), np.uint8)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(names))
    arguments = ("data", "check", "folder", "--data-root", tmp_path, "--out", tmp_path / "out")

    assert exit_code(*arguments) in (0, 2)
    shown = capfd.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "[brackets]" in shown.out + shown.err
    assert "[/red]" in shown.out + shown.err


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_json_is_json_in_every_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    names = ["größe", "東京", "a\udcffb", "\x9b31m"]

    with standard_streams():
        print_json(names)

    assert json.loads(raw.getvalue().decode(encoding)) == names


def test_a_stream_that_lost_a_word_says_so_and_never_raises() -> None:
    closed = io.StringIO()
    closed.close()
    stream = Stream(closed)

    stream.write("word")
    stream.flush()

    assert isinstance(stream.lost, ValueError)
