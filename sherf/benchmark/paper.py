"""Published figures to compare with: PSNR (dB), SSIM and LPIPS-VGG of novel views."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperRow:
    """Scores of one method on one data set, by the published protocol."""

    method: str
    psnr: float
    ssim: float
    lpips: float


PAPER = {
    "thuman": (
        PaperRow("SHERF", 24.66, 0.91, 0.10),
        PaperRow("NHP", 22.53, 0.88, 0.17),
        PaperRow("MPS-NeRF", 21.72, 0.87, 0.18),
        PaperRow("PixelNeRF", 16.51, 0.65, 0.35),
    ),
    "renderpeople": (
        PaperRow("SHERF", 22.88, 0.88, 0.14),
        PaperRow("NHP", 20.59, 0.81, 0.22),
        PaperRow("MPS-NeRF", 20.72, 0.81, 0.24),
    ),
    "zju-mocap": (
        PaperRow("SHERF", 22.87, 0.89, 0.12),
        PaperRow("NHP", 21.66, 0.87, 0.17),
        PaperRow("MPS-NeRF", 21.86, 0.87, 0.17),
    ),
    "humman": (
        PaperRow("SHERF", 20.83, 0.89, 0.12),
        PaperRow("NHP", 18.99, 0.84, 0.18),
        PaperRow("MPS-NeRF", 17.44, 0.82, 0.19),
    ),
}
"""By data set, as reported in the paper of SHERF (Hu et al., ICCV 2023)."""

ESTIMATED_BODY = {
    "thuman": "17.27-19.29",
    "renderpeople": "13.55-15.24",
    "zju-mocap": "19.11-20.72",
    "humman": "16.41-18.00",
}
"""PSNR of SHERF with estimated instead of given bodies, as quoted in the paper of GST."""
