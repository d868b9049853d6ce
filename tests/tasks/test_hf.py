"""`hpcheck.tasks.hf.Follow`: a Trainer of transformers that is followed, against the installed library."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hpcheck.script import api
from hpcheck.script.job import ScriptError

HAS_IT = all(importlib.util.find_spec(name) is not None for name in ("transformers", "accelerate"))
needs_it = pytest.mark.skipif(not HAS_IT, reason="transformers or accelerate is not installed: pip install hpcheck[hf]")
EXAMPLE = Path(__file__).parents[2] / "examples" / "hugging_face" / "train.py"
SHORT = ["run.jobs=1", "run.threads=1", "budget.evals=7", "budget.short_steps=20", "lr_range.max_extensions=0", "lr_range.cycles=false"]


def test_the_package_of_tasks_imports_no_library_by_itself() -> None:
    script = "import sys, hpcheck.tasks, hpcheck.tasks.resolved; print(sorted({'torch', 'transformers', 'lightning'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


@needs_it
@pytest.mark.filterwarnings("ignore")
def test_a_trainer_that_nobody_drives_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcheck.tasks.hf import Follow

    monkeypatch.setattr(api, "part_of_a_search", lambda: None)
    arguments = SimpleNamespace(max_steps=-1, num_train_epochs=3, save_strategy="epoch", eval_strategy="epoch")
    before = dict(vars(arguments))
    callback = Follow(lambda: None)
    callback.on_init_end(arguments, None, None)
    callback.on_train_begin(arguments, None, None, model=None, optimizer=None)
    callback.loss(1.0)
    assert vars(arguments) == before
    assert callback.on_step_end(arguments, None, "control") == "control"


@needs_it
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("search", [True, False])
def test_a_driven_trainer_is_as_long_as_it_is_wanted_and_saves_nothing_in_a_search(search: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcheck.tasks.hf import ENDLESS, Follow

    monkeypatch.setattr(api, "part_of_a_search", lambda: search)
    arguments = SimpleNamespace(max_steps=-1, num_train_epochs=3, save_strategy="epoch", eval_strategy="epoch", load_best_model_at_end=True)
    Follow(lambda: None).on_init_end(arguments, None, None)
    assert arguments.num_train_epochs == ENDLESS
    assert (arguments.save_strategy, arguments.load_best_model_at_end) == (("no", False) if search else ("epoch", True))
    counted = SimpleNamespace(max_steps=50, num_train_epochs=3, save_strategy="no", eval_strategy="no", load_best_model_at_end=False)
    Follow(lambda: None).on_init_end(counted, None, None)
    assert (counted.max_steps, counted.num_train_epochs) == (ENDLESS, 3)


@needs_it
@pytest.mark.filterwarnings("ignore")
def test_what_a_trainers_evaluation_says_is_taken_by_its_names() -> None:
    from hpcheck.tasks.hf import Follow

    found = {"eval_loss": 0.5, "eval_accuracy": 0.75, "eval_runtime": 1.0}
    assert Follow(lambda: found, metric="accuracy")._evaluate() == {"loss": 0.5, "metric": 0.75}
    assert Follow(lambda: found)._evaluate() == {"loss": 0.5, "metric": 0.5}
    assert Follow(lambda: (0.5, 0.75))._evaluate() == (0.5, 0.75)
    with pytest.raises(ScriptError, match="evaluate returned eval_loss, eval_accuracy, eval_runtime, and not f1"):
        Follow(lambda: found, metric="f1")._evaluate()


@needs_it
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("outputs", [{"logits": 1.0}, (torch.ones(3), 1.0), (), torch.ones(3), {"loss": torch.ones(2)}, {"loss": 0.5}])
def test_a_model_that_returns_no_loss_is_refused_unless_the_script_tells_its_own(outputs: object) -> None:
    from hpcheck.tasks.hf import Follow

    told: list[float] = []
    callback = Follow(lambda: None)
    callback._following = SimpleNamespace(loss=told.append)
    model = torch.nn.Linear(1, 1)
    with pytest.raises(ScriptError, match=r"the model returns no loss in training: call follow\.loss\(loss\) in the compute_loss"):
        callback._after_forward(model, (), outputs)
    callback._after_forward(model.eval(), (), outputs)
    callback.loss(0.25)
    callback._after_forward(model.train(), (), outputs)
    assert told == [0.25]


@needs_it
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_trainers_learning_rate_is_found_and_it_trains_with_what_was_found(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    options = [word for key in SHORT for word in ("-s", key)]
    command = [sys.executable, "-m", "hpcheck", "lr-range", *options, "--", sys.executable, "train.py"]
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 6), done.stderr
    assert "AdamW, 2 parameter groups, 600 training examples, 200 validation examples, batch size 32" in done.stderr
    assert len(list((tmp_path / "runs" / "train" / "records").glob("*.jsonl"))) >= 2
    assert not list((tmp_path / "out").glob("*"))  # nothing is saved in a search
