"""The records of a transform job: how files are cut, and what filters and joins make of them."""

import re

import pytest
from launch.cli.errors import JobFailed
from launch.local.transform_records import DataProcessing, Request, assembled, requests_of


def job(content_type="text/csv", accept=None, split="Line", assemble="Line", **processing):
    return {
        "TransformInput": {"ContentType": content_type, "SplitType": split},
        "TransformOutput": {"Accept": accept or content_type, "AssembleWith": assemble},
        "DataProcessing": processing,
    }


NONE = DataProcessing(job())


def bodies(content, limit, several=True, splits=True, processing=NONE):
    return [request.body for request in requests_of("o.csv", content, splits, several, limit, processing)]


@pytest.mark.parametrize(
    ("limit", "several", "splits", "expected"),
    [
        (4, True, True, [b"1\n2\n", b"333\n", b"4\n"]),
        (5, True, True, [b"1\n2\n", b"333\n", b"4\n"]),
        (6, True, True, [b"1\n2\n", b"333\n4\n"]),
        (8, True, True, [b"1\n2\n333\n", b"4\n"]),
        (3, True, True, [b"1\n", b"2\n", b"333\n", b"4\n"]),
        (None, True, True, [b"1\n2\n333\n4\n"]),
        (100, False, True, [b"1\n", b"2\n", b"333\n", b"4\n"]),
        (None, False, True, [b"1\n", b"2\n", b"333\n", b"4\n"]),
        (10, True, False, [b"1\n2\n333\n4\n"]),
        (None, True, False, [b"1\n2\n333\n4\n"]),
    ],
)
def test_a_file_is_cut_into_requests_at_line_ends(limit, several, splits, expected):
    assert bodies(b"1\n2\n333\n4\n", limit, several, splits) == expected


@pytest.mark.parametrize("content", [b"1\n2", b"1\r\n2\r\n", b"\n1\n\n \n2\n\n", b"1\n2\n"])
def test_empty_lines_are_no_records_and_all_line_ends_are_alike(content):
    assert bodies(content, 100) == [b"1\n2\n"]


@pytest.mark.parametrize("splits", [True, False])
def test_an_empty_file_asks_nothing(splits):
    assert bodies(b"", 100, splits=splits) == []


def test_a_record_larger_than_a_request_may_be_fails_the_job():
    assert bodies(b"1\n333\n", 3) == [b"1\n", b"333\n"]
    sentence = "ClientError: o.csv, line 3: 4 bytes are too much for the maximum payload size of 3, see --max-payload"
    with pytest.raises(JobFailed, match=f"^{sentence}$"):
        bodies(b"1\n\n4444\n", 3)
    with pytest.raises(JobFailed, match=r"^ClientError: o\.csv: 10 bytes are too much"):
        bodies(b"1\n2\n333\n4\n", 9, splits=False)


