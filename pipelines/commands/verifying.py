"""`verify`, which needs nothing but what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared import NOT_VERIFIED, Json, refuse, user_errors


@user_errors
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A published release, or a folder of them.")
    ],
    as_json: Json = False,
) -> None:
    """Checks hashes, tables, manifest and privacy cost of a publication; reads nothing else.

    Exits with 3 when something is wrong.
    """
    from pipelines.publication.verify_folder import (
        NoReleaseError,
        verifications_json,
        verifications_text,
        verify_folder,
    )

    try:
        found = verify_folder(folder)
    except NoReleaseError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename} cannot be read: {error.strerror}")
    wrong = any(one.problems for one in found)
    if as_json:
        typer.echo(verifications_json(found))
    else:
        typer.echo(verifications_text(found), err=wrong)
    if wrong:
        raise typer.Exit(NOT_VERIFIED)
