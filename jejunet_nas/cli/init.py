"""The command `init`: write a study to start from."""

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jejunet_nas.cli.arguments import AsJson, DataRoot, existing_folder
from jejunet_nas.cli.printer import Printer
from jejunet_nas.errors import SettingError
from jejunet_nas.files import STUDIES, shipped_folder, write_text_whole

if TYPE_CHECKING:
    from jejunet_nas.datasets.recognise import DataFacts

GENERATED = "procedural"  # the data set without files
_NAME = "first_look"  # of a study on generated clips


def init(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name [default: the data's folder].")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="davis, voc2012, youtube_vos, camvid, folder or procedural [default: recognised "
            "by its files]."
        ),
    ] = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented study, studies/NAME.yaml, for a data set; print the next commands.

    Without --data-root it looks for data in this folder and the folders in it. If there are none,
    the study uses generated clips. A file that exists is never overwritten.
    """
    printer = Printer(as_json=as_json)
    facts = _facts(dataset, data_root)
    if facts is None and dataset is None:
        printer.say(
            "No data set was found here, so the study uses generated clips. To use your own:"
        )
        printer.say("jejunet-nas init --data-root DIR")
    name = name or (_name_from(facts.root.name) if facts else _NAME)
    file = _free_file(name)

    from jejunet_nas.study.schema import study_schema
    from jejunet_nas.study.starter import SCHEMA_FILE, starter_study

    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(file.parent / SCHEMA_FILE, json.dumps(study_schema(), indent=1) + "\n")
    write_text_whole(file, starter_study(name, facts))
    commands = _next_commands(name, facts)
    printer.result("\n  ".join([f"written: {file}. Next:", *commands]))
    printer.json({"study": name, "file": str(file), "next": commands})


def _facts(dataset: str | None, data_root: Path | None) -> "DataFacts | None":
    """Return the facts of the data set that is named or found; None for generated clips."""
    if dataset == GENERATED:
        return None
    from jejunet_nas.datasets.catalog import ON_DISK
    from jejunet_nas.datasets.recognise import data_set_of, find_data, read_facts
    from jejunet_nas.errors import check_choice

    if dataset is not None:
        check_choice("--dataset", dataset, (*ON_DISK, GENERATED))
    if data_root is not None:
        root = existing_folder(data_root)
        found = dataset or data_set_of(root)
        if found is None:
            raise SettingError(
                f"--data-root is {root}, which has the files of no known data set. Add --dataset "
                f"with one of {', '.join(ON_DISK)}; for your own pictures, make {root}/images, "
                f"{root}/masks and {root}/classes.yaml, and use --dataset folder."
            )
        return read_facts(found, root)
    places = [place for place in find_data(Path()) if dataset in (None, place[0])]
    if len(places) > 1:
        roots = ", ".join(str(root) for _, root in places)
        raise SettingError(f"--data-root is missing; allowed: {roots}. Choose one of them.")
    if not places and dataset is not None:
        raise SettingError(f"--data-root is missing, and no {dataset} is here. Add it.")
    return read_facts(*places[0]) if places else None


def _name_from(folder: str) -> str:
    words = re.sub(r"[^A-Za-z0-9_-]+", "_", folder).strip("_-").lower()[:60]
    return words or "my_study"


def _free_file(name: str) -> Path:
    """Return the file of a new study. Raises `SettingError` if the name is taken or is none."""
    from jejunet_nas.study.settings import check_name

    check_name(name, "NAME")
    file, state = Path(STUDIES) / f"{name}.yaml", Path(STUDIES) / name
    shipped = shipped_folder(STUDIES) / file.name
    for taken in (file, state, shipped):
        if taken.exists():
            numbers = (n for n in range(2, 10_000) if not _is_taken(f"{name}_{n}"))
            raise SettingError(
                f"NAME is {name}, but {taken} exists. Use another name, such as "
                f"{name}_{next(numbers)}."
            )
    return file


def _is_taken(name: str) -> bool:
    return (Path(STUDIES) / f"{name}.yaml").exists() or (Path(STUDIES) / name).exists()


def _next_commands(name: str, facts: "DataFacts | None") -> list[str]:
    check = []
    if facts is not None:
        options = [f" --option {shlex.quote(f'{k}={v}')}" for k, v in facts.options.items()]
        root = shlex.quote(str(facts.root))
        check = [f"jejunet-nas data check {facts.dataset} --data-root {root}{''.join(options)}"]
    return [
        *check,
        f"jejunet-nas search {name}",
        f"jejunet-nas report {name}",
        f"jejunet-nas export {name} --pick best --out {name}_bundle",
    ]
