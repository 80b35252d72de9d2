"""An image of one's own from the training image, as docs/environments.md has it."""

import re
import textwrap

import pytest
from jobs import ROOT
from launch.local import images

NAME = "mountain-car-own-packages-test"
PROGRAM = """
import gymnasium, mxnet, numpy, scipy.signal
print(numpy.__version__, mxnet.nd.ones(2).sum().asscalar(), scipy.signal.lfilter([1], [1], [2.0]))
"""


def blocks() -> dict[str, str]:
    """Return the page's Dockerfile and requirements.txt."""
    page = (ROOT / "docs/environments.md").read_text(encoding="utf-8")
    found = re.findall(r"^ +```(dockerfile|text)\n(.*?)^ +```$", page, re.MULTILINE | re.DOTALL)
    return {language: textwrap.dedent(code) for language, code in found}


@pytest.mark.slow
def test_packages_of_ones_own_fit_the_image(engine, built, tmp_path):
    dockerfile, requirements = blocks()["dockerfile"], blocks()["text"]
    assert len(dockerfile.splitlines()) == 3
    assert dockerfile.startswith(f"FROM {built['training'].name.partition(':')[0]}\n")
    ca_bundle = images.find_ca_bundle(None)
    if ca_bundle:  # a company's proxy
        (tmp_path / "ca.pem").write_bytes(ca_bundle.read_bytes())
        dockerfile = dockerfile.replace("COPY", "ENV PIP_CERT=/tmp/ca.pem\nCOPY ca.pem /tmp/\nCOPY", 1)
    (tmp_path / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(requirements, encoding="utf-8")
    try:
        engine.images.build(path=str(tmp_path), tag=NAME, rm=True, forcerm=True)
        printed = engine.containers.run(NAME, ["-c", PROGRAM], entrypoint="python", remove=True, network_mode="none")
        assert printed.decode().split() == ["1.23.5", "2.0", "[2.]"]
    finally:
        if engine.images.list(NAME):
            engine.images.remove(NAME)
