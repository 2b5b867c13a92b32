"""The vectors that vendors and specifications publish: (scheme, body, secret, headers, Unix seconds)."""

import json
from pathlib import Path
from typing import Final

SLASH: Final = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
    "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
PAGERDUTY = json.dumps(
    json.loads(Path(__file__).with_name("pagerduty.json").read_text(encoding="utf-8")),
    separators=(",", ":"),
)
DOCUMENTED: Final = [
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    (
        "github",
        "Hello, World!",
        "It's a Secret to Everybody",
        {
            "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        0,
    ),
    # https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ and Jira's page say the same.
    *(
        (
            name,
            "Hello World!",
            "It's a Secret to Everybody",
            {
                "x-hub-signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
            },
            0,
        )
        for name in ("bitbucket", "jira")
    ),
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    (
        "slack",
        SLASH,
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        1531420618,
    ),
    # https://github.com/PagerDuty/go-pagerduty, webhookv3/webhookv3_test.go
    (
        "pagerduty",
        PAGERDUTY,
        "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
        {
            "x-pagerduty-signature": "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"
        },
        0,
    ),
    # https://docs.svix.com/receiving/verifying-payloads/how
    (
        "svix",
        '{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "svix-timestamp": "1614265330",
            "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        1614265330,
    ),
    # https://docs.gitlab.com/user/project/integrations/webhooks/: the token comes as it is.
    ("gitlab", "{}", "a secret token", {"x-gitlab-token": "a secret token"}, 0),
    # RFC 7617, section 2, and RFC 6750, section 2.1
    (
        "basic",
        "{}",
        "Aladdin:open sesame",
        {"authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        0,
    ),
    ("bearer", "{}", "mF_9.B5f-4.1JqM", {"authorization": "Bearer mF_9.B5f-4.1JqM"}, 0),
]
