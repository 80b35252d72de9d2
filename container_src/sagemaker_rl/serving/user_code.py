"""A user's own functions: ``code/inference.py`` in model.tar.gz, as sagemaker-inference documents it.

https://github.com/aws/sagemaker-inference-toolkit#implementation-steps. The toolkit's own Transformer runs them, with
this package's handler for the functions that the module leaves out.
"""

import importlib
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sagemaker_inference.errors import BaseInferenceToolkitError
from sagemaker_inference.transformer import Transformer

from sagemaker_rl.errors import PolicyError, RequestError
from sagemaker_rl.policy.artifact import Policy
from sagemaker_rl.serving import handler
from sagemaker_rl.serving.log import log

_loading = threading.Lock()
"""Where Python looks for modules is the same in all threads."""


@dataclass(frozen=True)
class Answer:
    """What the user's functions answered to a request.

    Attributes:
        status: of the HTTP answer.
        body: of the answer, if the status is 200.
        content_type: of the body.
        detail: the reason of another status; with the traceback for 500.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    detail: str = ""


class UserModel:
    """A model that the user's functions load and ask.

    Args:
        model_dir: the unpacked model.tar.gz.

    Raises:
        PolicyError: The functions, or what they load, end the process.
        Exception: Any that they raise.
    """

    executor = "code/inference.py"

    def __init__(self, model_dir: Path) -> None:
        self.folder = model_dir
        self._context = _Context(model_dir)
        self._transformer = Transformer(default_inference_handler=_Handler())
        code = str(model_dir / "code")
        with _loading:
            sys.path.insert(0, code)
            sys.dont_write_bytecode = True
            try:
                self._transformer.validate_and_initialize(model_dir=str(model_dir), context=self._context)
            except Exception:
                raise
            except BaseException as error:  # sys.exit and the like, which no event loop survives
                log("error", "The model cannot be loaded.", traceback=traceback.format_exc())
                raise PolicyError(f"The model's code raised {_described(error)}.") from None
            finally:
                sys.path.remove(code)
                # another model's module may have the same name
                for name, module in list(sys.modules.items()):
                    if (getattr(module, "__file__", None) or "").startswith(f"{code}/"):
                        del sys.modules[name]
                importlib.invalidate_caches()

    def transform(self, body: bytes, headers: Mapping[bytes, bytes]) -> Answer:
        """Answer a request by the user's functions, which may run in several threads at once."""
        context = self._context  # the toolkit keeps the first context that it is given
        context.begin(headers)
        try:
            (response,) = self._transformer.transform([{"body": bytearray(body)}], context)
        except BaseException as error:  # sys.exit and the like: the toolkit itself answers any Exception
            return Answer(500, detail=f"{_described(error)}\n{traceback.format_exc()}")
        if context.status != 200:
            # the toolkit appends the traceback to the message
            message, _, trace = str(response).partition("\nTraceback (most recent call last):")
            return Answer(context.status, detail=message if context.status < 500 else f"{message}\n{trace}")
        if isinstance(response, str):
            response = response.encode("utf-8")
        if not isinstance(response, bytes | bytearray | memoryview):
            return Answer(500, detail=f"output_fn returned {type(response).__name__}, expected str or bytes.")
        content_type = context.content_type
        if not isinstance(content_type, str) or not (content_type.isascii() and content_type.isprintable()):
            return Answer(500, detail=f"output_fn returned the content type {content_type!r}, expected a media type.")
        return Answer(200, bytes(response), content_type)


def _described(error: BaseException) -> str:
    return " ".join(traceback.format_exception_only(error)[-1].split())


class _Context(threading.local):
    """A request's headers for the toolkit, and the answer's status and content type from it; each thread has its own.

    It has the methods of multi-model-server's context, which the toolkit was written for.
    """

    def __init__(self, model_dir: Path) -> None:
        self.system_properties = {"model_dir": str(model_dir)}
        self.request_processor = [self]
        self.begin({})

    def begin(self, headers: Mapping[bytes, bytes]) -> None:
        self.status = 200
        self.content_type = ""
        self._headers = {_title(name): value.decode("latin-1") for name, value in headers.items()}

    def get_request_properties(self) -> dict[str, str]:
        return self._headers

    def get_request_header(self, index: int, name: str) -> str | None:
        return self._headers.get(_title(name.encode("latin-1")))

    def set_response_content_type(self, index: int, content_type: str) -> None:
        self.content_type = content_type

    def set_response_status(self, code: int = 200, phrase: str = "", index: int = 0) -> None:
        self.status = int(code)


def _title(name: bytes) -> str:
    return name.decode("latin-1").title()


class _Handler:
    """The package's functions, under the toolkit's names; their refusals keep their status."""

    def default_model_fn(self, model_dir: str) -> Policy:
        return handler.model_fn(model_dir)

    def default_input_fn(self, input_data: bytes | str, content_type: str) -> np.ndarray:
        try:
            return handler.input_fn(input_data, content_type)
        except RequestError as error:
            raise _as_toolkit_error(error) from None

    def default_predict_fn(self, data: np.ndarray, model: Any) -> Any:
        if not isinstance(model, Policy):
            raise PolicyError(f"model_fn returned {type(model).__name__}; without a predict_fn a Policy is expected.")
        try:
            return handler.predict_fn(data, model)
        except RequestError as error:
            raise _as_toolkit_error(error) from None

    def default_output_fn(self, prediction: Any, accept: str) -> tuple[bytes, str]:
        heads = isinstance(prediction, list) and all(isinstance(head, np.ndarray) for head in prediction)
        try:
            return handler.output_fn(prediction if heads else np.atleast_1d(prediction), accept)
        except RequestError as error:
            raise _as_toolkit_error(error) from None


def _as_toolkit_error(error: RequestError) -> BaseInferenceToolkitError:
    return BaseInferenceToolkitError(error.status, str(error), str(error))
