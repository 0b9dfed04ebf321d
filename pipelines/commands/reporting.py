"""`report`, which makes pages of what is published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.shared import Json, echo_json, refuse, short, user_errors


@user_errors
def report(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="A published release, or a series of them; here, or gs://bucket/folder.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the page goes. Default: in the folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Makes the HTML page of a release, or the index of a series, from published files alone."""
    from pipelines.report.files import write_page
    from pipelines.report.published import ReportError
    from pipelines.storage.storage import is_url

    try:
        if is_url(folder):
            from pipelines.report.gcs_pages import write_gcs_page
            from pipelines.storage.gcs import GcsFolder

            page = write_gcs_page(GcsFolder.of(folder), out)
        else:
            page = write_page(Path(folder), out)
    except ReportError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename} cannot be written: {error.strerror}")
    if as_json:
        echo_json(
            {"page": str(page.path), "of": page.of, "sha256": page.sha256, "bytes": page.size}
        )
    else:
        typer.echo(short(page.path))
