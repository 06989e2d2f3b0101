"""``landslide-zoo app``: the app in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from landslide_zoo.errors import LandslideZooError


def app(
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 7860,
) -> None:
    """Start the app and say where it is."""
    try:
        import gradio  # noqa: F401 - an extra of the package
    except ModuleNotFoundError as error:
        raise LandslideZooError(
            "The app needs gradio: install it with pip install 'landslide-zoo[app]'."
        ) from error
    from landslide_zoo.web.app import build_app, launch

    launch(build_app(), server_name=host, server_port=port)
