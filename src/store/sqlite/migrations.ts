/** The shape of the SQLite store, as numbered steps that only go forward. A step that shipped is never edited. */

export type Migration = { version: number; sql: string }

export const migrations: readonly Migration[] = [
  {
    version: 1,
    // `issued_grant` is set exactly while the token is valid: a grant that no valid token needs can then be pruned,
    // while `grant_hash` keeps the name of the grant for the history.
    sql: `
      create table grants (
        hash text primary key,
        json text not null
      ) strict;

      create table tokens (
        id text primary key,
        user text not null,
        hash blob not null check (length(hash) = 32),
        grant_hash text not null,
        issued_grant text references grants (hash),
        created_at_ms integer not null,
        expires_at_ms integer,
        idle_ms integer,
        last_used_at_ms integer,
        revoked_at_ms integer,
        check ((revoked_at_ms is null) = (issued_grant is not null)),
        check (issued_grant is null or issued_grant = grant_hash)
      ) strict;

      create unique index tokens_one_valid_per_user on tokens (user) where revoked_at_ms is null;
      create index tokens_by_issued_grant on tokens (issued_grant) where issued_grant is not null;
    `,
  },
  {
    version: 2,
    // `user` is a word of PostgreSQL's own, and the statements are the same for both.
    // `home` is where the API user of a valid token lives: the few of the policy files are found without the others.
    // `sought`: name and description without case, in an index so that a search reads nothing else. `api_user_products` repeats `products` for the index.
    sql: `
      alter table tokens rename column user to user_name;
      alter table tokens add column kind text not null default 'minted' check (kind in ('minted', 'adopted'));
      alter table tokens add column not_before_ms integer;
      alter table tokens add column home text not null default 'git' check (home in ('git', 'store'));
      create index tokens_by_age on tokens (created_at_ms, id);
      create index tokens_by_user on tokens (user_name, created_at_ms, id);
      create index tokens_by_home on tokens (home, user_name, id) where revoked_at_ms is null;
      create index tokens_adopted on tokens (hash) where kind = 'adopted';
      create unique index tokens_adopted_once on tokens (hash) where kind = 'adopted' and revoked_at_ms is null;

      create table api_users (
        name text primary key,
        definition text not null,
        version integer not null check (version > 0),
        products text not null,
        organization text,
        description text not null,
        sought text not null,
        created_at_ms integer not null,
        created_by text not null,
        updated_at_ms integer not null,
        updated_by text not null,
        displaced_at_ms integer
      ) strict;
      create index api_users_by_organization on api_users (organization, name) where organization is not null;
      create index api_users_sought on api_users (name, sought);

      create table api_user_products (
        product text not null,
        name text not null references api_users (name),
        primary key (product, name)
      ) strict, without rowid;
      create index api_user_products_by_name on api_user_products (name);

      create table suspensions (
        name text primary key,
        at_ms integer not null,
        by_whom text not null,
        because text not null
      ) strict;

      create table operators (
        id text primary key,
        name text not null,
        role text not null check (role in ('viewer', 'editor', 'owner')),
        product text,
        hash blob not null check (length(hash) = 32),
        via text not null check (via in ('token', 'oidc')),
        created_at_ms integer not null,
        created_by text not null,
        expires_at_ms integer,
        revoked_at_ms integer,
        check (via = 'token' or expires_at_ms is not null)
      ) strict;
      create unique index operators_one_valid_per_name on operators (name) where via = 'token' and revoked_at_ms is null;

      create table replicas (
        name text not null,
        boot text not null,
        version text not null,
        revision text not null,
        git_commit text,
        started_at_ms integer not null,
        beat_at_ms integer not null,
        skew_ms integer not null,
        primary key (name, boot)
      ) strict;

      create table changes (
        seq integer primary key,
        at_ms integer not null,
        user_name text not null,
        kind text not null,
        by_whom text not null
      ) strict;
      create index changes_by_age on changes (at_ms);

      create table change_counter (
        one integer primary key check (one = 1),
        seq integer not null,
        pruned_seq integer not null
      ) strict;
      insert into change_counter (one, seq, pruned_seq) values (1, 0, 0);
    `,
  },
  {
    version: 3,
    // What gates have let pass of limits with long windows.
    sql: `
      create table limit_counts (
        replica text not null,
        limit_key text not null,
        calls integer not null,
        ends_at_ms integer not null,
        primary key (replica, limit_key)
      ) strict, without rowid;
      create index limit_counts_by_end on limit_counts (ends_at_ms);
    `,
  },
  {
    version: 4,
    // What it was before and after, as JSON, for the audit logs of the gates. Older rows have none.
    sql: 'alter table changes add column detail text;',
  },
]
