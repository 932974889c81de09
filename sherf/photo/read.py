"""Reading a user's picture: any usual format, upright, sRGB, of bounded size - or a sentence about what is wrong."""

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

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # JPEG brings MPO; others include interpreters and rare parsers
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE = 20_000  # px
MIN_SIDE = 32  # px
WORK_SIDE = 2048  # px: longer sides are reduced to this
FILM_DIAGONAL_MM = 43.27  # of 36 x 24 mm film: EXIF's equivalent focal length keeps the diagonal field of view
MIN_TRANSPARENT, MIN_OPAQUE = 0.05, 0.005  # shares; rounded corners of a screenshot are not a mask
USE_INSTEAD = "Use a JPEG, PNG or WebP picture."

_EXIF_IFD, _FOCAL_LENGTH_35MM = 0x8769, 0xA405


@dataclass(frozen=True)
class Photo:
    """A picture as its viewer sees it: first frame, upright, sRGB."""

    image: Float[Tensor, "3 h w"]
    """sRGB in [0, 1]. Colours are not multiplied by alpha; where alpha is 0 they are white."""
    alpha: Float[Tensor, "h w"] | None
    """Opacity in [0, 1], if the file's alpha channel cuts something out; otherwise None."""
    focal_px: float | None
    """Focal length in pixels of `image`, if EXIF tells the 35 mm equivalent."""
    sha256: str
    """Of the file, hexadecimal."""


def read_photo(path: Path | str) -> Photo:
    """Read a picture file.

    Limits are checked from the header, before anything large is allocated. Pictures of more than 2048 px on the
    longer side are reduced to that.

    Raises:
        BadInput: not a readable picture file, damaged, or beyond a limit; the text says which.
    """
    path = Path(path)
    data = _read_bytes(path, "photo")
    picture = _decode(path, data)
    colour, alpha = _to_srgb(picture)
    image = torch.from_numpy(np.asarray(colour, dtype=np.float32) / 255).movedim(2, 0).contiguous()
    if alpha is not None and not _cuts_out(alpha):
        alpha = None
    if alpha is not None:
        image = torch.where(alpha > 0, image, 1.0)  # what hides under full transparency is noise
    return Photo(image, alpha, _focal_px(picture), hashlib.sha256(data).hexdigest())


