"""What the library that multiplies matrices for NumPy, OpenBLAS, reads when NumPy is imported."""

import os
from pathlib import Path

PROCESSOR = Path("/proc/cpuinfo")
AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""What OpenBLAS's kernels named SkylakeX need (https://github.com/OpenMathLib/OpenBLAS/blob/develop/TargetList.txt)."""


def prepare_environment() -> None:
    """Choose threads and kernels, where the user has not; call it before NumPy's and MXNet's first import.

    Threads take longer to meet than layers of an agent that sees a few numbers take to compute, and processes that
    compute side by side have a core each.

    NumPy 1.23's OpenBLAS (0.3.20) takes its oldest AVX2 kernels on AMD's processors, those with AVX-512 among them
    (Zen 4 and later). Its AVX-512 kernels multiply small matrices in two thirds of the time; NumPy 2.4's takes them.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if _is_amd_with_avx512():
        os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def _is_amd_with_avx512() -> bool:
    try:
        lines = PROCESSOR.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    fields = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in lines)}
    return fields.get("vendor_id") == ["AuthenticAMD"] and set(fields.get("flags", ())) >= AVX512
