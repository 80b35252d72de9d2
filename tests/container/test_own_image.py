"""Images of one's own from the two images, as docs/environments.md and docs/serving.md have them."""

import re
import textwrap

import pytest
from jobs import ROOT
from launch.local import images

NAME = "mountain-car-own-packages-test"
TRAINING = """
import gymnasium, mxnet, numpy, scipy.signal
print(numpy.__version__, mxnet.nd.ones(2).sum().asscalar(), scipy.signal.lfilter([1], [1], [2.0]))
"""
SERVING = """
import mxnet, numpy, pandas
print(numpy.__version__, mxnet.nd.ones(2).sum().asscalar(), pandas.Series([2.0]).to_list())
"""


def blocks(page: str) -> dict[str, str]:
    """Return a page's Dockerfile, and the requirements.txt if it has one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^ +```(dockerfile|text)\n(.*?)^ +```$", text, re.MULTILINE | re.DOTALL)
    return {language: textwrap.dedent(code) for language, code in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "kind", "lines", "program", "printed"),
    [
        ("docs/environments.md", "training", 3, TRAINING, ["1.23.5", "2.0", "[2.]"]),
        ("docs/serving.md", "serving", 2, SERVING, ["1.23.5", "2.0", "[2.0]"]),
    ],
)
def test_packages_of_ones_own_fit_the_image(engine, built, tmp_path, page, kind, lines, program, printed):
    dockerfile = blocks(page)["dockerfile"]
    first, *others = dockerfile.splitlines()
    assert len(others) == lines - 1
    assert first == f"FROM {built[kind].name.partition(':')[0]}"
    ca_bundle = images.find_ca_bundle(None)
    if ca_bundle:  # a company's proxy
        (tmp_path / "ca.pem").write_bytes(ca_bundle.read_bytes())
        others = ["ENV PIP_CERT=/tmp/ca.pem", "COPY ca.pem /tmp/", *others]
    (tmp_path / "Dockerfile").write_text("\n".join([first, *others]), encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(blocks(page).get("text", ""), encoding="utf-8")
    try:
        engine.images.build(path=str(tmp_path), tag=NAME, rm=True, forcerm=True)
        output = engine.containers.run(NAME, ["-c", program], entrypoint="python", remove=True, network_mode="none")
        assert output.decode().split() == printed
    finally:
        if engine.images.list(NAME):
            engine.images.remove(NAME)
