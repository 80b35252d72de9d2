"""The page of a local endpoint in a browser: the car on its hill, driven by the same server."""

import contextlib
import re

import httpx
import numpy as np
import patient_envs
import pytest
from jobs import free_port, start_server, wait_until_healthy

FAST = "as fast as it answers"
RANDOM_STATES = 2_000
YOUR_PUSH_IS = "document.querySelector('#numbers tr:nth-child(2) td:nth-child(5)').textContent === '{}'"


@contextlib.contextmanager
def serve(ml, **environment):
    port = free_port()
    process = start_server(ml, port, environment=environment)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", lambda: process.poll() is None)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def url(trained):
    with serve(trained.ml, SAGEMAKER_RL_PAGE="1") as url:
        yield url


@pytest.fixture(scope="module")
def discrete_url(dqn_job):
    with serve(dqn_job.ml, SAGEMAKER_RL_PAGE="1") as url:
        yield url


def test_the_trained_policy_drives_the_car_to_the_flag(open_tab, url):
    tab = open_tab(url)
    page = tab.page
    page.get_by_label("Pace").select_option(FAST)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("The policy reached the flag after").wait_for(timeout=60_000)
    status = page.get_by_role("status").inner_text()
    steps, episode_return = re.search(r"after (\d+) steps, return (\d+\.\d+)", status).groups()
    assert float(episode_return) > 90
    assert sum(request.endswith("/invocations") for request in tab.requests) == int(steps)
    assert {request.partition("/invocations")[0] + "/" for request in tab.requests} <= {url, f"{url}/"}
    row = page.locator("#numbers tr").inner_text().split("\t")
    assert row[1] == steps and float(row[2]) >= 0.45 and row[6] == episode_return and row[7].endswith(" ms")
    assert all(row)
    tab.screenshot("endpoint-desktop")
    # the same episode by gym, with the actions of the same endpoint
    env = patient_envs.PatientContinuousMountainCar()
    env.reset()
    env.unwrapped.state = np.array([-0.5, 0.0], dtype=np.float32)
    state, total, done, gym_steps = [-0.5, 0.0], 0.0, False, 0
    with httpx.Client(base_url=url, trust_env=False) as client:
        while not done:
            answer = client.post("invocations", json={"instances": [state]}).json()
            action = np.clip(answer["predictions"][0]["action_mean"], -1, 1)
            observation, reward, done, _ = env.step(action)
            state, total, gym_steps = [float(x) for x in observation], total + reward, gym_steps + 1
    assert abs(gym_steps - int(steps)) <= 2
    assert total == pytest.approx(float(episode_return), abs=0.05)


