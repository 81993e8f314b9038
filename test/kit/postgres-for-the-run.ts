/** One PostgreSQL for a whole run of the tests, started when the first test asks for it, ended with the run. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { TestProject } from 'vitest/node'
import { startPostgres, type PostgresServer } from './postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Answers with the URL of the database server. */
    postgresDesk: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<PostgresServer> | undefined
  const desk = createServer((_, answer) => {
    server ??= startPostgres()
    server.then(
      ({ url }) => void answer.end(url),
      (error: unknown) => void answer.writeHead(500).end(String(error)),
    )
  }).listen(0, '127.0.0.1')
  await once(desk, 'listening')
  const address = desk.address()
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  project.provide('postgresDesk', `http://127.0.0.1:${address.port}`)
  return async () => {
    desk.close()
    await (await server?.catch(() => undefined))?.[Symbol.asyncDispose]()
  }
}
