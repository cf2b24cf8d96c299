"""The command `doctor`: checks what measuring needs, or how far a profile can be trusted."""

import dataclasses
from typing import Annotated

import typer
from rich.console import Console

from jejunet_nas.cli.arguments import AsJson, PhoneName, Program, print_json, sayer


def doctor(
    profile: Annotated[
        str | None, typer.Option(help="Show how far a device profile can be trusted.")
    ] = None,
    device: PhoneName = "adb",
    benchmark_binary: Program = None,
    as_json: AsJson = False,
) -> None:
    """Check what measuring needs, or show how far a profile can be trusted."""
    if profile is not None:
        from jejunet_nas.latency.profile_json import profile_file
        from jejunet_nas.latency.trust import trust, trust_lines

        trusted = trust(profile_file(profile))
        if as_json:
            print_json(dataclasses.asdict(trusted))
        else:
            typer.echo("\n".join(trust_lines(trusted)))
        return
    from jejunet_nas.latency.doctor import examine

    checks = examine(device, benchmark_binary)
    if as_json:
        print_json({"checks": [dataclasses.asdict(check) for check in checks]})
    say = sayer(Console(stderr=True))
    for check in checks:
        say(f"{'ok' if check.works else 'no':4}{check.name}: {check.words}")
    if not all(check.works for check in checks):
        say("Until every check is ok, latencies can be predicted but not measured.")
