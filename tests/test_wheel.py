"""The built wheel alone, in an empty folder: from the first command to a checked bundle."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
BUILT_FROM = (
    *("pyproject.toml", "setup.py", "README.md", "LICENSE"),
    *("jejunet_nas", "studies", "search_spaces"),
)
# The starter with the smallest networks and two training steps.
BRIEF = {
    r"steps: \d+": "steps: 2\n  gate_pairs: 10\n  gate_steps: 1",
    r"pairs_per_step: \d+": "pairs_per_step: 2",
    r"^trials: \d+": "trials: 1",
    r"target_fps: \d+": "target_fps: 24",
    r"procedural": "procedural\n  options: {clips: 2, val_clips: 1, frames: 8}",
}


def run(words: str, folder: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell splits it; the package comes from `packages`."""
    program = f'"{sys.executable}" -m jejunet_nas'
    return subprocess.run(
        words.replace("jejunet-nas", program, 1),
        shell=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as its wheel installs it."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "packages"))
    for name in BUILT_FROM:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", ".", "--no-deps", "--no-build-isolation", "-w", "."]
    subprocess.run(wheel, cwd=source, check=True)
    (file,) = source.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(out), str(file)], check=True)
    return out


def test_a_wheel_has_every_study_and_space_and_begins_a_study(
    packages: Path, tmp_path: Path
) -> None:
    shipped = packages / "jejunet_nas" / "shipped"

    for kind in ("studies", "search_spaces"):
        names = {file.name for file in (PROJECT / kind).glob("*.yaml")}
        assert {file.name for file in (shipped / kind).iterdir()} == names
    published = Path("jejunet_nas") / "reporting" / "published_results"
    assert {file.name for file in (packages / published).iterdir()} == {
        file.name for file in (PROJECT / published).iterdir()
    }
    shown = run("jejunet-nas studies show davis_pixel2 --json", tmp_path, packages)
    assert f'"file": "{shipped}/studies/davis_pixel2.yaml"' in shown.stdout
    assert run("jejunet-nas init", tmp_path, packages).returncode == 0
    assert (tmp_path / "studies" / "first_look.yaml").is_file()


@pytest.mark.slow
def test_an_empty_folder_and_the_wheel_lead_to_a_bundle_by_the_printed_commands(
    packages: Path, tmp_path: Path
) -> None:
    first = run("jejunet-nas init", tmp_path, packages)
    commands = re.findall(r"^ +(jejunet-nas .*)$", first.stdout, re.MULTILINE)
    file = tmp_path / "studies" / "first_look.yaml"
    text = file.read_text(encoding="utf-8")
    for pattern, brief in BRIEF.items():
        text = re.sub(pattern, brief, text, count=1, flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")

    assert [line.split()[1] for line in commands] == ["search", "report", "export"]
    for line in (*commands, "jejunet-nas verify first_look_bundle"):
        ended = run(line, tmp_path, packages)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "reports" / "first_look" / "index.html").is_file()
