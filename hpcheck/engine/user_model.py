"""Whether the user's own model, loss and metric fit the data and each other, tried on two examples before a run begins."""

import math
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from hpcheck.engine.batches import OnDevice
from hpcheck.engine.divergence import STEADY_EXAMPLES
from hpcheck.engine.objectives import Negated, Objective
from hpcheck.plugins.find import is_users_own
from hpcheck.plugins.user_errors import UsersCodeError, as_theirs, in_one_line
from hpcheck.runs.spec import RunSpec

EXAMPLES = 2
DETACHED = "take out what detaches it: detach(), no_grad(), or numpy in between"


def refuse_other_than_module(name: str, built: Any) -> None:
    """Raise `UsersCodeError` where a model's builder returned something else, or nothing that can be trained."""
    if not isinstance(built, nn.Module):
        raise UsersCodeError(f"model {name} returned a {type(built).__name__}; expected a torch.nn.Module")
    if any(base.__name__ == "LightningModule" for base in type(built).__mro__):
        raise UsersCodeError(
            f"model {name} is a LightningModule, whose training_step would never be called here; have hpcheck drive your own script "
            "(hpcheck run -- python train.py), or return the network inside it"
        )
    if not any(parameter.requires_grad for parameter in built.parameters()):
        raise UsersCodeError(f"model {name} has no parameters to train")


def refuse_what_does_not_fit(spec: RunSpec, model: nn.Module, data: OnDevice, loss: Objective, metric: Objective) -> None:
    """Raise `UsersCodeError` where the model does not take the inputs, its outputs do not fit the targets, or loss and metric are no
    numbers. Weights and the state of the random generator stay as they are."""
    x, y = data.normalised(data.train_x[:EXAMPLES]), data.train_y[:EXAMPLES]
    with torch.random.fork_rng(devices=[]):
        model.eval()
        outputs = _outputs(spec.model.name, model, x)
        model.train()
        if not outputs.requires_grad and not _outputs(spec.model.name, deepcopy(model), x).requires_grad:  # in training it may have one
            raise UsersCodeError(f"model {spec.model.name} gives outputs without a gradient; {DETACHED}")
        if not is_users_own(spec.data.loss):
            _refuse_shape(spec.model.name, tuple(outputs.shape), y, data.prepared.task, data.prepared.outputs)
        found = loss(outputs, y)
        if not isinstance(found, Tensor) or found.ndim != 0 or not found.is_floating_point():
            raise UsersCodeError(f"loss {spec.data.loss} returned {_described(found)}; expected a tensor that is one float")
        if outputs.requires_grad and not found.requires_grad:
            raise UsersCodeError(f"loss {spec.data.loss} is without a gradient; {DETACHED}")
        if is_users_own(spec.data.loss):
            _refuse_broadcasting(spec.data.loss, loss, outputs, y)
            _refuse_loss_of_a_batch(spec.data.loss, loss, found, outputs, y)
            _refuse_no_gradient(spec.data.loss, loss, outputs, y)
        try:
            float(metric(outputs.detach(), y))
        except (TypeError, ValueError, RuntimeError) as error:
            raise as_theirs(error) or UsersCodeError(f"metric {spec.data.metric}: {error}; expected one number") from None


def fitting_metric(spec: RunSpec, model: nn.Module, data: OnDevice, loss: Objective, metric: Objective) -> Objective:
    """The metric that was chosen automatically, or minus the loss where the outputs are of another shape than it needs, as a mean and a
    deviation for each target are. Weights and the state of the random generator stay as they are."""
    if spec.data.metric != "auto" or not is_users_own(spec.data.loss):
        return metric
    y = data.train_y[:EXAMPLES]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model.eval()
        outputs = _outputs(spec.model.name, model, data.normalised(data.train_x[:EXAMPLES]))
        model.train()
    fits = outputs.numel() == y.numel() if data.prepared.task == "regression" else outputs.shape[:-1] == y.shape
    return metric if fits else Negated(loss)


