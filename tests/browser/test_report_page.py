"""``report.html`` in a browser, tab from disk: of a training, of an evaluation, of several runs."""

import itertools
import json
import subprocess
import sys

import pytest
from jobs import CONTAINER_SRC, PPO, SHORT_PPO, process_environment, run_prepared

REPORT = "output/data/report.html"
LEGENDS = "[...Bokeh.documents[0]._all_models.values()].filter(model => model.type === 'Legend').length"
DRAWN = "() => window.Bokeh?.documents.length && Object.values([...Bokeh.index]).every(view => view.is_idle ?? true)"


def figures(tab) -> dict[str, dict]:
    """Return what each chart holds by its title: the number of points of each line, bar or picture in it."""
    tab.page.wait_for_function(DRAWN)
    return dict(
        tab.page.evaluate(
            """() => [...document.querySelectorAll(".chart")].map(figure => {
                const view = [...Bokeh.index].find(view => figure.contains(view.el));
                const sizes = view.model.renderers.map(r => r.data_source.get_length() ?? 0);
                const box = figure.querySelector("canvas, .bk-Figure, [class*=bk]").getBoundingClientRect();
                return [figure.querySelector("figcaption").textContent, {sizes, width: box.width, height: box.height}];
            })"""
        )
    )


def test_a_trainings_report_opens_from_disk_and_its_charts_have_data(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri())
    charts = figures(tab)
    assert {
        "Reward over episodes",
        "Reward over wall time",
        "Value loss",
        "Entropy loss",
        "Explained variance",
        "Returns of unseen starts",
        "Return by start position",
        "What the policy does",
        "Value of a state",
        "Force",
        "Velocity",
    } <= charts.keys()
    for title, chart in charts.items():
        assert max(chart["sizes"]) > 0, title
        assert chart["width"] > 250 and chart["height"] > 150, title
    assert max(charts["Return by start position"]["sizes"]) >= 100
    assert tab.requests == [(trained.ml / REPORT).as_uri()]
    tab.screenshot("report-desktop")


def test_it_fits_a_phone_in_the_dark(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri(), phone=True, dark=True)
    figures(tab)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    labels = tab.page.evaluate(
        "[...Bokeh.documents[0]._all_models.values()]"
        ".filter(model => model.type === 'LinearAxis').map(model => model.major_label_text_color)"
    )
    assert set(labels) == {"#e8eaec"}
    tab.screenshot("report-phone")


def test_paper_is_light_even_in_the_dark(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri(), dark=True)
    figures(tab)
    before = axis_colour(tab)
    light, dark = inks(tab)
    assert light > 0 and dark == 0
    light, dark = inks(tab, "beforeprint")
    assert light == 0 and dark > 0
    assert axis_colour(tab) != before
    tab.page.emulate_media(media="print")
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.page.get_by_role("navigation").is_visible()
    table = tab.page.get_by_role("region", name="Hyperparameters")
    assert table.evaluate("region => getComputedStyle(region).overflowX") == "visible"


def inks(tab, event: str = "") -> tuple[int, int]:
    """Return how many pixels of the first chart are almost white and almost black, at once after an event."""
    light, dark = tab.page.evaluate(
        """event => {
            if (event) dispatchEvent(new Event(event));
            const canvas = [...Bokeh.index][0].canvas_view.primary.canvas;
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
            let light = 0, dark = 0;
            for (let at = 0; at < pixels.length; at += 4) {
                if (pixels[at + 3] < 200) continue;
                const [red, green, blue] = pixels.slice(at, at + 3);
                light += Math.min(red, green, blue) > 210;
                dark += Math.max(red, green, blue) < 60;
            }
            return [light, dark];
        }""",
        event,
    )
    return light, dark


def axis_colour(tab) -> str:
    return json.dumps(
        tab.page.evaluate(
            "[...Bokeh.documents[0]._all_models.values()].find(m => m.type === 'LinearAxis').axis_label_text_color"
        )
    )


def test_charts_are_zoomed_and_moved_by_keys(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri())
    figures(tab)
    chart = tab.page.locator(".chart").first
    span = """figure => { const range = [...Bokeh.index].find(view => figure.contains(view.el)).model.x_range;
              return [range.start, range.end]; }"""
    start, end = chart.evaluate(span)
    chart.focus()
    tab.page.keyboard.press("+")
    zoomed = chart.evaluate(span)
    assert start < zoomed[0] < zoomed[1] < end
    tab.page.keyboard.press("ArrowRight")
    assert chart.evaluate(span)[0] > zoomed[0]
    moved = chart.evaluate(span)
    for of_the_browser in ("Control+0", "Control+-", "Alt+ArrowRight", "Meta++"):
        tab.page.keyboard.press(of_the_browser)
        assert chart.evaluate(span) == moved
    tab.page.keyboard.press("0")
    assert chart.evaluate(span) == pytest.approx([start, end])


