"""Freed memory: kept for the next step, but not mixed up with what stays, and given back when the work is over."""

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

BLOCKS = """
import json, psutil, torch
from ftgui.engine import malloc as memory

def resident():
    return psutil.Process().memory_info().rss // 2**20

def use_and_free():
    large = [(torch.ones(5 * 2**20), stays.append(torch.ones(2**14))) for _ in range(10)]  # 20 MB and 64 KB each

stays = []

torch.ones(1)
memory.keep_freed_memory()
figures = {"before": resident()}
with memory.large_blocks_apart():
    use_and_free()
    figures["apart"] = resident()
use_and_free()
figures["kept"] = resident()
memory.return_freed_memory()
figures["returned"] = resident()
print(json.dumps(figures))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_freed_blocks_are_kept_given_back_or_apart() -> None:
    # In a process of its own: these are settings of the whole process.
    answer = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True, timeout=120)
    figures = json.loads(answer.stdout)
    grown = {name: value - figures["before"] for name, value in figures.items()}
    assert grown["apart"] < 60
    assert grown["kept"] > 150
    assert grown["returned"] < 60
