"""Secrets in requests: values of environment variables, and hyperparameters whose names say that they are secret.

SageMaker asks its users to put none into hyperparameters:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

import re
from typing import Any

MASK = "***"
SECRET_NAME = re.compile(r"secret|password|passwd|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


def masked(content: Any) -> Any:
    """Return a request, or SageMaker's description of a job, with MASK in the place of what may be secret."""
    if isinstance(content, list):
        return [masked(each) for each in content]
    if not isinstance(content, dict):
        return content
    hidden = dict(content)
    for key, value in content.items():
        if isinstance(value, dict) and key == "Environment":
            hidden[key] = dict.fromkeys(value, MASK)
        elif isinstance(value, dict) and key == "HyperParameters":
            hidden[key] = {name: MASK if SECRET_NAME.search(name) else each for name, each in value.items()}
        else:
            hidden[key] = masked(value)
    return hidden
