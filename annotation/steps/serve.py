"""`editjudge annotate serve`: run a local Label Studio server for a campaign."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from annotation.label_studio import server
from annotation.label_studio.client import StudioError
from annotation.label_studio.connect import home_of, serve
from annotation.label_studio.home import Home
from annotation.label_studio.server import Running
from annotation.recipe import AnnotationRecipe
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.recipes.recipe import load_recipe


def main(argv: list[str]) -> int:
    """Run `editjudge annotate serve RECIPE [--background | --stop] [--json FILE]`."""
    parser = argparse.ArgumentParser(
        prog="editjudge annotate serve",
        description="Run a Label Studio of your own for this campaign, reachable from this machine only.",
    )
    add_recipe(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--background", action="store_true", help="return when it answers; it runs on until --stop")
    how.add_argument("--stop", action="store_true", help="end the server that runs for this campaign")
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_recipe(arguments.recipe, AnnotationRecipe, arguments.overrides)
    if recipe.server.url is not None:
        raise StudioError(f"server.url is {recipe.server.url}: that server is somebody else's to start and stop")
    home = home_of(recipe)
    command = f"editjudge annotate serve {shlex.join([str(arguments.recipe), *arguments.overrides])}"
    with json_results(arguments.json) as write:
        if arguments.stop:
            stopped = server.stop(home)
            write({"stopped": stopped})
            print("Label Studio stopped." if stopped else "No Label Studio runs for this campaign.")
        else:
            _run(recipe, home, arguments.background, command, write)
    return 0


def _run(recipe: AnnotationRecipe, home: Home, background: bool, command: str, write: Callable[[object], None]) -> None:
    """Start the server unless it is running; in the foreground, wait until it ends."""
    with _Interruptible():
        if server.running(home) is None:
            print("Starting Label Studio; the first time it takes a minute.", file=sys.stderr, flush=True)
        found = serve(recipe)
        foreground = found.new and not background
        write(_as_json(recipe, home, found))
        _tell(recipe, home, found, "Ctrl-C" if foreground else f"{command} --stop")
        if foreground:
            _stay(home, found)


def _as_json(recipe: AnnotationRecipe, home: Home, found: Running) -> dict[str, Any]:
    """Return what `_tell` prints, as JSON: the place of the secrets, not the secrets."""
    places = {"credentials": home.credentials_file, "images": recipe.served, "log": home.log}
    return {
        "url": found.url,
        "pid": found.pid,
        "new": found.new,
        "user": home.make_credentials().user,
        **{name: str(place) for name, place in places.items()},
    }


def _tell(recipe: AnnotationRecipe, home: Home, found: Running, how_to_stop: str) -> None:
    credentials = home.make_credentials()
    if not found.new:
        print("It runs already.")
    if not found.url.endswith(f":{recipe.server.local.port}"):
        print(f"Port {recipe.server.local.port} is taken by another program; this one uses the next free one.")
    print(f"Label Studio: {found.url}")
    print(f"  user        {credentials.user}")
    print(f"  password    in {home.credentials_file} (only you can read it)")
    print(f"  images of   {recipe.served}")
    print(f"  log         {home.log}")
    print(f"  stop it     {how_to_stop}", flush=True)


def _stay(home: Home, found: Running) -> None:
    """Wait for Ctrl-C, SIGTERM, or the end of the server."""
    try:
        server.wait(home, found.pid)
    except KeyboardInterrupt:
        server.stop(home)  # before printing, which fails when the terminal is closed
        print("\nStopped. Everything is kept; serve again to continue.", file=sys.stderr)
        return
    if home.state() is None:
        print("Label Studio was stopped.", file=sys.stderr)
        return
    home.forget_state()
    raise StudioError(f"Label Studio ended by itself; the end of {home.log} says why. Serve again to continue")


class _Interruptible:
    """Turns Ctrl-C, SIGTERM and a closed terminal into `KeyboardInterrupt`, which also stops the server."""

    # Includes SIGINT: commands that a script starts in the background ignore it by default.
    _signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> None:
        self._before = [signal.signal(number, self._interrupt) for number in self._signals]

    def __exit__(self, *_: object) -> None:
        for number, before in zip(self._signals, self._before, strict=True):
            signal.signal(number, before)

    @staticmethod
    def _interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt
