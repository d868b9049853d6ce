"""`hpcheck init --task`, `--lightning` and `--hf`: a config and a class to begin with, or the lines that a script needs."""

import shlex
from pathlib import Path
from typing import Any, Literal

from hpcheck.config.template import commented
from hpcheck.init.new_project import CONFIG, HEAD, SCHEMA, STARTERS, Begun, schema_text, written

Kind = Literal["task", "lightning"]
FILES = {"task": "hpcheck_task", "lightning": "hpcheck_lightning"}
NAMES: dict[str, Any] = {
    "task": "hpcheck_task:Task",
    "lightning": {"lightning": "hpcheck_lightning:Lit", "data": "hpcheck_lightning:Data"},
}
OWN = {
    "task": "your own training goes into hpcheck_task.py",
    "lightning": f"your own module and data are named in {CONFIG} (pip install hpcheck[lightning])",
}
HF = (
    "add these lines to the script that makes your Trainer; they do nothing when you start it yourself (pip install hpcheck[hf]):",
    "  import hpcheck",
    "  from hpcheck.tasks.hf import Follow",
    "  torch.manual_seed(hpcheck.seed(0))    # before the model is made",
    "  per_device_train_batch_size=hpcheck.total_batch_size(YOUR_OWN), seed=hpcheck.seed(0)    # in TrainingArguments",
    "  callbacks=[Follow(lambda: trainer.evaluate(), metric='accuracy', val_examples=len(VAL))]    # in Trainer(...)",
    "then: hpcheck lr-range -- python train.py (the first step), or hpcheck run -- python train.py (everything)",
)


def begin(directory: Path, kind: Kind, force: bool = False) -> Begun:
    """Write the starting files of a task into `directory`. Raises `ConfigError` rather than overwrite one."""
    entry = f"{FILES[kind]}.py"
    texts = {
        CONFIG: commented({"task": NAMES[kind], "start": {"total_batch_size": 32}}, HEAD),
        entry: (STARTERS / f"{kind}.py").read_text(encoding="utf-8"),
        SCHEMA: schema_text(),
    }
    paths = written(directory, texts, force)
    inside = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    lines = [f"wrote {path}" for path in paths]
    return Begun(paths, [*lines, f"next: {inside}hpcheck lr-range (the first step), or hpcheck run (everything); {OWN[kind]}"])
