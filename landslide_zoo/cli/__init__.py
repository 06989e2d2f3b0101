"""The ``landslide-zoo`` command.

Exit status 0: done; 1: bad input, with one plain sentence for each on stderr;
2: bad usage. Each command is a file beside this one and imports what is heavy
when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from landslide_zoo import __version__
from landslide_zoo.cli.evaluate import evaluate
from landslide_zoo.cli.map import map_scenes
from landslide_zoo.cli.models import export, models, publish
from landslide_zoo.cli.predict import compare, predict
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


cli = typer.Typer(
    name="landslide-zoo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _command in (models, predict, compare, evaluate, export, publish, app):
    cli.command()(_command)
cli.command("map")(map_scenes)  # `map` itself is Python's own


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"landslide-zoo {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Find landslides in Sentinel-2 imagery with terrain.

    The environment variable LANDSLIDE_ZOO adds models to those that come with
    the package: folders of models or Hub namespaces, separated by commas.
    """


def main() -> None:
    """Run the command; what goes wrong becomes one sentence on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            cli(prog_name="landslide-zoo")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone; Python must not flush into the closed pipe again.
        sys.stdout = None
        sys.exit(1)
    except LandslideZooError as error:
        _fail(str(error))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _fail(f"{name}{error.strerror or error}.")
    except Exception as error:  # `cli()` by itself shows the traceback
        what = str(error).partition("\n")[0].rstrip(".")
        _fail(f"{type(error).__name__}: {what}. If this is a fault of the program, report it.")


def _fail(sentence: str) -> None:
    typer.echo(f"Error: {sentence}", err=True)
    sys.exit(1)
