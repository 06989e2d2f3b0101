"""Train networks of the zoo with Accelerate and publish them to the Hub.

One CPU, one GPU, many GPUs or many nodes, as ``accelerate launch`` is told::

    accelerate launch train_accelerate.py --model unet-resnet34 --data DATASET --push-to someone
"""

from __future__ import annotations

import math
import os
import sys
import time
from datetime import timedelta

import torch
from accelerate import Accelerator, DataLoaderConfiguration, InitProcessGroupKwargs, PartialState
from accelerate.utils import ProjectConfiguration, broadcast, broadcast_object_list, set_seed
from torch.utils.data import DataLoader
from tqdm import tqdm

from landslide_zoo import __version__
from landslide_zoo.errors import LandslideZooError, TrainingError
from landslide_zoo.evaluation import PixelCounts
from landslide_zoo.inference.model import LandslideModel
from landslide_zoo.inference.predict import SCORES
from landslide_zoo.models.networks import load_encoder_weights
from landslide_zoo.training.config import TrainConfig, check_machine, parse_arguments
from landslide_zoo.training.data import (
    Augmentation,
    PatchDataset,
    fit_scaling,
    load_data,
    load_teachers,
    soft_targets,
)
from landslide_zoo.training.optimisation import (
    UNOBSERVED,
    build_ema,
    build_loss,
    build_optimizer,
    build_scheduler,
)
from landslide_zoo.training.run import CHECKPOINTS, Progress, Run, build_record, raise_on_all_ranks
from landslide_zoo.zoo import publish_model


