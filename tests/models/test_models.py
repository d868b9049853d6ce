"""The shipped networks: parameter counts worked out by hand, shapes, multipliers, initializations."""

import math

import pytest
import torch
from torch import nn

from hpcheck.errors import InputError
from hpcheck.models import shallow3
from hpcheck.models.init import reinitialize, xavier_
from hpcheck.models.shallow3 import normalize_within_channel
from hpcheck.plugins import find

CIFAR, MNIST = (3, 32, 32), (1, 28, 28)


def build(name, input_shape=CIFAR, outputs=10, **options):
    torch.manual_seed(0)
    return find.load("models", name)(input_shape, outputs, **options)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def convolutions(model):
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize(
    ("name", "input_shape", "options", "expected"),
    [
        # (64+1)*64 + (64+1)*64 + (64+1)*10
        ("mlp", (64,), {}, 4160 + 4160 + 650),
        # 5*5*1*20+20, 5*5*20*50+50, 4*4*50*500+500, 500*10+10
        ("lenet", MNIST, {}, 520 + 25_050 + 400_500 + 5_010),
        # 5*5*3*32+32, 5*5*32*32+32, 5*5*32*64+64, 4*4*64*10+10
        ("shallow3", CIFAR, {}, 2_432 + 25_632 + 51_264 + 10_250),
        # A block of width w that keeps it: two 3x3 convolutions with biases and two BNs, 2(9w^2 + w) + 4w = 18w^2 + 6w.
        # A block u -> w: (9uw + w) + (9w^2 + w) + 4w, and its shortcut (4uw + w) + 2w.
        # stem 3*3*3*16+16 + 2*16; 8 of 16; 16->32; 8 of 32; 32->64; 8 of 64; fc
        ("resnet_cifar", CIFAR, {}, 480 + 8 * 4_704 + 16_160 + 8 * 18_624 + 64_064 + 8 * 74_112 + 650),
        # stem; 5 of 16; 16->64; 4 of 64; 64->256; 4 of 256; fc 256*10+10
        (
            "resnet_cifar",
            CIFAR,
            {"depth": 32, "widths": (16, 64, 256)},
            480 + 5 * 4_704 + 50_752 + 4 * 74_112 + 805_120 + 4 * 1_181_184 + 2_570,
        ),
        # No biases, no parameters in shortcuts: stem 432+32; a block 18w^2 + 4w; a block u -> w: 9uw + 9w^2 + 4w
        ("resnet_cifar", CIFAR, {"variant": "he"}, 464 + 9 * 4_672 + 13_952 + 8 * 18_560 + 55_552 + 8 * 73_984 + 650),
        # stem 432; a dense layer on c maps 2c + 108c, over c = 16..148, 160..292, 304..436 by 12: 110 * (984 + 2712 + 4440);
        # transitions 2*160 + 160^2 and 2*304 + 304^2; last BN 2*448; fc 448*10+10
        ("densenet_cifar", CIFAR, {}, 432 + 110 * (984 + 2_712 + 4_440) + 25_920 + 93_024 + 896 + 4_490),
    ],
)
def test_parameter_count_is_the_one_worked_out_by_hand(name, input_shape, options, expected):
    assert count(build(name, input_shape, **options)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "lenet", "input_shape": MNIST}, 431_080),
        ({"name": "shallow3"}, 89_578),
        ({"name": "resnet_cifar"}, 860_874),
        ({"name": "resnet_cifar", "variant": "he"}, 853_018),
        ({"name": "resnet_cifar", "depth": 32, "widths": (16, 64, 256)}, 5_903_626),
        ({"name": "densenet_cifar"}, 1_019_722),
    ],
)
def test_parameter_count_is_the_one_that_docstrings_state(options, expected):
    assert count(build(**options)) == expected


