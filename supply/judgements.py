"""What `licences.py` cannot read off: licences that metadata do not say, and why those that ask for more are fine."""

CLEAR = r"^\W*(mit|bsd|0bsd|isc|zlib|cc0|apache|psf|python software|\(?3-clause|hpnd|unlicense)"
"""Licences that ask for no more than that their text and the names stay."""

UNSAID = {
    "anny": "Apache-2.0",
    "atheris": "Apache-2.0",
    "cuda-toolkit": "NVIDIA proprietary (empty package)",
    "easypytorch3d": "BSD-3-Clause",
    "iopath": "MIT",
    "nerfacc": "MIT",
    "smplx": "non-commercial research (Max Planck)",
    "wadler-lindig": "Apache-2.0",
    "xatlas": "MIT",
}
"""As their licence files say."""

NVIDIA = (
    "NVIDIA's run-time libraries, required by torch's Linux wheel. They may be used and redistributed with "
    "applications; sherf redistributes none, and runs without a GPU"
)
MPL = "weak copyleft, per file: used unchanged"
JUDGED = {
    r"nvidia-.*|cuda-toolkit": NVIDIA,
    r"certifi|hypothesis|orjson|pathspec|tqdm": MPL,
    r"smplx": (
        "optional (`sherf[smpl]`): for people who hold SMPL files. Only tests compare with it; sherf never imports it"
    ),
}
"""By a pattern of names."""

BUNDLED = {
    "av": (
        "LGPL-3.0-or-later (FFmpeg), GPL-2.0-or-later (libx264, libx265)",
        "shared libraries in the wheel, fetched from PyAV's own release and never redistributed by sherf. If you "
        "redistribute an installation as a whole, include their terms and sources",
    ),
    "opencv-python": (
        "LGPL-2.1-or-later (FFmpeg), LGPL-3.0 (Qt)",
        "shared libraries, unchanged and replaceable; not redistributed by sherf",
    ),
    "numpy, scipy": ("GPL-3.0 with the GCC Runtime Library Exception (libgfortran)", "the exception allows any use"),
}
"""Libraries inside of wheels, whose metadata speak of the package's own code alone."""
