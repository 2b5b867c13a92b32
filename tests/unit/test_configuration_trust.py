"""`trust:` of rules and `own_actor:` of servers, as files say them."""

import pytest

from orchestrator.rules.rule import Trust
from orchestrator.servers import OwnActor
from tests.support.configurations import RULE, SERVERS, SOURCES, configuration, mistakes

WHOLE = """\
  trust:
    associations: [OWNER, MEMBER]
    allow: [ann, "id:583231"]
    deny: eve
    bots: ["renovate[bot]"]
    forks: true
    ignore_self: false
    max_hops: 0
    max_writes_per_subject: 4
"""
OTHER = (
    SOURCES
    + 'mine: {scheme: {hmac: sha256, header: A}, type: "{{ event.type }}", secrets: [env:HOOK]}\n'
)


def trust(text):
    (rule,) = configuration(rules__triage_yaml=RULE + text).rules
    return rule.trust


def test_every_key_of_trust_is_read():
    assert trust(WHOLE) == Trust(
        associations=frozenset({"OWNER", "MEMBER"}),
        allow=frozenset({"ann", "id:583231"}),
        deny=frozenset({"eve"}),
        bots=frozenset({"renovate[bot]"}),
        forks=True,
        ignore_self=False,
        max_hops=0,
        max_writes_per_subject=4,
    )


def test_who_says_nothing_trusts_people_and_neither_bots_nor_forks_nor_ourselves():
    assert trust("") == Trust()
    assert Trust().ignore_self
    assert not Trust().bots
    assert not Trust().forks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{associations: [owner]}", "'OWNER'"),
        ('{allow: ["ann\\u200b"]}', "got one with blank or invisible signs: 'ann\\u200b'"),
        ('{deny: ["an n"]}', "blank or invisible"),
        ('{bots: ["id:"]}', "got no id"),
        ("{allow: [583231]}", "expected a login or id:583231, got 583231"),
        ("{forks: 1}", "forks"),
        ("{max_hops: -1}", "max_hops"),
        ("{max_writes_per_subject: 0}", "max_writes_per_subject"),
        ("{hops: 1}", "unknown key 'hops'"),
    ],
)
def test_a_mistake_in_trust_is_told_with_its_place(text, said):
    (found,) = mistakes(rules__triage_yaml=RULE + f"  trust: {text}\n")

    assert found.startswith("conf/rules/triage.yaml:7:")
    assert said in found or said in ("forks", "max_hops", "max_writes_per_subject")


@pytest.mark.parametrize(("on", "warned"), [("github/*", False), ("mine/*", True), ("*/*", True)])
def test_a_guard_that_a_source_cannot_be_judged_by_is_told_when_it_is_loaded(on, warned):
    rule = RULE.replace("github/issues.opened", f'"{on}"') + "  trust: {associations: OWNER}\n"
    found = configuration(sources_yaml=OTHER, rules__triage_yaml=rule)
    told = [str(one) for one in found.warnings if "how somebody stands" in str(one)]

    assert found.mistakes == ()
    assert bool(told) is warned
    assert all("'mine'" in one for one in told)


def own(text):
    return configuration(servers_yaml=text).servers["github"].own_actor


def test_r4_a_server_of_githubs_is_asked_with_the_tool_that_it_has():
    assert own(SERVERS) == OwnActor(tool="get_me", sources=("github",))
    assert own("github: {url: 'https://api.githubcopilot.com/mcp/'}\n") == own(SERVERS)
    assert own("github: {command: [./x, github-mcp-server]}\n") == own(SERVERS)


def test_r4_other_servers_are_asked_where_the_file_says_how():
    url = "github: {url: 'https://api.example.com/mcp', own_actor: "
    how = "{tool: who, id: user.key, login: null, sources: [github]}"

    assert own("github: {url: 'https://api.githubcopilot.com.evil.example/mcp/'}\n") is None
    assert own(url + how + "}\n") == OwnActor(
        tool="who", id="user.key", login=None, sources=("github",)
    )


def test_r4_a_known_server_may_be_left_alone():
    assert own(SERVERS + "  own_actor: false\n") is None


def test_r4_a_server_of_githubs_writes_under_its_name_at_every_source_that_is_github():
    found = configuration(
        sources_yaml=OTHER + "forge:\n  scheme: github\n  secrets: [env:HOOK]\n",
        servers_yaml=SERVERS.replace("github:", "hands:", 1),
        playbooks__triage_md=None,
        rules__triage_yaml=None,
    )

    assert found.servers["hands"].own_actor.sources == ("forge", "github")


def test_r4_a_source_that_nobody_knows_is_a_mistake():
    (found,) = mistakes(servers_yaml=SERVERS + "  own_actor: {tool: x, sources: [githup]}\n")

    assert "unknown source 'githup'; did you mean 'github'?" in found


def test_r4_an_own_actor_without_any_name_is_a_mistake():
    (found,) = mistakes(servers_yaml=SERVERS + "  own_actor: {tool: x, id: null, login: null}\n")

    assert "expected where `id` or `login` stands, got neither" in found