@pytest.mark.parametrize(
    ("name", "input_shape", "options"),
    [
        ("mlp", (7,), {"hidden": (5,), "dropout": 0.5}),
        ("mlp", (1, 8, 8), {}),
        ("lenet", MNIST, {}),
        ("lenet", (3, 13, 13), {}),
        ("shallow3", CIFAR, {}),
        ("shallow3", (1, 9, 12), {}),
        ("resnet_cifar", CIFAR, {"depth": 8}),
        ("resnet_cifar", (1, 9, 11), {"depth": 8, "variant": "he"}),
        ("densenet_cifar", CIFAR, {"depth": 10}),
        ("torchvision", (3, 33, 33), {}),
    ],
)
def test_output_is_one_row_an_example_and_every_parameter_gets_a_gradient(name, input_shape, options):
    model = build(name, input_shape, outputs=4, **options)
    logits = model(torch.randn(3, *input_shape))
    assert logits.shape == (3, 4)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_papers_resnet_56_has_blocks_8_9_9_and_55_convolutions():
    model = build("resnet_cifar")
    assert [len(group) for group in model.groups] == [8, 9, 9]
    assert len(convolutions(model)) == 53 + 2
    assert [layer.kernel_size for layer in convolutions(model) if layer.kernel_size != (3, 3)] == [(2, 2), (2, 2)]


def test_papers_wide_resnet_32_has_blocks_5_5_5_and_33_convolutions():
    model = build("resnet_cifar", depth=32, widths=(16, 64, 256))
    assert [len(group) for group in model.groups] == [5, 5, 5]
    assert len(convolutions(model)) == 33


def test_paper_block_ends_in_a_sum_and_he_block_in_relu():
    x = -torch.ones(2, 16, 4, 4)
    paper, he = (build("resnet_cifar", depth=8, variant=variant).groups[0][0].eval() for variant in ("paper", "he"))
    for block in (paper, he):
        nn.init.zeros_(block.bn2.weight)  # the residual is 0: what remains is the shortcut
    torch.testing.assert_close(paper(x), x)
    torch.testing.assert_close(he(x), torch.zeros_like(x))


def test_dropout_of_densenet_follows_every_layer_and_transition_and_bn_keeps_999_thousandths():
    model = build("densenet_cifar")
    assert [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)] == [0.2] * (36 + 2)
    assert {layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)} == {0.001}
    assert not any(isinstance(layer, nn.Dropout) for layer in build("densenet_cifar", depth=10, dropout=0.0).modules())


def test_multipliers_are_those_of_the_papers_solver_files():
    assert build("shallow3").hyper_multipliers == {
        "conv1.bias": (2, 1),
        "conv2.bias": (2, 1),
        "conv3.bias": (2, 1),
        "fc.weight": (1, 250),
        "fc.bias": (2, 0),
    }
    assert build("lenet", MNIST).hyper_multipliers == {f"{layer}.bias": (2, 1) for layer in ("conv1", "conv2", "fc1", "fc2")}
    assert build("resnet_cifar", depth=8).hyper_multipliers == {"fc.bias": (2, 0)}
    assert not hasattr(build("resnet_cifar", depth=8, variant="he"), "hyper_multipliers")


def slow_within_channel_norm(x):
    """Caffe's definition, one pixel at a time."""
    y = torch.empty_like(x)
    batch, channels, height, width = x.shape
    for b, c, i, j in ((b, c, i, j) for b in range(batch) for c in range(channels) for i in range(height) for j in range(width)):
        around = x[b, c, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        y[b, c, i, j] = x[b, c, i, j] * (1 + 5e-5 * around.square().sum() / 9) ** -0.75
    return y


def test_within_channel_norm_equals_a_plain_loop_over_pixels():
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64) * 200  # large enough for the norm to matter
    torch.testing.assert_close(normalize_within_channel(x), slow_within_channel_norm(x))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_within_channel_norm_equals_autograds(memory_format):
    x = (torch.randn(2, 3, 5, 4, dtype=torch.float64) * 200).to(memory_format=memory_format).requires_grad_()
    along = torch.randn_like(x)
    (slow,) = torch.autograd.grad(slow_within_channel_norm(x), x, along)
    (fast,) = torch.autograd.grad(normalize_within_channel(x), x, along)
    torch.testing.assert_close(fast, slow)


