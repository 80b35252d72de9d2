"""The animation of the last evaluation that was recorded."""

import base64
import io
import re

from PIL import Image

from sagemaker_rl.report.formatting import format_count, format_number
from sagemaker_rl.report.parts import Picture
from sagemaker_rl.report.run import Run

MAX_BYTES = 150_000
"""Of a larger GIF only the first frame is shown, so that the page stays below 3 MB."""
GIF_SCORE = re.compile(r"_score-(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


def load_picture(run: Run) -> Picture | None:
    """Return the run's GIF; None if there is none, or it is damaged, which is noted."""
    if run.gif is None:
        return None
    try:
        gif = run.gif.read_bytes()
        with Image.open(io.BytesIO(gif)) as image:
            frames = getattr(image, "n_frames", 1)
            png = io.BytesIO()
            image.convert("RGB").quantize(64).save(png, format="PNG", optimize=True)
    except (OSError, ValueError, SyntaxError) as error:
        run.notes.append(f"{run.gif.name} cannot be read: {error}.")
        return None
    text = _describe(run, run.gif.name, frames)
    still = _data_url("png", png.getvalue())
    if len(gif) > MAX_BYTES:
        run.notes.append(f"{run.gif.name} has {len(gif):,} bytes: the page shows its first frame.")
        return Picture(still, still, text)
    return Picture(_data_url("gif", gif), still, text)


def _describe(run: Run, name: str, frames: int) -> str:
    subject = "The car" if run.car else "The environment"
    score = GIF_SCORE.search(name)
    episode_return = f" with the return {format_number(float(score[1]))}" if score else ""
    text = f"{subject} in an evaluation episode{episode_return}, in {format_count(frames, 'picture')}."
    if not run.is_evaluation:
        text += " It shows the policy of that time of the training; the one that is kept may be another."
    return text


def _data_url(image_type: str, content: bytes) -> str:
    return f"data:image/{image_type};base64,{base64.b64encode(content).decode()}"
