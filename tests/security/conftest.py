"""Make the fuzzing harness, which is among the benchmarks, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
