"""Write ``docs/performance.md`` from the figures that the benchmarks kept.

Every figure of the page is in ``benchmarks/results``: nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import RESULTS

from landslide_zoo.tables import markdown_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

INTRODUCTION = """# Performance

How long things take, measured by `make bench` and written by `benchmarks/report.py` from the
files in `benchmarks/results`, which hold every figure of this page. What is compared ran in one
process or in one series, each way in turn; figures are medians.

- *The study's app* is what the paper's demo does with a file: build the network, read its
  pickled weights, run it eagerly in float32, and draw three panels with matplotlib.
- *smp* is the same network by segmentation-models-pytorch, built once and run eagerly in
  float32, with the same panels at half the resolution.
- *Ours* is what `landslide-zoo predict` and the app do: read the file, find its clouds, run the
  network, apply the rules, and write figures, probability, mask and overlay.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page's text."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")}
    parts = [INTRODUCTION]
    parts += [
        f"## {title}\n\n{on(found[name])}\n\n" + "\n\n".join(section(found[name])) + "\n"
        for title, name, section in SECTIONS
        if name in found
    ]
    parts += [f"## What was aimed at\n\n{aims(found)}\n"]
    return "\n".join(parts)


def on(found: dict[str, Any]) -> str:
    """What figures were measured on, and how."""
    machine = found["machine"]
    words = [machine["processor"], f"{machine['cores']} cores", *machine.get("instructions", [])]
    if limit := machine.get("limited_to"):
        words.append(f"limited to {limit}")
    versions = [f"{name} {machine[name]}" for name in ("torch", "openvino") if name in machine]
    return f"On an {', '.join(words)}; {', '.join(versions)}. By `{found['command']}`."


def patch_section(found: dict[str, Any]) -> Iterator[str]:
    """A warm patch."""
    networks = found["networks"]
    yield (
        f"Milliseconds, the median of {found['rounds']} turns; *times* is how many times faster "
        "ours is. A network is computed in bfloat16 where its masks on the package's samples stay "
        "those of float32, else in float32."
    )
    ways = ("smp", "torch", "openvino float32", "ours")
    header = ["network alone", "weights", *ways, "computed in", "times, over smp"]
    rows = [
        [
            name,
            one["weights"],
            *medians(one["network_ms"], ways),
            one["backend"].split()[-1],
            text(one["times"]["network over smp"]),
        ]
        for name, one in networks.items()
    ]
    mean = found["geometric_mean"]
    rows.append(["geometric mean", *[""] * 6, text(mean["network over smp"])])
    yield markdown_table(header, rows)
    ways = ("study", "smp", "ours, clouds not looked for", "ours")
    ratios = ("end to end over smp", "without clouds over study", "end to end over study")
    header = [
        "file to pictures",
        *ways,
        "times, over smp",
        "clouds not looked for, over the study's app",
        "times, over the study's app",
    ]
    rows = [
        [name, *medians(one["end_to_end_ms"], ways), *(text(one["times"][key]) for key in ratios)]
        for name, one in networks.items()
    ]
    rows.append(["geometric mean", *[""] * 4, *(text(mean[key]) for key in ratios)])
    every, over = found["all_on_one_patch_ms"], found["all_on_one_patch_times"]
    together = ["all of them on one patch", text(every["study"]["median"])]
    together += [text(every["smp"]["median"]), "", text(every["ours"]["median"])]
    rows.append([*together, text(over["over smp"]), "", text(over["over study"])])
    yield markdown_table(header, rows)


def steps_section(found: dict[str, Any]) -> Iterator[str]:
    """Steps of a patch."""
    yield f"Milliseconds of each step of ours, the median of {found['rounds']}."
    steps = list(next(iter(found["networks"].values())))
    yield markdown_table(
        ["network", *steps],
        [[name, *medians(one, steps)] for name, one in found["networks"].items()],
    )


def throughput_section(found: dict[str, Any]) -> Iterator[str]:
    """Patches a second."""
    batches = list(found["geometric_mean"])
    yield f"The median of {found['rounds']} turns. Ours runs as many as 16 patches at once."
    header = ["patches a second", *(f"{batch}: smp, ours, times" for batch in batches)]
    rows = []
    for name, one in found["networks"].items():
        cells = []
        for batch in batches:
            speed = one["patches_per_s"][batch]
            cells.append(
                f"{text(speed['smp'])}, {text(speed['ours'])}, {text(one['times'][batch])}"
            )
        rows.append([name, *cells])
    rows.append(["geometric mean", *(text(found["geometric_mean"][one]) for one in batches)])
    yield markdown_table(header, rows)
    yield (
        "How much of the machine's peak that is, at a batch of 16: the peak is the faster of "
        "PyTorch's and OpenVINO's on a large matrix product, and on a 3x3 convolution, in the "
        "number type that the network is computed in. Above 1 a network's convolutions are of "
        "better shapes than the measured ones."
    )
    peaks = found["peak_gflop_per_s"]
    kinds = list(peaks["float32"])
    yield markdown_table(
        ["peak, Gflop/s", *kinds],
        [[name, *(text(peak[kind]) for kind in kinds)] for name, peak in peaks.items()],
    )
    header = ["network", "Gflop a patch", "computed in", "Gflop/s"]
    header += [f"share of the {kind}'s" for kind in kinds]
    yield markdown_table(
        header,
        [
            [
                name,
                text(one["gflop"]),
                one["backend"].split()[-1],
                text(one["gflop_per_s"]),
                *(text(one["share_of_peak"][kind]) for kind in kinds),
            ]
            for name, one in found["networks"].items()
        ],
    )