def train(name: str, config: TrainConfig) -> None:
    """Train one model, or go on with it, and leave its model folder."""
    folder = config.output / name
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        log_with=config.trackers or None,
        project_config=ProjectConfiguration(
            str(folder), automatic_checkpoint_naming=True, total_limit=CHECKPOINTS
        ),
        # The loop below steps the scheduler, once for each update of the weights.
        step_scheduler_with_optimizer=False,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, data_seed=config.seed),
        # The others wait while the main process reads the dataset.
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=12))],
    )
    config = config.model_copy(update={"mixed_precision": accelerator.mixed_precision})
    run = Run(folder, config, accelerator)
    run.check()
    if run.finished:
        accelerator.print(f"{name} is finished: {run.model_folder}")
        return
    set_seed(config.seed)

    model = LandslideModel.from_catalog(name)
    with raise_on_all_ranks():
        encoder = load_encoder_weights(model.network, model.config, config.encoder_weights)
        teachers = load_teachers(config.teacher, accelerator.device)
        split = load_data(config)
    fitted, targets = None, None
    with raise_on_all_ranks(), accelerator.autocast():
        if accelerator.is_main_process:
            fitted = fit_scaling(split, model.config, config)
        if teachers:
            targets = soft_targets(teachers, split["train"], config.distillation)
    [(scaling, fingerprint)] = broadcast_object_list([fitted])
    model.update_config(scaling=scaling.model_dump())
    taught_by = [f"{teacher.config.name} sha256:{sha256}" for teacher, sha256 in teachers]
    del teachers  # they need not stay on the device
    augmentation = Augmentation(config.flips, config.brightness)
    train_data = PatchDataset(split["train"], model.config, augmentation, config.seed, targets)
    validation_data = PatchDataset(split["validation"], model.config)
    # Full batches alone: batch normalisation refuses a last one of a single patch.
    batch_size = min(config.batch_size, len(train_data) // accelerator.num_processes)
    if batch_size < 2:
        raise TrainingError(
            f"{len(train_data)} train patches are too few for {accelerator.num_processes} "
            "process(es): each needs at least two."
        )
    reading = {"num_workers": config.workers, "pin_memory": torch.cuda.is_available()}
    train_loader = DataLoader(train_data, batch_size, shuffle=True, drop_last=True, **reading)
    validation_loader = DataLoader(validation_data, config.batch_size, **reading)

    model.to(memory_format=torch.channels_last)
    ema = build_ema(model, config).to(accelerator.device)
    criterion = build_loss(config).to(accelerator.device)
    optimizer = build_optimizer(model, config)
    steps = len(train_loader) // accelerator.num_processes
    updates = config.epochs * math.ceil(steps / config.gradient_accumulation_steps)
    scheduler = build_scheduler(optimizer, config, updates)
    model, optimizer, train_loader, validation_loader, scheduler = accelerator.prepare(
        model, optimizer, train_loader, validation_loader, scheduler
    )
    progress = Progress(fingerprint)
    accelerator.register_for_checkpointing(progress, ema)

    run.begin()
    if run.resume():
        run.log.info("resuming after epoch %d", progress.epoch)
    plain = {k: v for k, v in config.settings().items() if isinstance(v, (bool, int, float, str))}
    accelerator.init_trackers("landslide-zoo", plain)
    run.log.info(
        "%s: %s patches, %d process(es) on %s, %s",
        name,
        {subset: len(patches) for subset, patches in split.items()},
        accelerator.num_processes,
        accelerator.device,
        accelerator.mixed_precision,
    )

    for epoch in range(progress.epoch, config.epochs):
        if progress.stalled(config.patience):
            run.log.info("no better F1 for %d epochs", config.patience)
            break
        train_data.epoch, started = epoch, time.perf_counter()
        train_loader.set_epoch(epoch)
        model.train()
        total_loss = torch.zeros((), device=accelerator.device)
        batches = tqdm(train_loader, f"epoch {epoch + 1}", disable=not accelerator.is_main_process)
        for values, mask in batches:
            with accelerator.accumulate(model):
                loss = criterion(model(values), mask)
                accelerator.backward(loss)
                if accelerator.sync_gradients and config.max_grad_norm:
                    accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
                optimizer.step()
                # In half precision a step whose gradient overflowed is skipped.
                if accelerator.sync_gradients and not accelerator.optimizer_step_was_skipped:
                    scheduler.step()
                    ema.update_parameters(accelerator.unwrap_model(model))
                optimizer.zero_grad()
            total_loss += loss.detach()
        mean_loss = accelerator.reduce(total_loss, "mean").item() / len(train_loader)
        seconds = time.perf_counter() - started

        # Each process has batch statistics of its own; the main one's are kept.
        broadcast(list(ema.module.buffers()))
        ema.eval()
        counts, finite = PixelCounts(), math.isfinite(mean_loss)
        for values, mask in validation_loader if finite else ():
            with torch.inference_mode(), accelerator.autocast():
                probability = torch.sigmoid(ema.module(values).float())
            probability, mask = accelerator.gather_for_metrics((probability, mask))
            finite = finite and bool(probability.isfinite().all())
            if not finite:
                break
            truth = mask.cpu().numpy()
            counts.add(probability.cpu().numpy(), truth, truth != UNOBSERVED)
        if not finite:
            raise TrainingError(
                f"The loss of {name} is not finite in epoch {epoch + 1}: lower --learning-rate, "
                "or use --mixed-precision bf16; the last checkpoint is kept."
            )

        scores = counts.scores(counts.best_threshold() if config.tune_threshold else 0.5)
        row = {
            "epoch": epoch + 1,
            "loss": mean_loss,
            **{score: getattr(scores, score) for score in SCORES},
            "learning_rate": scheduler.get_last_lr()[0],
            "seconds": seconds,
        }
        accelerator.log(row, step=epoch + 1)
        speed = len(train_data) / seconds
        run.log.info(
            "epoch %d: loss %.4f, F1 %.4f, %.1f patches/s", epoch + 1, mean_loss, scores.f1, speed
        )
        progress.add(row, ema.module.network)
        run.save(progress)

    with raise_on_all_ranks():
        if accelerator.is_main_process:
            best = LandslideModel(accelerator.unwrap_model(model).config)
            best.network.load_state_dict(progress.best_weights)
            best.to(accelerator.device)
            record = build_record(
                best, split, progress, config, encoder, taught_by, accelerator, __version__
            )
            best.save_pretrained(run.model_folder)
            for result in record.results:
                run.log.info("%s %s: F1 %.4f", result.protocol, result.subset, result.f1)
    # Not end_training, which also ends the process group that the next model needs.
    for tracker in accelerator.trackers:
        tracker.finish()


def publish(name: str, config: TrainConfig) -> None:
    """Publish a trained model's folder to the Hub."""
    with raise_on_all_ranks():
        if PartialState().is_main_process:
            url = publish_model(config.output / name / "model", f"{config.push_to}/{name}")
            print(f"{name} is published: {url}")


def main() -> None:
    """Train the models that the command line names, one after another."""
    try:
        config = parse_arguments()
        names = config.names
        check_machine(config)
        for name in names:
            train(name, config.for_model(name))
            if config.push_to:
                publish(name, config)
        PartialState().destroy_process_group()
    except (LandslideZooError, OSError) as error:
        sys.exit(str(error) if os.environ.get("RANK", "0") == "0" else 1)


if __name__ == "__main__":
    main()
