"""Sizes of images on their way through a network, and clear errors for those that do not fit."""

import math

from hpcheck.errors import InputError


def image_shape(model: str, input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`input_shape` as (C, H, W). Raises `InputError` where the data are not images."""
    if len(input_shape) != 3:
        raise InputError(f"model {model} needs images (channels, height, width), but the data have shape {input_shape}; try mlp")
    channels, height, width = input_shape
    return channels, height, width


def windows(size: int, kernel: int, stride: int, pad: int = 0, ceil: bool = False) -> int:
    """How many windows of a convolution or pool fit along `size` pixels; below 1 where none does. Caffe's pools round up (`ceil`)."""
    steps = (size + 2 * pad - kernel) / stride
    return (math.ceil(steps) if ceil else math.floor(steps)) + 1
