"""The command ``serve``: settings, the listening socket, the model, and the supervisor that starts the workers.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import os
import resource
import socket
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from sagemaker_rl import blas
from sagemaker_rl.errors import InputError
from sagemaker_rl.serving.sigterm import end_process_at_sigterm

if TYPE_CHECKING:
    from sagemaker_rl.serving.servable import Servable
    from sagemaker_rl.serving.settings import Settings


def serve_main() -> NoReturn:
    """Carry out the command line's one argument, ``serve``, and end the process."""
    end_process_at_sigterm()
    command = " ".join(sys.argv[1:])
    if command != "serve":
        other = "; mountain-car-training is the image that trains" if command == "train" else ""
        print(f"Error: The command is {command!r}, expected 'serve'{other}.", file=sys.stderr)
        sys.exit(2)
    blas.prepare_environment()
    os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")  # half the threaded engine's time for small batches
    os.environ.setdefault("MXNET_ENGINE_INFO", "0")
    try:
        _serve()
    except InputError as error:
        from sagemaker_rl.serving import requirements

        requirements.remove()
        print(f"Error: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _serve() -> NoReturn:
    # start-up time: a process that does not serve ends before these are imported
    from sagemaker_rl.serving.log import write
    from sagemaker_rl.serving.settings import Settings
    from sagemaker_rl.serving.supervisor import Supervisor

    settings = Settings.from_environment()
    _, max_open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_open_files, max_open_files))  # each connection is an open file
    supervisor = Supervisor(settings, _listen(settings.host, settings.port))
    loaded = threading.Event()
    refusing_thread = threading.Thread(target=supervisor.refuse_until, args=(loaded,), daemon=True)
    refusing_thread.start()
    try:
        model = _load(settings)
    finally:
        loaded.set()
        refusing_thread.join()
    name = f"{model.policy.description['preset']} ({model.executor})" if model else "models"
    line = f"Serving {name} from {settings.model_dir} on port {settings.port} by {settings.workers} workers\n"
    write([line.encode("utf-8")])
    supervisor.run(model)


def _load(settings: "Settings") -> "Servable | None":
    """Load the model that all workers share; None if each loads its own: in multi-model mode, or with a user's code."""
    from sagemaker_rl.serving import memory, requirements  # start-up time, as above
    from sagemaker_rl.serving.models import has_user_code

    if not settings.multi_model:
        if not memory.has_room_for(settings.model_dir, 1):
            raise InputError(f"The files in {settings.model_dir} are larger than the memory that is left.")
        if not has_user_code(settings.model_dir, settings.program):
            return _load_artifact(settings)
        requirements.install(settings.model_dir)
        import sagemaker_rl.serving.user_code  # noqa: F401
    # imported once here, instead of in every worker, and again in each that is replaced
    import mxnet  # noqa: F401

    return None


def _load_artifact(settings: "Settings") -> "Servable":
    """Load the policy artifact; MXNet may crash on one whose damage its checksums do not tell."""
    import mxnet  # noqa: F401 - start-up time, as above: once for the trial and this process

    from sagemaker_rl.serving import handler, trial_load
    from sagemaker_rl.serving.servable import Servable

    cause = trial_load.failure(lambda: handler.model_fn(str(settings.model_dir)))
    if cause:
        raise InputError(f"The policy artifact in {settings.model_dir} cannot be loaded: MXNet ended with {cause}.")
    return Servable.load(settings.model_dir, settings.compile)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        InputError: The address cannot be used.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    try:
        listener.bind((host, port))
        listener.listen(4096)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"SAGEMAKER_BIND_TO_HOST and _PORT are {host} and {port}: {reason}.") from None
    listener.setblocking(False)
    return listener
