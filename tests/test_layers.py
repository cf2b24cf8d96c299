"""The floor plan: a part imports only what is below it; modules and functions stay small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jejunet_nas

PACKAGE = Path(jejunet_nas.__file__).parent

ROOT = "jejunet_nas"  # the root package as a part: `__init__.py` and what it imports lazily

# From the top down: a part imports itself and the lines below its own.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({ROOT, "__main__"}),
    frozenset({"cli"}),
    frozenset({"dashboard", "measure"}),
    frozenset({"export"}),
    frozenset({"reporting"}),
    frozenset({"search"}),
    frozenset({"study"}),
    frozenset({"drawing"}),
    frozenset({"trial", "profiling"}),
    frozenset({"evaluation"}),
    frozenset({"compression"}),
    frozenset({"training"}),
    frozenset({"datasets", "networks", "latency", "video", "scoring", "media"}),
    frozenset({"litert", "resize", "images"}),
    frozenset({"records"}),
    frozenset({"space"}),
    frozenset({"files"}),
    frozenset({"documents"}),
    frozenset({"faults"}),
    frozenset({"errors", "progress", "version"}),
)
LEVEL = {part: -line for line, parts in enumerate(LAYERS) for part in parts}

_TENSORFLOW = frozenset({"networks", "datasets", "training", "compression"})
ONLY_IN: dict[str, frozenset[str]] = {
    "optuna": frozenset({"search", "study"}),
    "optuna_dashboard": frozenset({"study", "dashboard"}),
    "av": frozenset({"media"}),
    "ai_edge_litert": frozenset({"litert"}),
    "tensorflow": _TENSORFLOW,
    "tf_keras": _TENSORFLOW,
    "keras": frozenset(),
    "tensorflow_model_optimization": frozenset({"compression"}),
}

# A bundle carries copies of the templates; they do not belong to the package and do not import it.
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file.parent.name != "templates")


def part_of(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return ROOT if first == "__init__" else first


def imports(source: str) -> Iterator[str]:
    """Yield the dotted name of every import, including imports inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def parts_imported(source: str) -> set[str]:
    """Return the imported parts; names of the root package itself count as the part `ROOT`."""
    ours = (name.split(".") for name in imports(source) if name.split(".")[0] == ROOT)
    return {name[1] if name[1:] and name[1] in LEVEL else ROOT for name in ours}


def parts_above(part: str, imported: set[str]) -> set[str]:
    """Return those of the `imported` parts that are not below `part`."""
    return {other for other in imported - {part} if LEVEL[other] >= LEVEL[part]}


def loaded_after(code: str, *, fresh: tuple[str, ...]) -> set[str]:
    """Return those of the packages `fresh` that a new Python process has loaded after `code`."""
    show = f"{code}\nimport sys\nprint(*(name for name in {fresh} if name in sys.modules))"
    shown = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    return set(shown.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_parts_below_its_own(file: Path) -> None:
    part = part_of(file)

    assert part in LEVEL, f"{part} has no line in the table"
    assert not parts_above(part, parts_imported(file.read_text(encoding="utf-8")))


def test_the_lazy_imports_of_the_root_package_are_below_it() -> None:
    lazy = "".join(f"import {module}\n" for module in jejunet_nas._PLACES.values())

    assert {"study", "video"} <= parts_imported(lazy)
    assert not parts_above(ROOT, parts_imported(lazy))


@pytest.mark.parametrize(
    "source",
    [
        "from jejunet_nas import __version__",
        "from jejunet_nas import open_study",
        "import jejunet_nas",
        "def f():\n    import jejunet_nas as package\n",
    ],
)
def test_a_ring_through_the_root_package_is_found(source: str) -> None:
    assert parts_above("reporting", parts_imported(source)) == {ROOT}
    assert parts_above("version", parts_imported(source)) == {ROOT}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_is_imported_only_in_its_own_parts(library: str) -> None:
    importing = {
        part_of(file)
        for file in MODULES
        if library in {name.split(".")[0] for name in imports(file.read_text(encoding="utf-8"))}
    }

    assert importing <= ONLY_IN[library]


def test_an_import_inside_a_function_is_seen() -> None:
    source = "def f():\n    from jejunet_nas import cli\n    import jejunet_nas.search.view\n"

    assert parts_imported(source) == {"cli", "search"}


def test_help_loads_no_heavy_library() -> None:
    heavy = ("tensorflow", "tf_keras", "optuna", "pandas", "matplotlib", "numpy", "pydantic")
    code = (
        "from jejunet_nas.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0"
    )

    assert loaded_after(code, fresh=heavy) == set()


@pytest.mark.parametrize(
    "module",
    [
        *(
            "study.ledger",
            "study.settings",
            "search.candidates",
            "search.forecast",
            "study.kept_measurements",
        ),
        *("reporting.report", "reporting.timings", "scoring.score", "space.draw"),
        *("measure.front", "latency.doctor", "latency.device", "cli.measure", "profiling.choose"),
        *("drawing.pictures", "reporting.baseline", "study.importance", "study.tables"),
        *("drawing.segment", "cli.segment", "cli.export", "export.verify", "compression.metadata"),
        *("study.opened", "dashboard", "measure.bundle", "video.bundle"),
        *("evaluation.bundle", "cli.evaluate"),
    ],
)
def test_what_needs_no_network_loads_no_tensorflow(module: str) -> None:
    assert loaded_after(f"import jejunet_nas.{module}", fresh=("tensorflow", "tf_keras")) == set()


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_has_at_most_250_lines_and_a_function_60(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert len(source.splitlines()) <= 250
    assert not [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 60]
