"""What the machine can do: what the other benchmarks' arithmetic and bytes are held against.

Matrix products are n × n. The convolution is 3×3 with 256 channels on maps of 16×16, in memory with
the channels last; its operations are 2·9·256² per position, as a plain convolution needs them.
Bytes copied are counted as read once and written once. The file is read as pools are: mapped, from
front to back, and not in memory before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._report import row, seconds, turns
from benchmarks.pools import forget, read


def products(device: str, dtype: str, n: int, repeats: int = 20) -> list[float]:
    """Measure matrix products, in GFLOP/s."""
    A = torch.randn(n, n, device=device).to(getattr(torch, dtype))
    took = turns({"product": lambda: A @ A}, repeats, device)["product"][:, 0]
    return (2e-9 * n**3 / took).tolist()


def convolutions(device: str, dtype: str, n: int, repeats: int = 20) -> list[float]:
    """Measure a convolution of n images, in GFLOP/s."""
    layer = torch.nn.Conv2d(256, 256, 3, padding=1, bias=False)
    layer = layer.to(device, getattr(torch, dtype)).to(memory_format=torch.channels_last)
    X = torch.randn(n, 256, 16, 16, device=device).to(getattr(torch, dtype))
    X = X.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        took = turns({"convolution": lambda: layer(X)}, repeats, device)["convolution"][:, 0]
    return (2e-9 * 9 * 256**2 * 16**2 * n / took).tolist()


def copies(device: str, megabytes: int, repeats: int = 10) -> list[float]:
    """Measure copying in memory, in GB/s."""
    source = torch.ones(megabytes * 2**18, device=device)
    target = torch.empty_like(source)
    took = turns({"copy": lambda: target.copy_(source)}, repeats, device)["copy"][:, 0]
    return (2e-9 * source.nbytes / took).tolist()


def _reading(path: Path) -> float:
    forget(path)
    mapped = np.load(path, mmap_mode="r")
    return 1e-9 * mapped.nbytes / seconds(lambda: read(mapped))


def measure(quick: bool) -> list[dict[str, Any]]:
    n, images, megabytes = (256, 4, 16) if quick else (4096, 64, 1024)
    rows = []

    def add(what: str, unit: str, values: list[float]) -> None:
        rows.append(row(what, unit, values[1:], None, "higher"))  # the first prepares

    for dtype in ("float32", "float64"):
        add(f"{dtype} matrix products on the CPU", "GFLOP/s", products("cpu", dtype, n, 6))
    add("float32 convolutions on the CPU", "GFLOP/s", convolutions("cpu", "float32", images))
    add("copying in memory on the CPU", "GB/s", copies("cpu", megabytes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.npy"
        np.save(path, np.ones((256 * megabytes, 4096), dtype=np.uint8))
        add("reading a file", "GB/s", [_reading(path) for _ in range(4)])
    if torch.cuda.is_available():
        n, images = (256, 4) if quick else (8192, 4096)
        for dtype in ("float32", "float64", "bfloat16"):
            add(f"{dtype} matrix products on CUDA", "GFLOP/s", products("cuda", dtype, n))
        add("bfloat16 convolutions on CUDA", "GFLOP/s", convolutions("cuda", "bfloat16", images))
        add("copying in memory on CUDA", "GB/s", copies("cuda", megabytes))
    return rows
