-- manager.db of version 0.1.0, in which hostwatch was created and runs.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE agents (
    name           TEXT PRIMARY KEY,
    spec           TEXT NOT NULL,
    condition      TEXT NOT NULL,
    config_version INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL
) STRICT;
INSERT INTO agents VALUES('hostwatch','{"name":"hostwatch","package":"hostwatch","desired":"running","config":{},"limits":{"memory_max":null,"memory_high":null,"tasks_max":null,"cpu_quota":null,"cpu_weight":null},"grants":["network=observe","proc=host","bus=system"],"after":[]}','{"since":5.896414618,"message":"","held":false,"failures":0,"retry_at":null,"started_with":"f7c51b8eec692f3c","phase":"running","reason":"ready","pending":"nothing","then":"nothing","last_exit":null}',1,1,'2026-11-22T20:20:08.967731Z','2026-11-22T20:20:08.967731Z');
CREATE TABLE configs (
    agent   TEXT NOT NULL,
    version INTEGER NOT NULL,
    config  TEXT NOT NULL,
    author  TEXT NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (agent, version)
) STRICT;
INSERT INTO configs VALUES('hostwatch',1,'{}','root','2026-11-22T20:20:08.967731Z');
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time     TEXT NOT NULL,
    type     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    data     TEXT NOT NULL
) STRICT;
INSERT INTO events VALUES(1,'2026-11-22T20:20:07.473551Z','opmas.package.added','package/hostwatch','{"version":"1.0.0"}');
INSERT INTO events VALUES(2,'2026-11-22T20:20:07.473551Z','opmas.manager.started','manager','{"version":"0.1.0"}');
INSERT INTO events VALUES(3,'2026-11-22T20:20:08.967731Z','opmas.agent.created','agent/hostwatch','{"package":"hostwatch","grants":["network=observe","proc=host","bus=system"]}');
INSERT INTO events VALUES(4,'2026-11-22T20:20:08.967731Z','opmas.agent.phase','agent/hostwatch','{"from":"registered","to":"starting","reason":"requested"}');
INSERT INTO events VALUES(5,'2026-11-22T20:20:09.200828Z','opmas.agent.phase','agent/hostwatch','{"from":"starting","to":"running","reason":"ready"}');
CREATE TABLE packages (
    name    TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    digest  TEXT NOT NULL
) STRICT;
INSERT INTO packages VALUES('hostwatch','1.0.0','35cf70dce44699ae');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('events',5);
CREATE INDEX events_by_subject ON events (subject, sequence);
CREATE INDEX events_by_type ON events (type, sequence);
CREATE INDEX events_by_time ON events (time);
COMMIT;
PRAGMA user_version = 1;
