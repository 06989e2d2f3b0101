"""Patches and datasets: bands, readers, checks, folders and splits, augmentation."""

from landslide_zoo.data.checks import check_patch, check_statistics, slope_of
from landslide_zoo.data.files import public_name
from landslide_zoo.data.hdf5 import write_mask_h5, write_patch_h5
from landslide_zoo.data.landslide4sense import (
    REGIONS,
    Place,
    Sample,
    dataset_folder,
    find_samples,
    known_places,
    labelled,
    place,
    split_samples,
)
from landslide_zoo.data.patch import Fingerprint, Grid, Patch
from landslide_zoo.data.readers import FolderContents, patch_files, read_mask, read_patch

__all__ = [
    "REGIONS",
    "Fingerprint",
    "FolderContents",
    "Grid",
    "Patch",
    "Place",
    "Sample",
    "check_patch",
    "check_statistics",
    "dataset_folder",
    "find_samples",
    "known_places",
    "labelled",
    "patch_files",
    "place",
    "public_name",
    "read_mask",
    "read_patch",
    "slope_of",
    "split_samples",
    "write_mask_h5",
    "write_patch_h5",
]
