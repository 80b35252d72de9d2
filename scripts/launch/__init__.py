"""What the launch scripts share. Never imported by ``container_src``, and never imports it."""

import sys
from pathlib import Path

from launch.cli import interruption

# A script imports this before what takes a second to import, boto3 and Docker's client; a test is no script.
if Path(getattr(sys.modules["__main__"], "__file__", None) or "").resolve().parent == Path(__file__).parents[1]:
    interruption.end_process_at_sigint()
