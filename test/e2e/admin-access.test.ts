import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/admin/operation.ts'
import { z } from '../../src/lib/shape.ts'
import {
  aDefinition,
  annex,
  day,
  lobby,
  noon,
  startAdmin,
  type AdminRig,
} from '../kit/admin-rig.ts'

let rig: AdminRig
let owner: string
let editor: string
let viewer: string

beforeEach(async () => {
  rig = await startAdmin()
  owner = await rig.operator('olga', 'owner')
  editor = await rig.operator('eddie', 'editor')
  viewer = await rig.operator('vera', 'viewer')
})
afterEach(() => rig[Symbol.asyncDispose]())

type Headers = Record<string, string>
type Method = 'get' | 'post' | 'put' | 'delete'
const as = (token: string) => ({ authorization: `Bearer ${token}` })
const call = (
  token: string,
  method: Method,
  path: string,
  body?: object,
  headers: Headers = {},
) => {
  const sent = rig.agent[method](path).set({ ...as(token), ...headers })
  return body === undefined ? sent : sent.send(body)
}
const create = (name: string, more: object = {}, token = editor) =>
  call(token, 'post', '/api/users', { name, definition: { ...aDefinition, ...more } })

describe('roles', () => {
  const definition = aDefinition
  const rows: [least: string, method: Method, path: string, body?: object][] = [
    ['viewer', 'get', '/api/whoami'],
    ['viewer', 'get', '/api/users'],
    ['viewer', 'get', '/api/users/wall'],
    ['viewer', 'get', `/api/users/wall/permissions?device=${lobby}&product=12345`],
    ['viewer', 'get', '/api/users/wall/held-back'],
    ['viewer', 'get', `/api/access?action=devices:get&product=12345&device=${lobby}`],
    ['viewer', 'get', '/api/status'],
    ['editor', 'post', '/api/users', { name: 'new', definition }],
    ['editor', 'put', '/api/users/wall', { definition }],
    ['editor', 'post', '/api/users/wall/suspend', { because: 'test' }],
    ['editor', 'post', '/api/users/wall/resume'],
    ['editor', 'post', '/api/users/wall/token'],
    ['editor', 'post', '/api/users/wall/token/extend'],
    ['editor', 'delete', '/api/users/wall/token'],
    ['editor', 'delete', '/api/users/wall'],
    ['owner', 'get', '/api/operators'],
    ['owner', 'post', '/api/operators', { name: 'ines', role: 'viewer' }],
    ['owner', 'delete', '/api/operators/nobody'],
  ]

  it.each(rows)('lets %s and above %s %s, and nobody below', async (least, method, path, body) => {
    const made = await create('wall').expect(201)
    const headers = { 'if-match': made.headers['etag'] ?? '' }
    const before = (await rig.changes()).length
    const ranks = { viewer, editor, owner }
    for (const [role, token] of Object.entries(ranks)) {
      if (role === least) break
      const refused = await call(token, method, path, body, headers).expect(403)
      expect(refused.body.code).toBe('role_forbids')
    }
    expect(await rig.changes()).toHaveLength(before)
    await rig.agent[method](path).set(headers).send(body).expect(401)
    const allowed = await call(ranks[least as 'viewer'], method, path, body, headers)
    expect([200, 201, 204, 404]).toContain(allowed.status)
    expect(allowed.status === 404).toBe(path.endsWith('nobody'))
  })
})

