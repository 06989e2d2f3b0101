"""Networks in eight bits: the range of each number, kept in a file beside the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from landslide_zoo.errors import ModelError
from landslide_zoo.models.folder import RANGES

_NETWORK = "network_sha256"
_ROUNDED, _REPLACED = "rounded", "replaced"
_WEIGHT_LEVELS = 255
"""Values that a weight may have: as many below zero as above."""
_LIMIT = 16 * 2**20
"""Bytes of a file of ranges that are read; those of the largest network are a twentieth."""


@dataclass(frozen=True)
class Ranges:
    """What is rounded to eight bits in a network, and between which values.

    A key names an input of an operation by its place in the network. Where numbers are
    rounded it is ``rounded|LEVELS|PLACE|PORT``, and the value holds the lowest and the
    highest, shape (2, ...). Where a bias makes up for what rounding does on average it is
    ``replaced|0|PLACE|PORT``, and the value is that bias.

    Attributes:
        network: SHA-256 of the weights, and of the operations as this OpenVINO joins them.
        tensors: The values by key.
    """

    network: str
    tensors: dict[str, np.ndarray]

    @classmethod
    def of(cls, rounded: ov.Model, exact: ov.Model, weights_sha256: str) -> Self:
        """What was done to a network.

        Args:
            rounded: The network with its numbers rounded, as NNCF leaves it.
            exact: The network without.
            weights_sha256: Of the weights of both.
        """
        places = {op.get_friendly_name(): i for i, op in enumerate(exact.get_ordered_ops())}
        before = dict(_inputs(exact))
        tensors = {}
        for (name, port), node in _inputs(rounded):
            if name not in places:
                continue
            place = f"{places[name]}|{port}"
            levels, limits = _rounding(node)
            if limits is not None:
                tensors[f"{_ROUNDED}|{levels}|{place}"] = limits
            elif _differ(node, before[name, port]):
                tensors[f"{_REPLACED}|0|{place}"] = node.data.astype(np.float32)
        return cls(_digest(exact, weights_sha256), tensors)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the file of a model folder.

        Raises:
            ModelError: If there is none, or it is damaged.
        """
        path = folder / RANGES
        if not path.is_file():
            raise ModelError(
                f"There is no {RANGES} in {folder}, so it cannot be computed in eight bits: name "
                "openvino."
            )
        try:
            if path.stat().st_size > _LIMIT:
                raise ValueError("too large")
            with safe_open(path, "numpy") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                network = (file.metadata() or {}).get(_NETWORK, "")
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelError(f"{path} is damaged: make it again, or name openvino.") from error
        return cls(network, tensors)

    def write(self, folder: Path) -> Path:
        """Write the file into a model folder."""
        path = folder / RANGES
        save_file(dict(sorted(self.tensors.items())), path, {_NETWORK: self.network})
        return path

    @property
    def digest(self) -> str:
        """A digest of all of it."""
        digest = hashlib.sha256(self.network.encode())
        for name, tensor in sorted(self.tensors.items()):
            digest.update(name.encode() + tensor.tobytes())
        return digest.hexdigest()

    def apply(self, network: ov.Model, weights_sha256: str) -> None:
        """Round the numbers of a network, in place.

        Args:
            network: The network.
            weights_sha256: Of its weights.

        Raises:
            ModelError: If the ranges are not for this network.
        """
        operations = network.get_ordered_ops()
        made: dict[tuple[str, int, str, bytes], ov.Output] = {}
        try:
            if self.network != _digest(network, weights_sha256):
                raise ValueError("another network")
            for key, values in self.tensors.items():
                kind, levels, place, port = key.split("|")
                target = operations[int(place)].input(int(port))
                source = target.get_source_output()
                if not np.isfinite(values).all():
                    raise ValueError("not finite")
                if kind == _REPLACED:
                    target.replace_source_output(ops.constant(values).output(0))
                    continue
                # Operations that read one tensor share what rounds it.
                name = source.get_node().get_friendly_name()
                one = (name, source.get_index(), levels, values.tobytes())
                if one not in made:
                    low, high = values
                    rounded = ops.fake_quantize(source, low, high, low, high, int(levels))
                    made[one] = rounded.output(0)
                target.replace_source_output(made[one])
            network.validate_nodes_and_infer_types()
        except (ValueError, IndexError, RuntimeError) as error:
            raise ModelError(
                f"{RANGES} is for other weights or for another OpenVINO: make it again, or name "
                "openvino."
            ) from error


def _inputs(network: ov.Model) -> Iterator[tuple[tuple[str, int], ov.Node]]:
    """Inputs of the operations of a network, by operation and port, and what feeds each."""
    for op in network.get_ordered_ops():
        for port in range(op.get_input_size()):
            yield (op.get_friendly_name(), port), op.input_value(port).get_node()


def _differ(one: ov.Node, other: ov.Node) -> bool:
    """Whether both are constants, and not the same."""
    constant = one.get_type_name() == other.get_type_name() == "Constant"
    return constant and not np.array_equal(one.data, other.data)


def _rounding(node: ov.Node) -> tuple[int, np.ndarray | None]:
    """The levels and limits, shape (2, ...), of what rounds an input; None where nothing does."""
    if node.get_type_name() == "FakeQuantize":
        limits = [node.input_value(i).get_node().data for i in (1, 2)]
        return node.get_attributes()["levels"], np.stack(limits).astype(np.float32)
    if node.get_type_name() == "Multiply":  # weights: whole numbers by a scale
        whole, scale = (node.input_value(i).get_node() for i in (0, 1))
        inner = whole.input_value(0).get_node() if whole.get_input_size() else whole
        if whole.get_type_name() == "Convert" and inner.get_element_type() == ov.Type.i8:
            highest = _WEIGHT_LEVELS // 2 * scale.data
            return _WEIGHT_LEVELS, np.stack([-highest, highest]).astype(np.float32)
    return 0, None


def _digest(network: ov.Model, weights_sha256: str) -> str:
    """What places in a network depend on: its weights, and its operations in their order."""
    kinds = [f"{op.get_type_name()} {op.get_input_size()}" for op in network.get_ordered_ops()]
    return hashlib.sha256("\n".join([weights_sha256, *kinds]).encode()).hexdigest()
