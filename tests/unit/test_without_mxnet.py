"""The list of what ``make test`` leaves out where MXNet does not run."""

from jobs import ROOT
from without_mxnet import NEED_MXNET


def test_what_is_left_out_is_there():
    for start in NEED_MXNET:
        file, _, test = start.partition("::")
        assert (ROOT / file).exists(), start
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8") if test else True, start
