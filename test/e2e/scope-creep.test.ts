// No scope creep, end to end: a token never gains by an edit of the policy files, and loses by one at once.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openParts } from '../../src/open-parts.ts'
import { commandLine, elsewhere } from '../kit/elsewhere.ts'
import { mine, mineToo, product, startBench, type Bench } from '../kit/raw-exchange.ts'

const file = (can: string, ids = mine) => `
roles:
  technician:
    rules:
      - can: ${can}
users:
  limited:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${ids}] }
    roles: technician
    expires: never
  beside:
    owner: field@acme.example
    product: ${product}
    devices: { ids: [${mine}] }
    roles: technician
    expires: never
`
const narrow = file('devices:get')
const wide = file('[devices:get, devices.function:call]', `${mine}, ${mineToo}`)

let bench: Bench

beforeEach(async () => {
  bench = await startBench({ policies: { 'users.yaml': narrow } })
})

afterEach(async () => {
  await bench[Symbol.asyncDispose]()
})

async function edit(text: string): Promise<void> {
  await bench.gate.writePolicy('users.yaml', text)
  await bench.gate.reload()
}

const path = (id = mine) => `/v1/products/${product}/devices/${id}`
const read = (user = 'limited') => bench.ask(user, `GET ${path()}`)
const call = (user = 'limited') => bench.ask(user, `POST ${path()}/blink`)
const readOther = () => bench.ask('limited', `GET ${path(mineToo)}`)

type Ask = typeof read

async function extend(): Promise<void> {
  const user = openParts(bench.gate.config).set.users.get('limited')
  if (user === undefined) throw new Error('no API user')
  await elsewhere(bench.gate.config, (tokens) => tokens.extend(user, commandLine))
}

async function expectServed(ask: Ask): Promise<void> {
  const got = await ask()
  expect([got.status, got.traces, got.upstream !== '']).toEqual([200, 1, true])
}

async function expectDenied(ask: Ask, reason: string): Promise<void> {
  const got = await ask()
  expect([got.status, got.upstream, got.traces]).toEqual([403, '', 1])
  expect(got.decisions).toMatchObject([{ decision: 'deny', reason }])
}

describe('a token and the policy files', () => {
  it('gains nothing by a wider role until it is extended', async () => {
    await expectDenied(call, 'not_granted')
    await edit(wide)
    await expectServed(read)
    await expectDenied(call, 'not_in_issued_grant')
    await expectDenied(readOther, 'not_in_issued_grant')

    await extend()
    await expectServed(call)
    await expectServed(readOther)
    // Its neighbour of the same role was not extended.
    await expectDenied(() => call('beside'), 'not_in_issued_grant')
  })

  it('loses by a narrower role on the next request, and an extension keeps nothing of what was', async () => {
    await edit(wide)
    await extend()
    await expectServed(call)
    await edit(narrow)
    await expectDenied(call, 'not_granted')
    await expectDenied(readOther, 'outside_devices')
    await expectServed(read)
    await extend()
    await edit(wide)
    await expectDenied(call, 'not_in_issued_grant')
  })

  it('loses by a guardrail on the next request', async () => {
    await expectServed(read)
    await edit(`${narrow}guardrails: [{ cannot: read, because: closed }]\n`)
    await expectDenied(read, 'forbidden')
    await edit(narrow)
    await expectServed(read)
  })

  it('dies for good when its API user leaves the files', async () => {
    await expectServed(() => read('beside'))
    await edit(narrow.slice(0, narrow.indexOf('  beside')))
    const gone = await read('beside')
    expect([gone.status, gone.upstream, gone.traces]).toEqual([401, '', 1])
    await edit(narrow)
    const back = await read('beside')
    expect([back.status, back.upstream, back.traces]).toEqual([401, '', 1])
    await expectServed(read)
  })

  it('does not die by files that are suddenly empty: that is refused like a wrong checkout', async () => {
    await edit('users: {}\n')
    await expectServed(read)
    expect(bench.gate.log()).toContain('policies refused')
  })

  it('is dead on the next request after another process revoked or rotated it', async () => {
    const { gate } = bench
    await expectServed(read)
    await writeFile(
      join(gate.folder, 'fleetgate.yaml'),
      `upstream: { url: '${bench.upstream.url}', credentials: { default: { file: upstream-token } } }\n`,
    )
    const cli = async (...args: string[]) => {
      const main = new URL('../../src/main.ts', import.meta.url).pathname
      const config = ['--config', join(gate.folder, 'fleetgate.yaml')]
      return promisify(execFile)(process.execPath, [main, ...args, ...config])
    }
    await cli('token', 'revoke', 'limited')
    const revoked = await read()
    expect([revoked.status, revoked.upstream, revoked.traces]).toEqual([401, '', 1])

    await expectServed(() => read('beside'))
    const { stdout } = await cli('token', 'rotate', 'beside')
    const old = await read('beside')
    expect([old.status, old.upstream, old.traces]).toEqual([401, '', 1])
    const header = [`Authorization: Bearer ${stdout.trim()}`]
    await expectServed(() => bench.ask(undefined, `GET ${path()}`, header))
  })
})