describe('an operator of one product', () => {
  let bound: string
  let boundOwner: string
  beforeEach(async () => {
    bound = await rig.operator('bo', 'editor', { product: '12345' })
    boundOwner = await rig.operator('bobo', 'owner', { product: '12345' })
    await create('wall').expect(201)
    await create('foreign', { product: 12346 }).expect(201)
    await create('both', { product: undefined, products: [12345, 12346], devices: 'all' }).expect(
      201,
    )
  })

  it('sees API users whose whole boundary is that product, and no other', async () => {
    const { body } = await call(bound, 'get', '/api/users').expect(200)
    expect(body.total).toBe(2)
    expect(body.users.map(({ name }: { name: string }) => name)).toEqual(['git-reader', 'wall'])
    expect((await call(bound, 'get', '/api/users?product=12346').expect(200)).body.total).toBe(0)
    await call(bound, 'get', '/api/users/wall').expect(200)
    for (const name of ['foreign', 'both', 'git-fleet', 'nobody']) {
      const { body } = await call(bound, 'get', `/api/users/${name}`).expect(404)
      expect(body.detail).toBe('There is no such API user.')
    }
  })

  it('changes none beyond it, by no way', async () => {
    const before = (await rig.changes()).length
    const etag = (await call(owner, 'get', '/api/users/foreign')).headers['etag'] ?? ''
    const headers = { 'if-match': etag }
    const definition = aDefinition
    await call(bound, 'put', '/api/users/foreign', { definition }, headers).expect(404)
    await call(bound, 'delete', '/api/users/foreign', undefined, headers).expect(404)
    await call(bound, 'post', '/api/users/foreign/token').expect(404)
    await call(bound, 'post', '/api/users/foreign/token/extend').expect(404)
    await call(bound, 'post', '/api/users/foreign/suspend', { because: 'x' }).expect(404)
    await call(bound, 'post', '/api/users/foreign/resume').expect(404)
    await call(bound, 'delete', '/api/users/foreign/token').expect(404)
    await call(bound, 'get', '/api/users/foreign/permissions?product=12345').expect(404)
    await call(bound, 'get', '/api/users/foreign/held-back').expect(404)
    expect(await rig.changes()).toHaveLength(before)
    await call(bound, 'post', '/api/users/wall/token').expect(201)
  })

  it('makes nothing that reaches beyond it', async () => {
    await create('a', { product: 12346 }, bound).expect(403)
    await create('b', { product: undefined, products: [12345, 12346] }, bound).expect(403)
    await create('c', { product: undefined, organization: 'a'.repeat(24) }, bound).expect(403)
    const etag = (await call(bound, 'get', '/api/users/wall')).headers['etag'] ?? ''
    const wider = { ...aDefinition, product: undefined, products: [12345, 12346] }
    await call(bound, 'put', '/api/users/wall', { definition: wider }, { 'if-match': etag }).expect(
      403,
    )
    await create('d', {}, bound).expect(201)
  })

  it('asks only about places inside it', async () => {
    const access = (place: string) => call(bound, 'get', `/api/access?action=devices:get&${place}`)
    await access('product=12346').expect(404)
    const { body } = await access(`product=12345&device=${annex}`).expect(200)
    expect(body.access.map(({ user }: { user: string }) => user)).toEqual(['wall'])
    const all = await call(
      viewer,
      'get',
      `/api/access?action=devices:get&product=12345&device=${annex}`,
    )
    expect(all.body.access.map(({ user }: { user: string }) => user)).toContain('both')
    await call(bound, 'get', '/api/users/wall/permissions?product=12346').expect(404)
  })

  it('makes operators of that product alone, and hears of no others', async () => {
    const post = (body: object) => call(boundOwner, 'post', '/api/operators', body)
    await post({ name: 'x', role: 'viewer' }).expect(403)
    await post({ name: 'x', role: 'viewer', product: '12346' }).expect(403)
    await post({ name: 'x', role: 'viewer', product: '12345' }).expect(201)
    const { body } = await call(boundOwner, 'get', '/api/operators').expect(200)
    const names = body.operators.map(({ name }: { name: string }) => name)
    expect(names.toSorted()).toEqual(['bo', 'bobo', 'x'])
    const all = await call(owner, 'get', '/api/operators').expect(200)
    const olga = all.body.operators.find(({ name }: { name: string }) => name === 'olga')
    await call(boundOwner, 'delete', `/api/operators/${olga.id}`).expect(404)
    const status = await call(bound, 'get', '/api/status').expect(200)
    expect(status.body).not.toHaveProperty('tokens_ending_soon')
  })

  it('gets no token of somebody under observation, who is not held to the product', async () => {
    const observe = new Date(noon + 30 * day).toISOString().slice(0, 10)
    await create('seen', { observe }, bound).expect(403)
    await create('seen', { observe }, editor).expect(403)
    await create('seen', { observe }, owner).expect(201)
    await call(bound, 'post', '/api/users/seen/token').expect(403)
    await call(editor, 'post', '/api/users/seen/token').expect(403)
    await call(editor, 'post', '/api/users/seen/token/extend').expect(403)
    await call(owner, 'post', '/api/users/seen/token').expect(201)
    await using all = await startAdmin({ observeUntilMs: noon + day })
    const token = await all.operator('bo', 'editor', { product: '12345' })
    const body = { name: 'wall', definition: aDefinition }
    await all.agent.post('/api/users').set(as(token)).send(body).expect(403)
    const status = await all.agent.get('/api/status').set(as(token)).expect(200)
    expect(status.body.observe.until).toBe(new Date(noon + day).toISOString())
  })
})

