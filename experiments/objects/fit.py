"""Fit rules on objects on the labelled 14-band patches, and score them by leave-one-block-out.

Each block of neighbouring patches is scored by rules fitted on the others::

    python experiments/objects/fit.py DATA OUTPUT.json
    python experiments/objects/fit.py DATA OUTPUT.json --model NAME_OR_FOLDER

DATA holds ``l4s-14band`` and ``l4s-14band-more``. Besides the rules that are shipped, those of
NDVI alone and two classifiers on the objects' attributes (scikit-learn) are scored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import typer
from skimage.segmentation import slic
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from landslide_zoo import LandslideModel
from landslide_zoo.data.landslide4sense import find_samples, labelled, place
from landslide_zoo.data.patch import Patch
from landslide_zoo.data.readers import read_patch
from landslide_zoo.evaluation.bootstrap import block_of
from landslide_zoo.inference.clouds import CloudMask, find_clouds, without_clouds
from landslide_zoo.inference.indices import layers_of
from landslide_zoo.inference.objects import describe, label_objects
from landslide_zoo.inference.predict import Prediction, Predictor, Scores, predict
from landslide_zoo.inference.rules import DEFAULT_RULES, apply_rules

FOLDERS = "l4s-14band", "l4s-14band-more"
TRAINED_ON = {1002, 3597}
"""Patches that the true-colour models learned from."""
FIXED = {"water_contact": ("max", 0.2), "hectares": ("min", 0.1)}
"""Not fitted: nothing here has a shore, and ten pixels are the least that a mask shows."""
GRIDS: dict[str, dict[str, Sequence[float]]] = {
    "rules": {
        "vegetation": (0.65, 0.7, 0.75, 0.8, 0.85),
        "median_vegetation": tuple(np.arange(0.5, 0.8, 0.025).round(3)),
        "median_relative_ndvi": (0.5, 0.55, 0.6, 9.0),
        "median_slope": (0.0, 8.0, 15.0, 20.0),
    },
    "NDVI alone": {
        "relative_ndvi": (0.65, 0.7, 0.75, 0.8, 0.85),
        "median_relative_ndvi": tuple(np.arange(0.4, 0.7, 0.025).round(3)),
        "median_slope": (0.0,),
    },
    "NDVI and slope": {
        "relative_ndvi": (0.65, 0.7, 0.75, 0.8, 0.85),
        "median_relative_ndvi": tuple(np.arange(0.4, 0.7, 0.025).round(3)),
        "median_slope": (0.0, 8.0, 15.0, 20.0),
    },
}
Counts = np.ndarray
"""True positives, false positives and false negatives."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A labelled patch with everything that is computed once.

    Attributes:
        number: Its id.
        block: Neighbouring patches share one.
        patch: Without its clouds.
        clouds: Its clouds and shadows.
        network: What the network says of the patch as it is.
        cleared: What it says without the clouds.
        layers: What the bands say of each pixel.
    """

    number: int
    block: Hashable
    patch: Patch
    clouds: CloudMask
    network: Prediction
    cleared: Prediction
    layers: dict[str, np.ndarray]

    @property
    def truth(self) -> np.ndarray:
        """Known landslide pixels that are observed, shape (H, W), bool."""
        assert self.patch.mask is not None
        return (self.patch.mask > 0) & self.patch.observed


def labelled_patches(data: Path, predictor: Predictor) -> Iterator[Labelled]:
    """The patches of the folders, in the order of their ids."""
    samples = [one for name in FOLDERS for one in labelled(find_samples(data / name))]
    for sample in sorted(samples, key=lambda sample: sample.number):
        if sample.number in TRAINED_ON:
            continue
        patch = read_patch(sample.image, mask=sample.mask)
        clouds = find_clouds(patch)
        seen = without_clouds(patch, clouds)
        network, cleared = (predict(predictor, [one])[0] for one in (patch, seen))
        yield Labelled(
            number=sample.number,
            block=block_of(place(sample.number), sample.number),
            patch=seen,
            clouds=clouds,
            network=network,
            cleared=cleared,
            layers=layers_of(seen),
        )


def f1(counts: Counts) -> float:
    """F1 of summed counts."""
    true, false, missed = counts
    return float(2 * true / max(1, 2 * true + false + missed))


def counts_of(mask: np.ndarray, one: Labelled) -> Counts:
    """Counts of a mask (H, W) on a patch."""
    scores = Scores.of_masks(mask, one.truth, one.patch.observed)
    return np.array([scores.true_positives, scores.false_positives, scores.false_negatives])


def grid_counts(
    patches: Sequence[Labelled], grid: dict[str, Sequence[float]]
) -> dict[tuple[float, ...], np.ndarray]:
    """Counts of each patch, shape (N, 3), for every point of a grid of rules."""
    pixel, *bounds = grid
    table: dict[tuple[float, ...], list[Counts]] = {}
    for one in patches:
        for limit in grid[pixel]:
            mask = (one.cleared.mask > 0) & (one.layers[pixel] <= limit)
            objects = describe(label_objects(mask), one.cleared, one.layers)
            labels = label_objects(mask)
            size = np.array([each.pixels for each in objects])
            true = np.array([np.sum(one.truth[labels == each.number]) for each in objects])
            fits = np.ones(len(objects), dtype=bool)
            for name, (side, value) in FIXED.items():
                fits &= _within(objects, name, side, value)
            for point in product(*(grid[name] for name in bounds)):
                kept = fits.copy()
                for name, value in zip(bounds, point, strict=True):
                    kept &= _within(
                        objects, name, "min" if name == "median_slope" else "max", value
                    )
                found = true[kept].sum()
                counts = np.array([found, size[kept].sum() - found, one.truth.sum() - found])
                table.setdefault((limit, *point), []).append(counts)
    return {point: np.stack(rows) for point, rows in table.items()}


def _within(objects: Sequence[Any], name: str, side: str, value: float) -> np.ndarray:
    values = np.array([each.value(name) for each in objects], dtype=float)
    return values <= value if side == "max" else values >= value


def smoothed(table: dict[tuple[float, ...], np.ndarray], rows: np.ndarray) -> dict[Any, float]:
    """For each point of a grid the mean F1 of it and its neighbours: a plateau, not a peak."""
    axes = [sorted(set(values)) for values in zip(*table, strict=True)]
    score = {point: f1(counts[rows].sum(axis=0)) for point, counts in table.items()}
    means = {}
    for point in table:
        near = []
        for axis, value in zip(axes, point, strict=True):
            i = axis.index(value)
            near.append(axis[max(0, i - 1) : i + 2])
        means[point] = float(np.mean([score[each] for each in product(*near)]))
    return means


def leave_one_block_out(
    patches: Sequence[Labelled], grid: dict[str, Sequence[float]]
) -> dict[str, Any]:
    """F1 with each block's rules fitted on the other blocks."""
    table = grid_counts(patches, grid)
    blocks = np.array([str(one.block) for one in patches])
    total, chosen = np.zeros(3), {}
    for block in sorted(set(blocks)):
        means = smoothed(table, blocks != block)
        best = max(means, key=lambda point: means[point])
        chosen[block] = dict(zip(grid, map(float, best), strict=True))
        total += table[best][blocks == block].sum(axis=0)
    everywhere = smoothed(table, np.ones(len(blocks), dtype=bool))
    best = max(everywhere, key=lambda point: everywhere[point])
    return {
        "f1": f1(total),
        "counts": total.tolist(),
        "chosen": chosen,
        "fitted_on_all": dict(zip(grid, map(float, best), strict=True)),
        "f1_in_sample": f1(table[best].sum(axis=0)),
    }