@pytest.mark.parametrize(
    ("content_type", "record", "processing", "sent", "answer", "stored"),
    [
        ("text/csv", b"a,0.50,-1", {}, b"a,0.50,-1", b"7\n", b"7\n"),
        ("text/csv", b"a,0.50,-1", {"InputFilter": "$[1:]"}, b"0.50,-1", b"7\n", b"7\n"),
        ("text/csv", b"a,0.50,-1", {"InputFilter": "$[1]"}, b"0.50", b"7", b"7"),
        ("text/csv", b'"a,b",0.50,-1', {"JoinSource": "Input"}, b'"a,b",0.50,-1', b"7,8\n", b'"a,b",0.50,-1,7,8'),
        (
            "text/csv",
            b"a,0.50,-1\r",
            {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            b"0.50,-1",
            b"7,8\r\n",
            b"a,8",
        ),
        ("text/csv", b"1", {"OutputFilter": "$[0]"}, b"1", b"7,8\n", b"7"),
        ("text/csv", b"\xef\xbb\xbfa,1", {"InputFilter": "$[0]"}, b"a", b"7", b"7"),
        (
            "application/jsonlines",
            b'{"id": 1, "state": [0.5, -0.5]}',
            {"InputFilter": "$.state", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
            b"[0.5,-0.5]",
            b"[0.25]\n",
            b'{"id":1,"SageMakerOutput":[0.25]}',
        ),
        (
            "application/jsonlines",
            b"[0.5,-0.5]",
            {"JoinSource": "Input"},
            b"[0.5,-0.5]",
            b"[0.25]",
            b'{"SageMakerInput":[0.5,-0.5],"SageMakerOutput":[0.25]}',
        ),
        (
            "application/jsonlines",
            b'{"n": "\xc3\xa9"}',
            {"JoinSource": "Input", "OutputFilter": "$.n"},
            b'{"n": "\xc3\xa9"}',
            b"1",
            b'"\xc3\xa9"',
        ),
        ("application/json", b'{"a": [1]}', {"OutputFilter": "$[0]"}, b'{"a": [1]}', b"[[1], 2]", b"[1]"),
    ],
)
def test_what_is_sent_and_stored(content_type, record, processing, sent, answer, stored):
    tested = DataProcessing(job(content_type, **processing))
    assert tested.body_of(record) == sent
    assert tested.finish([record], answer) == stored


def test_several_records_are_joined_each_with_its_own_line():
    processing = DataProcessing(job(InputFilter="$[1:]", JoinSource="Input"))
    (request,) = requests_of("o.csv", b"a,1\r\nb,2\n\nc,3", True, True, 100, processing)
    assert request == Request([b"a,1", b"b,2", b"c,3"], b"1\n2\n3\n")
    for end in (b"", b"\n", b"\r\n"):
        assert processing.finish(request.records, b"x\ny\nz" + end) == b"a,1,x\nb,2,y\nc,3,z"


@pytest.mark.parametrize(
    ("content_type", "processing", "answer", "reason"),
    [
        ("text/csv", {"JoinSource": "Input"}, b"1\n2\n", "the answer has 2 lines for 1 records, expected one for each"),
        ("text/csv", {"JoinSource": "Input"}, b"", "the answer has 0 lines for 1 records"),
        ("text/csv", {"OutputFilter": "$[9]"}, b"1", r"OutputFilter \$\[9\]: there is no 9 in it"),
        ("application/jsonlines", {"JoinSource": "Input"}, b"no", "'no' is no JSON"),
        ("application/jsonlines", {"JoinSource": "Input"}, b"\xff", "codec can't decode"),
    ],
)
def test_an_answer_that_cannot_be_joined(content_type, processing, answer, reason):
    with pytest.raises(ValueError, match=reason):
        DataProcessing(job(content_type, **processing)).finish([b"1"], answer)


@pytest.mark.parametrize(
    ("content_type", "path", "content", "reason"),
    [
        ("text/csv", "$[5]", b"1,2\n3,4\n", "line 1: InputFilter $[5]: there is no 5 in it"),
        ("text/csv", "$.a", b"1,2\n", "line 1: InputFilter $.a: there is no object where it expects one"),
        ("application/jsonlines", "$.s", b'{"s": 1}\n{"t": 1}\n', "line 2: InputFilter $.s: there is no 's' in it"),
        ("application/jsonlines", "$.s", b"\n{\n", "line 2: '{' is no JSON"),
        ("text/csv", "$[0]", b"x" * 131_073 + b",3\n", f"line 1: '{'x' * 80}' is no CSV (field larger than"),
    ],
)
def test_a_record_that_cannot_be_filtered_fails_the_job(content_type, path, content, reason):
    with pytest.raises(JobFailed, match=re.escape(f"ClientError: o.csv, {reason}")):
        bodies(content, 100, processing=DataProcessing(job(content_type, InputFilter=path)))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (job(InputFilter="x"), "DataProcessing.InputFilter is 'x', which does not begin with $"),
        (job(OutputFilter="$["), "DataProcessing.OutputFilter is '$[', which batch transform does not know"),
        (job(split="None", JoinSource="Input"), "DataProcessing is of lines, expected SplitType and AssembleWith Line"),
        (job(assemble="None", OutputFilter="$[0]"), "DataProcessing is of lines"),
        (job(split="None", InputFilter="$[0]"), "DataProcessing is of lines"),
        (job("application/x-npy", JoinSource="Input"), "ContentType and Accept are ['application/x-npy', 'application"),
        (job(accept="application/json", JoinSource="Input"), "ContentType and Accept are ['text/csv', 'application/j"),
    ],
)
def test_what_does_not_go_together(request_, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        DataProcessing(request_)


def test_an_input_filter_alone_needs_no_answer_in_lines():
    request = job(accept="application/x-npy", assemble="None", InputFilter="$[1:]")
    assert DataProcessing(request).finish([b"1,2"], b"\x93NUMPY") == b"\x93NUMPY"


@pytest.mark.parametrize(
    ("answer", "by_line", "expected"),
    [
        (b"1\n2", True, b"1\n2\n"),
        (b"1\n2\n", True, b"1\n2\n"),
        (b"1\r\n", True, b"1\n"),
        (b"", True, b""),
        (b"\n", True, b""),
        (b"1\n2", False, b"1\n2"),
        (b"1\n", False, b"1\n"),
    ],
)
def test_answers_are_put_together_without_empty_lines(answer, by_line, expected):
    assert assembled(answer, by_line) == expected
