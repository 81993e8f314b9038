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
]
