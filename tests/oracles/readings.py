"""What the hand-made deliveries of tests/deliveries say: (sender, file, headers), then id, type, subject, actor, keys.

An actor is (id, login, whether the sender calls it a bot).
"""

from typing import Final

READ: Final = [
    (
        ("gitlab", "issue.open.json", {"idempotency_key": "k1", "x_gitlab_event": "Issue Hook"}),
        ("k1", "issue.open", "acme/api#23", ("1", "ann", False), ("issue:acme/api#23",)),
    ),
    (
        ("gitlab", "note.merge_request.json", {"x_gitlab_event_uuid": "u1"}),
        ("u1", "note.create", "acme/api!1", ("1", "ann", False), ("merge_request:acme/api!1",)),
    ),
    (
        ("gitlab", "pipeline.success.json", {}),
        (
            None,
            "pipeline.success",
            "acme/api!1",
            ("1", "root", False),
            ("pipeline:31", "merge_request:acme/api!1"),
        ),
    ),
    (
        ("gitlab", "push.json", {}),
        (None, "push", "mike/diaspora", ("4", "jsmith", False), ()),
    ),
    (
        ("gitea", "issues.opened.json", {"x_gitea_event": "issues", "x_gitea_delivery": "d"}),
        ("d", "issues.opened", "acme/api#3", ("1", "ann", False), ("issue:acme/api#3",)),
    ),
    (
        (
            "bitbucket",
            "pullrequest.created.json",
            {"x_event_key": "pullrequest:created", "x_request_uuid": "r"},
        ),
        (
            "r",
            "pullrequest:created",
            "acme/api#12",
            ("5b10", "ann", False),
            ("pull_request:acme/api#12",),
        ),
    ),
    (
        ("stripe", "checkout.session.completed.json", {}),
        (
            "evt_1NG8Du2eZvKYlo2CUI79vXWy",
            "checkout.session.completed",
            "cs_test_a1",
            None,
            (
                "checkout:cs_test_a1",
                "payment_link:plink_1",
                "payment_intent:pi_1",
                "customer:cus_1",
                "reference:run-7",
            ),
        ),
    ),
    (
        ("stripe", "v2.core.event.json", {}),
        (
            "evt_test_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0",
            "v1.billing.meter.error_report_triggered",
            "mtr_test_1",
            None,
            ("object:mtr_test_1",),
        ),
    ),
    (
        ("slack", "event.message.json", {}),
        (
            "Ev08MFMKH6",
            "message",
            "C024BE91L:1355517523.000005",
            ("U2147483697", None, False),
            ("thread:C024BE91L:1355517500.000001", "message:C024BE91L:1355517523.000005"),
        ),
    ),
    (
        ("slack", "block_actions.form", {}),
        (
            "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
            "interaction.block_actions",
            "CBR2V3XEX:1548261231.000200",
            ("UA8RXUSPL", "jtorrance", False),
            ("thread:CBR2V3XEX:1548261200.000100", "message:CBR2V3XEX:1548261231.000200"),
        ),
    ),
    (
        ("slack", "command.form", {}),
        (
            "13345224609.738474920.8088930838d88f008e0",
            "command/weather",
            "C2147483705",
            ("U2147483697", "Steve", False),
            (),
        ),
    ),
    (
        (
            "shopify",
            "orders.create.json",
            {"x_shopify_topic": "orders/create", "x_shopify_webhook_id": "w"},
        ),
        (
            "w",
            "orders/create",
            "gid://shopify/Order/820982911946154508",
            None,
            ("order:820982911946154508", "customer:115310627314723954"),
        ),
    ),
    (
        ("shopify", "refunds.create.json", {"shopify_topic": "refunds/create"}),
        (
            None,
            "refunds/create",
            "gid://shopify/Refund/890088186047892319",
            None,
            ("order:820982911946154508", "refund:890088186047892319"),
        ),
    ),
    (
        ("twilio", "message.delivered.form", {"i_twilio_idempotency_token": "t"}),
        ("t", "message.delivered", "SM1", ("+15017122661", None, False), ("message:SM1",)),
    ),
    (
        ("pagerduty", "incident.triggered.json", {}),
        (
            "01BWDWL3NYY7LUFPZCC28QUCMK",
            "incident.triggered",
            "PGR0VU2",
            ("PLH1HKV", "Tenex Engineer", False),
            ("incident:PGR0VU2", "service:PF9KMXH"),
        ),
    ),
    (
        ("pagerduty", "incident.annotated.json", {}),
        (
            "01DEN7LPZJ9Y4L1BQ5XVUPXO4B",
            "incident.annotated",
            "PGR0VU2",
            ("P1", "Ann", False),
            ("incident:PGR0VU2",),
        ),
    ),
    (
        ("linear", "Issue.create.json", {"linear_delivery": "l"}),
        (
            "l",
            "Issue.create",
            "ENG-7",
            ("b5ea5f1f", "Ann", False),
            ("issue:ENG-7", "project:p1"),
        ),
    ),
    (
        ("linear", "Comment.create.json", {"linear_delivery": "l"}),
        ("l", "Comment.create", "ENG-7", ("i1", "our agent", True), ("issue:ENG-7",)),
    ),
    (
        ("jira", "issue_created.json", {"x_atlassian_webhook_identifier": "a"}),
        (
            "a",
            "jira:issue_created",
            "ED-1",
            ("99:27935d01", "Ann", False),
            ("issue:ED-1", "project:ED"),
        ),
    ),
    (
        ("sentry", "issue.created.json", {"sentry_hook_resource": "issue", "request_id": "s"}),
        (
            "s",
            "issue.created",
            "API-1",
            ("sentry", "Sentry", True),
            ("issue:1170820242", "installation:a8e5d37a"),
        ),
    ),
    (
        ("sentry", "event_alert.triggered.json", {"sentry_hook_resource": "event_alert"}),
        (
            None,
            "event_alert.triggered",
            "1117540176",
            ("sentry", "Sentry", True),
            ("issue:1117540176", "installation:a8e5d37a"),
        ),
    ),
    (
        ("discord", "command.json", {}),
        (
            "786008729715212338",
            "interaction.command",
            "cardsearch",
            ("53908232506183680", "mason", False),
            ("interaction:786008729715212338", "channel:645027906669510667"),
        ),
    ),
    (
        ("discord", "application_authorized.json", {}),
        (None, "APPLICATION_AUTHORIZED", "1234556", ("1234556", "testuser", False), ()),
    ),
    (
        ("zoom", "meeting.ended.json", {}),
        (
            "meeting.ended:1795262400000:4444AAAiAAAAAiAiAiiAii==",
            "meeting.ended",
            "1234567890",
            ("z8yCxjabcdEFGHfp8uQ", "ann@example.com", False),
            ("meeting:1234567890",),
        ),
    ),
    (
        ("square", "payment.updated.json", {}),
        (
            "6a8f5f28-54a1-4eb0-a98a-3111513fd4fc",
            "payment.updated",
            "hYy9pRFVxpDsO1FB05SunFWUe9JZY",
            ("6SSW7HV8K2ST5", None, False),
            ("payment:hYy9pRFVxpDsO1FB05SunFWUe9JZY", "order:nUSN9TdxpiK3SrQg3wzmf6r8LP9YY"),
        ),
    ),
    (
        ("intercom", "conversation.user.created.json", {}),
        (
            "notif_9a1b26b0-97f9-11ef-9a9b-c9ab9ac5b2b0",
            "conversation.user.created",
            "208605899972",
            ("6762f2971b81bb69f9f33454", None, False),
            ("conversation:208605899972",),
        ),
    ),
    (
        ("typeform", "form_response.json", {}),
        (
            "LtWXD3crgy",
            "form_response",
            "lT4Z3j",
            None,
            ("form:lT4Z3j", "response:a3a12ec67a1365927098a606107fac15", "run:7"),
        ),
    ),
    (
        ("anthropic", "session.idled.json", {"webhook_id": "m"}),
        ("whevt_01", "session.idled", "sesn_011CZ", None, ("session:sesn_011CZ",)),
    ),
    (
        ("openai", "response.completed.json", {"webhook_id": "m"}),
        (
            "m",
            "response.completed",
            "resp_685342e6153c8190a1872f86e5c4d6d2",
            None,
            ("response:resp_685342e6153c8190a1872f86e5c4d6d2",),
        ),
    ),
    (
        ("svix", "invoice.paid.json", {"svix_id": "m", "webhook_id": "other"}),
        ("m", "invoice.paid", "i1", None, ()),
    ),
    (
        ("sns", "notification.json", {}),
        (
            "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "notification",
            "My First Message",
            None,
            ("topic:arn:aws:sns:us-west-2:123456789012:MyTopic",),
        ),
    ),
]
