"""Memory and speed of streamed image folders: the same few steps of an ImageNet config on generated folders of growing size.

python -m benchmarks.streaming FOLDER [--images 2000] [--steps 3] [--batch 4]

Generates FOLDER/N-images/{train,val} with N JPEGs at real sizes in 20 classes (N/10, N and 10 N: the largest is the middle one ten times,
by hard links), trains `configs/paper/fig16a-3e-6.yaml` (ResNet-50) on each in a process of its own and prints the peak of its memory; then
`configs/paper/fig16b-3e-6.yaml` (Inception-ResNet-v2) on N. Decoding alone is timed with one thread and with all.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
CLASSES = 20
MEAN_SIZE, SPREAD = (500, 400), 90  # ImageNet's images average some 500x400 pixels
QUALITY = 75  # some 50 KB each, half of ImageNet's mean
VAL_SHARE = 0.1


def generate(folder: Path, images: int) -> None:
    """`images` JPEGs of noise and shapes in 20 classes, a tenth of them to validate on."""
    random = np.random.default_rng(0)
    for number in range(images):
        label = number % CLASSES
        split = "val" if number // CLASSES % round(1 / VAL_SHARE) == 0 else "train"
        directory = folder / split / f"class{label:02}"
        directory.mkdir(parents=True, exist_ok=True)
        picture(random, label).save(directory / f"{number:06}.jpg", quality=QUALITY)


def picture(random: np.random.Generator, label: int) -> Image.Image:
    """Soft noise, and ellipses whose colour and shape go with the class."""
    width, height = (max(150, round(random.normal(mean, SPREAD))) for mean in MEAN_SIZE)
    noise = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = random.integers(0, width), random.integers(0, height)
        wide, high = 30 + 6 * label, 150 - 6 * label
        draw.ellipse((x - wide, y - high, x + wide, y + high), fill=(12 * label, 255 - 12 * label, 128))
    return image


def tenfold(source: Path, target: Path) -> None:
    """`source` ten times over, by hard links under other names."""
    for path in sorted(source.rglob("*.jpg")):
        directory = target / path.parent.relative_to(source)
        directory.mkdir(parents=True, exist_ok=True)
        for copy in range(10):
            os.link(path, directory / f"{copy}-{path.name}")


def measure(config_name: str, folder: Path, steps: int, batch: int) -> dict[str, float]:
    """Train some steps in this process; seconds and the peak of its memory in MiB."""
    import torch

    from hpcheck import config
    from hpcheck.checklist.data_facts import facts
    from hpcheck.engine.loop import train
    from hpcheck.engine.pool.worker import environment, on_device
    from hpcheck.runs.records import RecordWriter, read
    from hpcheck.steps.order import Replays
    from hpcheck.steps.step import Asked
    from hpcheck.steps.train import final_run

    torch.set_num_threads(1)
    told = [f"data.root={folder.parent}", f"data.folder={folder.name}", f"start.total_batch_size={batch}", "run.bn_splits=1"]
    told += [f"start.max_lr={batch / 256}", f"start.min_lr={batch / 5120}"]  # in proportion to the batch
    asked_config = config.load(ROOT / "configs" / "paper" / f"{config_name}.yaml", told)
    asked = Asked(asked_config, facts(asked_config))
    spec = final_run(asked, Replays(asked, lambda _: None).settings_before("train"), config_name)
    spec = replace(spec, steps=steps, evaluate_after=(steps,), eval_size=2 * batch, finally_on=(), keep="")
    started = time.perf_counter()
    data, _ = on_device(spec.data, "cpu")
    prepared = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "0123456789abcdef.jsonl"
        train(spec, data, RecordWriter(path, path.stem, spec, environment(torch.device("cpu"), 1)), Path(directory))
        record = read(path)
    assert record is not None
    loss = float(record.column("train_loss")[-1])
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = {"prepare_seconds": prepared - started, "step_seconds": record.result["train_seconds"] / steps}
    return {"train": len(data.train_y), "val": len(data.val_y), **seconds, "train_loss": loss, "peak_mib": mib}


def decoding(folder: Path, images: int = 200) -> dict[str, float]:
    """Images a second with one thread and with one a core, to 256x256."""
    from hpcheck.data import images as _images

    paths = sorted(folder.rglob("*.jpg"))[:images]
    rates = {}
    for threads in (1, os.cpu_count() or 1):
        with ThreadPoolExecutor(threads) as pool:
            started = time.perf_counter()
            list(pool.map(lambda path: _images.decode(path, 256)[0].sum(), paths))
            rates[f"{threads} threads"] = len(paths) / (time.perf_counter() - started)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # the name of a config: what the processes of their own do
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder, options.steps, options.batch)))
        return
    counts = [options.images // 10, options.images, options.images * 10]
    for count in counts[:2]:
        if not (options.folder / f"{count}-images").exists():
            generate(options.folder / f"{count}-images", count)
    if not (options.folder / f"{counts[2]}-images").exists():
        tenfold(options.folder / f"{counts[1]}-images", options.folder / f"{counts[2]}-images")
    print("decoding, images a second:", decoding(options.folder / f"{counts[1]}-images"))
    for name, count in [*(("fig16a-3e-6", count) for count in counts), ("fig16b-3e-6", counts[1])]:
        command = [sys.executable, "-m", "benchmarks.streaming", str(options.folder / f"{count}-images"), "--measure", name]
        command += ["--steps", str(options.steps), "--batch", str(options.batch)]
        print(name, count, subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
