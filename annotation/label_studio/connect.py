"""Connect to a recipe's server, or start its local server."""

from __future__ import annotations

import os

from annotation.label_studio import server
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.home import Home, default_home
from annotation.label_studio.install import default_venv, ensure_installed
from annotation.label_studio.server import Running
from annotation.recipe import AnnotationRecipe

TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"


def connect(recipe: AnnotationRecipe) -> Studio:
    """Connect to the recipe's server; the token comes from the environment or the local server's folder.

    `StudioError` when there is no token, or when the local server is not running.
    """
    if recipe.server.url is not None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            raise StudioError(
                f"{recipe.server.url}: set {TOKEN_VARIABLE} to a token of your account page there, then try again"
            )
        return Studio(recipe.server.url, token, recipe.server.timeout_s)
    home = home_of(recipe)
    found, credentials = server.running(home), home.credentials()
    if found is None or credentials is None:
        raise StudioError(
            "the local Label Studio does not run; start it with `editjudge annotate serve RECIPE` in another terminal, "
            "or with `editjudge annotate serve RECIPE --background`"
        )
    return Studio(found.url, credentials.token, recipe.server.timeout_s)


def home_of(recipe: AnnotationRecipe) -> Home:
    """Return the folder of the recipe's local server."""
    data = recipe.server.local.data
    return Home(data) if data is not None else default_home(recipe.out)


def serve(recipe: AnnotationRecipe) -> Running:
    """Install and start the recipe's local server if needed, and return it."""
    local = recipe.server.local
    venv = local.venv if local.venv is not None else default_venv()
    return server.start(home_of(recipe), ensure_installed(venv), recipe.served, local.port, local.start_timeout_s)
