-- Changes: what was wanted, the tasks that lead there, how far each is.
CREATE TABLE changes (
    id         INTEGER PRIMARY KEY,
    state      TEXT NOT NULL,                   -- opmas.core.change.change.ChangeState
    package    TEXT NOT NULL,
    document   TEXT NOT NULL,                   -- JSON, opmas.core.change.change.dump_change
    created_at TEXT NOT NULL,                   -- RFC 3339, UTC
    updated_at TEXT NOT NULL,
    ended_at   TEXT
) STRICT;
CREATE INDEX changes_by_package ON changes (package, id);
CREATE INDEX changes_by_state ON changes (state, id);

-- Which agents a change is about.
CREATE TABLE change_agents (
    agent  TEXT NOT NULL,
    change INTEGER NOT NULL REFERENCES changes (id) ON DELETE CASCADE,
    PRIMARY KEY (agent, change)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_agents_by_change ON change_agents (change);

-- Versions and configurations that were undone, not to be tried again by themselves.
CREATE TABLE bad (
    key      TEXT PRIMARY KEY,                  -- opmas.core.change.knownbad.key
    document TEXT NOT NULL                      -- JSON, opmas.core.change.knownbad.dump_bad
) STRICT;

-- Packages that stay at the version that they have.
CREATE TABLE holds (
    package TEXT PRIMARY KEY
) STRICT;
