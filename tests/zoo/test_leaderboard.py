"""The leaderboard: protocols stay apart, and README, cards and results say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from trained_model import make_record

from landslide_zoo.errors import DataError
from landslide_zoo.models.card import render_card
from landslide_zoo.models.config import catalog_config
from landslide_zoo.models.folder import bundled_folders
from landslide_zoo.models.record import Details, EncoderWeights, FalseAlarms, Record
from landslide_zoo.zoo import leaderboard as module
from landslide_zoo.zoo.leaderboard import (
    BEGIN,
    CARDS,
    END,
    README,
    ModelResults,
    Results,
    card,
    fill_readme,
    leaderboard,
)

ROOT = Path(__file__).parents[2]


def model(name: str, f1: float, **changes: object) -> ModelResults:
    """A model with one result that differs from the usual one as told."""
    record = make_record()
    result = record.results[0].model_copy(update={"f1": f1, **changes})
    record = record.model_copy(update={"results": [result]})
    return ModelResults(name=name, config=catalog_config("unet-resnet34-rgb"), record=record)


def test_the_best_comes_first() -> None:
    table = leaderboard([model("poor", 0.5), model("good", 0.7), model("fair", 0.6)])
    assert table.index("[good]") < table.index("[fair]") < table.index("[poor]")


@pytest.mark.parametrize(
    "difference",
    [
        {"protocol": "random"},
        {"dataset": "another"},
        {"subset": "all"},
        {"fingerprint": "1" * 64},
    ],
)
def test_results_that_cannot_be_compared_stand_in_tables_of_their_own(
    difference: dict[str, object],
) -> None:
    text = leaderboard([model("one", 0.7), model("two", 0.6, **difference)])
    tables = text.split("**")[2::2]
    assert len(tables) == 2
    for table in tables:
        assert ("[one]" in table) is not ("[two]" in table)
    alike = leaderboard([model("one", 0.7), model("two", 0.6)])
    assert len(alike.split("**")[2::2]) == 1


def test_validation_is_shown_only_where_nothing_was_tested() -> None:
    both = model("both", 0.7)
    validated = both.record.results[0].model_copy(update={"subset": "validation", "f1": 0.9})
    both = both.model_copy(update={"record": both.record.with_result(validated)})
    assert "0.9000" not in leaderboard([both])
    assert "0.9000" in leaderboard([model("alone", 0.9, subset="validation")])


def test_a_row_has_start_time_interval_the_studys_f1_and_false_alarms() -> None:
    alarms = FalseAlarms(
        negatives="coast", patches=9, square_kilometres=14.7, hectares_per_100_km2=31.6
    )
    one = model("one", 0.65, details=Details(intervals={"f1": (0.61, 0.69)}, false_alarms=[alarms]))
    changes = {
        "history": [{"epoch": epoch, "seconds": 90.0} for epoch in (1.0, 2.0)],
        "encoder_weights": EncoderWeights(source="resnet34-333f7ec4.pth"),
        "recipe": {"teachers": "another"},
    }
    one = one.model_copy(update={"record": one.record.model_copy(update=changes)})
    (row,) = [line for line in leaderboard([one]).splitlines() if line.startswith("| [one]")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["resnet34-333f7ec4, distilled", "1 epoch, 3 min"]
    assert cells[3:] == ["0.6500 (0.610 to 0.690)", "0.7470", "coast 32"]


def test_results_keep_one_model_a_network() -> None:
    first, second = (catalog_config(name) for name in ("unet-rgb", "unet-mobilenet_v2-rgb"))
    record = make_record()
    results = Results().with_model(first, record).with_model(second, record)
    results = results.with_model(first, record.model_copy(update={"seed": 7}))
    assert [(one.name, one.record.seed) for one in results.models] == [
        ("unet-mobilenet_v2-rgb", 42),
        ("unet-rgb", 7),
    ]


@pytest.mark.parametrize(
    ("changes", "better"),
    [
        ({"f1": 0.5}, True),
        ({"f1": 0.7}, False),
        ({"f1": 0.5, "fingerprint": "1" * 64}, False),  # measured on other patches
        ({"f1": 0.5, "subset": "test"}, False),  # nothing is chosen on test
    ],
)
def test_a_network_is_represented_by_its_best_on_validation(
    changes: dict[str, object], better: bool
) -> None:
    config = catalog_config("unet-resnet34-rgb")
    there = model("there", 0.6, subset="validation").record
    results = Results().with_model(config, there)
    new = model("new", **{"f1": 0.6, "subset": "validation", **changes}).record
    new = new.model_copy(update={"weights_sha256": "2" * 64})
    assert (results.better_than(config, new) is not None) is better
    again = there.model_copy(update={"results": new.results})  # the same model, measured again
    assert results.better_than(config, again) is None


def test_cards_of_models_that_are_gone_go_too(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("what this is")
    for name in ("unet-rgb", "unet-vgg16-rgb"):
        results = Results().with_model(catalog_config(name), make_record())
        results.write(tmp_path)
        assert Results.read(tmp_path) == results
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["README.md", "results.json", "unet-vgg16-rgb.md"]


def test_a_readme_keeps_what_is_around_the_table() -> None:
    text = f"# Title\n\n{BEGIN}\nearlier\n{END}\n\nmore\n"
    results = Results(models=[model("one", 0.7)])
    filled = fill_readme(text, results)
    assert filled.startswith("# Title\n") and filled.endswith("\n\nmore\n")
    assert "earlier" not in filled and "[one]" in filled
    assert fill_readme(filled, results) == filled


def test_a_readme_without_the_markers_is_told() -> None:
    with pytest.raises(DataError, match="needs the lines"):
        fill_readme("# Title\n", Results())


def test_a_file_that_holds_no_results_is_told(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"format": 1, "models": [{"name": "x"}]}')
    with pytest.raises(DataError, match=r"results\.json holds no results of this zoo"):
        Results.read(tmp_path)


def test_the_module_makes_cards_and_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / README).write_text(f"{BEGIN}\n{END}\n")
    Results(models=[model("one", 0.7)]).write(tmp_path / CARDS)
    (tmp_path / CARDS / "one.md").unlink()
    module.main()
    assert "0.7000" in (tmp_path / README).read_text()
    assert "0.7000" in (tmp_path / CARDS / "one.md").read_text()


def test_readme_cards_and_results_have_not_drifted_apart() -> None:
    """If this fails, run ``make cards``."""
    results = Results.read(ROOT / CARDS)
    readme = (ROOT / README).read_text()
    assert fill_readme(readme, results) == readme
    cards = {path.stem: path.read_text() for path in (ROOT / CARDS).glob("*.md")}
    cards.pop("README")
    assert cards == {one.name: card(one) for one in results.models}


def test_bundled_models_say_what_the_leaderboard_says() -> None:
    """If this fails, run ``landslide-zoo evaluate --zoo`` and ``make cards``."""
    known = {one.name: one for one in Results.read(ROOT / CARDS).models}
    for name, folder in bundled_folders().items():
        record = Record.read(folder / "record.json")
        assert known[name].record == record
        figures = [path.name for path in folder.glob("*.png")]
        card = render_card(known[name].config, record, figures)
        assert (folder / "README.md").read_text(encoding="utf-8") == str(card)


def test_the_page_of_experiments_says_what_was_measured() -> None:
    """Every run that it names, with F1 on validation and on test; and it stays one page."""
    page = (ROOT / "experiments" / "README.md").read_text()
    assert len(page.split()) <= 1000
    listed = json.loads((ROOT / "experiments" / "results.json").read_text())["models"]
    measured = {
        run["name"]: {one["subset"]: one["f1"] for one in run["record"]["results"]}
        for run in listed
    }
    rows = re.findall(r"^\| `(\S+)`[^|]*\| (0\.\d+) \| (0\.\d+) \|", page, re.MULTILINE)
    assert len(rows) == 8
    for name, validation, test in rows:
        assert float(validation) == pytest.approx(measured[name]["validation"], abs=6e-4)
        assert float(test) == pytest.approx(measured[name]["test"], abs=6e-4)
