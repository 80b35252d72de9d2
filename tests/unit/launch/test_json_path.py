"""JSONPath as batch transform has it: each operator, and what is none."""

import pytest
from launch.local.json_path import JsonPath, PathError

RECORD = {"id": 7, "a b": {"x": [1, 2, 3], "y": None}, "rows": [[1, 2], [3, 4]], "0": "zero"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("$", RECORD, RECORD),
        ("$.id", RECORD, 7),
        ("$['id']", RECORD, 7),
        ('$["a b"].x', RECORD, [1, 2, 3]),
        ("$['a b']['y']", RECORD, None),
        ("$['id', 'rows']", RECORD, {"id": 7, "rows": [[1, 2], [3, 4]]}),
        ("$.['id','0']", RECORD, {"id": 7, "0": "zero"}),
        ("$.0", RECORD, "zero"),
        ("$.rows[1][0]", RECORD, 3),
        ("$.rows.[1]", RECORD, [3, 4]),
        ("$.rows[*][0]", RECORD, [1, 3]),
        ("$.rows.*[-1]", RECORD, [2, 4]),
        ("$['a b'].*", RECORD, [[1, 2, 3], None]),
        ("$[0]", ["a", "b", "c"], "a"),
        ("$[-1]", ["a", "b", "c"], "c"),
        ("$[0, -1]", ["a", "b", "c"], ["a", "c"]),
        ("$[1:]", ["a", "b", "c"], ["b", "c"]),
        ("$[:1]", ["a", "b", "c"], ["a"]),
        ("$[1:2]", ["a", "b", "c"], ["b"]),
        ("$[-2:]", ["a", "b", "c"], ["b", "c"]),
        ("$[:]", ["a", "b", "c"], ["a", "b", "c"]),
        ("$[5:]", ["a", "b", "c"], []),
        ("$[*]", ["a", "b"], ["a", "b"]),
    ],
)
def test_what_a_path_takes(path, value, expected):
    assert JsonPath(path).select(value) == expected


@pytest.mark.parametrize(
    "path",
    [
        "$.",
        "$id",
        "$[",
        "$[]",
        "$['a]",
        "$[a]",
        "$..id",
        "$[0,'a']",
        "$[?(@.a)]",
        "$[0:1:2]",
        "$.a b",
        "$['a'",
        "$ ",
        "$$",
    ],
)
def test_what_is_no_path(path):
    with pytest.raises(PathError, match="which batch transform does not know, expected"):
        JsonPath(path)


@pytest.mark.parametrize("path", ["", "id", ".id", "[0]", " $"])
def test_a_path_begins_at_the_root(path):
    with pytest.raises(PathError, match=r"does not begin with \$, expected a JSONPath"):
        JsonPath(path)


def test_a_path_is_short():
    assert JsonPath("$." + "a" * 61).select({"a" * 61: 1}) == 1
    with pytest.raises(PathError, match="has 64 characters, expected at most 63"):
        JsonPath("$." + "a" * 62)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("$.state", {"id": 1}, "there is no 'state' in it"),
        ("$['id','state']", {"id": 1}, "there is no 'state' in it"),
        ("$[3]", [1, 2, 3], "there is no 3 in it"),
        ("$[-4]", [1, 2, 3], "there is no -4 in it"),
        ("$.id", ["1"], "there is no object where it expects one"),
        ("$[0]", {"0": 1}, "there is no array where it expects one"),
        ("$[1:]", {"0": 1}, "there is no array where it expects one"),
        ("$.*", 5, "there is no array where it expects one"),
        ("$[0]", "text", "there is no array where it expects one"),
    ],
)
def test_nothing_at_the_path(path, value, reason):
    with pytest.raises(PathError, match=reason):
        JsonPath(path).select(value)


def test_only_the_root_is_the_whole():
    assert JsonPath("$").is_whole
    assert not JsonPath("$[:]").is_whole
