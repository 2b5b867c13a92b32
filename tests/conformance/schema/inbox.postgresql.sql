decisions | number | bigint | NO | nextval('decisions_number_seq'::regclass)
decisions | id | text | C | NO
decisions | event_id | text | C | NO
decisions | cause | text | NO
decisions | rule | text | NO
decisions | action | text | NO
decisions | reason | text | NO
decisions | note | text | YES
decisions | trace | text | NO
decisions | playbook | text | YES
decisions | with | text | NO
decisions | key | text | YES
decisions | stage | text | YES
decisions | workflow_id | text | YES
decisions | lane | text | C | YES
decisions | lane_number | bigint | YES
decisions | wait_id | text | YES
decisions | configuration | text | NO
decisions | state | text | NO
decisions | attempts | integer | NO
decisions | decided_at | bigint | NO
decisions | delivered_at | bigint | YES
decisions | due_at | bigint | NO
decisions | fence | bigint | NO
decisions | leased_until | bigint | YES
decisions | again | bigint | YES
decisions | flow | text | YES
decisions | tallies | text | YES
entries | position | bigint | NO | nextval('entries_position_seq'::regclass)
entries | id | text | C | NO
entries | source | text | C | NO
entries | delivery_id | text | C | YES
entries | seen_id | text | C | YES
entries | body_hash | bytea | NO
entries | seen_hash | bytea | YES
entries | type | text | NO
entries | subject | text | YES
entries | actor | text | YES
entries | keys | text | NO
entries | headers | text | NO
entries | body | bytea | NO
entries | received_at | bigint | NO
entries | state | text | NO
entries | duplicates | integer | NO
entries | duplicate_of | text | C | YES
entry_keys | key | text | C | NO
entry_keys | position | bigint | NO
inbox_pulse | id | integer | NO
inbox_pulse | at | bigint | NO
lanes | lane | text | C | NO
lanes | last | bigint | NO
migrations | name | text | NO
migrations | at | timestamp without time zone | NO | CURRENT_TIMESTAMP
pauses | what | text | NO
pauses | name | text | C | NO
pauses | paused | boolean | NO
pauses | by | text | NO
pauses | at | bigint | NO
pauses | position | bigint | NO
refusals | number | bigint | NO | nextval('refusals_number_seq'::regclass)
refusals | at | bigint | NO
refusals | source | text | NO
refusals | reason | text | NO
refusals | detail | text | NO
refusals | headers | text | NO
subscriptions | mark | text | C | NO
subscriptions | source | text | C | NO
subscriptions | server | text | NO
subscriptions | address | text | YES
subscriptions | event | text | NO
subscriptions | arguments | text | NO
subscriptions | url | text | NO
subscriptions | secret | text | NO
subscriptions | wanted | boolean | NO
subscriptions | id | text | YES
subscriptions | cursor | text | YES
subscriptions | refreshed_at | bigint | YES
subscriptions | active_until | bigint | YES
subscriptions | due_at | bigint | NO
subscriptions | troubles | integer | NO
subscriptions | reason | text | YES
subscriptions | error | text | YES
subscriptions | gaps | integer | NO
subscriptions | gap_at | bigint | YES
subscriptions | fence | bigint | NO
subscriptions | leased_until | bigint | YES
tallies | bucket | text | C | NO
tallies | at | bigint | NO
tallies | event_id | text | C | NO
tallies | until | bigint | NO
decisions | FOREIGN KEY (event_id) REFERENCES entries(id)
decisions | PRIMARY KEY (number)
decisions | UNIQUE (id)
entries | PRIMARY KEY ("position")
entries | UNIQUE (id)
entry_keys | FOREIGN KEY ("position") REFERENCES entries("position")
entry_keys | PRIMARY KEY (key, "position")
inbox_pulse | PRIMARY KEY (id)
lanes | PRIMARY KEY (lane)
migrations | PRIMARY KEY (name)
pauses | PRIMARY KEY (what, name)
refusals | PRIMARY KEY (number)
subscriptions | PRIMARY KEY (mark)
tallies | PRIMARY KEY (bucket, at, event_id)
CREATE INDEX decisions_dead ON public.decisions USING btree (number) WHERE (state = 'dead'::text)
CREATE INDEX decisions_delivered ON public.decisions USING btree (lane, delivered_at) WHERE (state = 'delivered'::text)
CREATE INDEX decisions_held_back ON public.decisions USING btree (cause, number) WHERE (state = 'ready'::text)
CREATE UNIQUE INDEX decisions_id_key ON public.decisions USING btree (id)
CREATE INDEX decisions_lane ON public.decisions USING btree (lane, lane_number) WHERE (state = 'ready'::text)
CREATE UNIQUE INDEX decisions_pkey ON public.decisions USING btree (number)
CREATE INDEX decisions_ready ON public.decisions USING btree (number) WHERE (state = 'ready'::text)
CREATE UNIQUE INDEX entries_id_key ON public.entries USING btree (id)
CREATE UNIQUE INDEX entries_pkey ON public.entries USING btree ("position")
CREATE INDEX entries_prunable ON public.entries USING btree (source, received_at, "position") WHERE (state = ANY (ARRAY['decided'::text, 'quarantined'::text]))
CREATE UNIQUE INDEX entries_quarantined ON public.entries USING btree (delivery_id, source, body_hash) WHERE (state = 'quarantined'::text)
CREATE INDEX entries_received ON public.entries USING btree ("position") WHERE (state = 'received'::text)
CREATE UNIQUE INDEX entries_seen_hash ON public.entries USING btree (seen_hash, source)
CREATE UNIQUE INDEX entries_seen_id ON public.entries USING btree (seen_id, source)
CREATE INDEX entries_tombstones ON public.entries USING btree (received_at) WHERE (state = 'pruned'::text)
CREATE UNIQUE INDEX entry_keys_pkey ON public.entry_keys USING btree (key, "position")
CREATE INDEX entry_keys_position ON public.entry_keys USING btree ("position")
CREATE UNIQUE INDEX inbox_pulse_pkey ON public.inbox_pulse USING btree (id)
CREATE INDEX ix_decisions_event_id ON public.decisions USING btree (event_id)
CREATE UNIQUE INDEX lanes_pkey ON public.lanes USING btree (lane)
CREATE UNIQUE INDEX migrations_pkey ON public.migrations USING btree (name)
CREATE UNIQUE INDEX pauses_pkey ON public.pauses USING btree (what, name)
CREATE UNIQUE INDEX refusals_pkey ON public.refusals USING btree (number)
CREATE UNIQUE INDEX subscriptions_pkey ON public.subscriptions USING btree (mark)
CREATE UNIQUE INDEX tallies_pkey ON public.tallies USING btree (bucket, at, event_id)
CREATE INDEX tallies_until ON public.tallies USING btree (until)
