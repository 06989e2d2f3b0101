"""Train networks of the zoo with Accelerate and publish them to the Hub.

One CPU, one GPU, many GPUs or many nodes, as ``accelerate launch`` is told::

    accelerate launch train_accelerate.py --model unet-resnet34 --data DATASET --push-to someone
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from accelerate import Accelerator, DataLoaderConfiguration, PartialState
from accelerate.utils import set_seed
from tqdm import tqdm

from landslide_zoo.errors import LandslideZooError, TrainingError
from landslide_zoo.hub.publish import publish_model
from landslide_zoo.models.model import LandslideModel
from landslide_zoo.training.batches import EvenBatches, train_loader
from landslide_zoo.training.distillation import load_teachers, soft_targets
from landslide_zoo.training.finish import finish
from landslide_zoo.training.losses import build_loss
from landslide_zoo.training.optimisation import build_average, build_optimiser, build_schedule
from landslide_zoo.training.prepare import prepare_data, prepare_model
from landslide_zoo.training.run import Progress, Run
from landslide_zoo.training.settings import TRACKERS, Settings, check_machine, parse_changes
from landslide_zoo.training.together import first_then_others, together
from landslide_zoo.training.validate import validate


def train(name: str, settings: Settings) -> None:
    """Train one model, or go on with it, and leave its model folder."""
    accelerator = Accelerator(
        mixed_precision=settings.mixed_precision,
        gradient_accumulation_steps=settings.accumulate,
        log_with=list(settings.trackers) or None,
        project_dir=settings.output / name,
        # Our batches already come out even, without samples seen twice.
        dataloader_config=DataLoaderConfiguration(even_batches=False),
    )
    recipe = settings.recipe_for(name)
    run = Run(settings.output / name, accelerator)
    run.open({**settings.fixed(), **recipe.as_dict()}, settings.resume)
    if run.finished:
        accelerator.print(f"{name} is finished: {run.model_folder}")
        return
    log = run.log_to_file()
    set_seed(settings.seed)

    data, split = prepare_data(settings)
    model, encoder = prepare_model(name, recipe, settings, data, split["train"])
    model.to(memory_format=torch.channels_last)
    order = EvenBatches(
        len(split["train"]), recipe.batch_size, settings.seed, accelerator.num_processes
    )
    teachers = first_then_others(lambda: load_teachers(settings.teachers, accelerator.device))
    targets = None
    if teachers:
        with accelerator.autocast():
            targets = soft_targets(teachers, data, split["train"], recipe.distillation)
    loader = train_loader(
        data, split["train"], model.config, recipe, order, settings.workers, targets
    )
    average = build_average(model, recipe).to(accelerator.device)
    criterion = build_loss(recipe).to(accelerator.device)
    optimiser = build_optimiser(model, recipe)
    model, optimiser, loader = accelerator.prepare(model, optimiser, loader)
    updates = recipe.epochs * -(-len(loader) // settings.accumulate)
    schedule = build_schedule(optimiser.optimizer, recipe, updates)

    progress = Progress(data.fingerprint)
    accelerator.register_for_checkpointing(progress, average, schedule)
    if run.resume():
        log.info("resuming after epoch %d", progress.epoch)
    accelerator.init_trackers("landslide-zoo", recipe.as_dict())
    log.info(
        "%s: %s patches, %d process(es) on %s, %s",
        name,
        {subset: len(indices) for subset, indices in split.items()},
        accelerator.num_processes,
        accelerator.device,
        accelerator.mixed_precision,
    )

    for epoch in range(progress.epoch, recipe.epochs):
        if progress.stalled(recipe.patience):
            log.info("no better F1 for %d epochs", recipe.patience)
            break
        order.epoch, started = epoch, time.perf_counter()
        model.train()
        total = torch.zeros((), device=accelerator.device)
        batches = tqdm(loader, f"epoch {epoch + 1}", disable=not accelerator.is_main_process)
        for values, mask in batches:
            with accelerator.accumulate(model):
                loss = criterion(model(values), mask)
                accelerator.backward(loss)
                if accelerator.sync_gradients and recipe.clip:
                    accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
                optimiser.step()
                optimiser.zero_grad()
            if accelerator.sync_gradients:
                schedule.step()
                average.update_parameters(accelerator.unwrap_model(model))
            total += loss.detach()

        mean_loss = accelerator.reduce(total, "mean").item() / len(loader)
        seconds = time.perf_counter() - started
        if not math.isfinite(mean_loss):
            raise TrainingError(
                f"The loss of {name} is no number in epoch {epoch + 1}: lower learning_rate "
                "(--set), or use --mixed-precision bf16; the last checkpoint is kept."
            )
        counts = validate(average.module, data, split["validation"], accelerator)
        scores = counts.scores(counts.best_threshold() if recipe.tune_threshold else 0.5)
        row = {
            "epoch": epoch + 1,
            "loss": mean_loss,
            "precision": scores.precision,
            "recall": scores.recall,
            "f1": scores.f1,
            "iou": scores.iou,
            "learning_rate": schedule.get_last_lr()[0],
            "seconds": seconds,
        }
        accelerator.log(row, step=epoch + 1)
        speed = len(split["train"]) / seconds
        log.info(
            "epoch %d: loss %.4f, F1 %.4f, %.1f patches/s", epoch + 1, mean_loss, scores.f1, speed
        )
        progress.add(row)
        run.save(progress, average.module.network)

    with together():
        if accelerator.is_main_process:
            best = LandslideModel(accelerator.unwrap_model(model).config)
            run.load_best(best.network, progress)
            best.to(accelerator.device)
            record = finish(
                best, data, split, progress, recipe, settings, encoder, teachers, accelerator
            )
            best.save_pretrained(run.model_folder)
            for result in record.results:
                log.info("%s %s: F1 %.4f", result.protocol, result.subset, result.f1)
    for tracker in accelerator.trackers:
        tracker.finish()


def publish(name: str, settings: Settings) -> None:
    """Publish a trained model's folder to the Hub."""
    with together():
        if PartialState().is_main_process:
            url = publish_model(settings.output / name / "model", f"{settings.push_to}/{name}")
            print(f"{name} is published: {url}")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[list[str], typer.Option(help="Network to train, or all; may be repeated.")],
    data: Annotated[str, typer.Option(help="Folder, or id of a dataset on the Hub.")],
    bands: Annotated[Literal["all", "rgb"], typer.Option(help="Or true colour alone.")] = "all",
    split: Annotated[
        str, typer.Option(help="folder, random, spatial, region:X or official.")
    ] = "folder",
    encoder_weights: Annotated[str, typer.Option(help="imagenet, none, or a file.")] = "imagenet",
    teacher: Annotated[
        list[str] | None, typer.Option(help="Trained model to distil from; may be repeated.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("runs"),
    recipe: Annotated[str, typer.Option(help="standard or paper.")] = "standard",
    epochs: Annotated[int | None, typer.Option(min=1, help="The recipe's where not given.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Patches a step in each process.")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: another setting of the recipe.")
    ] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Steps before each update.")] = 1,
    mixed_precision: Annotated[
        Literal["no", "bf16", "fp16"] | None, typer.Option(help="As launched where not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of every random number.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Reading processes.")] = 0,
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the published weights.")
    ] = "float32",
    tracker: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(TRACKERS)}, or none.")
    ] = None,
    push_to: Annotated[str | None, typer.Option(help="Namespace to publish to.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with unfinished runs.")] = False,
) -> None:
    """Train networks of the zoo and publish each with its card."""
    try:
        changes = parse_changes(change or [])
        changes |= {"epochs": epochs} if epochs else {}
        changes |= {"batch_size": batch_size} if batch_size else {}
        settings = Settings(
            models=tuple(model),
            data=data,
            bands=bands,
            split=split,
            encoder_weights=encoder_weights,
            teachers=tuple(teacher or ()),
            output=output,
            recipe=recipe,
            changes=changes,
            accumulate=accumulate,
            mixed_precision=mixed_precision,
            seed=seed,
            workers=workers,
            dtype=dtype,
            trackers=tuple(name for name in tracker or ["tensorboard"] if name != "none"),
            push_to=push_to,
            resume=resume,
        )
        check_machine(settings)
        for name in settings.model_names():
            train(name, settings)
            if settings.push_to:
                publish(name, settings)
        PartialState().destroy_process_group()
    except (LandslideZooError, OSError) as error:
        sys.exit(str(error) if PartialState().is_main_process else 1)


if __name__ == "__main__":
    app()
