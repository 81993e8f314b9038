/** An empty database for one test file: on the PostgreSQL of the run, or on one that FLEETGATE_TEST_POSTGRES names. */

import { inject } from 'vitest'
import { createDatabase, type TestDatabase } from './postgres.ts'

/** `FLEETGATE_TEST_POSTGRES`: URL of somebody who may create databases. */
export async function testDatabase(): Promise<TestDatabase> {
  return createDatabase(process.env['FLEETGATE_TEST_POSTGRES'] ?? (await serverOfTheRun()))
}

async function serverOfTheRun(): Promise<string> {
  const answer = await fetch(inject('postgresDesk'))
  const said = await answer.text()
  if (!answer.ok) throw new Error(said)
  return said
}
