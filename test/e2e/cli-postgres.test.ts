// The command line on a PostgreSQL that several gates share: the same commands, and a password that is looked for.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fleetgate, invoke } from '../kit/cli.ts'
import type { TestDatabase } from '../kit/postgres.ts'
import { testDatabase } from '../kit/test-database.ts'

const policy = `
users:
  technician:
    owner: field@acme.example
    product: 12345
    devices: all
    rules: [{ can: devices:get }]
    lifetime: 90d
`

let database: TestDatabase
let folder: string
let file: string
beforeAll(async () => {
  database = await testDatabase()
  folder = mkdtempSync(join(tmpdir(), 'fleetgate-cli-pg-'))
  file = join(folder, 'fleetgate.yaml')
  mkdirSync(join(folder, 'policies'))
  writeFileSync(join(folder, 'policies', 'fleet.yaml'), policy)
  writeFileSync(
    file,
    `upstream: { url: "http://127.0.0.1:9", credentials: { default: { env: CLOUD_TOKEN } } }
store: "${database.url}"
store_password: { env: STORE_PASSWORD }
`,
  )
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await database[Symbol.asyncDispose]()
})

const run = (...args: string[]) =>
  invoke([...args, '-c', file], {
    env: { STORE_PASSWORD: database.password.reveal() },
    input: 'c10d'.repeat(10),
  })

describe('the command line on PostgreSQL', () => {
  it('mints, lists, rotates and revokes tokens, one process after the other', async () => {
    const minted = await fleetgate(['token', 'mint', 'technician', '-c', file], {
      env: { STORE_PASSWORD: database.password.reveal() },
    })
    expect(minted).toMatchObject({ code: 0, out: expect.stringMatching(/^fg_u_/) })
    expect(await run('token', 'mint', 'technician')).toMatchObject({ code: 1, out: '' })
    expect(await run('token', 'rotate', 'technician')).toMatchObject({ code: 0 })
    const { out } = await run('token', 'list', '--json')
    expect(JSON.parse(out)).toMatchObject([{ state: 'valid' }, { state: 'revoked' }])
    expect(await run('token', 'revoke', 'technician')).toMatchObject({ code: 0, out: '' })
    expect(await run('token', 'adopt', 'technician')).toMatchObject({ code: 0, out: '' })
    expect((await run('users', 'list')).out).toContain('valid, of the cloud')
  })

  it('suspends, resumes and explains', async () => {
    const because = ['--because', 'laptop lost']
    expect(await run('users', 'suspend', 'technician', ...because)).toMatchObject({ code: 0 })
    expect((await run('users', 'show', 'technician')).out).toContain('laptop lost')
    expect(await run('users', 'resume', 'technician')).toMatchObject({ code: 0 })
    const asked = ['GET', '/v1/products/12345/devices/e00fce68636486bf97d48e1b']
    expect(await run('explain', '-u', 'technician', ...asked)).toMatchObject({ code: 0 })
  })

  it('makes operators', async () => {
    const created = await run('operators', 'create', 'alice', '--role', 'viewer')
    expect(created).toMatchObject({ code: 0, out: expect.stringMatching(/^fg_o_/) })
    expect((await run('operators', 'list')).out).toContain('alice')
    expect(await run('operators', 'revoke', 'alice')).toMatchObject({ code: 0 })
  })

  it('T12 says which password it lacks, and never says one', async () => {
    const without = await invoke(['token', 'list', '-c', file], {})
    expect(without).toMatchObject({ code: 1, out: '' })
    expect(without.err).toContain('STORE_PASSWORD')
    const wrong = await invoke(['token', 'list', '-c', file], {
      env: { STORE_PASSWORD: 'not-the-password' },
    })
    expect(wrong).toMatchObject({ code: 1, out: '' })
    expect(wrong.err).not.toContain('not-the-password')
    expect(wrong.err).not.toContain(database.password.reveal())
  })
})
