"""Open3D without what it loads for notebooks."""

import sys
from types import ModuleType

NOTEBOOKS = "open3d.visualization.draw_plotly"


def quick_open3d() -> ModuleType:
    """Open3D, imported on first use, without its drawing in notebooks: that alone takes longer than all the rest."""
    if "open3d" not in sys.modules:
        left_out = ModuleType(NOTEBOOKS)
        vars(left_out).update(get_plotly_fig=None, draw_plotly=None, draw_plotly_server=None)
        sys.modules[NOTEBOOKS] = left_out
    import open3d

    return open3d
