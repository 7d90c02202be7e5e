"""Seconds that the fixations of a segment take, next to the network's forward pass."""

import argparse
import json
import time

import numpy as np
import torch

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.explain import Evidence
from oodretrieval.models import DeepWV3Plus, load_model

PARTS = ("forward", "record", "follow")


def measure_speed(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Time one segment of an image of each size, next to the forward pass."""
    lines = []
    cases = [("DeepLabV3Plus", load_model(configuration.model("deeplabv3plus_camvid")), (360, 480))]
    if not chosen.small:
        cases.append(("DeepWV3Plus", DeepWV3Plus(19), (1024, 2048)))
    for name, network, size in cases:
        model = network.eval()
        Evidence(model, torch.zeros(1, 3, 64, 64))  # torch's recording is loaded once
        image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
        mask = np.zeros(size, bool)
        mask[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = True
        times = [(time.perf_counter(), time.process_time())]
        with torch.no_grad():
            model(image)
        times.append((time.perf_counter(), time.process_time()))
        evidence = Evidence(model, image)
        times.append((time.perf_counter(), time.process_time()))
        (found,) = evidence.fixations([(mask, 1)])
        times.append((time.perf_counter(), time.process_time()))
        wall, cpu = (np.diff([each[i] for each in times]).tolist() for i in (0, 1))
        lines.append(
            {
                "network": name,
                "size": size,
                "pixels": int(mask.sum()),
                "points": len(found),
                "threads": torch.get_num_threads(),
                "kept_bytes": evidence.held_bytes,
                "wall": dict(zip(PARTS, wall, strict=True)),
                "cpu": dict(zip(PARTS, cpu, strict=True)),
            }
        )
        print(lines[-1], flush=True)
        (chosen.work / "speed.json").write_text(json.dumps(lines), encoding="utf-8")
