"""Pages as a person meets them, in a desktop's window or on a phone."""

from dataclasses import dataclass, field
from pathlib import Path

from jobs import ROOT
from playwright.sync_api import Browser, Page

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = ROOT / "runs" / "screenshots"
"""For a person to look at."""


@dataclass
class Tab:
    """An open page, what it has asked the network for, and the warnings and errors of its console."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def poor_contrasts(self) -> list[tuple[str, float]]:
        """Return the texts that are hard to read, and their contrast with what is behind them."""
        return list(self.page.evaluate(Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")))

    def screenshot(self, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
        return SCREENSHOTS / f"{name}.png"


def open_tab(browser: Browser, url: str, phone: bool = False, dark: bool = False, still: bool = False) -> Tab:
    """Open the page at ``url`` in a window of its own, and return it once it is loaded."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
        has_touch=phone,
        is_mobile=phone,
        device_scale_factor=2 if phone else 1,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if still else "no-preference",
    )
    tab = Tab(context.new_page())
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on(
        "console",
        lambda message: tab.complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    tab.page.goto(url)
    return tab