def command_section(found: dict[str, Any]) -> Iterator[str]:
    """The command line."""
    yield (
        f"With `{found['model']}`. A start is a fresh process, the median of {found['rounds']}: "
        "`predict` of one patch, with the network compiled by an earlier one and without."
    )
    yield markdown_table(
        ["start", "seconds", "seconds of processor"],
        [
            [name, *(text(one[key]["median"]) for key in ("seconds", "processor_s"))]
            for name, one in found["start"].items()
        ],
    )
    yield (
        "More work: `predict` of many patches. A patch's time is that of the process without what "
        "it takes for one patch, on all cores together; the slowest is "
        f"{text(found['work']['slowest_over_fastest'])} times the fastest."
    )
    yield markdown_table(
        ["times the work", "patches", "ms of processor a patch", "most memory, MB"],
        [
            [
                times,
                text(one["patches"]),
                text(one["patch_processor_ms"]["median"]),
                text(one["peak_mb"]),
            ]
            for times, one in found["work"]["times"].items()
        ],
    )


APP = {
    "page_up_s": "page up, s",
    "page_up_processor_s": "its processor time, s",
    "first_detection_s": "first detection after it, s",
    "first_detection_processor_s": "its processor time, s",
    "alone_ms": "`/detect` alone, upload and answer, ms",
    "alone_processor_ms": "its processor time, ms",
    "clients_per_s": "all clients at once: patches a second",
    "clients_median_wait_s": "median wait, s",
    "clients_95_percent_wait_s": "95 % wait no longer than, s",
    "clients_processor_ms": "processor time of a patch, ms",
    "resident_mb": "memory afterwards, MB",
    "first_paint_ms": "first paint in a fresh visit, ms",
}


def app_section(found: dict[str, Any]) -> Iterator[str]:
    """The app."""
    yield (
        f"The median of {found['rounds']} rounds; {found['clients']} clients, each with a patch "
        "of its own, and each gets its own answer. Beside it are earlier commits, and the ratio."
    )
    names = list(found["checkouts"])
    others = list(found["now_over"])
    rows = [
        [
            label,
            *(text(found["checkouts"][name][key]) for name in names),
            *(text(found["now_over"][name][key]) for name in others),
        ]
        for key, label in APP.items()
        if all(key in found["checkouts"][name] for name in names)
    ]
    yield markdown_table(["", *names, *(f"now over {name}" for name in others)], rows)


def training_section(found: dict[str, Any]) -> Iterator[str]:
    """Training and reading."""
    yield (
        f"Patches a second of 14 bands and 128 x 128 pixels, batch {found['batch']}, the median "
        f"of {found['steps']} turns. A step is forward, backward, clipping, update and average; "
        "`train_accelerate.py` reads and augments its patches besides, and trains in bf16."
    )
    networks = found["training_patches_per_s"]
    ways = list(next(iter(networks.values())))
    yield markdown_table(
        ["network", *ways],
        [[name, *(text(one[way]) for way in ways)] for name, one in networks.items()],
    )
    reading = found["reading_patches_per_s"]
    yield markdown_table(
        ["reading from .h5 files", "from the packed copy", "times"],
        [[text(reading[key]) for key in ("files", "packed copy", "times")]],
    )


def int8_section(found: dict[str, Any]) -> Iterator[str]:
    """Eight bits."""
    yield (
        "With `--backend openvino-int8` a network is computed in eight bits where its model "
        "folder has ranges for that (`int8.safetensors`, made of train patches). It is an option, "
        "because masks then differ in more pixels than the other backends' do. F1 and masks are of "
        f"the {found['patches']} validation patches, times the median of {found['rounds']} turns; "
        "*times* is over the network as it is usually computed."
    )
    header = ["network", "computed in", "F1", "pixels as in float32"]
    header += ["batch 1, ms", "times", "batch 16, ms a patch", "times"]
    keys = ("f1", "same_mask", "batch_1_ms", "batch_1_times", "batch_16_ms", "batch_16_times")
    yield markdown_table(
        header,
        [
            [name, kind["backend"], *(text(kind[key]) if key in kind else "" for key in keys)]
            for name, kinds in found["networks"].items()
            for kind in kinds.values()
        ],
    )


Section = Callable[[dict[str, Any]], Iterator[str]]
SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("A warm patch", "patch", patch_section),
    ("Its steps", "steps", steps_section),
    ("A warm patch, with AVX2 alone", "patch-avx2", patch_section),
    ("Many patches", "throughput", throughput_section),
    ("Many patches, with AVX2 alone", "throughput-avx2", throughput_section),
    ("The command line", "command", command_section),
    ("The app", "app", app_section),
    ("Training and reading", "training", training_section),
    ("Eight bits", "int8", int8_section),
)
"""Headings, the file of figures, and what writes the text under them."""


def aims(found: dict[str, Any]) -> str:
    """What was aimed at, and what was reached."""
    rows = []
    for aim in found["aims"]["aims"]:
        value: Any = found.get(aim["file"])
        for key in aim["path"]:
            value = value and value.get(key)
        if value is not None:
            least = aim["kind"] == "at least"
            reached = value >= aim["value"] if least else value <= aim["value"]
            measured = [text(value), "yes" if reached else f"no{aim.get('why', '')}"]
            rows.append([aim["what"], f"{aim['kind']} {text(aim['value'])}", *measured])
    return markdown_table(["", "aimed at", "measured", "reached"], rows)


def medians(ways: dict[str, dict[str, float]], names: Sequence[str]) -> list[str]:
    """The medians of ways."""
    return [text(ways[name]["median"]) for name in names]


def text(value: float) -> str:
    """A figure as it is kept."""
    return f"{value:,g}" if value < 1e6 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
