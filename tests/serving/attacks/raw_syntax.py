"""Requests as bytes whose syntax and framing is the matter: RFC 9112."""

from raw_requests import (
    BAD,
    BODY,
    CHUNKED,
    CHUNKS,
    END,
    HOST,
    LENGTH,
    MEBIBYTE,
    OK,
    OK_OR_BAD,
    PING,
    UNKNOWN_CODING,
    chunked,
    get,
    post,
    raw,
)

HOSTS = (
    raw("no Host", "9112 3.2", get(headers=b""), BAD),
    raw("no Host, but a body", "9112 3.2", b"POST /invocations HTTP/1.1\r\n" + LENGTH + b"\r\n" + BODY, BAD),
    raw("the same Host twice", "9112 3.2", get(headers=HOST * 2), BAD),
    raw("two Hosts", "9112 3.2", get(headers=b"Host: a\r\nHost: b\r\n"), BAD),
    raw("two Hosts in HTTP/1.0", "9112 3.2", get(headers=HOST * 2, version=b"HTTP/1.0"), BAD),
    raw("no Host in HTTP/1.0", "9112 3.2", get(headers=b"", version=b"HTTP/1.0"), OK, closes=True),
    raw("an empty Host", "9112 3.2", get(headers=b"Host:\r\n"), OK),
    raw("a Host in upper case", "9110 5.1", get(headers=b"HOST: A\r\n"), OK),
    raw("a Host with a port", "9110 7.2", get(headers=b"Host: a.b:8080\r\n"), OK),
    raw("an IPv6 Host", "9110 7.2", get(headers=b"Host: [::1]:8080\r\n"), OK),
    *(
        raw(f"the Host {host.decode('latin-1')!r}", "9112 3.2", get(headers=b"Host: %b\r\n" % host), BAD)
        for host in (b"a b", b"a/b", b"a@b", b"[::1", b"a:b", b"a?b", b"a#b", b"http://a/", b"a\\b", b"\xe9", b"a, b")
    ),
)

