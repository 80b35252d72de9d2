"""Why pip could not install what a user asked for: one sentence from what it printed.

A training job and an endpoint install a user's requirements.txt, each in its own way.
"""

import re

TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ERRORS = (
    r"No matching distribution found for .+",
    r"Invalid requirement: .+",
    r"Could not open requirements file: .+",
    r"Failed to build .+",
    r".+ requires a different Python: .+",
)
"""What pip says of one requirement; the first that it said counts, the lines after it repeat it in other words."""
NO_COMPILER = re.compile(r"(command|execute) '?\S*(gcc|g\+\+|cc|c\+\+|clang)\S*.*No such file or directory")
"""What setuptools says of a package that comes as C sources."""

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL says of a certificate authority that it does not know, a company's own perhaps."""


def installation_reason(file: str, stdout: str, stderr: str, own_image: str) -> str:
    """Return what pip could not install, and why.

    Args:
        file: that pip was given: ``requirements.txt`` or ``setup.py``.
        stdout: the end of what pip wrote to standard output: which requirements exclude each other.
        stderr: the same of standard error.
        own_image: what a user can do who has no package index, or no compiler, as the end of a sentence.
    """
    lines = shown_lines(stderr)
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    conflict = _conflict(shown_lines(stdout))
    if conflict:
        return f"{file} cannot be installed: {conflict}."
    sentence = next((error for error in errors if any(re.match(pattern, error) for pattern in ERRORS)), "")
    sentence = sentence or last_line(errors) or last_line(lines) or "pip failed; see the log"
    advice = ""
    if UNTRUSTED in stdout + stderr:
        advice = ", as the certificate of the package index is not trusted: PIP_CERT names a file of those that are"
    elif "connection broken by" in stderr and "(from versions: none)" in stderr:
        advice = f", as the package index cannot be reached: {own_image}"
    elif NO_COMPILER.search(stdout) or NO_COMPILER.search(stderr):
        advice = f", as it is no wheel and there is no compiler: {own_image}"
    return f"{file} cannot be installed: {sentence.rstrip('.')}{advice}."


def shown_lines(text: str) -> list[str]:
    """Return a log's lines as a terminal would show them: without colours, and of a progress bar its last state."""
    lines = TERMINAL_CODES.sub("", text).replace("\r\n", "\n").split("\n")
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines]


def last_line(lines: list[str]) -> str:
    """Return the last line that is not blank; empty if there is none."""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _conflict(lines: list[str]) -> str:
    """Return the requirements that exclude each other, as pip lists them; empty if it lists none."""
    if "The conflict is caused by:" not in lines:
        return ""
    listed = lines[lines.index("The conflict is caused by:") + 1 :]
    causes = []
    for line in listed:
        if not line.startswith("    "):
            break
        cause = line.strip()
        cause = cause.replace("The user requested (constraint)", "the image depends on")
        causes.append(cause.replace("The user requested", "it asks for"))
    return ", but ".join(causes)
