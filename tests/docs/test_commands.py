"""Every command of every page runs as it is written, in its order, from a fresh copy of the repository."""

import pytest
from documents import NOT_RUN, PAGES, copy_repository, run_commands, users_environment

IN_LOCAL_AWS = ("README.md", "docs/aws.md")
"""Pages whose commands ask AWS: tests/aws/test_walk_through.py runs them."""
LOCAL_PAGES = [page for page in PAGES if page.name not in IN_LOCAL_AWS and page.commands()]


@pytest.mark.slow
@pytest.mark.parametrize("page", LOCAL_PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page, tmp_path):
    copy = copy_repository(tmp_path / "mountain-car")
    run_commands(page, copy, {**users_environment(), "AWS_CONFIG_FILE": str(tmp_path / "no-configuration")})


def test_a_command_that_is_not_run_says_why_on_its_page():
    """The list has the commands that say what they need or that they take long, and no others."""
    left_out = {(command.page, command.text) for page in PAGES for command in page.commands() if command.is_left_out}
    assert left_out == set(NOT_RUN)


def test_commands_are_found():
    assert sum(len(page.commands()) for page in PAGES) > 60
    assert {page.name for page in LOCAL_PAGES} >= {
        "docs/training.md",
        "docs/environments.md",
        "docs/serving.md",
        "docs/local-mode.md",
    }


def test_shell_is_written_as_console_or_sh():
    """A block in another language would not be run; tests/sdk runs the Python of docs/sdk.md."""
    languages = {(language, page.name) for page in PAGES for _, language, _ in page.blocks()}
    assert {language for language, _ in languages} <= {"console", "sh", "mermaid", "json", "python"}
    assert {page for language, page in languages if language == "python"} <= {"docs/sdk.md"}
