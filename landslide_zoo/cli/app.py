"""``landslide-zoo app``: the app in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from landslide_zoo.errors import LandslideZooError


def app(
    host: Annotated[
        str | None,
        typer.Option(envvar="GRADIO_SERVER_NAME", help="Address to serve on [default: 127.0.0.1]."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            envvar="GRADIO_SERVER_PORT",
            help="Port to serve on [default: the first free one from 7860].",
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(envvar="GRADIO_ROOT_PATH", help="Path of the app behind a reverse proxy."),
    ] = None,
) -> None:
    """Start the app and print its address."""
    try:
        import gradio  # noqa: F401 - an extra of the package
    except ModuleNotFoundError as error:
        raise LandslideZooError(
            "The app needs gradio: install it with pip install 'landslide-zoo[app]'."
        ) from error
    from landslide_zoo.web.app import launch

    launch(server_name=host, server_port=port, root_path=root_path)
