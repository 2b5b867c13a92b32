"""Every mistake in the configuration has its place, says what to do, and is told with all the others."""

import pytest

from tests.support.configurations import PLAYBOOK, RULE, SERVERS, SOURCES, mistakes


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"sources_yaml": None}, "conf/sources.yaml:1:1: expected this file"),
        ({"sources_yaml": "- a\n"}, "1:1: expected sources by name, got a list"),
        (
            {"sources_yaml": "github:\n  scheme: githup\n  secrets: [env:X]\n"},
            "2:11: unknown scheme 'githup'; did you mean 'github'?",
        ),
        (
            {"sources_yaml": SOURCES + "  shceme: x\n"},
            "4:3: unknown key 'shceme'; did you mean 'scheme'?",
        ),
        ({"sources_yaml": "github: {scheme: github}\n"}, "1:1: the key 'secrets' is missing"),
        (
            {"sources_yaml": SOURCES + "operator: {scheme: github, secrets: [env:HOOK]}\n"},
            "4:1: 'operator' is built in",
        ),
        (
            {"sources_yaml": SOURCES + '  type: "{{ event.x }}"\n'},
            "4:3: the preset 'github' knows its type already",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: md5, header: A}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:20: expected 'sha256' or 'sha512', got 'md5'",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A, signed: x}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:13: expected {body} in signed",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A, tolerance: 5}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:50: expected a duration such as 30s",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, secrets: [env:HOOK]}\n"
            },
            "4:1: a declared scheme needs a `type:`",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, type: '{{ body }}', secrets: [env:HOOK]}\n"
            },
            "4:46: a source's templates know event and headers, got 'body'",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, type: '{{ body', secrets: [env:HOOK]}\n"
            },
            "4:46: syntax error",
        ),
        ({"sources_yaml": SOURCES + "  max_body: 1 MB\n"}, "4:13: expected a size such as 512KiB"),
        ({"sources_yaml": SOURCES + "  own_actors: [[]]\n"}, "4:16"),
        (
            {"servers_yaml": "github: {}\n"},
            "1:1: expected one of `url:`, `command:` and `openapi:`",
        ),
        ({"servers_yaml": "github: {url: 'ftp://x'}\n"}, "1:15: expected an http or https address"),
        ({"servers_yaml": "github: {url: 'https://u:p@x'}\n"}, "1:15: a password in an address"),
        (
            {"servers_yaml": "github: {url: 'https://x', env: {A: b}}\n"},
            "1:28: 'env' means nothing beside `url:`",
        ),
        ({"servers_yaml": "github: {command: ['']}\n"}, "1:19: expected a program"),
        ({"servers_yaml": "github: {command: npx}\n"}, "1:19: expected a list, got 'npx'"),
        (
            {"servers_yaml": "github: {command: [x], tools: {a: {effect: wipe}}}\n"},
            "1:44: expected 'read', 'write' or 'write-once', got 'wipe'",
        ),
        ({"servers_yaml": SERVERS + "doorbell: {command: [x]}\n"}, "4:1: 'doorbell' is built in"),
        ({"servers_yaml": SERVERS + "a.b: {command: [x]}\n"}, "4:1: expected a server's name"),
        (
            {"rules__triage_yaml": RULE.replace("github/", "githup/")},
            "2:7: unknown source 'githup'; did you mean 'github'?",
        ),
        (
            {"rules__triage_yaml": RULE.replace("github/issues.opened", "operator/run.cancel")},
            "2:7: what a person says is about runs and starts no rule, got 'operator/run.cancel'",
        ),
        (
            {"rules__triage_yaml": RULE.replace("github/issues.opened", "issues.opened")},
            "2:7: expected source/type",
        ),
        (
            {"rules__triage_yaml": RULE.replace("github/issues.opened", "'*'")},
            "2:7: expected source/type, such as github/issues.opened, got '*'; every delivery is '*/*'",
        ),
        (
            {"rules__triage_yaml": RULE.replace("run: triage", "run: triag")},
            "4:8: unknown playbook 'triag'; did you mean 'triage'?",
        ),
        ({"rules__triage_yaml": RULE.replace("open}", "open, x..y: 1}")}, "3:29: expected a path"),
        (
            {"rules__triage_yaml": RULE.replace("event.owner", "evnt.owner")},
            "5:17: unknown name 'evnt'; did you mean 'event'?",
        ),
        (
            {
                "rules__triage_yaml": RULE.replace(
                    '{{ event.number }}"}', '{{ event.number }}", more: 1}'
                )
            },
            "5:68: the playbook 'triage' declares no input 'more'",
        ),
        (
            {"rules__triage_yaml": RULE.replace('owner: "{{ event.owner }}", ', "")},
            "5:9: the playbook 'triage' needs the input 'owner' (slug)",
        ),
        (
            {"rules__triage_yaml": RULE.replace('"{{ event.owner }}"', "a sentence")},
            "5:17: expected a slug",
        ),
        (
            {"rules__triage_yaml": RULE.replace("issue:{{ event.number }}", "7")},
            "6:8: expected a key such as",
        ),
        (
            {"rules__triage_yaml": RULE + "  stage: alive\n"},
            "7:10: expected 'preview' or 'live', got 'alive'",
        ),
        (
            {"rules__triage_yaml": RULE + "  flow: {mode: sideways}\n"},
            "7:16: expected 'signal', 'queue', 'supersede', 'single' or 'parallel', got 'sideways'",
        ),
        (
            {"rules__triage_yaml": RULE + "  limits: {concurent: 5}\n"},
            "7:12: unknown key 'concurent'",
        ),
        (
            {"rules__triage_yaml": RULE + "  flow: queue\n"},
            "7:9: expected a mapping with mode, coalesce, got 'queue'",
        ),
        (
            {"rules__triage_yaml": RULE + "  trust: {bot: []}\n"},
            "7:11: unknown key 'bot'; did you mean 'bots'?",
        ),
        ({"rules__triage_yaml": RULE.replace("  on:", "  om:")}, "2:3: unknown key 'om'"),
        (
            {"rules__triage_yaml": RULE + "  run: triage\n"},
            "7:3: duplicate key 'run', first on line 4",
        ),
        (
            {"rules__other_yaml": RULE},
            "conf/rules/other.yaml:1:1: the rule 'triage' is already at conf/rules/triage.yaml:1",
        ),
        (
            {"rules__other_yaml": RULE.replace("triage:", "b:") + "  id: triage\n"},
            "the rule 'triage' is already at",
        ),
        (
            {"playbooks__triage_md": "Do it.\n"},
            "conf/playbooks/triage.md:1:1: expected front matter",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("model:", "modell:")},
            "2:1: unknown key 'modell'; did you mean 'model'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("{github: [", "{gitlab: [")},
            "4:9: unknown server 'gitlab'; did you mean 'github'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("issue_read,", "'issue_*',")},
            "4:18: expected a tool's own name, got the pattern",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("issue_read,", "issue_write,")},
            "4:31: the tool 'issue_write' is listed twice",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    "github.issue_write: {method", "github.issue_writ: {method"
                )
            },
            "7:3: the tool 'issue_writ' is not listed under 'github'; did you mean 'issue_write'?",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    "{github.issue_write: {max", "{gitlab.issue_write: {max"
                )
            },
            "8:10: 'gitlab' is not under `tools:`",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("max: 2", "max: 0")},
            "8:36: expected at least 1, got 0",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    '{owner: "{{ with.owner', '{owner: "{{ with.ownr'
                )
            },
            "6:19: with.ownr is not among the inputs; did you mean 'owner'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("usd: 0.50", "usd: -1")},
            "9:15: expected an amount in US dollars",
        ),
        ({"playbooks__triage_md": PLAYBOOK.replace("300k", "3e5")}, "9:29: expected a count"),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("turns: 9", "opened: 14d")},
            "9:35: unknown key 'opened'",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("owner: slug", "owner: text")},
            "11:1: with.owner is text",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK + "\n{{ event.x }}\n"},
            "13:1: only inputs may stand in the prose",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("owner: slug", "owner: word")},
            "3:17: expected 'slug', 'integer', 'boolean' or 'text', got 'word'",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_every_mistake_has_its_place_and_says_what_to_do(texts, expected):
    found = mistakes(**texts)

    assert any(expected in mistake for mistake in found), found


