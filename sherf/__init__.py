"""SHERF: one photo of a person in, an animatable 3D human out.

    import sherf

    avatar = sherf.reconstruct("me.jpg")
    avatar.animate("walk").save("walk.mp4")
    avatar.export("me.glb", motions=["walk", "dance"])

Names are imported when they are first used: `import sherf` alone does not load PyTorch. It sets how the threads of
numerical libraries wait, so import it before them (`sherf.threads`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sherf.threads import let_waiting_threads_sleep

let_waiting_threads_sleep()

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sherf.api.avatar import Avatar as Avatar
    from sherf.api.avatar import load_avatar as load_avatar
    from sherf.api.avatar import reconstruct as reconstruct
    from sherf.avatar.result_files import HopelessFit as HopelessFit
    from sherf.camera.transforms_json import read_cameras as read_cameras
    from sherf.errors import BadInput as BadInput
    from sherf.errors import MissingAsset as MissingAsset
    from sherf.errors import NoPerson as NoPerson
    from sherf.errors import OutputError as OutputError
    from sherf.errors import SherfError as SherfError
    from sherf.errors import TrainingError as TrainingError
    from sherf.export.options import ExportOptions as ExportOptions
    from sherf.export.options import VrmOptions as VrmOptions
    from sherf.export.sequence import FrameSequence as FrameSequence
    from sherf.motion.motion import Motion as Motion
    from sherf.motion.options import MotionOptions as MotionOptions
    from sherf.motion.read import builtin_motions as builtin_motions
    from sherf.motion.read import read_motion as read_motion
    from sherf.photo.options import PhotoOptions as PhotoOptions
    from sherf.scene import BodyPose as BodyPose
    from sherf.scene import Camera as Camera
    from sherf.scene import Frame as Frame
    from sherf.scene import Subject as Subject

_MODULES = {
    "sherf.api.avatar": ("Avatar", "load_avatar", "reconstruct"),
    "sherf.avatar.result_files": ("HopelessFit",),
    "sherf.camera.transforms_json": ("read_cameras",),
    "sherf.errors": ("BadInput", "MissingAsset", "NoPerson", "OutputError", "SherfError", "TrainingError"),
    "sherf.export.options": ("ExportOptions", "VrmOptions"),
    "sherf.export.sequence": ("FrameSequence",),
    "sherf.motion.motion": ("Motion",),
    "sherf.motion.options": ("MotionOptions",),
    "sherf.motion.read": ("builtin_motions", "read_motion"),
    "sherf.photo.options": ("PhotoOptions",),
    "sherf.scene": ("BodyPose", "Camera", "Frame", "Subject"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, and return what it stands for.

    Returns:
        The class or function.

    Raises:
        AttributeError: the package does not offer this name.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sherf' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return all public names, imported or not."""
    return sorted(__all__)
