"""The model card: the README of a model folder, made from its configuration and record."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData

from landslide_zoo.errors import HubError, hub_errors
from landslide_zoo.io import write_whole
from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import EnsembleConfig, ModelConfig, read_config
from landslide_zoo.models.folder import (
    CARD,
    CONFIG,
    LIBRARY,
    PATTERNS,
    RECORD,
    folder_files,
    member_folders,
    read_record,
)
from landslide_zoo.models.record import Record, Result, is_research_only

LICENCE: dict[str, Any] = {"license": "apache-2.0"}
RESEARCH_LICENCE: dict[str, Any] = {
    "license": "other",
    "license_name": "nvidia-source-code-license-for-segformer",
    "license_link": "https://github.com/NVlabs/SegFormer/blob/master/LICENSE",
}
TAGS = ["landslide", "sentinel-2", "remote-sensing", "earth-observation", LIBRARY]
METRICS = {
    "f1": "F1 (landslide, pooled pixels)",
    "precision": "Precision (landslide, pooled pixels)",
    "recall": "Recall (landslide, pooled pixels)",
    "iou": "IoU (landslide, pooled pixels)",
}


def render_card(
    config: ModelConfig | EnsembleConfig,
    record: Record | None,
    figures: list[str],
    name: str | None = None,
) -> ModelCard:
    """Render the card of a model or an ensemble.

    Args:
        config: Its configuration.
        record: Its record, or None for an untrained model.
        figures: Names of the pictures in the model folder that the card shows.
        name: What the model is loaded by, such as its repo; its name in the catalog
            where None.

    Returns:
        Markdown with the Hub's metadata, model-index included.
    """
    name = name or config.name
    entry = None if isinstance(config, EnsembleConfig) else lookup(config.name)
    results = record.results if record else []
    pretrained = record is not None and record.encoder_weights.source != "none"
    data = ModelCardData(
        language="en",
        **(RESEARCH_LICENCE if is_research_only(config, record) else LICENCE),
        library_name=LIBRARY,
        pipeline_tag="image-segmentation",
        tags=[*TAGS, config.name],
        datasets=[record.data.name] if record and on_hub(record.data.name) else None,
        metrics=list(METRICS) if results else None,
        model_name=name.rpartition("/")[2],
        eval_results=[metric for result in results for metric in _eval_results(result)] or None,
    )
    template = resources.files("landslide_zoo.models").joinpath("card.md.jinja")
    return ModelCard.from_template(
        data,
        template_str=template.read_text(encoding="utf-8"),
        name=name,
        config=config,
        record=record,
        entry=entry,
        pretrained=pretrained,
        figures=figures,
        figure_text=figure_text,
    )


def replace_record(folder: Path, record: Record) -> None:
    """Replace a model folder's record, and its card with it; its weights stay as they are.

    Raises:
        LandslideZooError: If it is not a model folder or cannot be written.
    """
    figures = [path.name for path in folder.glob("*.png")]
    card = render_card(read_config(folder / CONFIG), record, figures)
    write_whole(folder / RECORD, record.to_json())
    write_whole(folder / CARD, str(card))


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    commit_message: str | None = None,
    revision: str | None = None,
) -> str:
    """Push a model folder to the Hub in one commit, in place of what was there.

    The card is that of the repo; an ensemble's members are pushed in folders of their own.

    Args:
        folder: The model folder.
        repo_id: As in ``someone/unet-resnet34``; made if it is not there.
        private: Whether a new repo is private.
        token: Token with the right to write; the client's own where None.
        commit_message: Message of the commit.
        revision: Branch to push to; the main one where None.

    Returns:
        URL of the commit.

    Raises:
        HubError: If the Hub refuses or cannot be reached.
    """
    config, record = read_config(folder / CONFIG), read_record(folder)
    files = folder_files(folder)
    figures = [name for name in files if name.endswith(".png")]
    for name, member in member_folders(folder).items():
        files |= {f"{name}/{file}": path for file, path in folder_files(member).items()}
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as staged, hub_errors(repo_id):
        for name, path in files.items():
            (Path(staged) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, Path(staged) / name)
        card = render_card(config, record, figures, repo_id)
        (Path(staged) / CARD).write_text(str(card), encoding="utf-8")
        make_repo(api, repo_id, private)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=staged,
            allow_patterns=PATTERNS,
            delete_patterns=PATTERNS,
            commit_message=commit_message or f"Publish {config.name}",
            revision=revision,
        )
    return commit.commit_url


def make_repo(api: HfApi, repo_id: str, private: bool | None, **kind: Any) -> None:  # noqa: ANN401
    """Make a repo where there is none.

    Raises:
        HubError: If the repo is there and public although it is to be private.
    """
    api.create_repo(repo_id, private=private, exist_ok=True, **kind)
    if private and not api.repo_info(repo_id, repo_type=kind.get("repo_type")).private:
        raise HubError(
            f"{repo_id} exists and is public: make it private on its page, or choose another name."
        )


def on_hub(dataset: str) -> bool:
    """Whether a dataset's name is an id on the Hub, as in ``someone/landslides``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", dataset) is not None


def figure_text(result: Result, name: str) -> str:
    """A figure of a result with its interval, as in ``0.6012 (0.552 to 0.641)``; a dash if unknown.

    Args:
        result: The result.
        name: Name of the figure's field, in the result or its details.
    """
    value = getattr(result if name in Result.model_fields else result.details, name)
    if value is None:
        return "-"
    interval = result.details.intervals.get(name)
    return f"{value:.4f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _eval_results(result: Result) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="image-segmentation",
            task_name="Landslide segmentation",
            dataset_type="landslide4sense",
            dataset_name=f"{result.dataset}, {result.protocol} split",
            dataset_config=f"{result.dataset}, {result.protocol}",
            dataset_split=result.subset,
            metric_type=metric,
            metric_name=title,
            metric_value=round(getattr(result, metric), 4),
        )
        for metric, title in METRICS.items()
    ]