def refuse_not_a_number(spec: RunSpec, model: nn.Module, data: OnDevice, *levels: float) -> None:
    """Raise `UsersCodeError` where the loss at the initial weights is NaN: no lr, however small, would make it a number."""
    if not any(map(math.isnan, levels)):
        return
    x = data.normalised(data.train_x[:STEADY_EXAMPLES])
    model.eval()
    with torch.no_grad():
        outputs = _outputs(spec.model.name, model, x)
    model.train()
    broken = float((~torch.isfinite(outputs)).float().mean())
    where = (
        f"{broken:.0%} of model {spec.model.name}'s outputs are NaN or infinite"
        if broken
        else f"the outputs are finite, so loss {spec.data.loss} makes it"
    )
    raise UsersCodeError(
        f"the loss is NaN before the first update, so no learning rate is at fault: look at the model, the loss and the data ({where})"
    )


def _refuse_no_gradient(name: str, loss: Objective, outputs: Tensor, y: Tensor) -> None:
    """Raise `UsersCodeError` where the loss has a value and its gradient with respect to the outputs raises."""
    if not outputs.requires_grad:
        return
    free = outputs.detach().requires_grad_()
    try:
        torch.autograd.grad(loss(free, y), free, allow_unused=True)
    except RuntimeError as error:
        said = str(error).split("\n")[0]
        raise in_one_line(f"loss {name}", error) or UsersCodeError(f"loss {name}: its gradient cannot be computed ({said})") from None


def _outputs(name: str, model: nn.Module, x: Tensor) -> Tensor:
    try:
        outputs = model(x)
    except Exception as error:
        raise as_theirs(error) or UsersCodeError(f"model {name} does not take inputs of shape {tuple(x.shape)}: {error}") from None
    if not isinstance(outputs, Tensor):
        raise UsersCodeError(f"model {name} gives {_described(outputs)}; expected a tensor")
    return outputs


def _refuse_shape(name: str, shape: tuple[int, ...], y: Tensor, task: str, count: int) -> None:
    """Regression needs as many outputs as targets; classes and tokens one row of at least `count` outputs for each target."""
    if task == "regression":
        fits, wanted = torch.Size(shape).numel() == y.numel(), tuple(y.shape)
    else:
        fits, wanted = shape[:-1] == tuple(y.shape) and shape[-1:] >= (count,), (*y.shape, count)
    if not fits:
        raise UsersCodeError(f"model {name} gives outputs of shape {shape} for {len(y)} examples; the data need {wanted}")


def _refuse_broadcasting(name: str, loss: Objective, outputs: Tensor, y: Tensor) -> None:
    """Outputs (N, 1) less targets (N,) are (N, N): every output against every target, which trains to one answer for all. Then two right
    answers are as good as the same two exchanged."""
    if y.ndim != 1 or not y.is_floating_point() or tuple(outputs.shape) != (len(y), 1):
        return
    right = torch.stack([y[0], y[0] + y[0].abs().clamp(min=1)])
    found, exchanged = loss(right[:, None], right), loss(right.flip(0)[:, None], right)
    looks_at_targets = not torch.equal(found, loss(right[:, None], right + 1))  # not so where the network's outputs are losses themselves
    if looks_at_targets and torch.allclose(found, exchanged, rtol=1e-4):
        raise UsersCodeError(
            f"loss {name} gets outputs {tuple(outputs.shape)} and targets {tuple(y.shape)}, and sets every output against every target "
            "(two right answers are as good as the same two exchanged); take outputs[:, 0]"
        )


def _refuse_loss_of_a_batch(name: str, loss: Objective, found: Tensor, outputs: Tensor, y: Tensor) -> None:
    """Any mean over examples, weighted or not, stays what it is where each example is there twice. A sum does not, and neither does a loss
    that sets examples against each other (contrastive): over all evaluated examples at once it is another than over a batch."""
    found, twice = found.detach(), loss(torch.cat([outputs, outputs]), torch.cat([y, y])).detach()
    if bool(torch.isfinite(found)) and bool(torch.isfinite(twice)) and not torch.allclose(found, twice, rtol=1e-3, atol=1e-6):
        raise UsersCodeError(
            f"loss {name} is no mean over examples: {found.item():.4g} for {len(y)}, and {twice.item():.4g} for the same ones twice; "
            "return the mean, and drive a loss over a whole batch (contrastive) by your own script (hpcheck run -- python train.py)"
        )


def _described(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}, {value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
