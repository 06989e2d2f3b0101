"""The front matter of a README.md, and what the Hub refuses in it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from loopback_hub.store import Refusal

_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_SPACE_SDKS = {"gradio", "docker", "static"}
_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def metadata(readme: str) -> dict[str, Any]:
    """The front matter; empty where there is none.

    Raises:
        Refusal: If it is not a YAML mapping.
    """
    match = _FRONT_MATTER.match(readme)
    if match is None:
        return {}
    try:
        data = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise Refusal(400, f"Invalid YAML: {error}") from error
    if not isinstance(data, dict):
        raise Refusal(400, "The front matter must be a mapping.")
    return data


def problems(kind: str, readme: str) -> list[str]:
    """What the Hub would refuse in the card of a ``model``, ``dataset`` or ``space``."""
    try:
        data = metadata(readme)
    except Refusal as refusal:
        return [refusal.message]
    return list(_space_problems(data) if kind == "space" else _index_problems(data))


def _space_problems(data: dict[str, Any]) -> list[str]:
    found = []
    if data.get("sdk") not in _SPACE_SDKS:
        found.append(f'"sdk" must be one of {", ".join(sorted(_SPACE_SDKS))}')
    for key in ("colorFrom", "colorTo"):
        if key in data and data[key] not in _COLOURS:
            found.append(f'"{key}" must be one of {", ".join(sorted(_COLOURS))}')
    for key in ("sdk_version", "python_version"):
        if key in data and not isinstance(data[key], str):
            found.append(f'"{key}" must be a string')
    if len(data.get("short_description", "")) > 60:
        found.append('"short_description" length must be at most 60 characters')
    return found


def _index_problems(data: dict[str, Any]) -> list[str]:
    found = []
    for model in data.get("model-index", []):
        if "name" not in model:
            found.append('"model-index[0].name" is required')
        for result in model.get("results", []):
            dataset, metrics = result.get("dataset", {}), result.get("metrics", [])
            if "type" not in result.get("task", {}):
                found.append('"model-index[0].results[0].task.type" is required')
            if not {"type", "name"} <= set(dataset):
                found.append('"model-index[0].results[0].dataset" needs a type and a name')
            if not metrics or not all({"type", "value"} <= set(metric) for metric in metrics):
                found.append('"model-index[0].results[0].metrics" need a type and a value')
    return found
