"""What the photo saw and what is invented, as colours."""

import numpy as np
import torch
from jaxtyping import UInt8

from sherf.camera.image import to_bytes
from sherf.scene import Frame

SEEN, INVENTED = torch.tensor([0.16, 0.63, 0.42]), torch.tensor([0.93, 0.55, 0.20])


def seen_and_invented(frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
    """Green where the photo saw a point, orange where it did not; as light and dark as it is, on white."""
    light = 0.55 + 0.45 * (frame.rgb.mean(dim=0) / frame.opacity.clamp_min(1e-6))
    share = (frame.visibility / frame.opacity.clamp_min(1e-6)).clamp(0, 1)
    tint = torch.lerp(INVENTED[:, None, None], SEEN[:, None, None], share) * light
    return to_bytes(tint * frame.opacity + 1 - frame.opacity)
