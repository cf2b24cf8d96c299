"""The command line as a person calls it, in this process, and a program for the stand-in phone."""

import json
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.cli import main
from tests.latency.build import TODAY, write_program

# Prints the microseconds that stand behind a graph's end, fewer with more threads; each graph that
# it runs leaves a line in the file `runs` of the phone's conditions.
BY_THE_GRAPH = """\
case "$*" in *--help*) echo "--num_threads=1 int32 number of threads"; exit 0 ;; esac
for word; do
    case "$word" in
    --graph=*) us=$(tail -n 1 "${word#--graph=}") ;;
    --num_threads=*) threads=${word#*=} ;;
    --profiling_output_csv_file=*) table=${word#*=} ;;
    esac
done
echo "$us" >> "$CONDITIONS/runs"
us=$((us / threads))
if [ -n "$table" ]; then
    cat > "$table" << END
Operator-wise Profiling Info for Regular Benchmark Runs:
= Run Order =
node type, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 3.0, 3.0, 75%, 75%, 0, 1, [a]:0
RELU, 1.0, 1.0, 25%, 100%, 0, 1, [b]:1
END
fi
"""


def exit_code(*arguments: object) -> object:
    with pytest.raises(SystemExit, match=r"^\d+$") as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


def answer(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str]:
    """Return what a command that succeeds prints as JSON, and what it says to people."""
    capfd.readouterr()
    code = exit_code(*arguments, "--json")
    shown = capfd.readouterr()
    assert code == 0, shown.err
    return json.loads(shown.out), shown.err


def failure(capfd: pytest.CaptureFixture[str], *arguments: object, code: int) -> tuple[Any, str]:
    """Return what a command that fails with `code` prints as JSON, and what it says to people."""
    capfd.readouterr()
    assert exit_code(*arguments, "--json") == code
    shown = capfd.readouterr()
    return json.loads(shown.out), shown.err


def refusal(capfd: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """Return the only line of a command that fails with `code`."""
    capfd.readouterr()
    assert exit_code(*arguments) == code
    shown = capfd.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("jejunet-nas: ")
    return line.removeprefix("jejunet-nas: ")


def program(folder: Path) -> Path:
    """Write a program that says of each graph what stands behind its end."""
    return write_program(folder, BY_THE_GRAPH + TODAY)


def takes(graph: Path, file: Path, us: int) -> Path:
    """Write a copy of `graph` of which that program says `us` microseconds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(graph.read_bytes() + f"\n{us}".encode())
    return file
