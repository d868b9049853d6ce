"""A callback that has a Trainer of Hugging Face's transformers followed: `callbacks=[Follow(evaluate)]` in your own script."""

from collections.abc import Callable, Mapping, Sized
from typing import Any

from torch import Tensor
from transformers import TrainerCallback

import hpcheck
from hpcheck.script import api
from hpcheck.script.job import ScriptError

ENDLESS = 10**9  # updates, and epochs: a run ends where hpcheck says


class Follow(TrainerCallback):  # type: ignore[misc]
    """Does nothing where nobody drives the script and no recommendation is used.

    Args:
        evaluate: called without arguments, such as `lambda: trainer.evaluate()`; its `eval_loss` and the metric are taken. What
            `hpcheck.follow` takes serves too: `(loss, metric)`, or a dict with loss, metric, count and scores.
        metric: the metric's name, with `eval_` before it or not. None: the loss is the metric.
        metric_is: "higher" or "lower", whichever is better.
        val_examples: examples that `evaluate` looks at.

    The loss that the model returns in training is taken. Where a Trainer of yours computes its own, call `follow.loss(loss)` there.
    """

    def __init__(
        self,
        evaluate: Callable[[], Any],
        metric: str | None = None,
        metric_is: str | None = None,
        val_examples: int | None = None,
    ) -> None:
        self._own, self._metric, self._val_examples = evaluate, metric, val_examples
        self._metric_is = metric_is or ("higher" if metric else "lower")
        self._following: api.Following | None = None
        self._length: tuple[str, float] = ("epochs", 0)
        self._tells_itself = False

    def loss(self, value: Any) -> None:
        """Take the training loss of a batch from the script's own `compute_loss`."""
        self._tells_itself = True
        if self._following is not None:
            self._following.loss(value)

    def on_init_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the script's own length, and let a run be as long as hpcheck wants. In a search nothing is saved or evaluated beside it."""
        part = api.part_of_a_search()
        if part is None:
            return
        self._length = ("steps", args.max_steps) if args.max_steps > 0 else ("epochs", args.num_train_epochs)
        if args.max_steps > 0:
            args.max_steps = ENDLESS
        else:
            args.num_train_epochs = ENDLESS
        if part:
            args.save_strategy = args.eval_strategy = "no"
            args.load_best_model_at_end = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Begin to follow the Trainer's optimizer."""
        if api.part_of_a_search() is None:
            return
        dataset = getattr(given.get("train_dataloader"), "dataset", None)
        model = given["model"]
        self._following = hpcheck.follow(
            given["optimizer"],
            self._evaluate,
            model=model,
            train_examples=len(dataset) if isinstance(dataset, Sized) else None,
            val_examples=self._val_examples,
            metric=(self._metric or "loss").removeprefix("eval_"),
            metric_is=self._metric_is,
        )
        kind, length = self._length
        (self._following.steps if kind == "steps" else self._following.epochs)(round(length) or 1)  # it is told; the Trainer loops
        model.register_forward_hook(self._after_forward)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """End the training where its last update was made and the script goes on."""
        if getattr(self._following, "finished", False):
            control.should_training_stop = True
        return control

    def _after_forward(self, model: Any, inputs: Any, outputs: Any) -> None:
        """Take the loss of a training batch from what the model returned."""
        if not model.training or self._tells_itself or self._following is None or getattr(self._following, "finished", False):
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else next(iter(outputs), None) if isinstance(outputs, tuple) else None
        if not isinstance(loss, Tensor) or loss.ndim:
            raise ScriptError("the model returns no loss in training: call follow.loss(loss) in the compute_loss of your Trainer")
        self._following.loss(loss)

    def _evaluate(self) -> Any:
        """What `evaluate` says, in the form that `hpcheck.follow` takes."""
        found = self._own()
        if not isinstance(found, Mapping) or "eval_loss" not in found:
            return found
        if self._metric is None:
            return {"loss": found["eval_loss"], "metric": found["eval_loss"]}
        name = next((name for name in (self._metric, f"eval_{self._metric}") if name in found), None)
        if name is None:
            raise ScriptError(
                f"evaluate returned {', '.join(found)}, and not {self._metric}: give the Trainer compute_metrics, or another metric"
            )
        return {"loss": found["eval_loss"], "metric": found[name]}