describe('credentials', () => {
  it('T14: the token of an API user is no operator’s, nor an operator’s an API user’s', async () => {
    const { body } = await create('wall').expect(201)
    const refused = await call(body.token.token, 'get', '/api/whoami').expect(401)
    expect(refused.body.code).toBe('invalid_token')
    expect(refused.headers['www-authenticate']).toMatch(/^Bearer/)
    await expect(async () => rig.tokens.authenticate(owner)).rejects.toMatchObject({
      code: 'invalid_token',
    })
    await call(owner, 'get', '/api/whoami').expect(200)
    const [row] = await rig.rejects()
    expect(row).toMatchObject({ port: 'admin', reason: 'invalid_token', token_id: body.token.id })
  })

  it('that are missing, malformed, several, revoked or expired are refused and on record', async () => {
    const get = (headers: Headers) => rig.agent.get('/api/whoami').set(headers)
    await get({}).expect(401)
    await get({ authorization: 'Basic b2xnYTpv' }).expect(401)
    await get(as(`${owner}x`)).expect(401)
    await rig.agent.get(`/api/whoami?access_token=${owner}`).expect(401)
    const short = await rig.operator('short', 'viewer', { expiresAtMs: noon + 1000 })
    await get(as(short)).expect(200)
    rig.clock.at += 1000
    const { body } = await get(as(short)).expect(401)
    expect(body.code).toBe('expired_token')
    const rows = await rig.rejects()
    expect(rows.map(({ reason }) => reason)).toEqual([
      ...['missing_token', 'invalid_token', 'invalid_token', 'missing_token', 'expired_token'],
    ])
    expect(rows.every(({ port }) => port === 'admin')).toBe(true)
    expect(
      await rawStatus(
        `GET /api/whoami HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${owner}\r\nauthorization: Bearer ${owner}\r\n\r\n`,
      ),
    ).toBe(400)
  })

  it('that are revoked while a body is on its way change nothing', async () => {
    const body = JSON.stringify({ name: 'wall', definition: aDefinition })
    const head = `POST /api/users HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nauthorization: Bearer ${editor}\r\n\r\n`
    const [row] = (await rig.store.operators.list()).filter(({ name }) => name === 'eddie')
    const answered = raw(head + body.slice(0, 10), async () => {
      await rig.store.operators.revoke(row?.id ?? '', rig.clock.now(), 'cli:test')
      return body.slice(10)
    })
    expect(await answered).toMatch(/^HTTP\/1\.1 401 /)
    expect(await rig.store.users.get('wall')).toBeUndefined()
    expect(await rig.changes()).toHaveLength(0)
  })

  it('that fail too often get 429, and valid ones still pass', async () => {
    const bad = () => rig.agent.get('/api/whoami').set(as('nonsense'))
    for (let i = 0; i < 20; i++) await bad().expect(401)
    const slowed = await bad().expect(429)
    expect(Number(slowed.headers['retry-after'])).toBeGreaterThan(0)
    await call(viewer, 'get', '/api/whoami').expect(200)
    rig.clock.at += 60_000
    await bad().expect(401)
  })
})

describe('a sign-in held in a cookie', () => {
  let signedIn: AdminRig
  let session: string
  beforeEach(async () => {
    signedIn = await startAdmin({ sessionCookie: 'fg' })
    session = await signedIn.operator('sina', 'editor', { via: 'oidc', expiresAtMs: noon + day })
  })
  afterEach(() => signedIn[Symbol.asyncDispose]())

  const suspend = (headers: Headers) =>
    signedIn.agent.post('/api/users/git-reader/suspend').set(headers).send({ because: 'x' })

  it('changes things from pages of this port alone', async () => {
    const cookie = `other=1; fg=${session}`
    await signedIn.agent.get('/api/whoami').set({ cookie }).expect(200)
    await suspend({ cookie }).expect(403)
    await suspend({ cookie, 'sec-fetch-site': 'cross-site' }).expect(403)
    await suspend({ cookie, 'sec-fetch-site': 'same-site' }).expect(403)
    await suspend({ cookie, origin: 'https://evil.example' }).expect(403)
    await suspend({ cookie, origin: 'null' }).expect(403)
    expect(await signedIn.changes()).toHaveLength(0)
    await suspend({ cookie, 'sec-fetch-site': 'same-origin' }).expect(200)
    const origin = `http://127.0.0.1:${signedIn.port}`
    await signedIn.agent.post('/api/users/git-reader/resume').set({ cookie, origin }).expect(200)
  })

  it('is one credential: with another beside it, or twice, it is refused', async () => {
    const get = (headers: Headers) => signedIn.agent.get('/api/whoami').set(headers)
    await get({ cookie: `fg=${session}`, ...as(session) }).expect(400)
    await get({ cookie: `fg=${session}; fg=${session}` }).expect(400)
    await get({ cookie: 'fg=' }).expect(401)
    const lasting = await signedIn.operator('olga', 'owner')
    await get({ cookie: `fg=${lasting}` }).expect(401)
    await get({ cookie: 'unrelated=1', ...as(lasting) }).expect(200)
    // On a port without sign-in a cookie is nothing.
    await rig.agent
      .get('/api/whoami')
      .set({ cookie: `fg=${session}` })
      .expect(401)
  })
})

