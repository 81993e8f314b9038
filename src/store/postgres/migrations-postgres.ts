/** The shape of the PostgreSQL store, as numbered steps that only go forward. A step that shipped is never edited. */

import type { Migration } from '../sqlite/migrations.ts'

/**
 * Version 1 is what version 2 of the SQLite store is: the same tables and columns, and its indexes but one: what is
 * sought may be too long for an index here, and to read the table holds up no gate. Names compare by their
 * bytes (`collate "C"`), so that lists have one order wherever they are kept.
 */
export const postgresMigrations: readonly Migration[] = [
  {
    version: 1,
    // The trigger says that there are new changes to whoever listens on `fleetgate_changes`, with the last number.
    sql: `
      create table grants (
        hash text collate "C" primary key,
        json text not null
      );

      create table tokens (
        id text collate "C" primary key,
        user_name text collate "C" not null,
        kind text not null default 'minted' check (kind in ('minted', 'adopted')),
        hash bytea not null check (octet_length(hash) = 32),
        grant_hash text collate "C" not null,
        issued_grant text collate "C" references grants (hash),
        created_at_ms bigint not null,
        expires_at_ms bigint,
        not_before_ms bigint,
        home text not null default 'git' check (home in ('git', 'store')),
        idle_ms bigint,
        last_used_at_ms bigint,
        revoked_at_ms bigint,
        check ((revoked_at_ms is null) = (issued_grant is not null)),
        check (issued_grant is null or issued_grant = grant_hash)
      );
      create unique index tokens_one_valid_per_user on tokens (user_name) where revoked_at_ms is null;
      create index tokens_by_issued_grant on tokens (issued_grant) where issued_grant is not null;
      create index tokens_by_age on tokens (created_at_ms, id);
      create index tokens_by_user on tokens (user_name, created_at_ms, id);
      create index tokens_by_home on tokens (home, user_name, id) where revoked_at_ms is null;
      create index tokens_adopted on tokens (hash) where kind = 'adopted';
      create unique index tokens_adopted_once on tokens (hash) where kind = 'adopted' and revoked_at_ms is null;

      create table api_users (
        name text collate "C" primary key,
        definition text not null,
        version bigint not null check (version > 0),
        products text not null,
        organization text collate "C",
        description text not null,
        sought text collate "C" not null,
        created_at_ms bigint not null,
        created_by text not null,
        updated_at_ms bigint not null,
        updated_by text not null,
        displaced_at_ms bigint
      );
      create index api_users_by_organization on api_users (organization, name) where organization is not null;

      create table api_user_products (
        product text collate "C" not null,
        name text collate "C" not null references api_users (name),
        primary key (product, name)
      );
      create index api_user_products_by_name on api_user_products (name);

      create table suspensions (
        name text collate "C" primary key,
        at_ms bigint not null,
        by_whom text not null,
        because text not null
      );

      create table operators (
        id text collate "C" primary key,
        name text collate "C" not null,
        role text not null check (role in ('viewer', 'editor', 'owner')),
        product text,
        hash bytea not null check (octet_length(hash) = 32),
        via text not null check (via in ('token', 'oidc')),
        created_at_ms bigint not null,
        created_by text not null,
        expires_at_ms bigint,
        revoked_at_ms bigint,
        check (via = 'token' or expires_at_ms is not null)
      );
      create unique index operators_one_valid_per_name on operators (name) where via = 'token' and revoked_at_ms is null;

      create table replicas (
        name text collate "C" not null,
        boot text collate "C" not null,
        version text not null,
        revision text not null,
        git_commit text,
        started_at_ms bigint not null,
        beat_at_ms bigint not null,
        skew_ms bigint not null,
        primary key (name, boot)
      );

      create table changes (
        seq bigint primary key,
        at_ms bigint not null,
        user_name text not null,
        kind text not null,
        by_whom text not null
      );
      create index changes_by_age on changes (at_ms);

      create table change_counter (
        one bigint primary key check (one = 1),
        seq bigint not null,
        pruned_seq bigint not null
      );
      insert into change_counter (one, seq, pruned_seq) values (1, 0, 0);

      create function fleetgate_tell_of_change() returns trigger language plpgsql as $$
      begin
        perform pg_notify('fleetgate_changes', new.seq::text);
        return null;
      end
      $$;
      create trigger changes_told after insert on changes
        for each row execute function fleetgate_tell_of_change();
    `,
  },
  {
    version: 2,
    // Version 3 of the SQLite store.
    sql: `
      create table limit_counts (
        replica text collate "C" not null,
        limit_key text collate "C" not null,
        calls bigint not null,
        ends_at_ms bigint not null,
        primary key (replica, limit_key)
      );
      create index limit_counts_by_end on limit_counts (ends_at_ms);
    `,
  },
  {
    version: 3,
    // As version 4 of the SQLite store.
    sql: 'alter table changes add column detail text;',
  },
]
