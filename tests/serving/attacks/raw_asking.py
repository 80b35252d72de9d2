"""Sends a server all raw requests, and judges what comes back: statuses, headers, framing, and the next request."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

from exchanges import FIVE_HUNDRED, NO_ANSWER, RIGHT, WRONG, Answer, Exchange, MalformedError, NoAnswerError, Outcome
from raw_requests import AWAIT_100, END, PAUSE, RawRequest
from raw_semantics import SEMANTICS
from raw_syntax import SYNTAX

RAW_REQUESTS: tuple[RawRequest, ...] = (*SYNTAX, *SEMANTICS)
SECONDS_OF_PAUSE = 0.02


def send(url: str, request: RawRequest, json_errors: bool = True) -> Outcome:
    """Send a request on a connection of its own, and judge the answers.

    Args:
        url: of the server.
        request: what to send, and what is right.
        json_errors: errors have to be JSON objects of error and detail.
    """
    try:
        with Exchange(url) as exchange:
            return _judge(exchange, request, json_errors)
    except OSError as error:
        return Outcome(NO_ANSWER, repr(error))
    except MalformedError as error:
        return Outcome(WRONG, str(error))


def _judge(exchange: Exchange, request: RawRequest, json_errors: bool) -> Outcome:
    answers: list[Answer] = []
    continues = 0
    for part in request.parts:
        if part == PAUSE:
            time.sleep(SECONDS_OF_PAUSE)
        elif part == END:
            exchange.end()
        elif part == AWAIT_100:
            try:
                answer = exchange.read_answer()
            except NoAnswerError as error:
                return Outcome(NO_ANSWER, f"no 100 Continue: {error}")
            if answer.status != 100:
                kind = FIVE_HUNDRED if answer.status >= 500 else WRONG
                return Outcome(kind, f"{answer.status}, expected 100 Continue", [answer])
            continues += 1
        else:
            exchange.send(part)
    for number, statuses in enumerate(request.answers):
        method = request.methods[number] if request.methods else "GET"
        try:
            while (answer := exchange.read_answer(method)).status == 100:
                continues += 1
        except NoAnswerError as error:
            if request.may_stay_silent and "TimeoutError" not in str(error):
                return Outcome(RIGHT)
            return Outcome(NO_ANSWER, f"answer {number + 1}: {error}", answers)
        answers.append(answer)
        if answer.status not in statuses:
            kind = FIVE_HUNDRED if answer.status >= 500 else WRONG
            expected = " or ".join(map(str, statuses))
            reason = f"answer {number + 1} is {answer.status} {answer.body[:160]!r}, expected {expected}"
            return Outcome(kind, reason, answers)
        if reason := _fault(answer, method, request.media_type, json_errors):
            return Outcome(WRONG, reason, answers)
        if answer.closes and number + 1 < len(request.answers):
            return Outcome(WRONG, f"closed after answer {number + 1} of {len(request.answers)}", answers)
    least, most = request.continues
    if not least <= continues <= most:
        return Outcome(WRONG, f"{continues} times 100 Continue, expected {least} to {most}", answers)
    return _check_end(exchange, request, answers[-1])


def _check_end(exchange: Exchange, request: RawRequest, last: Answer) -> Outcome:
    """Judge what comes after the last answer: the connection's end, or the next request on it."""
    if not last.closes and not request.closes:
        return exchange.check_next()
    reason = exchange.check_closed()  # which HTTP/1.0 need not announce
    return Outcome(WRONG if reason else RIGHT, reason, [last])


def _fault(answer: Answer, method: str, media_type: str, json_errors: bool) -> str:
    """Return what is wrong with an answer of the right status."""
    if answer.status == 405 and not answer.headers.get("allow"):
        return "405 without Allow (RFC 9110, section 15.5.6)"
    if answer.status < 500:
        try:
            parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError):
            return f"the Date is {answer.headers.get('date')!r} (RFC 9110, section 6.6.1)"
    if media_type and answer.headers.get("content-type") != media_type:
        return f"the answer is {answer.headers.get('content-type')}, expected {media_type}"
    if answer.status >= 400 and method != "HEAD" and json_errors:
        return answer.error()
    return ""


def send_all(
    url: str, requests: Sequence[RawRequest] = RAW_REQUESTS, json_errors: bool = True, threads: int = 16
) -> dict[str, Outcome]:
    """Send all requests, several at once; return what became of each by its name."""
    with ThreadPoolExecutor(threads) as pool:
        outcomes = pool.map(lambda request: send(url, request, json_errors), requests)
        return dict(zip([request.name for request in requests], outcomes, strict=True))


def send_split(url: str, request: bytes, expected: bytes) -> list[str]:
    """Send a request split in two at every byte, and byte by byte; return what went wrong at which.

    Args:
        url: of the server.
        request: that keeps its connection.
        expected: the body of the answer.
    """
    splits = [(request[:size], request[size:]) for size in range(1, len(request))]
    bytewise = tuple(bytes([byte]) for byte in request)
    pieces: list[tuple[bytes, ...]] = [*splits, bytewise]
    failures = []
    with Exchange(url) as exchange:
        for number, parts in enumerate(pieces, 1):
            for part in parts:
                exchange.send(part)
                if len(parts) == 2:
                    time.sleep(0.001)  # most of the first parts are read before the second is there
            try:
                while (answer := exchange.read_answer()).status == 100:
                    pass
            except (NoAnswerError, MalformedError) as error:
                return [*failures, f"split at {number}: {error}"]
            if answer.status != 200 or answer.body != expected:
                failures.append(f"split at {number}: {answer.status} {answer.body[:80]!r}")
            if answer.closes:
                return [*failures, f"split at {number}: the connection is closed"]
    return failures
