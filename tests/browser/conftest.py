"""Debian's Chromium, without a screen; REQUIRE_DOCKER=1 makes a missing one a failure, as it does a missing engine."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import browsing
import pytest
from browsing import FLAGS, Tab
from jobs import PPO, Job, run_once, run_prepared
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")  # Playwright's event loop would be in the way of tests that run one
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail("REQUIRE_DOCKER is 1, but there is no chromium")
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Return what opens a page, ``open_tab(url, phone=True)``; whatever the page complains about fails the test."""
    tabs: list[Tab] = []

    def open_tab(url: str, **options: bool) -> Tab:
        tabs.append(browsing.open_tab(browser, url, **options))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.page.context.close()
        assert tab.complaints == []


@pytest.fixture(scope="session")
def trained(shared_folder: Path) -> Job:
    """Return a job that learnt enough to climb, in some ten seconds."""
    hyperparameters = {"RLCOACH_PRESET": PPO, "seed": "1", "improve_steps": "400000", "evaluation_episodes": "5"}
    return run_once(shared_folder / "job-that-climbs", hyperparameters, run_prepared)
