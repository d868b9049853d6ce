"""Parameter groups, hyper-parameters at a step, and the two velocities of SGD."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from hpcheck.errors import InputError
from hpcheck.optimizers.groups import declared_multipliers, parameter_groups, set_hyper
from hpcheck.optimizers.sgd import CaffeSGD, caffe_update_
from hpcheck.plugins import find

MOVING = [(0.1, 0.9, 0.01), (0.3, 0.8, 0.01), (0.05, 1.0, 0.02), (0.2, 0.0, 0.02), (0.1, 0.5, 0.0)]  # lr, momentum, weight decay


def optimizer_of(model, name="sgd", **options):
    return find.load("optimizers", name)(parameter_groups(model), **options)


def quadratic(start=(1.0, -2.0, 3.0)):
    """A model whose loss is half the square of its one weight: the gradient is the weight."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    return model


def descend(model, optimizer, hyper):
    """The weight after each update, (T, 3)."""
    path = []
    for lr, momentum, weight_decay in hyper:
        set_hyper(optimizer, lr, momentum, weight_decay)
        optimizer.zero_grad()
        (model.weight.square().sum() / 2).backward()
        optimizer.step()
        path.append(model.weight.detach().numpy().copy())
    return np.array(path)


def reference(velocity, nesterov, hyper, start=(1.0, -2.0, 3.0)):
    """The same path in plain numpy, from the formulas."""
    w, v, path = np.array(start), np.zeros(3), []
    for lr, m, wd in hyper:
        g, old = w + wd * w, v
        if velocity == "caffe":
            v = m * old + lr * g
            w = w - ((1 + m) * v - m * old if nesterov else v)
        else:
            v = m * old + g
            w = w - lr * (g + m * v if nesterov else v)
        path.append(w)
    return np.array(path)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("velocity", ["pytorch", "caffe"])
def test_sgd_follows_its_formula_while_lr_and_momentum_move(velocity, nesterov):
    model = quadratic()
    path = descend(model, optimizer_of(model, velocity=velocity, nesterov=nesterov), MOVING)
    np.testing.assert_allclose(path, reference(velocity, nesterov, MOVING), rtol=1e-12)


@pytest.mark.parametrize("nesterov", [True, False])
def test_velocities_agree_at_constant_lr_and_momentum(nesterov):
    hyper = [(0.1, 0.9, 0.01)] * 20
    paths = []
    for velocity in ("pytorch", "caffe"):
        model = quadratic()
        paths.append(descend(model, optimizer_of(model, velocity=velocity, nesterov=nesterov), hyper))
    np.testing.assert_allclose(*paths, rtol=1e-6)


def test_velocities_differ_while_lr_moves():
    hyper = [(0.01, 0.9, 0.0), (0.1, 0.9, 0.0), (0.1, 0.9, 0.0)]
    paths = [reference(velocity, True, hyper) for velocity in ("pytorch", "caffe")]
    assert abs(paths[0] - paths[1]).max() > 0.05


@pytest.mark.parametrize("nesterov", [True, False])
def test_caffe_update_takes_its_numbers_as_tensors_too(nesterov):
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, generator=generator) for _ in range(3)]  # weight, gradient, velocity
    by_number, by_tensor = ([[tensor.clone()] for tensor in start] for _ in range(2))
    caffe_update_(*by_number, 0.1, 0.9, 0.01, nesterov=nesterov)
    caffe_update_(*by_tensor, *(torch.tensor(value) for value in (0.1, 0.9, 0.01)), nesterov=nesterov)
    torch.testing.assert_close(by_number, by_tensor)


def test_caffe_sgd_goes_on_from_its_saved_state():
    model, hyper = quadratic(), [(0.1, 0.9, 0.01)] * 3
    optimizer = optimizer_of(model, velocity="caffe")
    descend(model, optimizer, hyper)
    fork = quadratic()
    fork.load_state_dict(model.state_dict())
    forked = optimizer_of(fork, velocity="caffe")
    forked.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # torch would share the velocity
    np.testing.assert_array_equal(descend(model, optimizer, hyper), descend(fork, forked, hyper))


@pytest.mark.parametrize(("name", "options"), [("sgd", {}), ("sgd", {"velocity": "caffe"}), ("adamw", {})])
def test_state_set_from_numpy_schedules_is_read_back_with_weights_only(tmp_path, name, options):
    model = quadratic()
    optimizer = optimizer_of(model, name, **options)
    descend(model, optimizer, [(np.float64(0.1), np.float64(0.9), np.float64(0.01))])
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    torch.load(tmp_path / "state.pt", weights_only=True)


