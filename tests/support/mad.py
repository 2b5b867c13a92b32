"""Bodies that no sane sender writes; it knows JSON and its neighbours, and nobody's meaning of them."""

import gzip
import json

_DEEP = 100_000

NEVER_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \n",
    "a word": b"hello",
    "two documents": b'{"type": "a"}{"type": "b"}',
    "bytes behind": b'{"type": "a"}x',
    "a comma behind": b'{"type": "a",}',
    "a comment": b'{"type": "a" /* b */}',
    "single quotes": b"{'type': 'a'}",
    "NaN": b'{"type": "a", "n": NaN}',
    "Infinity": b'{"type": "a", "n": -Infinity}',
    "a number beyond numbers": b'{"type": "a", "n": 1e400}',
    "a name twice": b'{"type": "a", "type": "b"}',
    "a name twice inside": b'{"type": "a", "data": {"id": 1, "id": 2}}',
    "a name twice, spelled apart": b'{"type": "a", "\\u0074ype": "b"}',
    "a lone surrogate": b'{"type": "\\ud800"}',
    "a lone surrogate in a name": b'{"\\udfff": "a"}',
    "surrogates the wrong way round": b'{"type": "\\udc00\\ud800"}',
    "a byte order mark": b'\xef\xbb\xbf{"type": "a"}',
    "UTF-16": '{"type": "a"}'.encode("utf-16"),
    "UTF-32": '{"type": "a"}'.encode("utf-32-le"),
    "Latin-1": b'{"type": "\xe9"}',
    "an overlong slash": b'{"type": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"type": "\xed\xa0\x80"}',
    "NUL in a string": b'{"type": "a\0b"}',
    "a tab in a string": b'{"type": "a\tb"}',
    "a list without an end": b"[" * _DEEP,
    "an object without an end": b'{"a":' * _DEEP,
    "a hundred thousand lists": b"[" * _DEEP + b"]" * _DEEP,
    "a hundred thousand objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    "deep below a name": b'{"type": "a", "data": ' + b"[" * 200 + b"]" * 200 + b"}",
    "gzip": gzip.compress(b'{"type": "a"}' * 9),
    "multipart": b'--x\r\ncontent-disposition: form-data; name="payload"\r\n\r\n{}\r\n--x--',
    "HTTP": b"POST /hooks/github HTTP/1.1\r\nhost: x\r\n\r\n",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": b"!!python/object/apply:os.system ['true']",
    "random bytes": bytes(range(256)) * 9,
}
"""Every JSON sender's delivery of one of these is malformed."""

JSON_BUT_ODD: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "a string": b'"type"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of nothing": b"[null, [], 1, true]",
    "a list of lists": b"[[[[]]]]",
    "all null": json.dumps(dict.fromkeys(("type", "id", "event", "data", "action"))).encode(),
    "all numbers": json.dumps(dict.fromkeys(("type", "id", "event", "data", "action"), 7)).encode(),
    "all lists": json.dumps({name: [{}] for name in ("type", "id", "event", "data")}).encode(),
    "all objects": json.dumps({name: {} for name in ("type", "id", "event", "data")}).encode(),
    "ten thousand digits": b'{"type": "a", "id": ' + b"9" * 10_000 + b"}",
    "a fraction of ten thousand digits": b'{"type": "a", "n": 0.' + b"1" * 10_000 + b"}",
    "a number that underflows": b'{"type": "a", "n": 1e-400}',
    "minus zero": b'{"type": "a", "id": -0}',
    "escaped NUL": b'{"type": "a\\u0000b", "id": "\\u0000"}',
    "escaped line ends": b'{"type": "a\\r\\nb", "id": "e\\r\\n1"}',
    "a type of many bytes": b'{"type": "' + b"a" * 300_000 + b'"}',
    "names that mean something elsewhere": json.dumps(
        {
            "type": "a",
            "__proto__": {"x": 1},
            "__class__": 1,
            "constructor": {},
            "items": [],
            "keys": 1,
            "get": 2,
        }
    ).encode(),
    "templates": b'{"type": "{{7*7}}", "id": "{% raw %}", "action": "${jndi:ldap://x}"}',
    "right to left": '{"type": "a\u202egnp", "id": "\u200b", "action": "\u0430dmin"}'.encode(),
    "emoji": '{"type": "\U0001f980", "id": "\U0001f980"}'.encode(),
    "thirty thousand names": json.dumps(
        {"type": "a"} | {f"k{n}": n for n in range(30_000)}
    ).encode(),
}
"""These are JSON: what a sender makes of one is its own affair, as long as it is an answer."""