def test_the_picture_can_be_stopped(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri())
    film = tab.page.locator("img.film")
    assert film.get_attribute("src").startswith("data:image/gif")
    assert film.evaluate("image => image.complete && image.naturalWidth") == 300
    tab.page.get_by_role("button", name="Stop the picture").click()
    assert film.get_attribute("src").startswith("data:image/png")
    tab.page.get_by_role("button", name="Play the picture").click()
    assert film.get_attribute("src").startswith("data:image/gif")
    calm = open_tab((trained.ml / REPORT).as_uri(), still=True)
    assert calm.page.locator("img.film").get_attribute("src").startswith("data:image/png")


def test_what_is_seen_is_also_said(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri())
    figures(tab)
    assert tab.page.title() == "Training of PatientContinuousMountainCar"
    assert tab.page.evaluate("document.documentElement.lang") == "en"
    for image in tab.page.locator("img").all():
        assert len(image.get_attribute("alt")) > 20
    for figure in tab.page.locator(".chart").all():
        assert len(figure.get_attribute("aria-label")) > 20
    levels = tab.page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for dark in (False, True):
        assert open_tab((trained.ml / REPORT).as_uri(), dark=dark).poor_contrasts() == []


def test_an_evaluations_report(open_tab, trained, tmp_path):
    channel = tmp_path / "input/data/checkpoint"
    channel.parent.mkdir(parents=True)
    channel.symlink_to(trained.ml / "output/data/checkpoint")
    job = run_prepared(tmp_path, {"RLCOACH_PRESET": PPO, "sagemaker_program": "evaluate-coach.py"})
    assert job.status == 0, job.log
    tab = open_tab((job.ml / REPORT).as_uri())
    charts = figures(tab)
    assert "Reward over episodes" not in charts
    assert all(max(chart["sizes"]) > 0 for chart in charts.values())
    assert {"Returns of unseen starts", "What the policy does", "Force"} <= charts.keys()
    assert tab.page.get_by_text("An evaluation job trains nothing.").is_visible()
    tab.screenshot("report-evaluation")


def test_several_runs_beside_each_other(open_tab, trained, ppo_job, tmp_path):
    page = tmp_path / "compared.html"
    subprocess.run(
        [sys.executable, CONTAINER_SRC / "write-report.py", trained.ml, ppo_job.ml, "--output", page],
        env=process_environment(tmp_path),
        check=True,
        timeout=60,
    )
    tab = open_tab(page.as_uri())
    charts = figures(tab)
    assert len(charts["Reward over episodes"]["sizes"]) >= 4
    assert tab.page.get_by_role("table", name="The runs").is_visible()
    assert tab.requests == [page.as_uri()]
    assert tab.page.locator(".chart").first.locator(".key li").count() == 2
    assert tab.page.get_by_role("table", name="The runs").locator(".swatch").count() == 2
    assert tab.page.evaluate(LEGENDS) == 0
    assert trained.ml.name not in " ".join(tab.page.locator("figcaption + p").all_text_contents())
    tab.screenshot("report-compared")
    on_a_phone = open_tab(page.as_uri(), phone=True)
    figures(on_a_phone)
    assert on_a_phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    on_a_phone.screenshot("report-compared-phone")


def test_a_legend_is_whole_and_covers_no_data_on_a_phone(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri(), phone=True)
    figures(tab)
    assert tab.page.evaluate(LEGENDS) >= 4
    overlaps = tab.page.evaluate(
        """() => [...Bokeh.index].flatMap(view => (view.model.above ?? [])
            .filter(model => model.type === "Legend")
            .map(model => [view.views.find_one(model).bbox, view.frame.bbox, view.bbox])
            .map(([legend, frame, all]) => legend.bottom > frame.top || legend.left < 0 || legend.right > all.width))"""
    )
    assert len(overlaps) >= 4
    assert not any(overlaps)


def test_the_table_of_hyperparameters_scrolls_and_breaks_no_word_on_a_phone(open_tab, trained):
    tab = open_tab((trained.ml / REPORT).as_uri(), phone=True)
    figures(tab)
    region = tab.page.get_by_role("region", name="Hyperparameters")
    name = region.get_by_role("rowheader", name="training_learning_rate")
    lines = name.evaluate(
        "cell => { const range = document.createRange(); range.selectNodeContents(cell);"
        "return range.getClientRects().length; }"
    )
    assert lines == 1


@pytest.mark.parametrize("hyperparameters", [{"discount": "2"}, {"RLCOACH_PRESET": "no-such-preset"}])
def test_a_failed_jobs_report(open_tab, tmp_path, hyperparameters):
    job = run_prepared(tmp_path, {**SHORT_PPO, **hyperparameters})
    assert job.status == 1
    tab = open_tab((job.ml / REPORT).as_uri())
    assert tab.page.get_by_text(f"The job failed: {job.failure}").is_visible()
    tab.screenshot("report-failed")