def classifiers(patches: Sequence[Labelled]) -> dict[str, Any]:
    """F1 with each block's objects judged by a classifier that learned on the other blocks'."""
    rows, true, size, blocks, names = [], [], [], [], []
    for one in patches:
        mask = (one.cleared.mask > 0) & (one.layers["vegetation"] <= 0.75)
        labels = label_objects(mask)
        for each in describe(labels, one.cleared, one.layers):
            values = {
                "hectares": each.hectares,
                "mean_probability": each.mean_probability,
                "max_probability": each.max_probability,
                **each.attributes,
            }
            names = list(values)
            rows.append(list(values.values()))
            size.append(each.pixels)
            true.append(int(one.truth[labels == each.number].sum()))
            blocks.append(str(one.block))
    table, sizes, found = np.array(rows), np.array(size), np.array(true)
    real, where = found > 0.4 * sizes, np.array(blocks)
    landslides = sum(int(one.truth.sum()) for one in patches)
    makers: dict[str, Callable[[], Any]] = {
        "logistic regression": lambda: make_pipeline(
            SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)
        ),
        "gradient boosting": lambda: HistGradientBoostingClassifier(
            max_depth=3, min_samples_leaf=5, max_iter=50, random_state=0
        ),
    }
    results: dict[str, Any] = {"attributes": names, "objects": len(rows)}
    for name, make in makers.items():
        kept = np.zeros(len(rows), dtype=bool)
        for block in sorted(set(blocks)):
            learn, judge = where != block, where == block
            model = make()
            step = "" if name == "gradient boosting" else "logisticregression__"
            model.fit(table[learn], real[learn], **{f"{step}sample_weight": sizes[learn]})
            kept[judge] = model.predict(table[judge])
        counts = np.array([found[kept].sum(), (sizes - found)[kept].sum(), 0])
        counts[2] = landslides - counts[0]
        results[name] = f1(counts)
    return results


