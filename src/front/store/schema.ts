/** The tables of the front's memory: who there is, what proves them, what they may do, and what they did. */
export const schema = [
  `
  CREATE TABLE account (
    name TEXT PRIMARY KEY,
    administrator INTEGER NOT NULL DEFAULT 0,
    may_create INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
  ) STRICT;
  INSERT INTO account (name, administrator, may_create, created_at)
    VALUES ('admin', 1, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

  CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    digest TEXT NOT NULL UNIQUE,
    note TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    used_at TEXT
  ) STRICT;

  CREATE TABLE key (
    fingerprint TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    comment TEXT,
    created_at TEXT NOT NULL,
    used_at TEXT
  ) STRICT;

  CREATE TABLE app_right (
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    app TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (account, app)
  ) STRICT;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT,
    via TEXT NOT NULL,
    action TEXT NOT NULL,
    app TEXT,
    outcome TEXT NOT NULL,
    detail TEXT,
    -- How often it was refused within the minute, and when last.
    times INTEGER NOT NULL DEFAULT 1,
    last_at TEXT
  ) STRICT;
  -- Refusals are counted, and both kinds are found without looking through the other.
  CREATE INDEX audit_done ON audit (at) WHERE outcome = 'done';
  CREATE INDEX audit_refused ON audit (account, action, via, at) WHERE outcome = 'refused';
  CREATE INDEX audit_refused_in_order ON audit (id) WHERE outcome = 'refused';

  -- The database itself writes down what an account may do, so that no way to change it is left out: the end of an
  -- account for one.
  CREATE TABLE right_change (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT NOT NULL,
    app TEXT NOT NULL,
    before TEXT
  ) STRICT;
  CREATE INDEX right_change_at ON right_change (at);
  INSERT INTO right_change (at, account, app) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '', '');
  CREATE TRIGGER right_given AFTER INSERT ON app_right BEGIN
    INSERT INTO right_change (at, account, app)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), new.account, new.app);
  END;
  CREATE TRIGGER right_changed AFTER UPDATE ON app_right WHEN old.level <> new.level BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.account, old.app, old.level);
  END;
  CREATE TRIGGER right_taken AFTER DELETE ON app_right BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.account, old.app, old.level);
  END;
  CREATE TRIGGER account_made AFTER INSERT ON account WHEN new.may_create BEGIN
    INSERT INTO right_change (at, account, app)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), new.name, '');
  END;
  CREATE TRIGGER account_changed AFTER UPDATE OF may_create ON account
  WHEN old.may_create <> new.may_create BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.name, '', iif(old.may_create, 'create', NULL));
  END;
  CREATE TRIGGER account_gone AFTER DELETE ON account WHEN old.may_create BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.name, '', 'create');
  END;

  -- Who made which app. One that is gone counts for a day: its number is used up.
  CREATE TABLE made_app (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    by_push INTEGER NOT NULL,
    made_at TEXT NOT NULL,
    gone_at TEXT
  ) STRICT;
  CREATE INDEX made_app_of ON made_app (account);
  CREATE UNIQUE INDEX made_app_is ON made_app (app) WHERE gone_at IS NULL;
  `,
  `
  -- Variables were called settings.
  UPDATE audit SET action = 'variables' WHERE action = 'settings';
  UPDATE audit SET action = 'changeVariables' WHERE action = 'changeSettings';
  `,
];
