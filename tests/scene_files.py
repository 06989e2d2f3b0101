"""Small scenes for the tests: GeoTIFFs, product folders of JPEG 2000 files, elevation rasters."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform_bounds
from scipy import ndimage

from landslide_zoo.data.bands import BAND_NAMES, BANDS, TRUE_COLOUR
from landslide_zoo.data.patch import Patch
from landslide_zoo.scenes.products import SENTINEL_2
from landslide_zoo.scenes.scene import open_scene

SHARED_SCENES = Path(__file__).parents[2] / "shared" / "data" / "scenes"
UTM = "EPSG:32643"
PLACE = Affine(10, 0, 619_200, 0, -10, 1_272_600)
"""Transform of a scene of 10 m pixels in :data:`UTM`, a multiple of 60 m from its corner."""
RGB = TRUE_COLOUR
RESOLUTIONS = {
    10: ("B2", "B3", "B4", "B8"),
    20: ("B5", "B6", "B7", "B8A", "B11", "B12"),
    60: ("B1", "B9", "B10"),
}
Elevation = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Metres at coordinates x and y of :data:`UTM`."""


def scene_values(
    height: int = 96, width: int = 120, bands: Sequence[str] = BAND_NAMES, seed: int = 0
) -> np.ndarray:
    """Plausible whole numbers that change smoothly, shape (B, H, W), float64, 1 at least."""
    random = np.random.default_rng(seed)
    known = {band.name: band for band in BANDS}
    values = []
    for name in bands:
        band = known.get(name, known["B8"])
        noise = ndimage.gaussian_filter(random.standard_normal((height, width)), 4)
        values.append(band.mean + band.std * noise / noise.std())
    return np.rint(np.clip(values, 1, 20_000))


def write_raster(
    path: Path,
    values: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    crs: str | None = UTM,
    transform: Affine | None = PLACE,
    dtype: str = "uint16",
    driver: str = "GTiff",
    **profile: object,
) -> Path:
    """Write bands (B, H, W) as one raster, their names as descriptions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = {"crs": crs} | ({} if transform is None else {"transform": transform})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(
            path,
            "w",
            driver=driver,
            count=values.shape[0],
            height=values.shape[1],
            width=values.shape[2],
            dtype=dtype,
            **placed,
            **profile,
        )
    with dataset:
        dataset.write(values.astype(dtype))
        for i, name in enumerate(names or (), 1):
            dataset.set_band_description(i, name)
    return path


def write_scene(path: Path, height: int = 96, width: int = 120, seed: int = 0) -> Path:
    """Write a GeoTIFF with all fourteen bands, named, in digital numbers."""
    return write_raster(path, scene_values(height, width, seed=seed), BAND_NAMES)


def write_rgb(path: Path, values: np.ndarray | None = None, **profile: object) -> Path:
    """Write a GeoTIFF with red, green and blue, named, in digital numbers."""
    return write_raster(path, scene_values(bands=RGB) if values is None else values, RGB, **profile)


def hide(path: Path, hidden: np.ndarray) -> Path:
    """Give a GeoTIFF a mask that hides these pixels (H, W)."""
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(~hidden)
    return path


def read_scene(
    path: Path | Sequence[Path], wanted: Sequence[str] | None = None, **options: object
) -> Patch:
    """The whole of a scene, or the wanted bands of it."""
    with open_scene(path, **options) as scene:
        return scene.read(scene.whole, wanted)


def write_jp2(path: Path, values: np.ndarray, transform: Affine, crs: str = UTM) -> Path:
    """Write one band (H, W) as lossless JPEG 2000, as a product's bands are."""
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": 64, "BLOCKYSIZE": 64}
    return write_raster(
        path, values[None], crs=crs, transform=transform, driver="JP2OpenJPEG", **options
    )


