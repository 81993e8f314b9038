// The cloud's own team API on the admin port, by the cloud's own client library with nothing changed but its base URL.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Particle from 'particle-api-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { openStore } from '../../src/open-parts.ts'
import { createOperatorTokens, type NewOperator } from '../../src/store/operator-tokens.ts'
import { parseLines, startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
const policies = {
  'users.yaml': `
users:
  dashboard:
    owner: web@acme.example
    description: The wall.
    product: ${product}
    devices: all
    scopes: [devices:list, devices:get]
    expires: never
`,
}
const listen = "listen: { data: '127.0.0.1:0', admin: '127.0.0.1:0' }"

let cloud: DeviceCloud
let gate: TestGate
let editor: string

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
  gate = await open('api_users: { team_api: { lifetime: 90d } }')
  editor = await operator(gate, { name: 'eddie', role: 'editor' })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

function open(config: string): Promise<TestGate> {
  return startTestGate({ upstream: cloud, policies, config: `${listen}\n${config}` })
}

async function operator(at: TestGate, who: Omit<NewOperator, 'via'>): Promise<string> {
  await using store = await openStore(at.config, systemClock)
  const operators = createOperatorTokens({ store, clock: systemClock, random: randomBytes })
  return (await operators.create({ ...who, via: 'token' }, 'cli:test')).token.reveal()
}

type Told = { username: string; tokens: readonly { token: string }[] }
/** What the answers of these calls have between them. */
type Body = {
  error: string
  error_description: string
  created: Told
  updated: Told
  team: readonly { username: string }[]
}
type Answer = { status: number; body: Body }

const tokenIn = ({ tokens: [one] }: Told): string => one?.token ?? ''

/** As the library answers, refusals too. */
async function call(
  method: 'get' | 'post' | 'put' | 'delete',
  uri: string,
  data?: Record<string, unknown>,
  auth = editor,
  at = gate,
): Promise<Answer> {
  const admin = new Particle({ baseUrl: at.adminUrl ?? '' })
  try {
    const { statusCode, body } = await (method === 'get'
      ? admin.get<Body>({ uri, auth })
      : admin[method]<Body>({ uri, auth, ...(data && { data }) }))
    return { status: statusCode, body }
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): Answer {
  if (!(error instanceof Error && 'statusCode' in error && 'body' in error)) throw error
  // The library hangs its own response on the body.
  const told = { ...Object(error.body), response: undefined }
  return { status: Number(error.statusCode), body: JSON.parse(JSON.stringify(told)) }
}

const team = `/v1/products/${product}/team`
const create = (friendly_name: string, scopes: readonly string[]) =>
  call('post', team, { friendly_name, scopes })

/** Status of a call on the data port with this token. */
async function devices(token: string): Promise<number> {
  const authorization = `Bearer ${token}`
  const path = `/v1/products/${product}/devices`
  return (await fetch(`${gate.url}${path}`, { headers: { authorization } })).status
}

async function changes(): Promise<Readonly<Record<string, unknown>>[]> {
  const rows = parseLines(await readFile(join(gate.config.audit.folder, 'decisions.jsonl'), 'utf8'))
  return rows.filter(({ kind }) => kind === 'change')
}

describe('particle-api-js at the admin port', () => {
  it('creates an API user whose token works on the data port, lists, updates and deletes it', async () => {
    const made = await create('Night Build', ['devices:list', 'devices:get'])
    expect(made).toEqual({
      status: 200,
      body: {
        ok: true,
        created: {
          username: expect.stringMatching(/^night-build\+[a-z0-9]{10}@api\.particle\.io$/),
          is_programmatic: true,
          tokens: [{ token: expect.stringMatching(/^fg_u_/) }],
        },
      },
    })
    const { username } = made.body.created
    const first = tokenIn(made.body.created)
    const client = new Particle({ baseUrl: gate.url, auth: first })
    const listed = await client.listDevices({ product, perPage: 2 })
    expect(listed.body).toMatchObject({ devices: [{}, {}] })

    const admin = new Particle({ baseUrl: gate.adminUrl ?? '', auth: editor })
    const { body } = await admin.listTeamMembers({ product })
    expect(body).toEqual({
      ok: true,
      team: [
        {
          username: 'dashboard',
          friendly_name: 'The wall.',
          scopes: ['devices:list', 'devices:get'],
          is_programmatic: true,
          product_id: 12345,
        },
        {
          username,
          friendly_name: 'Night Build',
          scopes: ['devices:list', 'devices:get'],
          is_programmatic: true,
          product_id: 12345,
        },
      ],
    })

    const one = `${team}/${username}`
    const renamed = await call('put', one, { friendly_name: 'Day Build' })
    expect(renamed).toEqual({ status: 200, body: { ok: true, updated: { username } } })
    expect(await devices(first)).toBe(200)

    const changed = await call('put', one, { friendly_name: 'Day Build', scopes: ['devices:get'] })
    const second = tokenIn(changed.body.updated)
    expect(changed.body.updated.username).toBe(username)
    expect(await devices(first)).toBe(401)
    expect(await devices(second)).toBe(403)

    const widened = await call('post', one, { scopes: ['devices:get', 'devices:list'] })
    const third = tokenIn(widened.body.updated)
    expect(await devices(second)).toBe(401)
    expect(await devices(third)).toBe(200)

    await admin.removeTeamMember({ product, username })
    expect(await devices(third)).toBe(401)
    expect(JSON.stringify((await admin.listTeamMembers({ product })).body)).not.toContain(username)

    const mine = (await changes()).filter(({ target }) => target === username)
    expect(mine.map(({ by, change }) => `${String(by)} ${String(change)}`)).toEqual([
      'operator:eddie user.create',
      'operator:eddie user.update',
      'operator:eddie user.update',
      'operator:eddie user.update',
      'operator:eddie user.delete',
    ])
    expect(mine[0]).toMatchObject({ after: { expiry: { kind: 'lifetime' } } })
    for (const token of [first, second, third, editor]) {
      expect(JSON.stringify(await changes())).not.toContain(token.slice(18))
      expect(gate.log()).not.toContain(token.slice(18))
    }
  })

  it.each(['put', 'post'] as const)('regenerates a token by %s', async (method) => {
    const made = (await create('Rotor', ['devices:list'])).body.created
    const { username } = made
    const again = await call(method, `${team}/${username}/token`)
    expect(again.body).toEqual({
      ok: true,
      updated: { username, tokens: [{ token: expect.stringMatching(/^fg_u_/) }] },
    })
    expect(await devices(tokenIn(made))).toBe(401)
    expect(await devices(tokenIn(again.body.updated))).toBe(200)
  })

  it('does so for an organization, whose list has the API users of its products too', async () => {
    const [organization] = cloud.fleet.organizations()
    const org = `/v1/orgs/${String(organization?.['slug'])}/team`
    const { username: below } = (await create('Below', ['devices:list'])).body.created
    const made = await call('post', org, { friendly_name: 'All of it', scopes: ['devices:list'] })
    const { username } = made.body.created
    const token = tokenIn(made.body.created)
    expect(await devices(token)).toBe(200)

    const { body } = await call('get', org)
    const found = new Map(body.team.map((one) => [one.username, one]))
    expect(found.get(username)).not.toHaveProperty('product_id')
    expect(found.get(below)).toMatchObject({ product_id: 12345 })
    expect(found.has('dashboard')).toBe(true)

    expect((await call('delete', `${team}/${username}`)).status).toBe(404)
    expect((await call('delete', `${org}/${below}`)).status).toBe(200)
    expect((await call('delete', `${org}/${username}`)).body).toEqual({ ok: true })
    expect(await devices(token)).toBe(401)
  })

  it('keeps one of many writers at once, and one valid token', async () => {
    const { username } = (await create('Busy', ['devices:list'])).body.created
    const path = `${team}/${username}/token`
    const all = await Promise.all([1, 2, 3].map(() => call('put', path)))
    const won = all.filter(({ status }) => status === 200)
    expect(won.length).toBeGreaterThan(0)
    const statuses = await Promise.all(won.map(({ body }) => devices(tokenIn(body.updated))))
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
  })
})

describe('what it refuses, in the cloud’s shape', () => {
  it('an unknown scope, by name', async () => {
    const { status, body } = await create('Bot', ['devices:list', 'devices:lst'])
    expect([status, body]).toEqual([
      400,
      {
        error: 'invalid_scope',
        error_description: expect.stringContaining('"devices:lst"; did you mean "devices:list"?'),
      },
    ])
  })

  it.each([
    [{ friendly_name: 'Bot', scopes: [] }],
    [{ friendly_name: ' ', scopes: ['devices:list'] }],
    [{ friendly_name: 'Bot' }],
    [{ scopes: ['devices:list'] }],
    [{ friendly_name: 'Bot', scopes: 'devices:list' }],
    [{ friendly_name: 'Bot', scopes: ['devices:list'], devices: 'all' }],
    [{}],
  ])('a body such as %o', async (data) => {
    const { status, body } = await call('post', team, data)
    expect([status, body.error]).toEqual([400, 'invalid_request'])
  })

  it('people', async () => {
    const admin = new Particle({ baseUrl: gate.adminUrl ?? '', auth: editor })
    const invited = admin.inviteTeamMember({ product, username: 'someone@acme.example' })
    const told = await invited.then(() => undefined, refusal)
    expect(told).toMatchObject({ status: 403, body: { error: 'unauthorized' } })
    expect((await call('put', `${team}/dashboard`, { role: 'Support' })).status).toBe(403)
  })

  it('to change what lives in the policy files, but for its token', async () => {
    const one = `${team}/dashboard`
    const { status, body } = await call('put', one, { scopes: ['devices:update'] })
    expect([status, body.error]).toEqual([403, 'permission_denied'])
    expect(body.error_description).toContain('users.yaml:3')
    expect((await call('delete', one)).status).toBe(403)
    const { dashboard = '' } = gate.tokens
    expect(await devices(dashboard)).toBe(200)
    const again = await call('put', `${one}/token`)
    expect(await devices(dashboard)).toBe(401)
    expect(await devices(tokenIn(again.body.updated))).toBe(200)
  })

  it('what is not there, or of another team', async () => {
    expect((await call('delete', `${team}/nobody@api.particle.io`)).body).toEqual({
      error: 'not_found',
      error_description: 'There is no such API user in this team.',
    })
    expect((await call('delete', '/v1/products/12346/team/dashboard')).status).toBe(404)
    expect((await call('get', '/v1/products/no-such-product/team')).body).toEqual({
      error: 'not_found',
      error_description: 'Product not found.',
    })
  })

  it('who is not an operator, or of a lesser role, or of another product', async () => {
    const viewer = await operator(gate, { name: 'vera', role: 'viewer' })
    const elsewhere = await operator(gate, { name: 'pia', role: 'editor', product: '12346' })
    const made = (await create('Guarded', ['devices:list'])).body.created
    const { username } = made
    const data = { friendly_name: 'Bot', scopes: ['devices:list'] }
    expect((await call('get', team, undefined, viewer)).status).toBe(200)
    expect((await call('post', team, data, viewer)).status).toBe(403)
    expect((await call('get', team, undefined, elsewhere)).status).toBe(404)
    expect((await call('post', team, data, elsewhere)).status).toBe(404)
    expect((await call('delete', `${team}/${username}`, undefined, elsewhere)).status).toBe(404)
    const asUser = await call('get', team, undefined, tokenIn(made))
    expect([asUser.status, asUser.body.error]).toEqual([401, 'invalid_token'])
    expect((await fetch(`${gate.adminUrl}${team}?access_token=${editor}`)).status).toBe(401)
    expect(await devices(editor)).toBe(401)
    expect(await devices(tokenIn(made))).toBe(200)
  })

  it('to make any where the configuration does not say which end they get', async () => {
    await using silent = await open('')
    const owner = await operator(silent, { name: 'olga', role: 'owner' })
    const data = { friendly_name: 'Bot', scopes: ['devices:list'] }
    const { status, body } = await call('post', team, data, owner, silent)
    expect(status).toBe(403)
    expect(body.error_description).toContain('api_users.team_api')
    expect((await call('get', team, undefined, owner, silent)).body.team).toHaveLength(1)
  })
})