def test_within_channel_norm_works_under_vmap():
    x = torch.randn(4, 2, 3, 5, 5, dtype=torch.float64) * 200  # (members, B, C, H, W)

    def gradient(member):
        return torch.func.grad(lambda inputs: normalize_within_channel(inputs).square().sum())(member)

    torch.testing.assert_close(torch.func.vmap(gradient)(x), torch.stack([gradient(member) for member in x]))


def test_shallow3_starts_gaussian_with_caffes_deviations_and_zero_biases():
    model = build("shallow3")
    deviations = [float(layer.weight.detach().std()) for layer in (model.conv1, model.conv2, model.conv3, model.fc)]
    assert deviations == pytest.approx([1e-4, 0.01, 0.01, 0.01], rel=0.05)
    assert all(not layer.bias.any() for layer in (model.conv1, model.conv2, model.conv3, model.fc))


def test_xavier_is_caffes_uniform_of_variance_one_over_fan_in():
    weight = xavier_(torch.empty(300, 20, 5, 5))
    assert float(weight.var()) == pytest.approx(1 / 500, rel=0.02)
    assert float(weight.abs().max()) == pytest.approx(math.sqrt(3 / 500), rel=1e-3)


def test_reinitialize_depends_on_scheme_and_seed_alone():
    first, second = build("lenet", MNIST), build("lenet", MNIST)
    nn.init.ones_(second.fc1.bias)
    torch.manual_seed(7)
    reinitialize(first, "msra", seed=3)
    reinitialize(second, "msra", seed=3)
    assert all(torch.equal(ours, other) for ours, other in zip(first.parameters(), second.parameters(), strict=True))
    assert float(first.fc1.weight.detach().var()) == pytest.approx(2 / 800, rel=0.02)
    assert not first.fc1.bias.any()
    reinitialize(second, "msra", seed=4)
    assert not torch.equal(first.fc1.weight, second.fc1.weight)
    reinitialize(second, "xavier", seed=3)
    assert float(second.fc1.weight.detach().var()) == pytest.approx(1 / 800, rel=0.02)


@pytest.mark.parametrize(
    ("name", "input_shape", "options", "message"),
    [
        ("lenet", (64,), {}, r"model lenet needs images .* shape \(64,\); try mlp"),
        ("lenet", (1, 8, 8), {}, "at least 13x13, but the data have 8x8"),
        ("shallow3", (1, 7, 9), {}, "at least 8x8, but the data have 7x9"),
        ("resnet_cifar", CIFAR, {"depth": 55}, "depth is 55; with 3 widths it must be 6n"),
        ("resnet_cifar", CIFAR, {"variant": "wide"}, "variant is 'wide'"),
        ("resnet_cifar", CIFAR, {"widths": (16, 8, 32)}, "must not fall"),
        ("resnet_cifar", (3, 30, 30), {}, "halves images 2 times, but the data have 30x30"),
        ("densenet_cifar", CIFAR, {"depth": 41}, "depth is 41; it must be 3n"),
        ("torchvision", CIFAR, {"arch": "resnet81"}, "did you mean resnet18"),
        ("torchvision", MNIST, {}, "3 channels, but the data have 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(name, input_shape, options, message):
    with pytest.raises(InputError, match=message) as refused:
        build(name, input_shape, **options)
    assert "\n" not in str(refused.value)


def test_smallest_images_that_the_messages_promise_are_taken():
    assert build("lenet", (1, 13, 13))(torch.randn(1, 1, 13, 13)).shape == (1, 10)
    assert build("shallow3", (1, 8, 8))(torch.randn(1, 1, 8, 8)).shape == (1, 10)


def test_options_of_every_model_are_literals():
    for name in find.known("models"):
        assert ... not in find.options("models", name).values()


def test_lrn_constants_are_caffes():
    assert (shallow3.LRN_SIZE, shallow3.LRN_ALPHA, shallow3.LRN_BETA) == (3, 5e-5, 0.75)