describe('a request', () => {
  it('to nowhere gets 404, by another method 405 with what is allowed', async () => {
    const { body, headers } = await rawAgent('GET', '/nowhere')
    expect(body).toMatchObject({
      status: 404,
      code: 'unmapped_route',
      request_id: headers['x-request-id'],
    })
    const wrong = await rawAgent('DELETE', '/api/users')
    expect(wrong).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, POST' } })
    expect((await rawAgent('OPTIONS', '/api/users')).status).toBe(405)
    expect((await rawAgent('GET', '/API/users')).status).toBe(404)
    expect((await rawAgent('GET', '/api/users/')).status).toBe(400)
  })

  it('has no answer for other origins, caches or sniffers', async () => {
    const { headers } = await call(viewer, 'get', '/api/users').expect(200)
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    expect(headers).not.toHaveProperty('access-control-allow-origin')
    expect(headers).not.toHaveProperty('x-powered-by')
  })

  it.each([
    '/api/users/%2e%2e',
    '/api/users/..',
    '/api//users',
    '/api/users/a%2fb',
    '/api/users/a%252fb',
    '/api/users;x=1',
    '/api/users/%00',
    '/api/users/%ff',
    '/api\\users',
    '/api/users?page=%zz',
    '/api/users#x',
    'http://a/api/users',
  ])('with the target %s is refused as ambiguous', async (target) => {
    const head = `GET ${target} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${viewer}\r\n\r\n`
    expect(await rawStatus(head)).toBe(400)
  })

  it('by HEAD gets the head of what GET gives', async () => {
    const head = `HEAD /api/users HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${viewer}\r\nconnection: close\r\n\r\n`
    const text = await raw(head)
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    expect(text).toMatch(/content-length: [1-9]/i)
    expect(text.endsWith('\r\n\r\n')).toBe(true)
  })

  it('takes JSON alone, strict, whole and small', async () => {
    const post = (type: string, text: string) =>
      rig.agent
        .post('/api/users')
        .set({ ...as(editor), 'content-type': type })
        .send(text)
    const good = JSON.stringify({ name: 'wall', definition: aDefinition })
    await post('text/plain', good).expect(415)
    await post('application/x-www-form-urlencoded', 'name=wall').expect(415)
    await post('application/json', '{').expect(400)
    await post('application/json', '{"name":"a","name":"b"}').expect(400)
    await post('application/json', `{"__proto__":{},${good.slice(1)}`).expect(400)
    await post('application/json', '').expect(400)
    const typo = await post('application/json', '{"nmae":"wall"}').expect(400)
    expect(typo.body.errors).toContainEqual({
      pointer: '/nmae',
      detail: 'unknown key "nmae"; did you mean "name"?',
    })
    await post('application/json', `${' '.repeat(65_536)}${good}`).expect(413)
    await post('application/json; charset=utf-8', good).expect(201)
    await call(editor, 'post', '/api/users/wall/resume', { x: 1 }).expect(400)
    await call(editor, 'post', '/api/users/wall/resume', {}).expect(200)
  })

  it('that breaks something hears a bare 500, and why is in the log', async () => {
    const broken: Operation = {
      ...{ id: 'broken', method: 'GET', path: '/api/broken', tag: 'x', summary: 'x' },
      ...{ role: 'viewer', errors: 'problem', answers: { 200: { says: 'x', body: z.string() } } },
      handle: () => Promise.reject(new Error('inner working at /srv/secret')),
    }
    await using faulty = await startAdmin({ extra: [broken] })
    const token = await faulty.operator('vera', 'viewer')
    const { body } = await faulty.agent.get('/api/broken').set(as(token)).expect(500)
    expect(body).toMatchObject({ code: 'internal', detail: 'Something went wrong.' })
    expect(JSON.stringify(body)).not.toContain('inner')
    expect(faulty.lines.join('')).toContain('inner working')
  })
})

/** For what no operation declares. */
async function rawAgent(method: string, path: string) {
  const response = await fetch(`http://127.0.0.1:${rig.port}${path}`, {
    ...{ method, headers: as(viewer) },
  })
  const body: unknown = await response.json()
  return { status: response.status, headers: Object.fromEntries(response.headers), body }
}

/** @param more is written once the first part was on its way for a while */
function raw(text: string, more?: () => Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(rig.port, '127.0.0.1', () => {
      socket.write(text)
      if (more === undefined) return
      setTimeout(() => void more().then((rest) => socket.write(rest), reject), 200)
    })
    let all = ''
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1')
      // An end before the answer would be a client that went away.
      socket.end()
    })
    socket.on('error', reject).on('close', () => resolve(all))
  })
}

async function rawStatus(text: string): Promise<number> {
  return Number((await raw(text)).split(' ', 2)[1])
}
