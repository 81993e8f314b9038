// Operators, processes and clients that do things to one API user at the same moment, on either store.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { openAccounts, userNamed } from '../../src/cli/accounts.ts'
import { faultyDisk } from '../kit/audit.ts'
import { elsewhere } from '../kit/elsewhere.ts'
import { listen } from '../kit/event-client.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { traces } from '../kit/invariant.ts'
import {
  anOperator,
  bothPorts,
  callWith,
  changesOf,
  operate,
  recordsOf,
  storeKinds,
  storeLines,
  type AdminSaid,
  type Called,
  type Operated,
} from '../kit/operated-gate.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = 12345
const aDefinition = {
  owner: 'field@acme.example',
  product,
  devices: 'all',
  scopes: ['devices:get', 'events:get'],
  lifetime: '90d',
}
const policies = {
  'users.yaml': `
users:
  in-git:
    owner: git@acme.example
    product: ${product}
    devices: all
    scopes: [devices:get]
    lifetime: 90d
`,
}

describe.each(storeKinds)('at the same moment, on %s', (kind) => {
  let store: Awaited<ReturnType<typeof storeLines>>
  let cloud: DeviceCloud
  let gate: TestGate
  let one: Operated
  let two: Operated
  let device: string
  let calls = 0
  let allowed = 0

  beforeAll(async () => {
    store = await storeLines(kind)
    cloud = await startDeviceCloud({ eventIntervalMs: 0, devices: 3, heartbeatIntervalMs: 60_000 })
    device = `/v1/products/${product}/devices/${String(cloud.fleet.devices(product)[0]?.['id'])}`
    gate = await startTestGate({
      upstream: cloud,
      policies,
      config: `${bothPorts}${store.lines}api_users: { team_api: { lifetime: 90d } }\n`,
    })
    one = operate(gate.adminUrl, await anOperator(gate, 'olga'))
    two = operate(gate.adminUrl, await anOperator(gate, 'otto'))
  })

  afterAll(async () => {
    await gate[Symbol.asyncDispose]()
    await cloud.close()
    await store[Symbol.asyncDispose]()
  })

  async function call(token: string): Promise<Called> {
    calls += 1
    const called = await callWith(gate.url, device, token)
    if (called.status === 200) allowed += 1
    return called
  }

  const statusesOf = async (tokens: readonly string[]) =>
    (await Promise.all(tokens.map(call))).map(({ status }) => status)
  const count = (all: readonly { status: number }[], wanted: number) =>
    all.filter(({ status }) => status === wanted).length
  const create = (name: string, definition: object = aDefinition, as = one) =>
    as('POST', '/api/users', { name, definition })
  const liveTokens = (user: string) =>
    elsewhere(gate.config, async (tokens) => (await tokens.list({ user, live: true })).length)

  /** Eight clients that call without a pause until each was refused three times. */
  function load(token: string) {
    const all: Called[] = []
    const client = async () => {
      for (let refused = 0; refused < 3;) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as a client does
        const called = await call(token)
        all.push(called)
        if (called.status !== 200) refused += 1
      }
    }
    const done = Promise.all(Array.from({ length: 8 }, client))
    return {
      warm: () => expect.poll(() => all.length, { timeout: 30_000 }).toBeGreaterThan(40),
      async after(boundMs: number): Promise<Called[]> {
        await done
        expect(count(all, 200)).toBeGreaterThan(30)
        return all.filter(({ sentMs }) => sentMs > boundMs)
      },
    }
  }

  /** What was recorded as allowed after the record of the change's end was never served, nor sent on. */
  async function expectNoneServedAfter(user: string, tokenId: unknown, changes: readonly string[]) {
    const rows = await recordsOf(gate)
    const mine = rows.filter((row) => row['kind'] === 'change' && row['target'] === user)
    const ids = mine
      .filter((row) => changes.includes(String(row['change'])))
      .map((row) => row['request_id'])
    const end = rows.findIndex(
      (row) =>
        row['kind'] === 'changed' && ids.includes(row['request_id']) && row['ended'] === 'changed',
    )
    expect(end).toBeGreaterThan(-1)
    const late = rows
      .slice(end)
      .filter((row) => row['kind'] === 'decision' && row['token_id'] === tokenId)
      .filter((row) => row['decision'] === 'allow')
    for (const { request_id } of late) {
      const outcome = rows.find(
        (row) => row['kind'] === 'outcome' && row['request_id'] === request_id,
      )
      expect(outcome).toMatchObject({ status: expect.any(Number) })
      expect([401, 403]).toContain(outcome?.['status'])
      expect(outcome).not.toHaveProperty('upstream_status')
    }
  }

  describe('rotations', () => {
    it('twenty by operators leave exactly one valid token; the losers hear 409 and get none', async () => {
      const first = await create('twenty')
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? one : two)('POST', '/api/users/twenty/token'),
        ),
      )
      const won = count(all, 201)
      expect(won).toBeGreaterThan(0)
      expect(count(all, 409)).toBe(20 - won)
      for (const { status, token, body } of all) {
        expect(token !== '').toBe(status === 201)
        if (status === 409) expect(body.code).toBe('conflict')
      }
      const tokens = all.flatMap(({ token }) => (token === '' ? [] : [token]))
      expect(new Set(tokens).size).toBe(won)
      const statuses = await statusesOf([first.token, ...tokens])
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses.filter((status) => status === 401)).toHaveLength(won)
      expect(statuses[0]).toBe(401)
      expect(await liveTokens('twenty')).toBe(1)
      const changes = await changesOf(gate, 'twenty')
      const rotations = changes.filter(({ change }) => change === 'token.rotate')
      expect(rotations.filter(({ ended }) => ended === 'changed')).toHaveLength(won)
      for (const { ended } of rotations) expect(['changed', 'conflict']).toContain(ended)
    })

    it('by operators, by the team API and by another process leave exactly one valid token', async () => {
      const first = await create('doors')
      const process = async (): Promise<string> => {
        await using accounts = await openAccounts(gate.config, systemClock)
        const { user } = await userNamed('doors', accounts.policy, accounts.store)
        return await accounts.tokens.rotate(user, 'cli:test').then(
          ({ token }) => token.reveal(),
          () => '',
        )
      }
      const team = () => two('PUT', `/v1/products/${product}/team/doors/token`)
      const said = (answer: Promise<AdminSaid>) => answer.then(({ token }) => token)
      const all = await Promise.all(
        Array.from({ length: 6 }, () => [
          said(one('POST', '/api/users/doors/token')),
          said(team()),
          process(),
        ]).flat(),
      )
      const tokens = all.filter((token) => token !== '')
      let statuses: number[] = []
      // What another process did, a gate on PostgreSQL hears of a moment later.
      await expect
        .poll(async () => {
          statuses = await statusesOf([first.token, ...tokens])
          return statuses.filter((status) => status === 200)
        })
        .toHaveLength(1)
      expect(new Set(statuses)).toEqual(new Set([200, 401]))
      expect(statuses[0]).toBe(401)
      expect(await liveTokens('doors')).toBe(1)
    })

    it('of an API user of the policy files leave exactly one as well', async () => {
      const all = await Promise.all(
        Array.from({ length: 20 }, () => one('POST', '/api/users/in-git/token')),
      )
      const won = all.filter(({ status }) => status === 201)
      expect(count(all, 409)).toBe(20 - won.length)
      const tokens = [gate.tokens['in-git'] ?? '', ...won.map(({ token }) => token)]
      const statuses = await statusesOf(tokens)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      expect(statuses[0]).toBe(401)
      expect(await liveTokens('in-git')).toBe(1)
    })
  })

  it('rotate, revoke and requests: nothing passes after the first answer, and one token lives at most', async () => {
    for (let round = 0; round < 3; round += 1) {
      const name = `mixed-${round}`
      // oxlint-disable-next-line no-await-in-loop -- one race at a time
      const first = await create(name)
      const clients = load(first.token)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await clients.warm()
      const rotate = (as: Operated) => as('POST', `/api/users/${name}/token`)
      const revoke = (as: Operated) => as('DELETE', `/api/users/${name}/token`)
      // oxlint-disable-next-line no-await-in-loop -- as above
      const all = await Promise.all([rotate(one), revoke(two), rotate(two), revoke(one)])
      for (const { status } of all) expect([200, 201, 404, 409]).toContain(status)
      const done = all.filter(({ status }) => status < 300)
      expect(done.length).toBeGreaterThan(0)
      const bound = Math.min(...done.map(({ atMs }) => atMs))
      // oxlint-disable-next-line no-await-in-loop -- as above
      const late = await clients.after(bound)
      expect(late.length).toBeGreaterThan(0)
      expect(new Set(late.map(({ status }) => status))).toEqual(new Set([401]))
      const made = done.flatMap(({ token }) => (token === '' ? [] : [token]))
      // oxlint-disable-next-line no-await-in-loop -- as above
      const statuses = await statusesOf(made)
      // oxlint-disable-next-line no-await-in-loop -- as above
      const live = await liveTokens(name)
      expect(live).toBeLessThanOrEqual(1)
      expect(statuses.filter((status) => status === 200)).toHaveLength(live)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await revoke(one)
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(new Set(await statusesOf([first.token, ...made]))).toEqual(new Set([401]))
      // oxlint-disable-next-line no-await-in-loop -- as above
      await expectNoneServedAfter(name, first.body.token?.id, ['token.rotate', 'token.revoke'])
    }
  })

  it('create with one name: one 201 with the one token, and 409 to all others', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        create('twins', { ...aDefinition, description: `Number ${i}.` }, i % 2 ? one : two),
      ),
    )
    expect([count(all, 201), count(all, 409)]).toEqual([1, 9])
    const winner = all.find(({ status }) => status === 201)
    const shown = all.filter(({ token }) => token !== '')
    expect(shown).toEqual([winner])
    expect((await call(winner?.token ?? '')).status).toBe(200)
    const read = await one('GET', '/api/users/twins')
    expect(read.body.user['description']).toBe(winner?.body.user['description'])
    expect(await liveTokens('twins')).toBe(1)
    const changes = await changesOf(gate, 'twins')
    expect(changes.filter(({ ended }) => ended === 'changed')).toHaveLength(1)
  })

  it('update with one ETag: one 200, one 412, and nothing of the loser is kept', async () => {
    const made = await create('etag')
    const put = (as: Operated, scope: string) =>
      as(
        'PUT',
        '/api/users/etag',
        { definition: { ...aDefinition, scopes: ['devices:get', scope] } },
        made.etag,
      )
    const all = await Promise.all([put(one, 'devices:list'), put(two, 'devices:update')])
    expect([count(all, 200), count(all, 412)]).toEqual([1, 1])
    const [winner] = all.filter(({ status }) => status === 200)
    const [loser] = all.filter(({ status }) => status === 412)
    expect([loser?.token, loser?.body.code]).toEqual(['', 'precondition_failed'])
    const read = await one('GET', '/api/users/etag')
    expect(read.body.user['definition']).toEqual(winner?.body.user['definition'])
    expect(read.etag).toBe(winner?.etag)
    expect(await statusesOf([made.token, winner?.token ?? ''])).toEqual([401, 200])
    const updates = (await changesOf(gate, 'etag')).filter(({ change }) => change === 'user.update')
    expect(updates.filter(({ ended }) => ended === 'changed')).toHaveLength(1)
  })

  it('delete and rotate: who is deleted has no token, and a namesake gets none of the old', async () => {
    for (let round = 0; round < 6; round += 1) {
      const name = `leaving-${round}`
      // oxlint-disable-next-line no-await-in-loop -- one race at a time
      const made = await create(name)
      const remove = () => one('DELETE', `/api/users/${name}`, undefined, made.etag)
      const rotate = () => two('POST', `/api/users/${name}/token`)
      // oxlint-disable-next-line no-await-in-loop -- as above
      const all = await Promise.all(round % 2 ? [remove(), rotate()] : [rotate(), remove()])
      const removed = all.some(({ status }) => status === 204)
      const rotated = all.find(({ status }) => status === 201)
      for (const { status } of all) expect([201, 204, 404, 409, 412]).toContain(status)
      expect(removed || rotated !== undefined).toBe(true)
      const old = [made.token, ...(rotated === undefined ? [] : [rotated.token])]
      // oxlint-disable-next-line no-await-in-loop -- as above
      const statuses = await statusesOf(old)
      // oxlint-disable-next-line no-await-in-loop -- as above
      const read = await one('GET', `/api/users/${name}`)
      expect(read.status).toBe(removed ? 404 : 200)
      expect(statuses[0]).toBe(401)
      if (rotated !== undefined) expect(statuses[1]).toBe(removed ? 401 : 200)
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(await liveTokens(name)).toBe(removed ? 0 : 1)
      if (!removed) continue
      // oxlint-disable-next-line no-await-in-loop -- as above
      const again = await create(name)
      expect(again.status).toBe(201)
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(await statusesOf([...old, again.token])).toEqual([...old.map(() => 401), 200])
    }
  })

  it('suspend and requests: nothing passes after the answer, streams end, and resume brings it back', async () => {
    const { token, body } = await create('pausing')
    const stream = await listen(gate.url, `/v1/products/${product}/events`, token)
    calls += 1
    expect(stream.status).toBe(200)
    const clients = load(token)
    await clients.warm()
    await using clock = await startFairClock()
    const said = await one('POST', '/api/users/pausing/suspend', { because: 'It is lost.' })
    expect(said.status).toBe(200)
    const late = await clients.after(said.atMs)
    expect(late.length).toBeGreaterThan(0)
    expect(new Set(late.map(({ status }) => status))).toEqual(new Set([403]))
    await stream.ended
    expect(await clock.between(said.atMs, stream.endedAt())).toBeLessThan(1000)
    await expectNoneServedAfter('pausing', body.token?.id, ['user.suspend'])
    expect((await two('POST', '/api/users/pausing/resume')).status).toBe(200)
    expect((await call(token)).status).toBe(200)
  })

  it('an update by the team API and requests: the old token is dead before the answer', async () => {
    const team = `/v1/products/${product}/team`
    const made = await one('POST', team, {
      friendly_name: `Busy ${kind}`,
      scopes: ['devices:get'],
    })
    const { username } = made.body.created
    const [row] = await changesOf(gate, username)
    const clients = load(made.token)
    await clients.warm()
    const said = await one('PUT', `${team}/${username}`, { scopes: ['devices:get', 'events:get'] })
    expect(said.status).toBe(200)
    const late = await clients.after(said.atMs)
    expect(late.length).toBeGreaterThan(0)
    expect(new Set(late.map(({ status }) => status))).toEqual(new Set([401]))
    expect(await statusesOf([made.token, said.token])).toEqual([401, 200])
    const { id } = Object(Object(row?.['after'])['token'])
    expect(id).toEqual(expect.any(String))
    await expectNoneServedAfter(username, id, ['user.update'])
  })

  it('a request whose record was being written when its token died is not served', async () => {
    await using other = await storeLines(kind)
    const { faults, openFile } = faultyDisk()
    await using slow = await startTestGate({
      upstream: cloud,
      policies,
      config: `${other.lines}audit: { wait: 10s }\n`,
      openAuditFile: openFile,
    })
    const token = slow.tokens['in-git'] ?? ''
    const before = cloud.requests().length
    const held = Promise.withResolvers<void>()
    const writing = Promise.withResolvers<void>()
    faults.write = async (bytes, real) => {
      writing.resolve()
      await held.promise
      return real.write(bytes)
    }
    const asked = callWith(slow.url, device, token)
    await writing.promise
    await elsewhere(slow.config, (tokens) => tokens.revoke({ user: 'in-git' }, 'cli:test'))
    // Another gate's change is heard of within a second and a half, whatever becomes of notices.
    if (kind === 'postgres') await new Promise((resolve) => setTimeout(resolve, 1500))
    delete faults.write
    held.resolve()
    expect((await asked).status).toBe(401)
    expect(cloud.requests()).toHaveLength(before)
    const { decisions, total } = await traces(slow)
    expect([total, decisions[0]?.['decision']]).toEqual([1, 'allow'])
    const [outcome] = await slow.outcomes()
    expect(outcome).toMatchObject({ status: 401, ended: 'invalid_token' })
    expect(outcome).not.toHaveProperty('upstream_status')
  })

  it('and after all of that every call has left one trace, and the cloud got what clients were given', async () => {
    expect((await traces(gate)).total).toBe(calls)
    expect(cloud.requests().filter(({ url }) => url === device)).toHaveLength(allowed)
  })
})
