"""Safe reading of users' photos and masks: common formats, upright, sRGB, of bounded size, with clear errors."""

import hashlib
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageCms, ImageOps
from torch import Tensor

from sherf.errors import BadInput
from sherf.photo.file_kind import describe_content

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # JPEG includes MPO; others run interpreters or rare parsers
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE = 20_000  # px
MIN_SIDE = 32  # px
WORK_SIDE = 2048  # px: longer sides are reduced to this
FILM_DIAGONAL_MM = 43.27  # of 36 x 24 mm film: EXIF's equivalent focal length preserves the diagonal field of view
MIN_TRANSPARENT, MIN_OPAQUE = 0.05, 0.005  # shares of the pixels; a screenshot's rounded corners are not a mask
USE_INSTEAD = "Use a JPEG, PNG or WebP image."

_EXIF_IFD, _FOCAL_LENGTH_35MM = 0x8769, 0xA405


@dataclass(frozen=True)
class Photo:
    """A photo as a viewer shows it: first frame, upright, sRGB."""

    image: Float[Tensor, "3 h w"]
    """sRGB in [0, 1], not premultiplied by alpha; white where alpha is 0."""
    alpha: Float[Tensor, "h w"] | None
    """Alpha channel in [0, 1], if it separates a subject from its background; otherwise None."""
    focal_px: float | None
    """Focal length in pixels of `image`, if EXIF has the 35 mm equivalent."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""


def read_photo(path: Path | str) -> Photo:
    """Read a photo and return its first frame, upright, in sRGB.

    Limits are checked from the header, before anything large is allocated. Photos with more than 2048 px on the longer
    side are reduced to that.

    Returns:
        The image with its alpha channel and focal length, where the file has them.

    Raises:
        BadInput: the file is missing, not a readable image, damaged, or beyond a limit.
    """
    path = Path(path)
    data = _read_bytes(path, "photo")
    decoded = _decode(path, data)
    colour, alpha = _to_srgb(decoded)
    image = torch.from_numpy(np.asarray(colour, dtype=np.float32) / 255).movedim(2, 0).contiguous()
    if alpha is not None and not _is_cut_out(alpha):
        alpha = None
    if alpha is not None:
        image = torch.where(alpha > 0, image, 1.0)  # colours of fully transparent pixels are noise
    return Photo(image, alpha, _focal_px(decoded), hashlib.sha256(data).hexdigest())


def read_mask(path: Path | str, size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """Read a mask image for a photo, in which the person is white (or opaque).

    Args:
        path: an image of the photo's aspect ratio, in any resolution.
        size: the photo's height and width after reading, px; the mask is scaled to it.

    Returns:
        Coverage of each pixel by the person, in [0, 1].

    Raises:
        BadInput: the file cannot be read, has another aspect ratio than the photo, or shows no person.
    """
    path = Path(path)
    colour, alpha = _to_srgb(_decode(path, _read_bytes(path, "mask")))
    if alpha is not None and _is_cut_out(alpha):
        mask = alpha
    else:
        mask = torch.from_numpy(np.asarray(colour.convert("L"), dtype=np.float32) / 255)
    height, width = mask.shape
    # Allow one pixel of rounding per side of a reduced image, and half a per cent of the aspect ratio.
    if abs(width * size[0] - height * size[1]) > max(width + size[1], height + size[0]) + 0.005 * height * size[1]:
        raise BadInput(
            f"the mask {path} does not fit the photo: it is {width}x{height} px, the photo {size[1]}x{size[0]} px.\n"
            "Make a mask with the photo's width and height (after its EXIF rotation)."
        )
    mask = F.interpolate(mask[None, None], size=size, mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
    if not bool((mask > 0.5).any()):
        raise BadInput(f"the mask {path} is empty: it has no white pixels.\nPaint the person white on black.")
    return mask


def _read_bytes(path: Path, role: str) -> bytes:
    """Return the content of a regular file of at most `MAX_BYTES`; never waits on a pipe or device.

    Raises:
        BadInput: the file is missing, unreadable, empty, not a regular file or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_symlink():
            raise BadInput(
                f"the {role} {path} is a link to {os.readlink(path)}, which does not exist.\n"
                "Give the path of the image itself."
            ) from None
        raise BadInput(f"there is no {role} at {path}.\nCheck the path.") from None
    except PermissionError:
        raise BadInput(f"no permission to read the {role} {path}.\nCheck the file's permissions.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"the {role} {path} cannot be opened: {reason}.\nGive the path of an image file.") from None
    try:
        status = os.fstat(descriptor)
        _check_regular(path, role, status)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(status.st_size)
    except OSError as error:
        raise BadInput(f"the {role} {path} cannot be read: {error.strerror}.\nTry a copy on another disk.") from None
    finally:
        os.close(descriptor)
    if not data:
        raise BadInput(f"the {role} {path} is empty (0 bytes).\n{USE_INSTEAD}")
    return data


def _check_regular(path: Path, role: str, status: os.stat_result) -> None:
    """Check that the status is that of a regular file of at most `MAX_BYTES`.

    Raises:
        BadInput: it is a folder, device, pipe or socket, or too large.
    """
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"the {role} {path} is a folder.\nGive the path of one image in it.")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"the {role} {path} is a device, pipe or socket.\nGive the path of an image file.")
    if status.st_size > MAX_BYTES:
        raise BadInput(
            f"the {role} {path} is too large: {status.st_size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB "
            "are accepted.\nReduce the image or save it as JPEG."
        )


