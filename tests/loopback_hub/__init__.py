"""A small Hugging Face Hub on loopback, for tests: the genuine client talks to it.

It speaks the HTTP interface that ``huggingface_hub`` uses (repositories, commits,
uploads and downloads by LFS and by Xet), and keeps everything in memory.
"""

from loopback_hub.server import LoopbackHub

__all__ = ["LoopbackHub"]
