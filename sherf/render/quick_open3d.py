"""Open3D without its notebook support, which takes longer to import than everything else."""

import sys
from types import ModuleType

NOTEBOOKS = "open3d.visualization.draw_plotly"


def quick_open3d() -> ModuleType:
    """Return Open3D, imported on first use without its notebook support."""
    if "open3d" not in sys.modules:
        stand_in = ModuleType(NOTEBOOKS)
        vars(stand_in).update(get_plotly_fig=None, draw_plotly=None, draw_plotly_server=None)
        sys.modules[NOTEBOOKS] = stand_in
    import open3d

    return open3d