def _decode(path: Path, data: bytes) -> Image.Image:
    """Return the decoded first frame, for JPEG at a reduced size where possible; EXIF rotation is not yet applied.

    Raises:
        BadInput: not an image of a supported format, damaged, or beyond a limit.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's threshold is above MAX_PIXELS, which is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"{path} has too many pixels ({error}); at most {MAX_PIXELS // 1_000_000} megapixels are accepted.\n"
            "Reduce the image."
        ) from None
    except Image.UnidentifiedImageError:
        raise BadInput(
            f"{path} is not an image in a supported format: it seems to be {describe_content(data)}.\n{USE_INSTEAD}"
        ) from None
    except Exception as error:
        raise BadInput(_damage_message(path, data, error)) from None
    _check_size(path, image.size)
    try:
        # JPEG is decoded at 1/2, 1/4 or 1/8 where that is still larger than the working size.
        image.draft(image.mode, (min(WORK_SIDE, image.width), min(WORK_SIDE, image.height)))
        image.load()
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError ...
        raise BadInput(_damage_message(path, data, error)) from None
    return image


def _check_size(path: Path, size: tuple[int, int]) -> None:
    """Check an image's width and height, px, against the limits.

    Raises:
        BadInput: too many pixels, too long, too small, or too narrow once reduced.
    """
    width, height = size
    found = f"{path} is {width}x{height} px"
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"{found}, {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS // 1_000_000} are accepted.\n"
            "Reduce the image."
        )
    if max(size) > MAX_SIDE:
        raise BadInput(f"{found}; sides of at most {MAX_SIDE} px are accepted.\nReduce or crop the image.")
    if min(size) < MIN_SIDE:
        raise BadInput(f"{found}; both sides must have at least {MIN_SIDE} px.\nUse a larger image.")
    if min(size) * WORK_SIDE < MIN_SIDE * max(size):
        raise BadInput(f"{found}, too long and narrow for a photo of a person.\nCrop it to the person.")


def _damage_message(path: Path, data: bytes, error: Exception) -> str:
    return (
        f"{path} is damaged or incomplete ({describe_content(data)}, {len(data)} bytes): {error}.\n"
        "Copy or download the image again."
    )


def _to_srgb(image: Image.Image) -> tuple[Image.Image, Float[Tensor, "h w"] | None]:
    """Return upright 8-bit sRGB of at most the working size, and the alpha channel if there is one."""
    profile = image.info.get("icc_profile")
    image = _to_8_bit(image)
    if max(image.size) > WORK_SIDE:
        image.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.LANCZOS)
    image = _apply_exif_rotation(image)
    alpha = None
    if "A" in image.getbands():
        alpha = torch.from_numpy(np.asarray(image.getchannel("A"), dtype=np.float32) / 255)
        image = image.convert("L" if image.mode == "LA" else "RGB")
    return _convert_profile(image, profile), alpha


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Return the image in one of the modes L, LA, RGB, RGBA, CMYK."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.float32)
        values = np.nan_to_num(values, nan=0.0, posinf=values[np.isfinite(values)].max(initial=0.0), neginf=0.0)
        # Integers hold 16-bit values whatever their type; floats are in [0, 1] or are scaled by their largest value.
        white = 65535.0 if image.mode != "F" else 1.0
        scaled = (values.clip(0) / max(white, values.max(initial=0.0)) * 255).round().astype(np.uint8)
        grey = Image.fromarray(scaled, "L")
        grey.info.update(image.info)
        grey.getexif().update(image.getexif())
        return grey
    if image.has_transparency_data:
        return image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _apply_exif_rotation(image: Image.Image) -> Image.Image:
    """Return the image as EXIF's orientation says; a damaged EXIF block is ignored."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _convert_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB by the embedded ICC profile; without one, or with a damaged one, by Pillow's plain conversion."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # it is None for conversions in place only
            return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def _is_cut_out(alpha: Float[Tensor, "h w"]) -> bool:
    """Return whether the alpha channel separates a subject from its background."""
    opaque = float((alpha >= 0.5).float().mean())
    return opaque >= MIN_OPAQUE and 1 - opaque >= MIN_TRANSPARENT


def _focal_px(image: Image.Image) -> float | None:
    """Return the focal length in pixels of the reduced image, from EXIF's 35 mm equivalent."""
    try:
        millimetres = float(image.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_LENGTH_35MM, 0))
    except Exception:
        return None
    if not 4 <= millimetres <= 2000:  # 0 means unknown
        return None
    width, height = image.size
    shrink = min(1.0, WORK_SIDE / max(width, height))
    return millimetres / FILM_DIAGONAL_MM * float(np.hypot(width, height)) * shrink