VERSIONS = (
    raw("HTTP/2.0", "9110 15.6.6", get(version=b"HTTP/2.0"), (505,), closes=True),
    raw("HTTP/3.0", "9110 15.6.6", get(version=b"HTTP/3.0"), (505,), closes=True),
    raw("HTTP/2's preface", "9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505, 400), closes=True),
    raw("HTTP/1.2", "9110 2.5", get(version=b"HTTP/1.2"), OK),
    raw("HTTP/1.9 with a body", "9110 2.5", post().replace(b"HTTP/1.1", b"HTTP/1.9"), OK),
    raw("HTTP/0.9 by its name", "9112 2.3", get(version=b"HTTP/0.9"), (400, 505), closes=True),
    raw("no version", "9112 3", b"GET /ping\r\n" + HOST + b"\r\n", (400, 505), closes=True),
    *(
        raw(f"the version {version.decode()}", "9112 2.3", get(version=version), BAD, closes=True)
        for version in (
            b"HTTP/1",
            b"HTTP/1.",
            b"HTTP/1.10",
            b"HTTP/01.1",
            b"http/1.1",
            b"HTTPS/1.1",
            b"HTTP/11",
            b"HTTP 1.1",
        )
    ),
    raw("HTTP/1.0 closes", "9112 9.3", get(version=b"HTTP/1.0"), OK, closes=True),
    raw(
        "HTTP/1.0 keeps alive",
        "9112 9.3",
        get(version=b"HTTP/1.0", headers=HOST + b"Connection: keep-alive\r\n") + get(version=b"HTTP/1.0"),
        OK,
        OK,
        closes=True,
    ),
)

LINES = (
    raw("an empty line before the request", "9112 2.2", b"\r\n" + PING, OK),
    raw("a blank before the request", "9112 3", b" " + PING, OK_OR_BAD),
    raw("two blanks in the request line", "9112 3", b"GET  /ping HTTP/1.1\r\n" + HOST + b"\r\n", OK_OR_BAD),
    raw("a tab in the request line", "9112 3", b"GET\t/ping HTTP/1.1\r\n" + HOST + b"\r\n", OK_OR_BAD),
    raw("a blank behind the version", "9112 3", b"GET /ping HTTP/1.1 \r\n" + HOST + b"\r\n", OK_OR_BAD),
    raw("nonsense", "9112 3", b"nonsense\r\n\r\n", BAD, closes=True),
    raw("TLS", "9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), BAD, closes=True),
    raw("LF alone", "9112 2.2", PING.replace(b"\r\n", b"\n"), OK_OR_BAD),
    raw("CR alone at a header's end", "9112 2.2", get(headers=HOST + b"a: b\rc: d\r\n"), OK_OR_BAD),
    raw("CR that hides a length", "9112 2.2", post(b"a: b\rContent-Length: 3\r\n" + LENGTH), OK_OR_BAD),
    raw("CR in the request line", "9112 2.2", b"GET /ping\r HTTP/1.1\r\n" + HOST + b"\r\n", BAD),
    raw("NUL in a value", "9110 5.5", get(headers=HOST + b"a: b\0c\r\n"), OK_OR_BAD),
    raw("NUL in a name", "9110 5.1", get(headers=HOST + b"a\0b: c\r\n"), BAD),
    raw("NUL in the target", "9112 3", get(b"/pi\0ng"), BAD),
    raw("a blank before the colon", "9112 5.1", get(headers=HOST + b"a : b\r\n"), BAD),
    raw("a blank before a length's colon", "9112 5.1", post(b"Content-Length : 10\r\n"), BAD),
    raw("a blank before the first header", "9112 2.2", get(headers=b" a: b\r\n" + HOST), OK_OR_BAD),
    raw("a folded header", "9112 5.2", get(headers=HOST + b"a: b\r\n c\r\n"), OK_OR_BAD),
    raw("a folded length", "9112 5.2", post(b"Content-Length:\r\n 10\r\n"), OK_OR_BAD),
    raw("a header without a colon", "9112 5", get(headers=HOST + b"ab\r\n"), BAD),
    raw("a header without a name", "9112 5", get(headers=HOST + b": b\r\n"), BAD),
    raw("a blank in a name", "9110 5.1", get(headers=HOST + b"a b: c\r\n"), BAD),
    raw("a bracket in a name", "9110 5.1", get(headers=HOST + b"a(b: c\r\n"), BAD),
    raw("a letter beyond ASCII in a name", "9110 5.1", get(headers=HOST + b"\xe9: c\r\n"), BAD),
    raw("a letter beyond ASCII in a value", "9110 5.5", get(headers=HOST + b"a: \xe9\r\n"), OK),
    raw("an empty value", "9110 5.5", get(headers=HOST + b"a:\r\n"), OK),
    raw("blanks and tabs around a value", "9112 5", post(b"Content-Length: \t 10 \t \r\n"), OK),
    raw(
        "names of headers in all cases",
        "9110 5.1",
        post(b"cOnTeNt-LeNgTh: 10\r\nCONTENT-TYPE: application/json\r\n"),
        OK,
    ),
)

LENGTHS = (
    *(
        raw(
            f"the length {length.decode('latin-1')!r}",
            "9110 8.6",
            post(b"Content-Length: %b\r\n" % length),
            BAD,
            closes=True,
        )
        for length in (b"-1", b"+10", b"0x0a", b"1e1", b"10.0", b"1 0", b"1_0", b"ten", b"\xb2", b"10;", b"10,11", b"")
    ),
    *(
        raw(f"the length {length}", "9110 8.6", post(b"Content-Length: %d\r\n" % length), (400, 413), closes=True)
        for length in (7 * MEBIBYTE, 2**31, 2**32 + 10, 2**63, 2**64, 2**64 + 10, 10**40)
    ),
    raw("leading zeros", "9110 8.6", post(b"Content-Length: 0010\r\n"), OK_OR_BAD),
    raw("the same length in a list", "9110 8.6", post(b"Content-Length: 10, 10\r\n"), OK_OR_BAD),
    raw("the same length twice", "9110 8.6", post(LENGTH * 2), OK_OR_BAD),
    raw("two lengths", "9112 6.3", post(b"Content-Length: 10\r\nContent-Length: 3\r\n"), BAD, closes=True),
    raw("length 0", "9112 6.3", post(b"Content-Length: 0\r\n", b""), BAD),
    raw("neither length nor chunks", "9112 6.3", post(b"", b""), (400, 411)),
    raw("a body of GET", "9110 9.3.1", get(headers=HOST + b"Content-Length: 4\r\n") + b"abcd", OK),
    raw("a length too short", "9112 6.3", post(b"Content-Length: 3\r\n"), BAD, BAD, closes=True),
    raw("a body cut off", "9112 8", (post(body=b"[0.5"), END), BAD, closes=True, may_stay_silent=True),
    raw("a head cut off", "9112 8", (post()[:40], END), BAD, closes=True, may_stay_silent=True),
    raw("a whole request, then the end", "9112 9.6", (post(), END), OK, closes=True),
)

CODINGS = (
    raw("gzip, chunked", "9112 6.1", post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS), (501,), closes=True),
    raw("gzip and chunked in two lines", "9112 6.1", post(b"Transfer-Encoding: gzip\r\n" + CHUNKED, CHUNKS), (501,)),
    *(
        raw(
            f"the coding {coding.decode('latin-1')!r}",
            "9112 6.1",
            post(b"Transfer-Encoding: %b\r\n" % coding, CHUNKS),
            UNKNOWN_CODING,
            closes=True,
        )
        for coding in (
            b"gzip",
            b"identity",
            b"xchunked",
            b"chunked, gzip",
            b"chunked, chunked",
            b"chunked, identity",
            b"\x0bchunked",
            b"chunked;a=b",
            b"",
        )
    ),
    raw("chunked twice", "9112 6.1", post(CHUNKED * 2, CHUNKS), UNKNOWN_CODING, closes=True),
    raw("chunked in upper case", "9112 7", post(b"Transfer-Encoding: CHUNKED\r\n", CHUNKS), OK),
    raw("a blank before a coding's colon", "9112 5.1", post(b"Transfer-Encoding : chunked\r\n", CHUNKS), BAD),
    raw("length, then chunks", "9112 6.1", post(LENGTH + CHUNKED, CHUNKS), BAD, closes=True),
    raw("chunks, then length", "9112 6.1", post(CHUNKED + LENGTH, CHUNKS), BAD, closes=True),
    raw("chunks in HTTP/1.0", "9112 6.1", chunked().replace(b"HTTP/1.1", b"HTTP/1.0"), OK_OR_BAD, closes=True),
    raw("TE: trailers", "9110 10.1.4", post(LENGTH + b"TE: trailers\r\nConnection: TE\r\n"), OK),
)

CHUNKED_BODIES = (
    raw("chunks", "9112 7.1", chunked(), OK),
    raw(
        "a chunk for each byte",
        "9112 7.1",
        chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"),
        OK,
    ),
    raw(
        "sizes in hex of both cases",
        "9112 7.1",
        chunked(b"A\r\n%b\r\n0\r\n\r\n" % BODY) + chunked(b"a\r\n%b\r\n0\r\n\r\n" % BODY),
        OK,
        OK,
    ),
    raw("leading zeros of a size", "9112 7.1", chunked(b"0000a\r\n%b\r\n000\r\n\r\n" % BODY), OK),
    raw("an extension", "9112 7.1.1", chunked(b'a;b=c;d="e;f";g\r\n%b\r\n0;h\r\n\r\n' % BODY), OK),
    raw(
        "an extension of 100,000 bytes",
        "9112 7.1.1",
        chunked(b"a;b=%b\r\n%b\r\n0\r\n\r\n" % (b"c" * 100_000, BODY)),
        (400, 413, 431),
        closes=True,
    ),
    raw(
        "extensions of many chunks",
        "9112 7.1.1",
        chunked(b"".join(b"1;%b\r\n \r\n" % (b"a" * 900) for _ in range(200)) + CHUNKS),
        (400, 413, 431),
        closes=True,
    ),
    raw("no chunk but the last", "9112 7.1", chunked(b"0\r\n\r\n"), BAD),
    *(
        raw(
            f"the size {size.decode('latin-1')!r}",
            "9112 7.1",
            chunked(size + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
            BAD,
            closes=True,
        )
        for size in (b"zz", b"", b"-a", b"+a", b"0xa", b" a", b"a_", b"1 0", b"a,", b"\xb2", b"a\r")
    ),
    raw("the size 2^64", "9112 7.1", chunked(b"10000000000000000\r\n"), (400, 413), closes=True),
    raw(
        "the size 2^64 + 10",
        "9112 7.1",
        chunked(b"1000000000000000a\r\n%b\r\n0\r\n\r\n" % BODY),
        (400, 413),
        closes=True,
    ),
    raw(
        "the size 2^64 - 1",
        "9112 7.1",
        (chunked(b"ffffffffffffffff\r\n" + BODY), END),
        (400, 413),
        closes=True,
        may_stay_silent=True,
    ),
    raw(
        "chunks larger than a body may be",
        "9110 15.5.14",
        chunked(b"100000\r\n%b\r\n" % (b" " * MEBIBYTE) * 7),
        (413,),
        closes=True,
    ),
    raw("data longer than its size", "9112 7.1", chunked(b"3\r\n[0.5,-0.5]\r\n0\r\n\r\n"), BAD, closes=True),
    raw("no end of line behind data", "9112 7.1", chunked(b"a\r\n[0.5,-0.5]0\r\n\r\n"), BAD, closes=True),
    raw("LF behind a size", "9112 7.1", chunked(b"a\n[0.5,-0.5]\r\n0\r\n\r\n"), OK_OR_BAD),
    raw("LF behind data", "9112 7.1", chunked(b"a\r\n[0.5,-0.5]\n0\r\n\r\n"), OK_OR_BAD),
    raw("chunks cut off", "9112 8", (chunked(b"3\r\n[0."), END), BAD, closes=True, may_stay_silent=True),
)


def trailers(*lines: bytes) -> bytes:
    return chunked(CHUNKS[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


TRAILERS = (
    raw("a trailer", "9110 6.5", trailers(b"a: b"), OK),
    raw("Content-Type in a trailer", "9110 6.5.1", trailers(b"Content-Type: text/csv"), OK),
    raw("Accept in a trailer", "9110 6.5.1", trailers(b"Accept: text/csv"), OK, media_type="application/json"),
    raw("Content-Encoding in a trailer", "9110 6.5.1", trailers(b"Content-Encoding: gzip"), OK_OR_BAD),
    raw("Content-Length in a trailer", "9110 6.5.1", trailers(b"Content-Length: 3"), OK_OR_BAD),
    raw("Transfer-Encoding in a trailer", "9110 6.5.1", trailers(b"Transfer-Encoding: gzip"), OK_OR_BAD),
    raw("Host in a trailer", "9110 6.5.1", trailers(b"Host: b"), OK_OR_BAD),
    raw("Expect in a trailer", "9110 6.5.1", trailers(b"Expect: 100-continue"), OK_OR_BAD),
    raw("output in a trailer", "9110 6.5.1", trailers(b"X-Amzn-SageMaker-Custom-Attributes: output=x"), OK),
    raw("a trailer without a colon", "9112 7.1.2", trailers(b"ab"), BAD, closes=True),
    raw("a blank before a trailer's colon", "9112 5.1", trailers(b"a : b"), BAD, closes=True),
    raw("a trailer of 100,000 bytes", "9110 5.4", trailers(b"a: " + b"b" * 100_000), (400, 413, 431), closes=True),
    raw("200 trailers", "9110 5.4", trailers(*(b"a%d: b" % i for i in range(200))), (400, 413, 431), closes=True),
    raw("trailers, then a request", "9112 7.1.2", trailers(b"a: b") + PING, OK, OK),
)

SYNTAX = (*HOSTS, *VERSIONS, *LINES, *LENGTHS, *CODINGS, *CHUNKED_BODIES, *TRAILERS)
