"""Asks a server all bodies, and judges the answers."""

import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from bodies import CSV, CSV_BODIES, JSON, JSON_BODIES, LINES_BODIES, NPY, Body
from body_headers import HEADERS
from exchanges import FIVE_HUNDRED, NO_ANSWER, RIGHT, WRONG, Answer, Exchange, MalformedError, NoAnswerError, Outcome
from npy_bodies import NPY_BODIES

HEADS = ("state_value", "action_mean", "action_standard_deviation")
BODIES: tuple[Body, ...] = (*JSON_BODIES, *LINES_BODIES, *CSV_BODIES, *NPY_BODIES, *HEADERS)

Heads = Callable[[Sequence[Sequence[float]]], np.ndarray]
"""Returns the heads of observations, shape ``(rows, 3)``."""


def request_of(body: Body) -> bytes:
    lines = [b"POST /invocations HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body.content)]
    named = (("Content-Type", body.media_type), ("Accept", body.accept[0] or None), *body.headers)
    lines += [f"{name}: {value}".encode("latin-1") for name, value in named if value is not None]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body.content


def ask(url: str, body: Body, heads: Heads, json_errors: bool = True) -> Outcome:
    """Send a body on a connection of its own, and judge the answer."""
    try:
        with Exchange(url) as exchange:
            exchange.send(request_of(body))
            answer = exchange.read_answer()
            outcome = judge(body, answer, heads, json_errors)
            return exchange.check_next() if outcome.kind == RIGHT and not answer.closes else outcome
    except (NoAnswerError, OSError) as error:
        return Outcome(NO_ANSWER, str(error))
    except MalformedError as error:
        return Outcome(WRONG, str(error))


def judge(body: Body, answer: Answer, heads: Heads, json_errors: bool = True) -> Outcome:
    """Tell whether an answer is right."""
    if answer.status not in body.statuses:
        kind = FIVE_HUNDRED if answer.status >= 500 else WRONG
        expected = " or ".join(map(str, body.statuses))
        return Outcome(kind, f"{answer.status} {answer.body[:200]!r}, expected {expected}", [answer])
    reason = ""
    if answer.status == 200:
        reason = _difference(body, answer, heads)
    elif json_errors and not (reason := answer.error()) and body.detail not in json.loads(answer.body)["detail"]:
        reason = f"{answer.body[:200]!r} does not say {body.detail!r}"
    return Outcome(WRONG if reason else RIGHT, reason, [answer])


def _difference(body: Body, answer: Answer, heads: Heads) -> str:
    """Return in what a 200 differs from what is right."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != body.accept[1]:
        return f"the answer is {media_type}, expected {body.accept[1]}"
    try:
        table = read_answer(answer.body, media_type, body.has_predictions)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return f"{answer.body[:200]!r} is not the answer's format: {error!r}"
    distinct = [list(row) for row in dict.fromkeys(map(tuple, body.rows))]
    expected = heads(distinct)
    if len(distinct) != len(body.rows):
        expected = expected[[distinct.index(list(row)) for row in body.rows]]
    if table.shape != expected.shape:
        return f"{len(table)} rows, expected {len(expected)}"
    if not np.allclose(table, expected, rtol=1e-4, atol=1e-5):
        return f"the heads are {table[:2].tolist()}, expected {expected[:2].tolist()}"
    return ""


def read_answer(content: bytes, media_type: str, has_predictions: bool) -> np.ndarray:
    """Return an answer as a table with a row for each observation and a column for each head."""
    if media_type == NPY:
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
    if media_type == JSON:
        data = json.loads(content)
        if has_predictions:
            return np.array([[row[name][0] for name in HEADS] for row in data["predictions"]])
        return np.asarray(data, dtype=float)[:, :, 0].T
    lines = content.decode().split("\n")
    if "" in lines:  # joined by SageMaker with further answers, there would be an empty line
        raise ValueError("an empty line")
    if media_type == CSV:
        return np.array([[float(field) for field in line.split(",")] for line in lines])
    return np.asarray([json.loads(line) for line in lines], dtype=float)[:, :, 0]


def heads_of(url: str) -> Heads:
    """Return what a server itself says to observations in plain JSON; asked once for each."""
    known: dict[tuple[float, ...], np.ndarray] = {}

    def heads(observations: Sequence[Sequence[float]]) -> np.ndarray:
        unknown = [list(row) for row in dict.fromkeys(map(tuple, observations)) if row not in known]
        if unknown:
            content = json.dumps(unknown).encode()
            with Exchange(url) as exchange:
                exchange.send(request_of(Body("", content, JSON, unknown)))
                answer = exchange.read_answer()
            assert answer.status == 200, answer
            table = read_answer(answer.body, JSON, False)
            known.update(zip(map(tuple, unknown), table, strict=True))
        return np.array([known[tuple(row)] for row in observations])

    return heads


def ask_all(
    url: str, bodies: Sequence[Body] = BODIES, json_errors: bool = True, threads: int = 8
) -> dict[str, Outcome]:
    """Send all bodies, several at once; return what became of each by its name.

    Args:
        url: of the server.
        bodies: to send.
        json_errors: errors have to be JSON objects of error and detail.
        threads: that send them.
    """
    heads = heads_of(url)
    heads([row for body in bodies for row in dict.fromkeys(map(tuple, body.rows))])
    with ThreadPoolExecutor(threads) as pool:
        outcomes = pool.map(lambda body: ask(url, body, heads, json_errors), bodies)
        return dict(zip([body.name for body in bodies], outcomes, strict=True))
