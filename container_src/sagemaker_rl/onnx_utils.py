"""What launchers written for AWS's image import to mend an ONNX file: here a policy is no ONNX file."""

from sagemaker_rl.errors import InputError


def fix_onnx_model(filename: str) -> None:
    """Refuse to mend an ONNX file.

    Raises:
        InputError: Always; MXNet 1.9.1 cannot read back the ONNX that it writes.
    """
    raise InputError(
        f"The launcher would mend {filename}, expected no ONNX file: "
        "a job leaves its policy in a form that the serving image reads."
    )
