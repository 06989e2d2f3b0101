"""``landslide-zoo publish``: a model folder, or the Space itself, to the Hub."""

from __future__ import annotations

from typing import Annotated

import typer


def publish(
    folder: Annotated[
        str | None, typer.Argument(help="Model folder, or the name of a bundled model.")
    ] = None,
    repo_id: Annotated[str | None, typer.Argument(help="Repo, as in someone/unet.")] = None,
    private: Annotated[
        bool | None, typer.Option("--private", help="Make a new repo private.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="REPO_ID", help="Publish the app as this Space, in place of a model."),
    ] = None,
) -> None:
    """Publish FOLDER to the Hub as REPO_ID, or the app with --space REPO_ID, in one commit.

    The token is the Hub client's own: HF_TOKEN, or what `hf auth login` stored.
    """
    if space is not None and folder is None:
        from landslide_zoo.zoo import publish_space

        typer.echo(publish_space(space, private=private))
    elif space is None and folder is not None and repo_id is not None:
        from landslide_zoo.zoo import publish_model

        typer.echo(publish_model(folder, repo_id, private=private))
    else:
        raise typer.BadParameter("give FOLDER and REPO_ID, or --space REPO_ID.")
