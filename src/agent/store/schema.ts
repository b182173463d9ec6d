/** The tables of the agent's memory: apps, instances, deploys with their steps, environments, system users. */
export const schema = [
  `
  CREATE TABLE app (
    name TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    -- Set from the moment at which somebody wants it removed.
    destroyed_at TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    -- A rebuild of a preview is for all previews, and nothing of production's.
    preview_generation INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE instance (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    port INTEGER NOT NULL,
    live INTEGER,
    settled INTEGER,
    degraded TEXT,
    UNIQUE (host, path, port)
  ) STRICT;

  -- A branch's claim to a name and a place, before and after there is an instance.
  CREATE TABLE preview (
    instance TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    port INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    UNIQUE (app, branch)
  ) STRICT;

  CREATE TABLE deploy (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    instance TEXT NOT NULL,
    reason TEXT NOT NULL,
    account TEXT NOT NULL,
    ref TEXT NOT NULL,
    old_commit TEXT NOT NULL,
    new_commit TEXT NOT NULL,
    subject TEXT NOT NULL,
    module TEXT NOT NULL,
    -- The folder that it runs in, as the option was at this deploy.
    root TEXT NOT NULL DEFAULT '',
    requirements TEXT NOT NULL,
    environment TEXT,
    -- How its release is brought to serve: 'overlap' or 'restart'; NULL until the deploy has begun with that.
    strategy TEXT,
    -- What its place replaced, as JSON; NULL until the deploy has touched it.
    former_place TEXT,
    state TEXT NOT NULL,
    error TEXT,
    note TEXT,
    holder_pid INTEGER NOT NULL,
    holder_start INTEGER NOT NULL,
    holder_turn INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    live_at TEXT,
    milliseconds INTEGER,
    UNIQUE (app, number)
  ) STRICT;
  -- What is asked again and again is found without looking through the history.
  CREATE INDEX deploy_of_instance ON deploy (instance, id);
  CREATE INDEX deploy_unfinished ON deploy (id) WHERE state IN ('preparing', 'proven', 'switched');
  CREATE INDEX deploy_of_holder ON deploy (holder_pid, holder_start, holder_turn, id);
  CREATE INDEX deploy_on_air ON deploy (instance, new_commit, id) WHERE live_at IS NOT NULL;
  CREATE INDEX deploy_removed ON deploy (instance, id) WHERE state = 'removed';

  CREATE TABLE step (
    deploy INTEGER NOT NULL REFERENCES deploy(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    detail TEXT,
    milliseconds INTEGER,
    PRIMARY KEY (deploy, position)
  ) STRICT;

  -- Those that a deploy still needs, each once.
  CREATE TABLE requirements (
    hash TEXT PRIMARY KEY,
    files TEXT NOT NULL,
    -- What they reach in the tree, as JSON.
    coverage TEXT NOT NULL DEFAULT ''
  ) STRICT;

  CREATE TABLE environment (
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    packages TEXT NOT NULL,
    built_at TEXT NOT NULL,
    -- What it was built from, as JSON: another one may begin with it.
    origin TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (app, hash)
  ) STRICT;

  CREATE TABLE runner (
    uid INTEGER PRIMARY KEY,
    gid INTEGER NOT NULL,
    name TEXT NOT NULL,
    app TEXT NOT NULL,
    of_previews INTEGER NOT NULL,
    removed_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX runner_of_app ON runner (app, of_previews) WHERE removed_at IS NULL;

  -- Who builds environments, each at its place in the pool.
  CREATE TABLE builder (
    uid INTEGER PRIMARY KEY,
    gid INTEGER NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    removed_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX builder_at_place ON builder (place) WHERE removed_at IS NULL;
  `,
  `
  -- Where an instance answers (held), and where it is to (claimed): a preview's branch claims its place before there is
  -- an instance, and what that holds until its next deploy may be another one.
  CREATE TABLE place (
    instance TEXT NOT NULL,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'held')),
    scheme TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    -- 0: the one at which all answer; of another one's its instance is the only one, whatever the host.
    port INTEGER NOT NULL,
    PRIMARY KEY (port, host, path, state)
  ) STRICT;
  CREATE INDEX place_of_instance ON place (instance, state);
  CREATE INDEX place_of_app ON place (app);
  CREATE TRIGGER place_is_taken BEFORE INSERT ON place WHEN EXISTS (
    SELECT 1 FROM place
    WHERE instance <> NEW.instance AND port = NEW.port
      AND (port <> 0 OR (host = NEW.host AND (path = NEW.path OR path = '/' OR NEW.path = '/')))
  ) BEGIN SELECT RAISE(ABORT, 'the place is taken'); END;

  INSERT INTO place (instance, app, state, scheme, host, path, port)
    SELECT name, app, 'held', 'http', host, path, port FROM instance;
  INSERT INTO place (instance, app, state, scheme, host, path, port)
    SELECT instance, app, 'claimed', 'http', host, path, port FROM preview;

  CREATE TABLE placed_instance (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app(name) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    live INTEGER,
    settled INTEGER,
    degraded TEXT
  ) STRICT;
  INSERT INTO placed_instance (name, app, branch, live, settled, degraded)
    SELECT name, app, branch, live, settled, degraded FROM instance;
  DROP TABLE instance;
  ALTER TABLE placed_instance RENAME TO instance;
  ALTER TABLE preview DROP COLUMN host;
  ALTER TABLE preview DROP COLUMN path;
  ALTER TABLE preview DROP COLUMN port;
  `,
  `
  ALTER TABLE runner RENAME TO app_user;
  DROP INDEX runner_of_app;
  CREATE UNIQUE INDEX app_user_of_app ON app_user (app, of_previews) WHERE removed_at IS NULL;
  `,
  `
  -- What the commit runs, as JSON; none until the front has read it.
  ALTER TABLE deploy ADD COLUMN processes TEXT NOT NULL DEFAULT '[]';
  UPDATE deploy SET processes = json_array(json_object('type', 'web', 'kind', 'wsgi', 'module', module))
    WHERE module <> '';
  ALTER TABLE deploy DROP COLUMN module;
  `,
  `
  -- Variables were called settings.
  UPDATE deploy SET reason = 'variables' WHERE reason = 'settings';
  UPDATE step SET name = 'variables' WHERE name = 'settings';
  `,
];