def superpixels(one: Labelled) -> Labelled:
    """The same patch with its vegetation and NDVI as medians over superpixels."""
    layers = np.stack(
        [one.layers["vegetation"] * 2, one.layers["brightness"] / 300, one.layers["slope"] / 20],
        axis=-1,
    )
    segments = slic(layers, n_segments=1000, compactness=0.1, start_label=0, convert2lab=False)
    count = segments.max() + 1
    smooth = dict(one.layers)
    for name in ("vegetation", "relative_ndvi"):
        values = one.layers[name]
        medians = np.array([np.median(values[segments == i]) for i in range(count)])
        smooth[name] = medians[segments]
    return replace(one, layers=smooth)


def main(data: Path, output: Path, model: str = "unet-mobilenet_v2-rgb") -> None:
    """Score everything and write the figures."""
    patches = list(labelled_patches(data, LandslideModel.from_pretrained(model)))

    def pooled(mask: Callable[[Labelled], np.ndarray]) -> float:
        return f1(sum((counts_of(mask(one), one) for one in patches), np.zeros(3)))

    def ruled(one: Labelled, *off: str) -> np.ndarray:
        rules = [rule for rule in DEFAULT_RULES if rule.attribute not in off]
        return apply_rules(one.cleared, one.layers, rules).prediction.mask

    alone = np.zeros(3)
    shadows = np.zeros((2, 3))
    for one in patches:
        scores = one.network.scores(one.patch.mask)
        alone += [scores.true_positives, scores.false_positives, scores.false_negatives]
        seen = one.patch.observed & ~one.clouds.shadow
        for i, mask in enumerate((one.cleared.mask, ruled(one))):
            scores = Scores.of_masks(mask, one.truth, seen)
            shadows[i] += [scores.true_positives, scores.false_positives, scores.false_negatives]
    results: dict[str, Any] = {
        "model": model,
        "patches": [one.number for one in patches],
        "network": f1(alone),
        "clouds left out": pooled(lambda one: one.cleared.mask),
        "shipped rules": pooled(ruled),
        "shipped rules, one left out": {
            rule.attribute: pooled(lambda one, off=rule.attribute: ruled(one, off))
            for rule in DEFAULT_RULES
        },
        "shadows left out as well": {
            "network": f1(shadows[0]),
            "shipped rules": f1(shadows[1]),
        },
        "shipped rules, patch by patch": {
            one.number: f1(counts_of(ruled(one), one)) for one in patches
        },
        "leave one block out": {
            name: leave_one_block_out(patches, grid) for name, grid in GRIDS.items()
        },
        "classifiers, leave one block out": classifiers(patches),
        "shipped rules on superpixels": f1(
            sum((counts_of(ruled(superpixels(one)), one) for one in patches), np.zeros(3))
        ),
    }
    output.write_text(json.dumps(results, indent=1) + "\n")
    for name in ("network", "clouds left out", "shipped rules", "shipped rules on superpixels"):
        print(f"{name}: {results[name]:.3f}")
    for name, one in results["leave one block out"].items():
        print(f"{name}, leave one block out: {one['f1']:.3f} {one['fitted_on_all']}")
    print(results["classifiers, leave one block out"], results["shadows left out as well"])
    print(results["shipped rules, one left out"])


if __name__ == "__main__":
    typer.run(main)