@pytest.mark.parametrize(("name", "options"), [("sgd", {}), ("sgd", {"velocity": "caffe"}), ("adamw", {})])
@pytest.mark.parametrize("momentum", [0.0, 1.0])
def test_momentum_of_0_and_of_1_are_taken(name, options, momentum):
    model = quadratic()
    path = descend(model, optimizer_of(model, name, **options), [(0.01, 0.9, 0.0)] * 3 + [(0.01, momentum, 0.0)] * 3)
    assert np.isfinite(path).all()


def test_parameters_the_optimizer_does_not_reach_keep_still():
    model = quadratic()
    model.unused = nn.Parameter(torch.ones(2))
    descend(model, optimizer_of(model, velocity="caffe"), [(0.1, 0.9, 0.1)] * 2)
    assert torch.equal(model.unused, torch.ones(2))


def test_one_group_for_each_pair_of_multipliers():
    model = find.load("models", "shallow3")((3, 8, 8), 10)
    groups = {(group["lr_mult"], group["decay_mult"]): len(group["params"]) for group in parameter_groups(model)}
    assert groups == {(1.0, 1.0): 3, (2.0, 1.0): 3, (1.0, 250.0): 1, (2.0, 0.0): 1}


def test_multipliers_are_found_inside_a_wrapped_model_and_frozen_parameters_left_out():
    inner = nn.Linear(2, 2)
    inner.hyper_multipliers = {"bias": (2.0, 0.0)}
    model = nn.Sequential(nn.Linear(2, 2), inner)
    model[0].requires_grad_(False)
    assert declared_multipliers(model) == {"1.bias": (2.0, 0.0)}
    assert [(group["lr_mult"], group["params"][0].shape) for group in parameter_groups(model)] == [(1.0, (2, 2)), (2.0, (2,))]


def test_multipliers_for_a_name_that_is_no_parameter_are_refused():
    model = nn.Linear(2, 2)
    model.hyper_multipliers = {"biass": (2.0, 0.0)}
    with pytest.raises(InputError, match="'biass', which is not one of its parameters"):
        parameter_groups(model)


@pytest.mark.parametrize("velocity", ["pytorch", "caffe"])
def test_set_hyper_applies_the_multipliers(velocity):
    model = find.load("models", "shallow3")((3, 8, 8), 10)
    optimizer = optimizer_of(model, velocity=velocity)
    set_hyper(optimizer, 0.1, 0.9, 0.004)
    found = {(group["lr"], group["weight_decay"], group["momentum"]) for group in optimizer.param_groups}
    assert found == {(0.1, 0.004, 0.9), (0.2, 0.004, 0.9), (0.1, 1.0, 0.9), (0.2, 0.0, 0.9)}


def test_momentum_is_beta1_of_adamw():
    optimizer = optimizer_of(quadratic(), "adamw", beta2=0.99)
    set_hyper(optimizer, 0.1, 0.85, 0.004)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.1, (0.85, 0.99), 0.004)


def test_users_own_optimizer_is_set_by_the_names_of_its_options():
    by_momentum = torch.optim.RMSprop([nn.Parameter(torch.ones(1))])
    by_betas = torch.optim.NAdam([nn.Parameter(torch.ones(1))])
    for optimizer in (by_momentum, by_betas):
        set_hyper(optimizer, 0.1, 0.85, 0.004)
    assert (by_momentum.param_groups[0]["lr"], by_momentum.param_groups[0]["momentum"]) == (0.1, 0.85)
    assert by_betas.param_groups[0]["betas"] == (0.85, 0.999)


def test_torchs_fused_kernel_is_used_for_floating_weights():
    assert optimizer_of(quadratic()).defaults["fused"]
    assert isinstance(optimizer_of(quadratic(), velocity="caffe"), CaffeSGD)


def test_unknown_velocity_is_refused():
    with pytest.raises(InputError, match='velocity is \'nesterov\'; allowed are "pytorch" and "caffe"'):
        optimizer_of(quadratic(), velocity="nesterov")


def test_adamws_own_options_reach_it():
    (group,) = optimizer_of(quadratic(), "adamw", beta2=0.99, eps=1e-4).param_groups
    assert (group["betas"][1], group["eps"]) == (0.99, 1e-4)
