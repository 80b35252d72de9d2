"""Serve a trained policy: the entry point of an endpoint.

The four functions are the handler in sagemaker-inference's contract; ``serve`` puts an HTTP server before them.
"""

from sagemaker_rl import blas
from sagemaker_rl.serving.sigterm import end_process_at_sigterm

if __name__ == "__main__":
    end_process_at_sigterm()  # before the other imports: they take a second, and a signal may arrive meanwhile
    blas.prepare_environment()  # before NumPy's import, which is the handler's: OpenBLAS reads its variables then

from sagemaker_rl.serving.handler import input_fn, model_fn, output_fn, predict_fn
from sagemaker_rl.serving.server import serve_main

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]

if __name__ == "__main__":
    serve_main()
