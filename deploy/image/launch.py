"""What a Dataflow Flex Template starts: `dp-release run --detach` with the template's parameters.

The launcher of Dataflow calls this program with --name=value for each parameter, and with options
for Beam. Those of the template become arguments of the command, all others stay Beam's and come
on top of what is the same for all jobs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.run.dataflow import ALWAYS

VALUES = ("period", "correct", "replace_attempt")
"""Parameters that are options of the command."""


def command(arguments: Sequence[str]) -> list[str]:
    """Returns the command line for the arguments of the launcher.

    Args:
        arguments: `--name=value` or `--name`, `value`.

    Returns:
        Arguments of `dp-release`.

    Raises:
        SystemExit: There is no config.
    """
    values: dict[str, str] = {}
    beam: list[str] = []
    left = list(arguments)
    while left:
        argument = left.pop(0)
        name, has_value, value = argument.removeprefix("--").partition("=")
        if name not in (*VALUES, "config"):
            beam.append(argument)
            continue
        values[name] = value if has_value else left.pop(0)
    if "config" not in values:
        sys.exit("the parameter config is missing; allowed: a config of the image")
    given = [
        part
        for name in VALUES
        if values.get(name)
        for part in (f"--{name.replace('_', '-')}", values[name])
    ]
    return ["run", values["config"], "--detach", "--json", *given, "--", *ALWAYS, *beam]


def main() -> None:
    """Launches the job."""
    sys.argv[1:] = command(sys.argv[1:])
    from pipelines.cli import main as dp_release

    dp_release()


if __name__ == "__main__":
    main()
