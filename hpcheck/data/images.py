"""Decoding one image file with PIL."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from hpcheck.data.arrays import DataError
from hpcheck.files.regular import read_whole

GREY_MODES = {"1", "L", "LA"}
COLOUR_MODES = {"RGB", "RGBA", "P", "CMYK", "YCbCr"}


def decode(path: Path, image_size: int | None) -> tuple[NDArray[np.uint8], bool]:
    """(H, W, 3) pixels of one image, upright, and whether it is grey. With `image_size` both sides have that many pixels."""
    try:
        with Image.open(io.BytesIO(read_whole(path))) as opened:  # read at once: PIL asks for a few bytes at a time
            if opened.mode not in GREY_MODES | COLOUR_MODES:
                raise DataError(f"image-folder: {path} has pixels of mode {opened.mode}; images of 8 bits a channel are needed")
            is_grey = opened.mode in GREY_MODES
            opened.load()
            image = _rgb(ImageOps.exif_transpose(opened))
    except DataError:
        raise
    except UnidentifiedImageError as error:  # its own words name a buffer in memory
        raise DataError(f"image-folder: {path} is no image; remove or replace it") from error
    except Exception as error:  # PIL raises whatever a broken file makes it stumble over
        raise DataError(f"image-folder: {path} cannot be decoded ({error or type(error).__name__}); remove or replace it") from error
    return np.asarray(_square(image, image_size) if image_size else image), is_grey


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> Image.Image:
    """The shorter side resized to `size`, and the centre cut out."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))