def test_all_mistakes_are_found_at_once_and_in_order():
    found = mistakes(
        sources_yaml=SOURCES + "  x: 1\n",
        servers_yaml=SERVERS + "bad: {}\n",
        rules__triage_yaml=RULE.replace("github/", "githup/")
        + "broken: {on: github/x, run: nope}\n",
        playbooks__triage_md=PLAYBOOK + "{{ event.x }}\n",
    )

    assert [mistake.partition(": ")[0] for mistake in found] == [
        "conf/playbooks/triage.md:12:1",
        "conf/rules/triage.yaml:2:7",
        "conf/rules/triage.yaml:7:29",
        "conf/servers.yaml:4:1",
        "conf/sources.yaml:4:3",
    ]


@pytest.mark.parametrize(
    "texts",
    [
        {"sources_yaml": "github: {scheme: github, secrets: [hunter2]}\n"},
        {"sources_yaml": "github: {scheme: github, secrets: {a: hunter2}}\n"},
        {"servers_yaml": "github: {url: 'https://x', auth: hunter2}\n"},
        {"servers_yaml": "github: {url: 'https://x', auth: {bearer: hunter2}}\n"},
        {"servers_yaml": "github: {command: [x], env: {A: [hunter2]}}\n"},
        {"servers_yaml": "github: {command: [x], env: {A: 'env:hunter 2'}}\n"},
    ],
    ids=str,
)
def test_a_secret_in_the_wrong_place_is_never_repeated(texts):
    found = mistakes(**texts)

    assert found
    assert not any("hunter" in mistake for mistake in found)