def read_mask(path: Path | str, size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """Read a mask picture (white, or opaque, = person) for a photo.

    Args:
        path: a picture of the photo's shape in any resolution.
        size: the photo's height and width after reading, px.

    Raises:
        BadInput: unreadable, of another shape than the photo, or empty.
    """
    path = Path(path)
    colour, alpha = _to_srgb(_decode(path, _read_bytes(path, "mask")))
    if alpha is not None and _cuts_out(alpha):
        mask = alpha
    else:
        mask = torch.from_numpy(np.asarray(colour.convert("L"), dtype=np.float32) / 255)
    height, width = mask.shape
    # One pixel of rounding on either side of a reduced picture, and half a per cent of the shape.
    if abs(width * size[0] - height * size[1]) > max(width + size[1], height + size[0]) + 0.005 * height * size[1]:
        raise BadInput(
            f"the mask {path} does not fit the photo: it is {width}x{height} px, the photo {size[1]}x{size[0]} px.\n"
            "Make a mask of the photo's own width and height (after its EXIF rotation)."
        )
    mask = F.interpolate(mask[None, None], size=size, mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
    if not bool((mask > 0.5).any()):
        raise BadInput(f"the mask {path} is empty: it has no white pixels.\nPaint the person white on black.")
    return mask


def _read_bytes(path: Path, role: str) -> bytes:
    """The file's content, if it is a regular file of a bearable size; never waits on a pipe or device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_symlink():
            raise BadInput(
                f"the {role} {path} is a link to {os.readlink(path)}, which does not exist.\n"
                "Give the picture's own path."
            ) from None
        raise BadInput(f"there is no {role} at {path}.\nCheck the path.") from None
    except PermissionError:
        raise BadInput(f"the {role} {path} may not be read by this user.\nCheck the file's permissions.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"the {role} {path} cannot be opened: {reason}.\nGive the path of a picture file.") from None
    try:
        status = os.fstat(descriptor)
        _check_regular(path, role, status)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(status.st_size)
    except OSError as error:
        raise BadInput(f"the {role} {path} cannot be read: {error.strerror}.\nCopy it to another disk.") from None
    finally:
        os.close(descriptor)
    if not data:
        raise BadInput(f"the {role} {path} is empty (0 bytes).\n{USE_INSTEAD}")
    return data


def _check_regular(path: Path, role: str, status: os.stat_result) -> None:
    """Refuse what is not a regular file of a bearable size.

    Raises:
        BadInput: a folder, a device or pipe, or too many bytes.
    """
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"the {role} {path} is a folder.\nGive the path of one picture in it.")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"the {role} {path} is a device, pipe or socket.\nGive the path of a picture file.")
    if status.st_size > MAX_BYTES:
        raise BadInput(
            f"the {role} {path} is too large: {status.st_size / 2**20:.0f} MB, at most {MAX_BYTES // 2**20} MB "
            "are read.\nReduce the picture or save it as JPEG."
        )


def _decode(path: Path, data: bytes) -> Image.Image:
    """The first frame, reduced to the working size (not yet turned upright)."""
    try:
        with warnings.catch_warnings():
            # Its threshold lies above MAX_PIXELS, which is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"{path} has too many pixels ({error}); at most {MAX_PIXELS // 1_000_000} megapixels are read.\n"
            "Reduce the picture."
        ) from None
    except Image.UnidentifiedImageError:
        raise BadInput(
            f"{path} is not a picture that can be read: it seems to be {describe_content(data)}.\n{USE_INSTEAD}"
        ) from None
    except Exception as error:
        raise _damaged(path, data, error) from None
    _check_size(path, picture.size)
    try:
        # JPEG decodes at 1/2, 1/4 or 1/8 where that is still larger than the working size.
        picture.draft(picture.mode, (min(WORK_SIDE, picture.width), min(WORK_SIDE, picture.height)))
        picture.load()
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError ...
        raise _damaged(path, data, error) from None
    return picture


def _check_size(path: Path, size: tuple[int, int]) -> None:
    """Refuse pictures beyond the limits.

    Raises:
        BadInput: too many pixels, too long, too small, or too narrow once reduced.
    """
    width, height = size
    found = f"{path} is {width}x{height} px"
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"{found}, {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS // 1_000_000} are read.\n"
            "Reduce the picture."
        )
    if max(size) > MAX_SIDE:
        raise BadInput(f"{found}; sides of at most {MAX_SIDE} px are read.\nReduce or cut the picture.")
    if min(size) < MIN_SIDE:
        raise BadInput(f"{found}; both sides must have at least {MIN_SIDE} px.\nUse a larger picture.")
    if min(size) * WORK_SIDE < MIN_SIDE * max(size):
        raise BadInput(f"{found}, too long and narrow for a photo of a person.\nCut the person out of it.")


def _damaged(path: Path, data: bytes, error: Exception) -> BadInput:
    return BadInput(
        f"{path} is damaged or incomplete ({describe_content(data)}, {len(data)} bytes): {error}.\n"
        "Copy or download the picture again."
    )


def _to_srgb(picture: Image.Image) -> tuple[Image.Image, Float[Tensor, "h w"] | None]:
    """Upright 8-bit sRGB of at most the working size, and the alpha channel if there is one."""
    profile = picture.info.get("icc_profile")
    picture = _to_8_bit(picture)
    if max(picture.size) > WORK_SIDE:
        picture.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.LANCZOS)
    picture = _upright(picture)
    alpha = None
    if "A" in picture.getbands():
        alpha = torch.from_numpy(np.asarray(picture.getchannel("A"), dtype=np.float32) / 255)
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    return _convert_profile(picture, profile), alpha


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """The picture in one of the modes L, LA, RGB, RGBA, CMYK."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        values = np.asarray(picture, dtype=np.float32)
        values = np.nan_to_num(values, nan=0.0, posinf=values[np.isfinite(values)].max(initial=0.0), neginf=0.0)
        # Integers are 16-bit values however they are stored; floats are in [0, 1] or scaled to their largest value.
        white = 65535.0 if picture.mode != "F" else 1.0
        scaled = (values.clip(0) / max(white, values.max(initial=0.0)) * 255).round().astype(np.uint8)
        upright = Image.fromarray(scaled, "L")
        upright.info.update(picture.info)
        upright.getexif().update(picture.getexif())
        return upright
    if picture.has_transparency_data:
        return picture if picture.mode in ("LA", "RGBA") else picture.convert("RGBA")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _upright(picture: Image.Image) -> Image.Image:
    """Turned as EXIF says; a broken EXIF block says nothing."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:
        return picture


def _convert_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """sRGB by the embedded ICC profile; without one, or with a broken one, by Pillow's plain conversion."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return picture.convert("RGB")


def _cuts_out(alpha: Float[Tensor, "h w"]) -> bool:
    """Does the alpha channel separate a thing from its background?"""
    opaque = float((alpha >= 0.5).float().mean())
    return opaque >= MIN_OPAQUE and 1 - opaque >= MIN_TRANSPARENT


def _focal_px(picture: Image.Image) -> float | None:
    """Focal length in pixels of the reduced picture, from EXIF's 35 mm equivalent."""
    try:
        millimetres = float(picture.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_LENGTH_35MM, 0))
    except Exception:
        return None
    if not 4 <= millimetres <= 2000:  # 0 means unknown
        return None
    width, height = picture.size
    shrink = min(1.0, WORK_SIDE / max(width, height))
    return millimetres / FILM_DIAGONAL_MM * float(np.hypot(width, height)) * shrink