def coarser(values: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels, rounded."""
    height, width = (side // factor for side in values.shape)
    blocks = values[: height * factor, : width * factor]
    return np.rint(blocks.reshape(height, factor, width, factor).mean(axis=(1, 3)))


def write_safe(
    folder: Path,
    level: str = "L2A",
    *,
    offset: int = -1000,
    quantification: int = 10_000,
    height: int = 120,
    width: int = 180,
    seed: int = 0,
    classes: np.ndarray | None = None,
    blank: int = 0,
) -> Path:
    """Write a product folder: bands at 10, 20 and 60 m as JPEG 2000, classification, metadata.

    Args:
        folder: Where the folder whose name ends in ``.SAFE`` goes.
        level: ``L1C`` or ``L2A``.
        offset: What readers must add; 0 as before processing baseline 04.00.
        quantification: Digital numbers of reflectance 1.
        height: Rows at 10 m.
        width: Columns at 10 m.
        seed: Of :func:`scene_values`.
        classes: Scene classification at 20 m (L2A alone); all vegetation where None.
        blank: Columns at the left that hold no value.

    Returns:
        The product folder.
    """
    baseline = "0400" if offset else "0300"
    stem = f"S2A_MSI{level}_20220207T050649_N{baseline}_R019_T43PFN_20220207T073106"
    product = folder / f"{stem}.SAFE"
    images = product / "GRANULE" / f"{level}_T43PFN_A034622_20220207T051234" / "IMG_DATA"
    bands = [b for b in SENTINEL_2 if level == "L1C" or b != "B10"]
    values = dict(zip(bands, scene_values(height, width, bands, seed), strict=True))
    for metres, names in RESOLUTIONS.items():
        factor = metres // 10
        for name in names:
            if name not in values:
                continue
            stored = coarser(values[name], factor) * quantification / 10_000 - offset
            stored[:, : blank // factor] = 0
            number = f"B{int(name[1:]):02}" if name[1:].isdigit() else name
            file = f"T43PFN_20220207T050649_{number}"
            path = images / f"{file}.jp2"
            if level == "L2A":
                path = images / f"R{metres}m" / f"{file}_{metres}m.jp2"
            write_jp2(path, stored, PLACE @ Affine.scale(factor))
    if level == "L2A":
        if classes is None:
            classes = np.full((height // 2, width // 2), 4)
        write_raster(
            images / "R20m" / "T43PFN_20220207T050649_SCL_20m.jp2",
            classes[None],
            transform=PLACE @ Affine.scale(2),
            dtype="uint8",
            driver="JP2OpenJPEG",
            QUALITY="100",
            REVERSIBLE="YES",
        )
    (product / f"MTD_MSI{level}.xml").write_text(
        metadata_xml(level, offset, quantification), encoding="utf-8"
    )
    return product


def metadata_xml(level: str = "L2A", offset: int = -1000, quantification: int = 10_000) -> str:
    """A product's metadata, cut to what readers look at."""
    tag, listed = "RADIO_ADD_OFFSET", "Radiometric_Offset_List"
    name = "QUANTIFICATION_VALUE"
    if level == "L2A":
        tag, listed, name = "BOA_ADD_OFFSET", "BOA_ADD_OFFSET_VALUES_LIST", f"BOA_{name}"
    offsets = "".join(f'<{tag} band_id="{i}">{offset}</{tag}>' for i in range(13))
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product.xsd">
<n1:General_Info><Product_Info>
<PROCESSING_LEVEL>Level-{level[1:]}{"p" if level == "L2A" else ""}</PROCESSING_LEVEL>
<PROCESSING_BASELINE>{"04.00" if offset else "03.00"}</PROCESSING_BASELINE>
</Product_Info><Product_Image_Characteristics>
<{name} unit="none">{quantification}</{name}>
{f"<{listed}>{offsets}</{listed}>" if offset else ""}
</Product_Image_Characteristics></n1:General_Info></n1:User_Product>
"""


def write_zip(path: Path, folder: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Pack a folder, its own name first, as archives of products do."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def hill(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A cone of 30 degrees whose top lies 1,500 m above the middle of a 120 x 96 scene."""
    middle = PLACE @ (60, 48)
    return 1500 - np.tan(np.radians(30)) * np.hypot(x - middle[0], y - middle[1])


def write_dem(
    path: Path,
    *,
    height: int = 96,
    width: int = 120,
    elevation: Elevation = hill,
    crs: str = "EPSG:4326",
    pixel: float = 1 / 3600,
    margin: float = 300.0,
    **profile: object,
) -> Path:
    """Write an elevation raster in any projection around a scene at :data:`PLACE`.

    Args:
        path: The file.
        height: Rows of the scene.
        width: Columns of the scene.
        elevation: What it holds.
        crs: Its projection.
        pixel: Its resolution in units of that projection; 1/3600 degree is about 30 m.
        margin: Metres that it reaches beyond the scene; negative to leave out its border.
        profile: More of the raster's profile.
    """
    left, top = PLACE @ (0, 0)
    right, bottom = PLACE @ (width, height)
    west, south, east, north = transform_bounds(
        UTM, crs, left - margin, bottom - margin, right + margin, top + margin
    )
    columns, rows = round((east - west) / pixel), round((north - south) / pixel)
    transform = Affine(pixel, 0, west, 0, -pixel, north)
    j, i = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    to_utm = Transformer.from_crs(crs, UTM, always_xy=True)
    metres = elevation(*to_utm.transform(west + pixel * j, north - pixel * i))
    return write_raster(
        path, metres[None], crs=crs, transform=transform, dtype="float32", **profile
    )


def real_scene(*parts: str) -> Path:
    """A real scene of the development data; the test skips where it is not there."""
    path = SHARED_SCENES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the development data have no {path.name} here")
    return path
