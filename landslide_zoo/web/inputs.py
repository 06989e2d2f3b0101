"""The input beside all tabs: patches, samples, known masks, and which patch is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from landslide_zoo.data.hdf5 import SUFFIXES
from landslide_zoo.data.readers import read_patch
from landslide_zoo.figures.images import true_colour
from landslide_zoo.web import components as ui
from landslide_zoo.web.samples import PUTHUMALA, samples
from landslide_zoo.web.service import Upload

_SCENES = (".tif", ".tiff", ".jp2", ".zip")
_WORDS = ("image", "img", "patch", "mask", "label", "annotation")


@dataclass(frozen=True)
class Inputs:
    """The components that hold a visitor's input.

    Attributes:
        uploads: State: a list of uploads; tabs listen to its change.
        shown: Which of them the tabs show, by place in that list.
        patches: The files they come from.
        taking: The event's function, inputs and outputs that make uploads of the files.
        map_sample: Asks for the sample of the tab Map.
    """

    uploads: gr.State
    shown: gr.Dropdown
    patches: gr.File
    taking: dict[str, Any]
    map_sample: gr.Button


def build_inputs(app: gr.Blocks, limit: int) -> Inputs:
    """Lay out the input column.

    Args:
        app: Whose loading brings the samples' pictures.
        limit: How many patches are taken at once.
    """
    uploads = gr.State([])
    picks = [[Upload(str(one.path), None, one.path.stem)] for one in samples()]
    with gr.Column(scale=0, min_width=310, elem_id="lz-inputs", elem_classes="lz-files"):
        patches = gr.File(
            label="Patches: .h5 (14 bands) or true-colour .png",
            file_count="multiple",
            height=150,
            elem_id="lz-patches",
        )
        picker = gr.Gallery(
            label="Samples",
            columns=5,
            height="auto",
            allow_preview=False,
            object_fit="cover",
            format="png",
            buttons=[],
            elem_id="lz-samples",
        )
        about = ui.html()
        map_sample = gr.Button(f"Sample scene, on the map: {PUTHUMALA.title}", size="sm")
        masks = gr.File(
            label="Known masks, if you have them",
            file_count="multiple",
            height=130,
            elem_id="lz-masks",
        )
        # Gradio may not know the new choices yet when the page sends one of them.
        shown = gr.Dropdown(
            label="Patch on show", visible=False, allow_custom_value=True, elem_id="lz-shown"
        )
        notices = ui.html(elem_id="lz-input-notices")

    def take(
        patch_files: list[str] | None, mask_files: list[str] | None, before: list[Upload]
    ) -> list[Any]:
        if not patch_files and before in picks:
            return [gr.skip()] * 4
        patch_files = [path for path in patch_files or [] if not is_scene(path)]
        found, odd = pair_masks(patch_files[:limit], mask_files or [])
        if len(patch_files) > limit:
            odd.insert(0, f"Only the first {limit} patches are taken; give the others afterwards.")
        names = [(one.name, place) for place, one in enumerate(found)]
        choice = gr.Dropdown(choices=names, value=0 if names else None, visible=len(names) > 1)
        return [found, choice, ui.render("notices", sentences=odd), _about()]

    def pick(event: gr.SelectData) -> tuple[list[Upload], gr.Dropdown, str, str, None, None]:
        found = picks[event.index]
        choice = gr.Dropdown(choices=[(found[0].name, 0)], value=0, visible=False)
        return found, choice, "", _about(event.index), None, None

    app.load(_thumbnails, None, picker, **ui.AT_ONCE)
    outputs = [uploads, shown, notices, about]
    files = (patches, masks)
    events = [event for file in files for event in (file.upload, file.delete, file.clear)]
    # Each in turn, none left out: where a patch follows its mask at once, the last one counts.
    taking = {"fn": take, "inputs": [patches, masks, uploads], "outputs": outputs}
    gr.on(events, trigger_mode="multiple", **taking, **ui.QUIET)
    picker.select(pick, None, [*outputs, patches, masks], **ui.QUIET)
    return Inputs(uploads, shown, patches, taking, map_sample)


def is_scene(path: str) -> bool:
    """Whether a file is for the tab Map, by its name."""
    return Path(path).suffix.lower() in _SCENES


def is_patch(path: str) -> bool:
    """Whether a file is for the other tabs, by its name."""
    return Path(path).suffix.lower() in (*SUFFIXES, ".png")


def pair_masks(patches: Sequence[str], masks: Sequence[str]) -> tuple[list[Upload], list[str]]:
    """Find each patch's mask by name, as in ``image_7.h5`` and ``mask_7.h5``.

    One mask beside one patch belongs to it whatever its name.

    Returns:
        The patches with their masks, and a sentence for every mask left over.
    """
    if len(patches) == len(masks) == 1:
        return [Upload(patches[0], masks[0], Path(patches[0]).stem)], []
    by_key = {_key(mask): mask for mask in masks}
    found: list[Upload] = []
    taken: dict[str, int] = {}
    for patch in patches:
        stem = Path(patch).stem
        taken[stem] = taken.get(stem, 0) + 1
        name = stem if taken[stem] == 1 else f"{stem} ({taken[stem]})"
        found.append(Upload(patch, by_key.get(_key(patch)), name))
    used = {one.mask for one in found}
    odd = [
        f"{Path(mask).name} matches no patch: name it mask_N for image_N."
        for mask in masks
        if mask not in used and patches
    ]
    return found, odd


def _key(path: str) -> str:
    stem = Path(path).stem.lower()
    for word in _WORDS:
        stem = stem.replace(word, "")
    return stem.strip("_-. ")


@cache
def _thumbnails() -> list[tuple[object, str]]:
    return [(true_colour(read_patch(one.path)), one.title) for one in samples()]


def _about(place: int | None = None) -> str:
    """Caption of the sample of that place, and the attribution of all."""
    return ui.render(
        "sample", sample=None if place is None else samples()[place], samples=samples()
    )
