"""What a run trains on: the dataset found, divided and packed, and the model scaled to it."""

from __future__ import annotations

from collections.abc import Sequence

from accelerate import PartialState
from tqdm import tqdm

from landslide_zoo.data.folders import Sample, dataset_folder, find_samples, labelled
from landslide_zoo.data.packed import PackedDataset, pack
from landslide_zoo.data.splits import split_samples
from landslide_zoo.models.encoder_weights import NONE, load_encoder_weights
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.models.record import EncoderWeights
from landslide_zoo.training.recipes import Recipe
from landslide_zoo.training.settings import Settings
from landslide_zoo.training.statistics import measure_scaling, no_scaling
from landslide_zoo.training.together import first_then_others


def prepare_data(settings: Settings) -> tuple[PackedDataset, dict[str, list[int]]]:
    """Find, divide and pack the dataset; one process packs, the others wait and open.

    All labelled patches are packed, so that every split uses the same copy.

    Returns:
        The packed dataset, and the indices of its patches by subset.

    Raises:
        TrainingError: If there is no such dataset or it cannot be divided so.
    """

    def bar(samples: Sequence[Sample]) -> Sequence[Sample]:
        return tqdm(samples, "packing", disable=not PartialState().is_main_process)

    def prepare() -> tuple[PackedDataset, dict[str, list[int]]]:
        samples = find_samples(dataset_folder(settings.data))
        split = split_samples(samples, settings.split)
        data = pack(labelled(samples), settings.output / "packed", bar)
        return data, {subset: data.index_of(chosen) for subset, chosen in split.items()}

    return first_then_others(prepare)


def prepare_model(
    name: str,
    recipe: Recipe,
    settings: Settings,
    data: PackedDataset,
    train: Sequence[int],
) -> tuple[LandslideModel, EncoderWeights]:
    """Build a network, scale its input to the train patches and start its encoder.

    Raises:
        TrainingError: If the encoder's weights cannot be had, or the patches lack a band.
    """

    def prepare() -> tuple[LandslideModel, EncoderWeights]:
        model = LandslideModel.from_catalog(name)
        if recipe.scaling == "none":
            scaling = no_scaling(model.config)
        else:
            scaling = measure_scaling(data, train, model.config, settings.seed)
            scaling = scaling.model_copy(update={"statistics": recipe.scaling})
        model.with_config(scaling=scaling.model_dump(), upsample=recipe.upsample)
        source = settings.encoder_weights if model.config.encoder is not None else NONE
        return model, load_encoder_weights(model, source)

    return first_then_others(prepare)
