CREATE TABLE decisions ( number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, event_id TEXT NOT NULL, cause TEXT NOT NULL, rule TEXT NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL, note TEXT, trace TEXT NOT NULL, playbook TEXT, with TEXT NOT NULL, "key" TEXT, stage TEXT, workflow_id TEXT, lane TEXT, lane_number BIGINT, wait_id TEXT, configuration TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, decided_at BIGINT NOT NULL, delivered_at BIGINT, due_at BIGINT NOT NULL, fence BIGINT NOT NULL, leased_until BIGINT, again BIGINT, flow TEXT, tallies TEXT, UNIQUE (id), FOREIGN KEY(event_id) REFERENCES entries (id) )
CREATE TABLE entries ( position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, source TEXT NOT NULL, delivery_id TEXT, seen_id TEXT, body_hash BLOB NOT NULL, seen_hash BLOB, type TEXT NOT NULL, subject TEXT, actor TEXT, keys TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, received_at BIGINT NOT NULL, state TEXT NOT NULL, duplicates INTEGER NOT NULL, duplicate_of TEXT, UNIQUE (id) )
CREATE TABLE entry_keys ( "key" TEXT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY ("key", position), FOREIGN KEY(position) REFERENCES entries (position) ) WITHOUT ROWID
CREATE TABLE inbox_pulse ( id INTEGER NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (id) )
CREATE TABLE lanes ( lane TEXT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (lane) )
CREATE TABLE migrations (name TEXT PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)
CREATE TABLE pauses ( what TEXT NOT NULL, name TEXT NOT NULL, paused BOOLEAN NOT NULL, "by" TEXT NOT NULL, at BIGINT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (what, name) )
CREATE TABLE refusals ( number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, headers TEXT NOT NULL )
CREATE TABLE sqlite_sequence(name,seq)
CREATE TABLE subscriptions ( mark TEXT NOT NULL, source TEXT NOT NULL, server TEXT NOT NULL, address TEXT, event TEXT NOT NULL, arguments TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, wanted BOOLEAN NOT NULL, id TEXT, cursor TEXT, refreshed_at BIGINT, active_until BIGINT, due_at BIGINT NOT NULL, troubles INTEGER NOT NULL, reason TEXT, error TEXT, gaps INTEGER NOT NULL, gap_at BIGINT, fence BIGINT NOT NULL, leased_until BIGINT, PRIMARY KEY (mark) )
CREATE TABLE tallies ( bucket TEXT NOT NULL, at BIGINT NOT NULL, event_id TEXT NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (bucket, at, event_id) ) WITHOUT ROWID
CREATE INDEX decisions_dead ON decisions (number) WHERE state = 'dead'
CREATE INDEX decisions_delivered ON decisions (lane, delivered_at) WHERE state = 'delivered'
CREATE INDEX decisions_held_back ON decisions (cause, number) WHERE state = 'ready'
CREATE INDEX decisions_lane ON decisions (lane, lane_number) WHERE state = 'ready'
CREATE INDEX decisions_ready ON decisions (number) WHERE state = 'ready'
CREATE INDEX entries_prunable ON entries (source, received_at, position) WHERE state IN ('decided', 'quarantined')
CREATE UNIQUE INDEX entries_quarantined ON entries (delivery_id, source, body_hash) WHERE state = 'quarantined'
CREATE INDEX entries_received ON entries (position) WHERE state = 'received'
CREATE UNIQUE INDEX entries_seen_hash ON entries (seen_hash, source)
CREATE UNIQUE INDEX entries_seen_id ON entries (seen_id, source)
CREATE INDEX entries_tombstones ON entries (received_at) WHERE state = 'pruned'
CREATE INDEX entry_keys_position ON entry_keys (position)
CREATE INDEX ix_decisions_event_id ON decisions (event_id)
CREATE INDEX tallies_until ON tallies (until)
