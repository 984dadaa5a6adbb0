-- Agents: what is wanted (spec) and what systemd cannot tell after a restart of ours (condition).
CREATE TABLE agents (
    name           TEXT PRIMARY KEY,
    spec           TEXT NOT NULL,               -- JSON, opmas.core.agent.condition.dump_spec
    condition      TEXT NOT NULL,               -- JSON, opmas.core.agent.condition.dump_condition
    config_version INTEGER NOT NULL,
    revision       INTEGER NOT NULL,            -- counts changes of the spec: If-Match, ETag
    created_at     TEXT NOT NULL,               -- RFC 3339, UTC
    updated_at     TEXT NOT NULL
) STRICT;

-- Every configuration that an agent ever had.
CREATE TABLE configs (
    agent   TEXT NOT NULL,
    version INTEGER NOT NULL,
    config  TEXT NOT NULL,                      -- JSON
    author  TEXT NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (agent, version)
) STRICT;

-- The event log. Sequence numbers have no gaps; AUTOINCREMENT never gives one twice.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time     TEXT NOT NULL,
    type     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    data     TEXT NOT NULL                      -- JSON
) STRICT;
CREATE INDEX events_by_subject ON events (subject, sequence);
CREATE INDEX events_by_type ON events (type, sequence);
CREATE INDEX events_by_time ON events (time);

-- Packages as last seen, to tell what came and went while the manager was away.
CREATE TABLE packages (
    name    TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    digest  TEXT NOT NULL
) STRICT;
