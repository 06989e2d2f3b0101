"""The model card: the README of a model folder, made from its configuration and record."""

from __future__ import annotations

from importlib import resources
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from landslide_zoo.models.catalog import lookup
from landslide_zoo.models.config import ModelConfig
from landslide_zoo.models.record import Record, Result

LICENCE: dict[str, Any] = {"license": "apache-2.0"}
RESEARCH_LICENCE: dict[str, Any] = {
    "license": "other",
    "license_name": "nvidia-source-code-license-for-segformer",
    "license_link": "https://github.com/NVlabs/SegFormer/blob/master/LICENSE",
}
LIBRARY = "landslide-zoo"
TAGS = ["landslide", "sentinel-2", "remote-sensing", "earth-observation", LIBRARY]
METRICS = {
    "f1": "F1 (landslide, pooled pixels)",
    "precision": "Precision (landslide, pooled pixels)",
    "recall": "Recall (landslide, pooled pixels)",
    "iou": "IoU (landslide, pooled pixels)",
}


def render_card(config: ModelConfig, record: Record | None, figures: list[str]) -> str:
    """Render the card of a model.

    Args:
        config: The model's configuration.
        record: Its record, or None for an untrained model.
        figures: Names of the pictures in the model folder that the card shows.

    Returns:
        Markdown with the Hub's metadata, model-index included.
    """
    entry = lookup(config.name)
    results = record.results if record else []
    pretrained = record is not None and record.encoder_weights.source != "none"
    data = ModelCardData(
        language="en",
        **(RESEARCH_LICENCE if pretrained and entry.research_only else LICENCE),
        library_name=LIBRARY,
        pipeline_tag="image-segmentation",
        tags=[*TAGS, config.name],
        datasets=[record.data.name] if record else None,
        metrics=list(METRICS) if results else None,
        model_name=config.name,
        eval_results=[one for result in results for one in _eval_results(result)] or None,
    )
    template = resources.files("landslide_zoo.models").joinpath("card_template.md.jinja")
    card = ModelCard.from_template(
        data,
        template_str=template.read_text(encoding="utf-8"),
        config=config,
        record=record,
        entry=entry,
        pretrained=pretrained,
        figures=figures,
        figure_text=figure_text,
    )
    return str(card)


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
            dataset_split=result.subset,
            metric_type=metric,
            metric_name=title,
            metric_value=round(getattr(result, metric), 4),
        )
        for metric, title in METRICS.items()
    ]
