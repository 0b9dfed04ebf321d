"""`verify`, which needs nothing but what is published, or the ledger too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared import NOT_VERIFIED, Json, refuse, user_errors


@user_errors
def verify(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="A published release, or a folder of them; here, or gs://bucket/folder.",
        ),
    ],
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger",
            metavar="PLACE",
            help="Hold it against this ledger too: a file, or gs://bucket/object.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Checks hashes, tables, manifest and privacy cost of a publication.

    Exits with 3 when something is wrong.
    """
    from pipelines.ledger import open_store
    from pipelines.publication.verify_folder import (
        NoReleaseError,
        verifications_json,
        verifications_text,
    )
    from pipelines.publication.verify_place import verify_place
    from pipelines.storage.storage import is_url

    if ledger is not None and not is_url(ledger) and not Path(ledger).exists():
        refuse(f"there is no ledger {ledger}; allowed: the file that the config names")
    try:
        found = verify_place(folder, None if ledger is None else open_store(ledger))
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
