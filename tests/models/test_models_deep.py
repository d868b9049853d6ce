"""The paper's deep networks and their standard variants: counts worked out by hand, and 20 training steps each with falling loss."""

import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hpcheck.errors import InputError
from hpcheck.optimizers.groups import parameter_groups, set_hyper
from hpcheck.plugins import find

CIFAR = (3, 32, 32)


def build(name, input_shape=CIFAR, outputs=10, **options):
    torch.manual_seed(0)
    return find.load("models", name)(input_shape, outputs, **options)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def pre_activated(u, w):
    """Parameters of a WRN block u -> w: two BNs, two 3x3 convolutions, and a 1x1 shortcut where the width changes."""
    return 2 * u + 9 * u * w + 2 * w + 9 * w * w + (u * w if u != w else 0)


@pytest.mark.parametrize(("depth", "widen", "stated"), [(16, 4, 2_748_890), (28, 10, 36_479_194)])
def test_zagoruykos_wide_resnet_has_the_parameters_worked_out_by_hand(depth, widen, stated):
    blocks, widths = (depth - 4) // 6, [16 * widen, 32 * widen, 64 * widen]
    by_hand = 9 * 3 * 16 + 2 * widths[-1] + widths[-1] * 10 + 10
    for u, w in zip([16, *widths], widths, strict=False):
        by_hand += pre_activated(u, w) + (blocks - 1) * pre_activated(w, w)
    with torch.device("meta"):
        model = find.load("models", "wide_resnet")(CIFAR, 10, depth=depth, widen=widen)
    assert count(model) == by_hand == stated


def bottleneck(u, w):
    """Parameters of a ResNet-50 block u -> w -> w -> 4w with its three BNs."""
    return u * w + 9 * w * w + 4 * w * w + 2 * (w + w + 4 * w)


def test_resnet_50_has_the_parameters_worked_out_by_hand():
    by_hand = 49 * 3 * 64 + 2 * 64 + 2048 * 1000 + 1000
    for u, w, blocks in ((64, 64, 3), (256, 128, 4), (512, 256, 6), (1024, 512, 3)):
        by_hand += bottleneck(u, w) + (u * 4 * w + 2 * 4 * w) + (blocks - 1) * bottleneck(4 * w, w)
    with torch.device("meta"):
        model = find.load("models", "torchvision")((3, 230, 230), 1000, arch="resnet50")
    assert count(model) == by_hand == 25_557_032


def normed(*layers):
    """Parameters of convolutions without biases, each with a BN: (kernel area, maps in, maps out)."""
    return sum(area * maps_in * maps_out + 2 * maps_out for area, maps_in, maps_out in layers)


def test_inception_resnet_v2_has_the_parameters_worked_out_by_hand():
    pytest.importorskip("timm")
    stem = normed((9, 3, 32), (9, 32, 32), (9, 32, 64), (1, 64, 80), (9, 80, 192))
    mixed_5b = normed((1, 192, 96), (1, 192, 48), (25, 48, 64), (1, 192, 64), (9, 64, 96), (9, 96, 96), (1, 192, 64))
    block_35 = normed((1, 320, 32), (1, 320, 32), (9, 32, 32), (1, 320, 32), (9, 32, 48), (9, 48, 64)) + 128 * 320 + 320
    mixed_6a = normed((9, 320, 384), (1, 320, 256), (9, 256, 256), (9, 256, 384))
    block_17 = normed((1, 1088, 192), (1, 1088, 128), (7, 128, 160), (7, 160, 192)) + 384 * 1088 + 1088
    mixed_7a = normed((1, 1088, 256), (9, 256, 384), (1, 1088, 256), (9, 256, 288), (1, 1088, 256), (9, 256, 288), (9, 288, 320))
    block_8 = normed((1, 2080, 192), (1, 2080, 192), (3, 192, 224), (3, 224, 256)) + 448 * 2080 + 2080
    by_hand = stem + mixed_5b + 10 * block_35 + mixed_6a + 20 * block_17 + mixed_7a + 10 * block_8
    by_hand += normed((1, 2080, 1536)) + 1536 * 1000 + 1000
    with torch.device("meta"):
        model = find.load("models", "timm")((3, 230, 230), 1000, dropout=0.2)
    assert count(model) == by_hand == 55_843_464
    assert model.head_drop.p == 0.2
    assert {layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)} == {0.1}  # keeps 0.9 a step


@pytest.mark.parametrize(
    ("name", "options", "max_lr"),
    [
        ("resnet_cifar", {}, 0.1),
        ("resnet_cifar", {"variant": "he"}, 0.1),
        ("resnet_cifar", {"depth": 32, "widths": (16, 64, 256)}, 0.1),
        ("densenet_cifar", {}, 0.1),
        ("wide_resnet", {"depth": 16, "widen": 4}, 0.05),
    ],
    ids=["ResNet-56", "He's ResNet-56", "wide ResNet-32", "DenseNet-40", "WRN-16-4"],
)
def test_loss_falls_over_twenty_training_steps(name, options, max_lr):
    model = build(name, (3, 16, 16), **options)
    optimizer = find.load("optimizers", "sgd")(parameter_groups(model))
    x, y = torch.randn(4, 3, 16, 16), torch.arange(4)
    losses = []
    for step in range(20):
        set_hyper(optimizer, max_lr * (step + 1) / 20, 0.9, 1e-4)
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert sum(losses[-3:]) / 3 < 0.7 * losses[0]


@pytest.mark.parametrize("name", ["resnet_cifar", "densenet_cifar"])
def test_the_papers_deep_networks_give_one_row_an_example(name):
    assert build(name, outputs=100)(torch.randn(2, *CIFAR)).shape == (2, 100)


def test_wide_resnets_block_keeps_what_it_was_given_where_its_residual_is_zero():
    block = build("wide_resnet", depth=10, widen=1).blocks[0].eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 16, 4, 4)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize(
    ("options", "message"), [({"depth": 20}, "depth is 20; it must be 6n"), ({"depth": 4}, "depth is 4"), ({"widen": 0}, "widen is 0")]
)
def test_wide_resnet_refuses_what_it_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        build("wide_resnet", **options)


def test_a_network_of_timm_is_built_by_its_name_and_a_slip_is_answered():
    pytest.importorskip("timm")
    model = build("timm", (1, 64, 64), outputs=3, arch="resnet10t", init="xavier")
    assert model(torch.randn(2, 1, 64, 64)).shape == (2, 3)
    assert all(not layer.bias.any() for layer in model.modules() if isinstance(layer, nn.Linear))
    with pytest.raises(InputError, match="arch is 'inception_resnet_v3', which timm does not have; did you mean inception_resnet_v2"):
        build("timm", arch="inception_resnet_v3")


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install 'hpcheck\[timm\]'"):
        build("timm")
