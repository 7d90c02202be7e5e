"""The checkout that the benchmarks run in: its folder, and the drives of CamVid that it has networks without."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRIVES = ("0001tp", "0006r0", "0016e5")