@pytest.mark.parametrize("car", ["continuous", "discrete"])
def test_its_dynamics_are_gyms(open_tab, url, car):
    random = np.random.default_rng(0)
    continuous = car == "continuous"
    states = random.uniform((-1.2, -0.07), (0.6, 0.07), size=(RANDOM_STATES, 2))
    states[::10, 0] = -1.2  # at the wall
    states[1::10] = random.uniform((0.4, 0), (0.6, 0.07), size=(RANDOM_STATES // 10, 2))  # at the flag
    if continuous:
        states = states.astype(np.float32).astype(np.float64)
    actions = (
        random.uniform(-1, 1, RANDOM_STATES).astype(np.float32) if continuous else random.integers(0, 3, RANDOM_STATES)
    )
    calls = [[*state, action.item()] for state, action in zip(states, actions, strict=True)]
    transitions = open_tab(url).page.evaluate(
        "([car, calls]) => calls.map(([position, velocity, action]) =>"
        " dynamics[car].step({position, velocity}, action))",
        [car, calls],
    )
    env = patient_envs.PatientContinuousMountainCar() if continuous else patient_envs.PatientMountainCar()
    num_done = 0
    for state, action, transition in zip(states, actions, transitions, strict=True):
        env.reset()
        env.unwrapped.state = state.astype(np.float32) if continuous else state
        _, reward, done, _ = env.step(np.array([action]) if continuous else int(action))
        expected = [float(x) for x in env.unwrapped.state]
        # a bit of float32 where the cosine of the browser differs in the last bit of float64
        assert [transition["position"], transition["velocity"]] == pytest.approx(
            expected, abs=1.2e-7 if continuous else 1e-15
        )
        assert transition["reward"] == pytest.approx(float(reward), abs=1e-6)
        assert transition["ended"] == done
        num_done += done
    assert num_done > 20


def test_the_discrete_car_is_recognized(open_tab, discrete_url):
    page = open_tab(discrete_url).page
    page.get_by_role("button", name="Step").click()
    page.wait_for_function("document.querySelector('#numbers td').textContent === '1'")
    row = page.locator("#numbers tr").inner_text().split("\t")
    assert row[4] in ("left", "none", "right") and row[6] == "-1.00"


def test_pause_step_and_back(open_tab, url):
    page = open_tab(url).page
    steps = page.locator("#numbers td").first
    page.keyboard.press("Space")
    page.wait_for_function("Number(document.querySelector('#numbers td').textContent) > 5")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Start", exact=True).wait_for()
    page.wait_for_function("!busy")  # the step under way is shown
    paused = int(steps.inner_text())
    page.wait_for_timeout(300)
    assert int(steps.inner_text()) == paused
    page.keyboard.press("s")
    page.wait_for_function(f"document.querySelector('#numbers td').textContent === '{paused + 1}'")
    page.keyboard.press("r")
    assert steps.inner_text() == "0"


@pytest.mark.parametrize("pace", ["30 steps/s", FAST])
def test_a_car_that_is_placed_while_it_drives_keeps_its_pace(open_tab, url, pace):
    page = open_tab(url).page
    page.get_by_label("Pace").select_option(pace)
    page.get_by_role("button", name="Start", exact=True).click()
    box = page.locator("#hill").bounding_box()
    for part in range(1, 9):
        page.mouse.click(box["x"] + box["width"] * part / 16, box["y"] + box["height"] / 2)
    page.wait_for_function("cars[0].steps > 3")
    if pace != FAST:
        driven = page.evaluate(
            "async () => { const from = performance.now(), steps = cars[0].steps; await soon(1500);"
            " return (cars[0].steps - steps) / (performance.now() - from) * 1000; }"
        )
        assert 10 < driven < 36
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("status").inner_text() == "Paused."


def test_the_car_is_placed_by_a_click_or_by_numbers(open_tab, url):
    page = open_tab(url).page
    hill = page.locator("#hill")
    box = hill.bounding_box()
    hill.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    position = page.locator("#numbers td").nth(1)
    assert float(position.inner_text()) == pytest.approx(-1.2 + 1.8 / 4, abs=0.005)
    page.get_by_label("Position", exact=True).fill("0.2")
    page.get_by_label("Velocity", exact=True).fill("0.03")
    page.keyboard.press("Tab")
    assert position.inner_text() == "0.2000"
    for field, value, clipped in (("Position", "5", "0.6"), ("Velocity", "", "0")):
        page.get_by_label(field, exact=True).fill(value)
        page.keyboard.press("Tab")
        assert page.get_by_label(field, exact=True).input_value() == clipped
    page.get_by_role("button", name="Random").click()
    assert -0.6 <= float(position.inner_text()) <= -0.4


def test_you_against_the_policy_by_keyboard(open_tab, url):
    page = open_tab(url).page
    page.get_by_label("You against the policy").check()
    page.keyboard.down("ArrowLeft")
    page.keyboard.press("Space")
    # Pushed left all the time, it swings between -0.5 and -0.97; by itself, between -0.5 and -0.55.
    page.wait_for_function(
        "() => { const [, position, , action] = [...document.querySelectorAll('#numbers tr:nth-child(2) td')]"
        ".map(cell => cell.textContent); return Number(position) < -0.8 && action === '-1.000'; }"
    )
    page.keyboard.up("ArrowLeft")
    page.wait_for_function(YOUR_PUSH_IS.format("0.000"))
    page.keyboard.down("ArrowRight")
    page.wait_for_function(YOUR_PUSH_IS.format("1.000"))
    page.evaluate("dispatchEvent(new Event('blur'))")  # the key is let go where the page does not hear of it
    page.wait_for_function(YOUR_PUSH_IS.format("0.000"))
    page.get_by_role("button", name="Push left").press("Enter")
    page.wait_for_function(YOUR_PUSH_IS.format("-1.000"))
    page.wait_for_function(YOUR_PUSH_IS.format("0.000"))


def test_you_against_the_policy_by_touch(open_tab, url):
    tab = open_tab(url, phone=True, dark=True)
    page = tab.page
    page.get_by_label("You against the policy").check()
    page.get_by_role("button", name="Start", exact=True).tap()
    push = page.get_by_role("button", name="Push right")
    push.dispatch_event("pointerdown", {"pointerId": 1})
    page.wait_for_function(YOUR_PUSH_IS.format("1.000"))
    push.dispatch_event("pointerup", {"pointerId": 1})
    page.wait_for_function(YOUR_PUSH_IS.format("0.000"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(
        "document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth"
    )
    assert tab.poor_contrasts() == []
    assert open_tab(url).poor_contrasts() == []
    tab.screenshot("endpoint-phone")


def test_a_policy_of_another_environment_is_said(open_tab, trained, tmp_path):
    (tmp_path / "model").mkdir()
    for file in (trained.ml / "model").iterdir():
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model/code").mkdir()
    (tmp_path / "model/code/inference.py").write_text(
        "def transform_fn(model, body, content_type, accept):\n    return '{\"predictions\": [1]}', accept\n"
    )
    with serve(tmp_path, SAGEMAKER_RL_PAGE="1") as url:
        page = open_tab(url).page
        page.get_by_role("button", name="Step").click()
        page.get_by_text("The endpoint's answer names no action").wait_for()


def test_an_endpoint_that_ended_is_said(open_tab, trained):
    with serve(trained.ml, SAGEMAKER_RL_PAGE="1") as url:
        tab = open_tab(url)
    tab.page.get_by_role("button", name="Step").click()
    tab.page.get_by_text("The endpoint does not answer.").wait_for()
    tab.complaints.clear()  # the browser's own, of the refused connection


@pytest.mark.parametrize("environment", [{}, {"SAGEMAKER_RL_PAGE": "0"}])
def test_there_is_no_page_unless_it_is_asked_for(trained, environment):
    with serve(trained.ml, **environment) as url:
        answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 404
    routes = "/ping, /invocations, /execution-parameters, /metrics or /openapi.json"
    assert answer.json()["detail"] == f"/ is not served, expected {routes}."
