// API users that live in the store, from their making by an operator to their end: under the policy files in force, beside those of git.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import type { Config } from '../../src/config/config.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { createLog } from '../../src/lib/log.ts'
import { startGate } from '../../src/server.ts'
import { elsewhere } from '../kit/elsewhere.ts'
import { traces } from '../kit/invariant.ts'
import {
  anOperator,
  bothPorts,
  callWith,
  operate,
  recordsOf,
  storeKinds,
  storeLines,
  type Operated,
} from '../kit/operated-gate.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = 12345
const list = `/v1/products/${product}/devices`

const git = ({ reader = '[devices:list, devices:get]', guardrails = '', more = '' } = {}) => ({
  'users.yaml': `
roles:
  reader:
    rules:
      - can: ${reader}
users:
  in-git:
    owner: git@acme.example
    product: ${product}
    devices: all
    roles: reader
    never: true
${more}${guardrails}`,
})

describe.each(storeKinds)('an API user of the store, on %s', (kind) => {
  let store: Awaited<ReturnType<typeof storeLines>>
  let cloud: DeviceCloud
  let gate: TestGate
  let admin: Operated
  let operator: string
  let mine: string
  let other: string
  let calls: number

  beforeEach(async () => {
    store = await storeLines(kind)
    cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 5, heartbeatIntervalMs: 60_000 })
    ;[mine = '', other = ''] = cloud.fleet.devices(product).map(({ id }) => String(id))
    calls = 0
    gate = await startTestGate({
      upstream: cloud,
      policies: git(),
      config: `${bothPorts}${store.lines}`,
    })
    operator = await anOperator(gate, 'olga')
    admin = operate(gate.adminUrl, operator)
  })

  afterEach(async () => {
    await gate[Symbol.asyncDispose]()
    await cloud.close()
    await store[Symbol.asyncDispose]()
  })

  const definition = (more: object = {}) => ({
    owner: 'field@acme.example',
    description: 'A wall display.',
    product,
    devices: [mine],
    roles: 'reader',
    lifetime: '90d',
    ...more,
  })
  const create = (name: string, more: object = {}) =>
    admin('POST', '/api/users', { name, definition: definition(more) })

  function call(token: string, path = `${list}/${mine}`) {
    calls += 1
    return callWith(gate.url, path, token)
  }

  const status = async (token: string, path?: string) => (await call(token, path)).status
  const at = (device: string) => `${list}/${device}`
  const asked = (path: string) => cloud.requests().filter(({ url }) => url === path).length

  async function put(files: Readonly<Record<string, string>>): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- a file or two
    for (const [file, text] of Object.entries(files)) await gate.writePolicy(file, text)
    await gate.reload()
  }

  /** On the same store and policies, with an audit log of its own: as after a restart. */
  async function startBeside(config: Config) {
    const lines: string[] = []
    const log = createLog({ write: (line) => void lines.push(line), clock: systemClock })
    const audit = { ...config.audit, folder: `${gate.folder}/again` }
    const started = await startGate({ ...config, audit }, { clock: systemClock, log })
    return { ...started, log: () => lines.join('') }
  }

  async function lastDenial(): Promise<unknown> {
    const { decisions, total } = await traces(gate)
    expect(total).toBe(calls)
    return decisions.findLast((row) => row['decision'] === 'deny')
  }

  it('does what its definition says, sees its devices and no others, and is on record by name', async () => {
    const { token, status: made } = await create('wall')
    expect(made).toBe(201)
    expect(await status(token)).toBe(200)
    expect(await status(token, at(other))).toBe(403)
    const listed = await call(token, list)
    const shown = JSON.parse(listed.text)
    expect(shown.devices.map(({ id }: { id: string }) => id)).toEqual([mine])
    expect(shown.meta).toMatchObject({ total_pages: 1 })
    expect(listed.text).not.toContain(other)
    expect(asked(at(other))).toBe(0)
    for (const { rawHead } of cloud.requests()) {
      expect(rawHead).not.toContain(token)
      expect(rawHead).toContain(`Bearer ${cloud.token}`)
    }
    const { decisions } = await traces(gate)
    expect(decisions.map(({ user, decision }) => [user, decision])).toEqual([
      ['wall', 'allow'],
      ['wall', 'deny'],
      ['wall', 'allow'],
    ])
  })

  it('is bound by the guardrails of git from the request after their edit on', async () => {
    const { token } = await create('wall')
    expect(await status(token)).toBe(200)
    await put(git({ guardrails: 'guardrails:\n  - cannot: devices:get\n    because: Closed.\n' }))
    const before = asked(at(mine))
    expect(await status(token)).toBe(403)
    expect(asked(at(mine))).toBe(before)
    expect(await lastDenial()).toMatchObject({ user: 'wall', reason: 'forbidden' })
    expect(await status(token, list)).toBe(200)
    const but = (name: string) =>
      git({ guardrails: `guardrails:\n  - { cannot: devices:get, except: [${name}] }\n` })
    const both = async () => [await status(token), await status(gate.tokens['in-git'] ?? '')]
    await put(but('in-git'))
    expect(await both()).toEqual([403, 200])
    await put(but('store:wall'))
    expect(await both()).toEqual([200, 403])
    // A plain name would be one of the files: who may make API users could make the one that is spared.
    await put(but('wall'))
    expect(gate.log()).toContain('policies refused')
    expect(await both()).toEqual([200, 403])
    await put(git())
    expect(await status(token)).toBe(200)
  })

  it('gains nothing by an edit of its role until it is extended, and loses at once what that takes', async () => {
    const ping = async (token: string) => {
      calls += 1
      const answer = await fetch(`${gate.url}/v1/products/${product}/devices/${mine}/ping`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}` },
      })
      await answer.arrayBuffer()
      return answer.status
    }
    const { token } = await create('wall')
    expect(await ping(token)).toBe(403)
    await put(git({ reader: '[devices:list, devices:get, devices:ping]' }))
    expect(await ping(token)).toBe(403)
    expect(await lastDenial()).toMatchObject({ user: 'wall', reason: 'not_in_issued_grant' })
    expect(asked(`${at(mine)}/ping`)).toBe(0)
    const held = await admin('GET', '/api/users/wall/held-back')
    expect([held.status, held.text]).toEqual([200, expect.stringContaining('devices:ping')])
    expect((await admin('POST', '/api/users/wall/token/extend')).status).toBe(200)
    expect(await ping(token)).toBe(200)
    expect((await admin('GET', '/api/users/wall/held-back')).text).not.toContain('devices:ping')
    await put(git({ reader: 'devices:list' }))
    expect([await status(token), await ping(token), await status(token, list)]).toEqual([
      403, 403, 200,
    ])
  })

  it('whose role is gone is refused everything, and is itself again when that comes back', async () => {
    const { token } = await create('wall')
    const without = git()['users.yaml'].replaceAll('reader', 'onlooker')
    await put({ 'users.yaml': without })
    const refused = await status(token)
    expect([401, 403]).toContain(refused)
    const { body, text } = await admin('GET', '/api/users/wall')
    expect(body.user['state']).toBe('unfit')
    expect(text).toContain('reader')
    expect((await admin('POST', '/api/users/wall/token')).status).toBe(409)
    await put(git())
    expect(await status(token)).toBe(200)
  })

  it('loses its name to git for good: token dead, said loudly, and nothing of it comes back', async () => {
    const { token, etag } = await create('wall')
    expect(await status(token)).toBe(200)
    const taken = `  wall:
    owner: git@acme.example
    product: ${product}
    devices: [${other}]
    scopes: [devices:get]
    never: true
`
    await put(git({ more: taken }))
    expect(await status(token)).toBe(401)
    expect(await status(token, at(other))).toBe(401)
    expect(gate.log()).toMatch(/"level":"warn"[^\n]*lost its name[^\n]*wall/)
    const events = (await recordsOf(gate)).filter(({ event }) => event === 'user_displaced')
    expect(events).toMatchObject([{ data: { user: 'wall' } }])
    const read = await admin('GET', '/api/users/wall')
    expect(read.body.user).toMatchObject({ home: 'git', state: 'no_token' })
    // The one of git is the one that counts now.
    const change = { definition: definition() }
    expect((await admin('PUT', '/api/users/wall', change, read.etag)).status).toBe(409)
    expect([409, 412]).toContain((await admin('PUT', '/api/users/wall', change, etag)).status)
    const rotated = await admin('POST', '/api/users/wall/token')
    expect([
      rotated.status,
      await status(rotated.token),
      await status(rotated.token, at(other)),
    ]).toEqual([201, 403, 200])
    // Git lets go of it again: neither comes back by itself.
    await put(git())
    expect([await status(token), await status(rotated.token, at(other))]).toEqual([401, 401])
    const displaced = await admin('GET', '/api/users/wall')
    expect(displaced.body.user).toMatchObject({ home: 'store', state: 'displaced' })
    expect((await admin('POST', '/api/users/wall/token')).status).toBe(409)
    const back = await admin('PUT', '/api/users/wall', change, displaced.etag)
    expect(back.status).toBe(200)
    const again = back.token === '' ? await admin('POST', '/api/users/wall/token') : back
    expect(await status(again.token)).toBe(200)
    expect([await status(token), await status(rotated.token)]).toEqual([401, 401])
  })

  it('is all there after a restart of the gate, suspension and dead tokens as well', async () => {
    const kept = await create('kept')
    const paused = await create('paused')
    const rotated = await create('rotated')
    const gone = await create('gone')
    await admin('POST', '/api/users/paused/suspend', { because: 'It is lost.' })
    const { token: second } = await admin('POST', '/api/users/rotated/token')
    await admin('DELETE', '/api/users/gone', undefined, gone.etag)
    const tokens = [kept.token, paused.token, rotated.token, second, gone.token]
    const expected = [200, 403, 401, 200, 401]
    expect(await Promise.all(tokens.map((token) => status(token)))).toEqual(expected)
    const before = await admin('GET', '/api/users?per_page=100')

    await using again = await startBeside(gate.config)
    const after = tokens.map(async (token) => {
      const { status } = await callWith(again.url, at(mine), token)
      return status
    })
    expect(await Promise.all(after)).toEqual(expected)
    const there = await operate(again.adminUrl, operator)('GET', '/api/users?per_page=100')
    const named = ({ text }: { text: string }) =>
      JSON.parse(text).users.map(({ name, state, home }: Record<string, unknown>) => ({
        ...{ name, state, home },
      }))
    expect(named(there)).toEqual(named(before))
    expect(named(there)).toContainEqual({ name: 'paused', state: 'suspended', home: 'store' })
    expect(again.log()).not.toContain('"level":"error"')
  })

  it('is named in the log while it is observed, as one of the policy files is', async () => {
    const owner = operate(gate.adminUrl, await anOperator(gate, 'ada', 'owner'))
    const observe = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10)
    const made = (name: string, more: object) =>
      owner('POST', '/api/users', { name, definition: definition(more) })
    expect((await made('looked-at', { observe })).status).toBe(201)
    expect((await made('enforced', { description: 'Does not "observe" anything.' })).status).toBe(
      201,
    )
    await using again = await startBeside(gate.config)
    await expect.poll(() => again.log()).toContain('an API user is observed')
    expect(again.log()).toContain(`"looked-at":"${observe}T00:00:00.000Z"`)
    expect(again.log()).not.toContain('"enforced"')
  })

  it('is made and widened by nobody where the configuration keeps API users in git, by either door', async () => {
    const { token } = await create('before')
    const { config } = gate
    await using closed = await startBeside({
      ...config,
      apiUsers: { outsideGit: false, teamApiExpiry: { never: true } },
    })
    const there = operate(closed.adminUrl, operator)
    const refused = await there('POST', '/api/users', { name: 'after', definition: definition() })
    expect([refused.status, refused.body.code]).toEqual([403, 'role_forbids'])
    const team = `/v1/products/${product}/team`
    const scopes = ['devices:list']
    const byTeam = await there('POST', team, { friendly_name: 'Bot', scopes })
    expect([byTeam.status, byTeam.token]).toEqual([403, ''])
    expect(await elsewhere(config, (_, { users }) => users.get('after'))).toBeUndefined()
    const read = await there('GET', '/api/users/before')
    const wider = { definition: definition({ devices: 'all' }) }
    expect((await there('PUT', '/api/users/before', wider, read.etag)).status).toBe(403)
    expect((await there('PUT', `${team}/before`, { scopes })).status).toBe(403)
    expect(await status(token, at(other))).toBe(403)
    // What is there from before may still be ended, and those of git have their tokens as ever.
    expect((await there('DELETE', '/api/users/before', undefined, read.etag)).status).toBe(204)
    // By another gate: this one hears of it a moment later.
    await expect.poll(() => status(token)).toBe(401)
    const git = await there('POST', '/api/users/in-git/token')
    expect([git.status, await status(git.token)]).toEqual([201, 200])
  })

  it('is refused where it would reach beyond what a policy file may say', async () => {
    const refused = async (more: object) => (await create('bad', more)).status
    expect(await refused({ guardrails: [{ cannot: 'read' }] })).toBe(422)
    expect(await refused({ roles: 'no-such-role' })).toBe(422)
    expect(await refused({ scopes: ['devices:everything'] })).toBe(422)
    expect(await refused({ lifetime: undefined })).toBe(422)
    expect(await refused({ organization: 'a'.repeat(24) })).toBe(422)
    expect((await create('in-git')).status).toBe(409)
    for (const name of ['', '__proto__', 'a b', '../x', 'A\u0000', 'x'.repeat(129)]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { status } = await create(name)
      expect([name, status < 500 && status >= 400]).toEqual([name, true])
    }
    expect((await admin('GET', '/api/users/bad')).status).toBe(404)
  })
})
