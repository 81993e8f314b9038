/** Brings a PostgreSQL database to the shape this version knows, in a schema of its own, and refuses what it does not know. */

import type { Migration } from '../sqlite/migrations.ts'
import { StoreUnusable, integer } from '../sql/rows.ts'
import type { SqlRow, SqlValue } from '../sql/sql.ts'

/** Everything lies in it, so that the database may hold other things too. */
export const schema = 'fleetgate'

/** Arbitrary, and always the same: who migrates holds this lock of the database. */
const lock = 7_382_114_906_513
const mine = 'fleetgate store'

export type MigrationRun = {
  /** Inside one transaction; without values several statements at once. */
  run: (text: string, values?: readonly SqlValue[]) => Promise<SqlRow[]>
  /** Of the database, for what people read. */
  name: string
  steps: readonly Migration[]
}

/**
 * Of several gates that start at once one works, and the others wait and find nothing to do.
 * @throws StoreUnusable for a database of a newer gate, or a schema of another program
 */
export async function migratePostgres({ run, name, steps }: MigrationRun): Promise<void> {
  await run(`select pg_advisory_xact_lock(${lock})`)
  await claim(run, name)
  const [row] = await run('select coalesce(max(version), 0) as version from migrations')
  const version = integer(row?.['version'])
  const known = steps.at(-1)?.version ?? 0
  if (version > known) {
    throw new StoreUnusable(
      `${name} has store version ${version}, written by a newer fleetgate; this one knows up to ${known}. ` +
        'Run the newer fleetgate, or restore the backup made before the upgrade.',
    )
  }
  for (const step of steps.filter((each) => each.version > version)) {
    // oxlint-disable-next-line no-await-in-loop -- each builds on the one before
    await run(step.sql)
    // oxlint-disable-next-line no-await-in-loop
    await run('insert into migrations (version, program) values ($1, $2)', [step.version, mine])
  }
}

async function claim(run: MigrationRun['run'], name: string): Promise<void> {
  const [there] = await run(`
    select to_regnamespace('${schema}') is not null as schema,
      (select count(*) from pg_class where relnamespace = to_regnamespace('${schema}')) as things`)
  if (there?.['schema'] !== true) await run(`create schema ${schema}`)
  if (integer(there?.['things']) === 0) {
    await run(`create table ${schema}.migrations (
      version bigint primary key,
      program text not null,
      at timestamptz not null default now()
    )`)
    return
  }
  const columns = await run(
    'select attname as column from pg_attribute where attrelid = to_regclass($1) and attnum > 0',
    [`${schema}.migrations`],
  )
  const ours = columns.some((row) => row['column'] === 'program')
  const others = ours ? await run('select 1 from migrations where program <> $1', [mine]) : []
  if (ours && others.length === 0) return
  throw new StoreUnusable(
    `${name} has a schema "${schema}" of another program; give fleetgate a database of its own.`,
  )
}
