"""A small Hugging Face Hub on loopback, for tests: the genuine client talks to it.

It speaks the HTTP interface that ``huggingface_hub`` uses (repositories,
commits, LFS uploads, references, downloads), keeps everything in memory, and
can be told to stop answering, to answer badly or to die in the middle of an upload.
"""

from loopback_hub.faults import Damage, Refuse, Trickle
from loopback_hub.server import LoopbackHub

__all__ = ["Damage", "LoopbackHub", "Refuse", "Trickle"]
