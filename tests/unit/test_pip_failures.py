"""What of pip's output is told to a user: one sentence that names the requirement."""

import pytest
from sagemaker_rl.pip_failures import installation_reason

CONFLICT = """
The conflict is caused by:
    The user requested numpy==2.1.0
    The user requested (constraint) numpy==1.23.5

To fix this you could try to:
1. loosen the range of package versions you've specified
"""
OF_A_DEPENDENCY = """
The conflict is caused by:
    simulator 2.0 depends on numpy>=2
    The user requested (constraint) numpy==1.23.5
"""
NOT_FOUND = """WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'
ERROR: Could not find a version that satisfies the requirement simulator==9.9 (from versions: none)
ERROR: No matching distribution found for simulator==9.9
"""
UNTRUSTED = (
    "There was a problem confirming the ssl certificate: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed - skipping"
)
NOT_BUILT = """  error: subprocess-exited-with-error
  x Building wheel for box2d (pyproject.toml) did not run successfully.
  note: This error originates from a subprocess, and is likely not a problem with pip.
  ERROR: Failed building wheel for box2d
error: failed-wheel-build-for-install
ERROR: Failed to build 'box2d' when getting requirements to build wheel
"""
NO_COMPILER = "      error: command '/usr/bin/x86_64-linux-gnu-gcc' failed: No such file or directory\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [
        (CONFLICT, "ERROR: ResolutionImpossible", "it asks for numpy==2.1.0, but the image depends on numpy==1.23.5."),
        (OF_A_DEPENDENCY, "", "simulator 2.0 depends on numpy>=2, but the image depends on numpy==1.23.5."),
        (
            "",
            NOT_FOUND,
            "No matching distribution found for simulator==9.9, as the package index cannot be reached: install it in "
            "an image of your own.",
        ),
        (
            UNTRUSTED,
            NOT_FOUND,
            "No matching distribution found for simulator==9.9, as the certificate of the package index is not "
            "trusted: PIP_CERT names a file of those that are.",
        ),
        ("", "\n".join(NOT_FOUND.splitlines()[1:]), "No matching distribution found for simulator==9.9."),
        ("", NOT_BUILT, "Failed to build 'box2d' when getting requirements to build wheel."),
        (
            "",
            NO_COMPILER + NOT_BUILT,
            "Failed to build 'box2d' when getting requirements to build wheel, as it is no wheel and there is no "
            "compiler: install it in an image of your own.",
        ),
        ("", "ERROR: Something new of pip's.\n", "Something new of pip's."),
        ("", "/opt/venv/bin/python: No module named pip\n", "/opt/venv/bin/python: No module named pip."),
        ("", "", "pip failed; see the log."),
    ],
)
def test_why_requirements_cannot_be_installed(stdout, stderr, reason):
    assert (
        installation_reason("requirements.txt", stdout, stderr, "install it in an image of your own")
        == f"requirements.txt cannot be installed: {reason}"
    )
