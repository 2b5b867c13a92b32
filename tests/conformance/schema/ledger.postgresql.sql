accounts | scope | character varying | NO
accounts | rule | character varying | NO
accounts | actor | character varying | NO
accounts | day | character varying | NO
accounts | zone | character varying | NO
accounts | usd_reserved | bigint | NO
accounts | usd_settled | bigint | NO
accounts | usd_assumed | bigint | NO
accounts | tokens_reserved | bigint | NO
accounts | tokens_settled | bigint | NO
accounts | tokens_assumed | bigint | NO
admitted | decision_id | character varying | NO
admitted | rule | character varying | NO
admitted | workflow_id | character varying | NO
admitted | event_id | character varying | NO
admitted | at | double precision | NO
approval_words | decision_id | character varying | NO
approval_words | approval_id | character varying | NO
approval_words | event_id | character varying | NO
approval_words | word | character varying | NO
approval_words | person | character varying | NO
approval_words | at | double precision | NO
approval_words | became | character varying | YES
approvals | approval_id | character varying | NO
approvals | code | character varying | NO
approvals | run_id | character varying | NO
approvals | workflow_id | character varying | NO
approvals | call_id | character varying | NO
approvals | number | integer | NO
approvals | tool | character varying | NO
approvals | digest | character varying | NO
approvals | by | text | NO
approvals | on_timeout | character varying | NO
approvals | standing | character varying | NO
approvals | asked_at | double precision | NO
approvals | expires_at | double precision | NO
approvals | settled_at | double precision | YES
approvals | event_id | character varying | YES
approvals | person | character varying | YES
approvals | why | text | YES
approvals | before | text | YES
artifacts | digest | character varying | NO
artifacts | media_type | character varying | NO
artifacts | size | integer | NO
artifacts | body | bytea | NO
artifacts | at | double precision | NO
attempts | run_id | character varying | NO
attempts | turn | integer | NO
attempts | attempt | integer | NO
attempts | state | character varying | NO
attempts | usd | character varying | YES
attempts | input_tokens | integer | NO
attempts | output_tokens | integer | NO
attempts | cached_tokens | integer | NO
attempts | at | double precision | NO
audit | number | integer | NO
audit | at | double precision | NO
audit | server | character varying | NO
audit | line | text | NO
audit | digest | character varying | NO
calls | run_id | character varying | NO
calls | call_id | character varying | NO
calls | turn | integer | NO
calls | position | integer | NO
calls | alias | character varying | NO
calls | server | character varying | NO
calls | tool | character varying | NO
calls | effect | character varying | NO
calls | arguments | text | NO
calls | state | character varying | NO
calls | attempt | integer | NO
calls | sent_at | double precision | YES
calls | deadline_at | double precision | YES
calls | content | text | YES
calls | is_error | boolean | NO
calls | artifact | character varying | YES
calls | size | integer | NO
calls | at | double precision | NO
calls | done_at | double precision | YES
causes | event_id | character varying | NO
causes | hops | integer | NO
causes | chain | text | NO
causes | at | double precision | NO
claims | decision_id | character varying | NO
claims | token | character varying | NO
claims | how | character varying | NO
claims | workflow_id | character varying | NO
claims | run_id | character varying | YES
claims | at | double precision | NO
clearings | run_id | character varying | NO
clearings | turn | integer | NO
clearings | through | integer | NO
clearings | at | double precision | NO
configurations | at | double precision | NO
configurations | digest | character varying | NO
conversation_events | run_id | character varying | NO
conversation_events | event_id | character varying | NO
conversation_events | position | bigint | NO
conversation_events | how | character varying | NO
conversation_events | at | double precision | NO
conversations | run_id | character varying | NO
conversations | workflow_id | character varying | NO
conversations | number | integer | NO
conversations | decision_id | character varying | NO
conversations | event_id | character varying | NO
conversations | position | bigint | NO
conversations | rule | character varying | NO
conversations | playbook | character varying | NO
conversations | key | character varying | NO
conversations | source | character varying | NO
conversations | stage | character varying | NO
conversations | state | character varying | NO
conversations | reason | text | NO
conversations | outcome | character varying | YES
conversations | frozen | character varying | YES
conversations | model | character varying | YES
conversations | scripted | boolean | NO
conversations | configuration | character varying | NO
conversations | opened_at | double precision | NO
conversations | ended_at | double precision | YES
conversations | pruned_at | double precision | YES
garbage | digest | character varying | NO
garbage | since | double precision | NO
handles | run_id | character varying | NO
handles | call_id | character varying | NO
handles | server | character varying | NO
handles | task_id | character varying | NO
handles | document | text | NO
handles | opened_at | double precision | NO
handles | ttl | double precision | YES
handles | poll | double precision | NO
handles | looks | integer | NO
handles | look_at | double precision | NO
handles | status | character varying | NO
handles | said | text | NO
handles | artifact | character varying | YES
handles | ended_at | double precision | YES
input_rounds | run_id | character varying | NO
input_rounds | call_id | character varying | NO
input_rounds | round | integer | NO
input_rounds | state | text | YES
input_rounds | attempt | integer | NO
input_rounds | at | double precision | NO
inputs | run_id | character varying | NO
inputs | call_id | character varying | NO
inputs | round | integer | NO
inputs | key | character varying | NO
inputs | question_id | character varying | NO
inputs | request | text | NO
inputs | refused | text | YES
inputs | answer | text | YES
inputs | at | double precision | NO
inputs | told_at | double precision | YES
inputs | closed_at | double precision | YES
installation | name | character varying | NO
installation | value | text | NO
installation | at | double precision | NO
losses | run_id | character varying | NO
losses | words | text | NO
losses | again | boolean | NO
losses | at | double precision | NO
losses | told_at | double precision | YES
migrations | name | text | NO
migrations | at | timestamp without time zone | NO | CURRENT_TIMESTAMP
model_pauses | credential | character varying | NO
model_pauses | until | double precision | NO
model_pauses | probing_until | double precision | NO
model_pauses | answered_at | double precision | NO
notes | run_id | character varying | NO
notes | turn | integer | NO
notes | ordinal | integer | NO
notes | text | text | NO
notes | event_id | character varying | YES
notices | identity | character varying | NO
notices | run_id | character varying | NO
notices | about | character varying | NO
notices | type | character varying | NO
notices | event_id | character varying | NO
notices | at | double precision | NO
notices | became | text | YES
notices | failed | boolean | YES
notices | settled_at | double precision | YES
outages | run_id | character varying | NO
outages | credential | character varying | NO
outages | words | text | NO
outages | state | character varying | NO
outages | number | integer | NO
outages | since | double precision | NO
outages | at | double precision | NO
outages | released | integer | NO
outages | released_at | double precision | YES
own_actors | source | character varying | NO
own_actors | server | character varying | NO
own_actors | names | text | NO
own_actors | at | double precision | NO
payers | run_id | character varying | NO
payers | rule | character varying | NO
payers | actor | character varying | NO
payers | named | character varying | NO
payers | caps | text | NO
quarantines | server | character varying | NO
quarantines | tool | character varying | NO
quarantines | seen | character varying | NO
quarantines | words | text | NO
quarantines | run_id | character varying | NO
quarantines | at | double precision | NO
reservations | run_id | character varying | NO
reservations | turn | integer | NO
reservations | attempt | integer | NO
reservations | scope | character varying | NO
reservations | rule | character varying | NO
reservations | actor | character varying | NO
reservations | day | character varying | NO
reservations | zone | character varying | NO
reservations | state | character varying | NO
reservations | usd | bigint | YES
reservations | tokens | bigint | NO
reservations | at | double precision | NO
shortfalls | run_id | character varying | NO
shortfalls | turn | integer | NO
shortfalls | words | text | NO
shortfalls | day | character varying | NO
shortfalls | model | character varying | NO
shortfalls | input_tokens | integer | NO
shortfalls | kept_long | integer | NO
shortfalls | output_tokens | integer | NO
shortfalls | state | character varying | NO
shortfalls | number | integer | NO
shortfalls | since | double precision | NO
shortfalls | at | double precision | NO
shortfalls | released | integer | NO
shortfalls | released_at | double precision | YES
slots | rule | character varying | NO
slots | n | integer | NO
slots | workflow_id | character varying | NO
slots | at | double precision | NO
standings | server | character varying | NO
standings | worker | character varying | NO
standings | state | character varying | NO
standings | failures | integer | NO
standings | error | text | YES
standings | until | double precision | NO
standings | at | double precision | NO
standstills | run_id | character varying | NO
standstills | act | character varying | NO
standstills | state | character varying | NO
standstills | number | integer | NO
standstills | since | double precision | NO
standstills | released | integer | NO
standstills | released_at | double precision | YES
subject_writes | run_id | character varying | NO
subject_writes | call_id | character varying | NO
subject_writes | subject | character varying | NO
subject_writes | at | double precision | NO
turns | run_id | character varying | NO
turns | turn | integer | NO
turns | content | text | NO
turns | stop | character varying | NO
turns | request_id | character varying | YES
turns | at | double precision | NO
turns | details | text | YES
waits | wait_id | character varying | NO
waits | run_id | character varying | NO
waits | workflow_id | character varying | NO
waits | call_id | character varying | NO
waits | patterns | text | NO
waits | key | character varying | NO
waits | since | bigint | NO
waits | opened_at | double precision | NO
waits | deadline_at | double precision | NO
waits | state | character varying | NO
waits | event_id | character varying | YES
waits | looked | boolean | NO
waits | cel | text | YES
waits | ended_at | double precision | YES
accounts | PRIMARY KEY (scope, rule, actor, day, zone)
admitted | PRIMARY KEY (decision_id)
approval_words | PRIMARY KEY (decision_id)
approvals | PRIMARY KEY (approval_id)
approvals | UNIQUE (code)
artifacts | PRIMARY KEY (digest)
attempts | PRIMARY KEY (run_id, turn, attempt)
audit | PRIMARY KEY (number)
calls | PRIMARY KEY (run_id, call_id)
causes | PRIMARY KEY (event_id)
claims | PRIMARY KEY (decision_id)
clearings | PRIMARY KEY (run_id, turn)
configurations | PRIMARY KEY (at, digest)
conversation_events | PRIMARY KEY (run_id, event_id)
conversations | PRIMARY KEY (run_id)
conversations | UNIQUE (decision_id)
garbage | PRIMARY KEY (digest)
handles | PRIMARY KEY (run_id, call_id)
input_rounds | PRIMARY KEY (run_id, call_id, round)
inputs | PRIMARY KEY (run_id, call_id, round, key)
installation | PRIMARY KEY (name)
losses | PRIMARY KEY (run_id)
migrations | PRIMARY KEY (name)
model_pauses | PRIMARY KEY (credential)
notes | PRIMARY KEY (run_id, turn, ordinal)
notices | PRIMARY KEY (identity)
outages | PRIMARY KEY (run_id)
own_actors | PRIMARY KEY (source, server)
payers | PRIMARY KEY (run_id)
quarantines | PRIMARY KEY (server, tool, seen)
reservations | PRIMARY KEY (run_id, turn, attempt, scope)
shortfalls | PRIMARY KEY (run_id)
slots | PRIMARY KEY (rule, n)
slots | UNIQUE (workflow_id)
standings | PRIMARY KEY (server, worker)
standstills | PRIMARY KEY (run_id, act)
subject_writes | PRIMARY KEY (run_id, call_id)
turns | PRIMARY KEY (run_id, turn)
waits | PRIMARY KEY (wait_id)
CREATE UNIQUE INDEX accounts_pkey ON public.accounts USING btree (scope, rule, actor, day, zone)
CREATE INDEX admitted_by_workflow ON public.admitted USING btree (workflow_id)
CREATE UNIQUE INDEX admitted_pkey ON public.admitted USING btree (decision_id)
CREATE INDEX approval_words_by_approval ON public.approval_words USING btree (approval_id, at)
CREATE UNIQUE INDEX approval_words_pkey ON public.approval_words USING btree (decision_id)
CREATE UNIQUE INDEX approvals_by_call ON public.approvals USING btree (run_id, call_id, number)
CREATE INDEX approvals_by_standing ON public.approvals USING btree (standing, asked_at)
CREATE UNIQUE INDEX approvals_code_key ON public.approvals USING btree (code)
CREATE UNIQUE INDEX approvals_pkey ON public.approvals USING btree (approval_id)
CREATE UNIQUE INDEX artifacts_pkey ON public.artifacts USING btree (digest)
CREATE UNIQUE INDEX attempts_pkey ON public.attempts USING btree (run_id, turn, attempt)
CREATE INDEX audit_by_time ON public.audit USING btree (at)
CREATE UNIQUE INDEX audit_pkey ON public.audit USING btree (number)
CREATE INDEX calls_in_order ON public.calls USING btree (run_id, turn, "position")
CREATE UNIQUE INDEX calls_pkey ON public.calls USING btree (run_id, call_id)
CREATE UNIQUE INDEX causes_pkey ON public.causes USING btree (event_id)
CREATE UNIQUE INDEX claims_pkey ON public.claims USING btree (decision_id)
CREATE UNIQUE INDEX clearings_pkey ON public.clearings USING btree (run_id, turn)
CREATE UNIQUE INDEX configurations_pkey ON public.configurations USING btree (at, digest)
CREATE UNIQUE INDEX conversation_events_pkey ON public.conversation_events USING btree (run_id, event_id)
CREATE INDEX conversations_by_time ON public.conversations USING btree (opened_at)
CREATE UNIQUE INDEX conversations_by_workflow ON public.conversations USING btree (workflow_id, number)
CREATE UNIQUE INDEX conversations_decision_id_key ON public.conversations USING btree (decision_id)
CREATE UNIQUE INDEX conversations_pkey ON public.conversations USING btree (run_id)
CREATE UNIQUE INDEX garbage_pkey ON public.garbage USING btree (digest)
CREATE UNIQUE INDEX handles_pkey ON public.handles USING btree (run_id, call_id)
CREATE UNIQUE INDEX input_rounds_pkey ON public.input_rounds USING btree (run_id, call_id, round)
CREATE INDEX inputs_by_question ON public.inputs USING btree (run_id, question_id)
CREATE UNIQUE INDEX inputs_pkey ON public.inputs USING btree (run_id, call_id, round, key)
CREATE UNIQUE INDEX installation_pkey ON public.installation USING btree (name)
CREATE INDEX losses_by_telling ON public.losses USING btree (again, told_at)
CREATE UNIQUE INDEX losses_pkey ON public.losses USING btree (run_id)
CREATE UNIQUE INDEX migrations_pkey ON public.migrations USING btree (name)
CREATE UNIQUE INDEX model_pauses_pkey ON public.model_pauses USING btree (credential)
CREATE UNIQUE INDEX notes_pkey ON public.notes USING btree (run_id, turn, ordinal)
CREATE INDEX notices_by_run ON public.notices USING btree (run_id, at)
CREATE INDEX notices_by_settling ON public.notices USING btree (settled_at, at)
CREATE UNIQUE INDEX notices_pkey ON public.notices USING btree (identity)
CREATE INDEX outages_by_state ON public.outages USING btree (state, since)
CREATE UNIQUE INDEX outages_pkey ON public.outages USING btree (run_id)
CREATE UNIQUE INDEX own_actors_pkey ON public.own_actors USING btree (source, server)
CREATE UNIQUE INDEX payers_pkey ON public.payers USING btree (run_id)
CREATE UNIQUE INDEX quarantines_pkey ON public.quarantines USING btree (server, tool, seen)
CREATE INDEX reservations_by_account ON public.reservations USING btree (scope, rule, actor, at)
CREATE INDEX reservations_by_state ON public.reservations USING btree (state, at)
CREATE UNIQUE INDEX reservations_pkey ON public.reservations USING btree (run_id, turn, attempt, scope)
CREATE INDEX shortfalls_by_state ON public.shortfalls USING btree (state, since)
CREATE UNIQUE INDEX shortfalls_pkey ON public.shortfalls USING btree (run_id)
CREATE UNIQUE INDEX slots_pkey ON public.slots USING btree (rule, n)
CREATE UNIQUE INDEX slots_workflow_id_key ON public.slots USING btree (workflow_id)
CREATE UNIQUE INDEX standings_pkey ON public.standings USING btree (server, worker)
CREATE INDEX standstills_by_state ON public.standstills USING btree (state, since)
CREATE UNIQUE INDEX standstills_pkey ON public.standstills USING btree (run_id, act)
CREATE INDEX subject_writes_by_subject ON public.subject_writes USING btree (subject, at)
CREATE UNIQUE INDEX subject_writes_pkey ON public.subject_writes USING btree (run_id, call_id)
CREATE UNIQUE INDEX turns_pkey ON public.turns USING btree (run_id, turn)
CREATE INDEX waits_by_key ON public.waits USING btree (key, state)
CREATE INDEX waits_by_look ON public.waits USING btree (looked, state)
CREATE UNIQUE INDEX waits_pkey ON public.waits USING btree (wait_id)
