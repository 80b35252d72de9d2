"""An endpoint's environment variables: SageMaker's and its toolkit's, and our own with ``SAGEMAKER_RL_``."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sagemaker_rl import cores
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving.codecs import CODECS, JSON
from sagemaker_rl.serving.negotiation import HEADS, OUTPUTS
from sagemaker_rl.serving.shared_state import MAX_WORKERS

STRATEGIES = ("MULTI_RECORD", "SINGLE_RECORD")
"""Whether a request of batch transform holds as many records as fit, or one."""
SDK_STRATEGIES = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
DEFAULT_PROGRAM = "inference.py"
"""In ``code/``, where SAGEMAKER_PROGRAM names none."""


class Bounds(NamedTuple):
    """The whole numbers that a variable may be."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"


BOUNDS = {
    "SAGEMAKER_BIND_TO_PORT": Bounds(1, 65535),
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": Bounds(0, 100_000),
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": Bounds(0, 1024),
    "SAGEMAKER_MODEL_SERVER_TIMEOUT": Bounds(1, 3600),
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": Bounds(1, 3600),
    "SAGEMAKER_MODEL_SERVER_WORKERS": Bounds(1, MAX_WORKERS),
    "SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND": Bounds(0, 1_000_000),
    "SAGEMAKER_RL_COMPILE": Bounds(0, 1),
    "SAGEMAKER_RL_MAX_MODELS": Bounds(1, 100_000),
    "SAGEMAKER_RL_MAX_QUEUE": Bounds(1, 100_000),
    "SAGEMAKER_RL_MODEL_THREADS": Bounds(1, 64),
    "SAGEMAKER_RL_PAGE": Bounds(0, 1),
    "SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS": Bounds(1, 3600),
}
"""Of each variable that is a number."""
SECONDS_TO_ANSWER, SECONDS_TO_ANSWER_IN_BATCH = 60, 600
"""As long as SageMaker waits for an answer of an endpoint, and by default for one of a batch transform job."""
MAX_DIGITS = 10
"""Python reads a whole number of thousands of digits slowly, or not at all."""


@dataclass(frozen=True)
class Settings:
    """How an endpoint serves.

    Attributes:
        model_dir: the unpacked model.tar.gz; in multi-model mode nothing is loaded from it.
        host: address to listen on.
        port: port to listen on.
        workers: processes that answer.
        max_body_bytes: of a request; what is longer is answered with 413.
        max_payload_in_mb: the same as batch transform counts it, 0 where no limit was wanted.
        max_concurrent_transforms: requests that batch transform may send at once; 0 leaves it to the server.
        batch_strategy: one of STRATEGIES, for the SDK's local mode as the API calls it.
        seconds_to_answer: after which a worker that has not answered is stuck, and replaced.
        seconds_to_receive: within which a request has to arrive whole, or is answered with 408.
        max_queue: requests that a worker may have in hand; more are answered with 503.
        access_log_lines: per worker and second; more requests are counted in the log, not listed; 0 for no access log.
        default_accept: media type of the answer to a client that accepts all.
        output: ``heads`` or ``actions``, for a client that does not ask for either.
        program: name of a user's own module in ``code/`` of the model.
        compile: whether NumPy computes a graph where its answers equal MXNet's.
        multi_model: whether models are loaded through ``/models``.
        max_models: that may be loaded at the same time in multi-model mode.
        model_threads: of each worker, in which a user's functions run.
        page: whether ``GET /`` shows the car: for an endpoint on one's own machine.
    """

    model_dir: Path
    host: str
    port: int
    workers: int
    max_body_bytes: int
    max_payload_in_mb: int
    max_concurrent_transforms: int
    batch_strategy: str
    seconds_to_answer: float
    seconds_to_receive: float
    max_queue: int
    access_log_lines: int
    default_accept: str
    output: str
    program: str
    compile: bool
    multi_model: bool
    max_models: int
    model_threads: int
    page: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings.

        Raises:
            InputError: A variable has a value that is not among those it may have.
        """
        base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        multi_model = environment.get("SAGEMAKER_MULTI_MODEL", "false").lower() == "true"
        accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        if accept not in CODECS:
            raise InputError(
                f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT is {accept!r}, expected one of {', '.join(CODECS)}."
            )

        def choice(name: str, default: str, choices: Sequence[str]) -> str:
            text = environment.get(name, default)
            for known in choices:
                if text.lower() == known.lower():
                    return known
            raise InputError(f"{name} is {text!r}, expected {' or '.join(choices)}.")

        def number(name: str, default: int) -> int:
            text = environment.get(name, str(default))
            least, most = BOUNDS[name]
            if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS or not least <= int(text) <= most:
                raise InputError(f"{name} is {text!r}, expected a whole number from {BOUNDS[name]}.")
            return int(text)

        # the SDK's local mode spells it so, and takes the answer of /execution-parameters for a value of the API
        is_sdk = environment.get("SAGEMAKER_BATCH") == "True"
        strategy = choice("SAGEMAKER_BATCH_STRATEGY", STRATEGIES[0], STRATEGIES)
        is_batch = choice("SAGEMAKER_BATCH", "false", ("true", "false")) == "true"
        default_timeout = SECONDS_TO_ANSWER_IN_BATCH if is_batch else SECONDS_TO_ANSWER
        timeout = number("SAGEMAKER_MODEL_SERVER_TIMEOUT", default_timeout)
        payload = number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 6)
        transforms = number("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 0)
        return cls(
            model_dir=base / ("models" if multi_model else "model"),
            host=environment.get("SAGEMAKER_BIND_TO_HOST", "0.0.0.0"),  # noqa: S104 - as SageMaker asks
            port=number("SAGEMAKER_BIND_TO_PORT", 8080),
            workers=number("SAGEMAKER_MODEL_SERVER_WORKERS", min(cores.count(), MAX_WORKERS)),
            max_body_bytes=(payload or BOUNDS["SAGEMAKER_MAX_PAYLOAD_IN_MB"].most) * 1024 * 1024,
            max_payload_in_mb=payload,
            max_concurrent_transforms=transforms,
            batch_strategy=SDK_STRATEGIES[strategy] if is_sdk else strategy,
            seconds_to_answer=number("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", timeout),
            seconds_to_receive=number("SAGEMAKER_RL_RECEIVE_TIMEOUT_SECONDS", 30),
            # one worker may get all of a transform job's requests
            max_queue=max(number("SAGEMAKER_RL_MAX_QUEUE", 1000), transforms),
            access_log_lines=number("SAGEMAKER_RL_ACCESS_LOG_LINES_PER_SECOND", 100),
            default_accept=accept,
            output=choice("SAGEMAKER_RL_OUTPUT", HEADS, OUTPUTS),
            program=environment.get("SAGEMAKER_PROGRAM", DEFAULT_PROGRAM),
            compile=number("SAGEMAKER_RL_COMPILE", 1) == 1,
            multi_model=multi_model,
            max_models=number("SAGEMAKER_RL_MAX_MODELS", 1000),
            model_threads=number("SAGEMAKER_RL_MODEL_THREADS", 1),
            page=number("SAGEMAKER_RL_PAGE", 0) == 1,
        )
