import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  aDefinition,
  day,
  gitPolicies,
  lobby,
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

const as = (token: string) => ({ authorization: `Bearer ${token}` })
const create = (name: string, definition: object = aDefinition, token = editor) =>
  rig.agent.post('/api/users').set(as(token)).send({ name, definition })
const read = (name: string, token = viewer) => rig.agent.get(`/api/users/${name}`).set(as(token))

describe('an API user of the store', () => {
  it('is created with its token, read, updated under If-Match with a new token, and deleted', async () => {
    const made = await create('wall').expect(201)
    expect(made.headers['location']).toBe('/api/users/wall')
    expect(made.body.token.token).toMatch(/^fg_u_/)
    const first = made.body.token.token
    expect((await rig.tokens.authenticate(first)).user).toBe('wall')

    const got = await read('wall').expect(200)
    expect(got.headers['etag']).toBe(made.headers['etag'])
    expect(got.body.user).toMatchObject({ home: 'store', state: 'valid', definition: aDefinition })

    const definition = { ...aDefinition, rules: [{ can: ['devices:get', 'devices:list'] }] }
    const put = await rig.agent
      .put('/api/users/wall')
      .set({ ...as(editor), 'if-match': got.headers['etag'] ?? '' })
      .send({ definition })
      .expect(200)
    const second = put.body.token.token
    await expect(async () => rig.tokens.authenticate(first)).rejects.toMatchObject({ status: 401 })
    expect((await rig.tokens.authenticate(second)).user).toBe('wall')

    await rig.agent
      .delete('/api/users/wall')
      .set({ ...as(editor), 'if-match': put.headers['etag'] ?? '' })
      .expect(204)
    await read('wall').expect(404)
    await expect(async () => rig.tokens.authenticate(second)).rejects.toMatchObject({ status: 401 })
  })

  it('keeps its token where only its description changes', async () => {
    const made = await create('wall').expect(201)
    const put = await rig.agent
      .put('/api/users/wall')
      .set({ ...as(editor), 'if-match': made.headers['etag'] ?? '' })
      .send({ definition: { ...aDefinition, description: 'Another wall.' } })
      .expect(200)
    expect(put.body.token).toBeUndefined()
    expect((await rig.tokens.authenticate(made.body.token.token)).user).toBe('wall')
  })

  it('gets a new token where its end or its observation grows, and keeps it where that shrinks', async () => {
    const observe = (days: number) => ({
      ...aDefinition,
      observe: new Date(rig.clock.at + days * day).toISOString().slice(0, 10),
    })
    let etag = (await create('wall').expect(201)).headers['etag'] ?? ''
    const put = async (definition: object) => {
      const { body, headers } = await rig.agent
        .put('/api/users/wall')
        .set({ ...as(owner), 'if-match': etag })
        .send({ definition })
        .expect(200)
      etag = headers['etag'] ?? ''
      return body.token !== undefined
    }
    expect(await put({ ...aDefinition, lifetime: '91d' })).toBe(true)
    expect(await put(aDefinition)).toBe(true)
    expect(await put(observe(10))).toBe(true)
    expect(await put(observe(5))).toBe(false)
    expect(await put(observe(6))).toBe(true)
    expect(await put(aDefinition)).toBe(false)
    expect(await put({ ...aDefinition, owner: 'somebody@else.example' })).toBe(false)
  })

  it('is created by one of two at once, the other hears 409', async () => {
    const both = await Promise.all([create('wall'), create('wall')])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409])
    expect(await rig.tokens.list({ user: 'wall', live: true })).toHaveLength(1)
  })

  it('is refused with every mistake, its place and the nearest right word', async () => {
    const { body } = await create('wall', {
      ...aDefinition,
      rules: [{ can: 'devices:gett' }, { can: 'devices:list', anwser: ['id'] }],
    }).expect(422)
    expect(body).toMatchObject({
      code: 'unprocessable',
      type: 'urn:fleetgate:problem:unprocessable',
    })
    expect(body.errors).toEqual([
      { pointer: '/definition/rules/0/can', detail: expect.stringContaining('devices:get') },
      { pointer: '/definition/rules/1/anwser', detail: expect.stringContaining('answer') },
    ])
    await read('wall').expect(404)
  })

  it('has a hundred rules of its own at most, for compiling them holds up all others', async () => {
    const rules = Array.from({ length: 101 }, () => ({ can: 'devices:get' }))
    const { body } = await create('wall', { ...aDefinition, rules }).expect(422)
    expect(body.errors).toMatchObject([{ pointer: '/definition/rules' }])
    await create('wall', { ...aDefinition, rules: rules.slice(1) }).expect(201)
  })

  it('is not made where the configuration keeps API users in the policy files', async () => {
    await using closed = await startAdmin({ outsideGit: false })
    const token = await closed.operator('eddie', 'editor')
    const { body } = await closed.agent
      .post('/api/users')
      .set(as(token))
      .send({ name: 'wall', definition: aDefinition })
      .expect(403)
    expect(body.detail).toContain('outside_git')
    expect(await closed.changes()).toHaveLength(0)
  })

  it('cannot live longer than the longest life of a token', async () => {
    await using short = await startAdmin({ maxLifetimeMs: 30 * day })
    const token = await short.operator('olga', 'owner')
    const post = (lifetime: string) =>
      short.agent
        .post('/api/users')
        .set(as(token))
        .send({ name: 'wall', definition: { ...aDefinition, lifetime } })
    await post('31d').expect(422)
    await post('30d').expect(201)
  })
})

describe('two operators', () => {
  it('cannot overwrite each other: the second hears 412 and nothing is lost', async () => {
    const made = await create('wall').expect(201)
    const etag = made.headers['etag'] ?? ''
    const put = (description: string) =>
      rig.agent
        .put('/api/users/wall')
        .set({ ...as(editor), 'if-match': etag })
        .send({ definition: { ...aDefinition, description } })
    const both = await Promise.all([put('one'), put('two')])
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412])
    const winner = both.find(({ status }) => status === 200)
    expect((await read('wall')).body.user.description).toBe(winner?.body.user.description)
  })

  it('must say which version they change', async () => {
    await create('wall').expect(201)
    const put = (headers: object) =>
      rig.agent
        .put('/api/users/wall')
        .set({ ...as(editor), ...headers })
        .send({ definition: aDefinition })
    await put({}).expect(428)
    await put({ 'if-match': '*' }).expect(400)
    await put({ 'if-match': 'W/"x"' }).expect(400)
    await put({ 'if-match': '"x"' }).expect(412)
    const etag = (await read('wall')).headers['etag'] ?? ''
    await rig.agent.post('/api/users/wall/suspend').set(as(editor)).send({ because: 'test' })
    await put({ 'if-match': etag }).expect(412)
  })

  it('who rotate at once make exactly one valid token, and the losers hear 409', async () => {
    await create('wall').expect(201)
    const all = await Promise.all(
      Array.from({ length: 20 }, () => rig.agent.post('/api/users/wall/token').set(as(editor))),
    )
    const won = all.filter(({ status }) => status === 201)
    expect(all.filter(({ status }) => status === 409)).toHaveLength(20 - won.length)
    const alive = await Promise.allSettled(
      won.map(async ({ body }) => rig.tokens.authenticate(body.token.token)),
    )
    expect(alive.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})

describe('an API user of the policy files', () => {
  it('is read, suspended, resumed, rotated, extended and revoked, but never defined here', async () => {
    const post = (path: string, body?: object) =>
      rig.agent.post(`/api/users/git-reader${path}`).set(as(editor)).send(body)
    const made = await post('/token').expect(201)
    const token = made.body.token.token
    await post('/suspend', { because: 'It is lost.' }).expect(200)
    await expect(async () => rig.tokens.authenticate(token)).rejects.toMatchObject({
      code: 'suspended',
    })
    expect((await read('git-reader')).body.user).toMatchObject({
      ...{ state: 'suspended', home: 'git', file: expect.stringContaining('all.yaml:') },
      suspended: { because: 'It is lost.', by: 'operator:eddie' },
    })
    await post('/resume').expect(200)
    expect((await rig.tokens.authenticate(token)).user).toBe('git-reader')
    await post('/token/extend').expect(200)
    await rig.agent.delete('/api/users/git-reader/token').set(as(editor)).expect(200)
    await expect(async () => rig.tokens.authenticate(token)).rejects.toMatchObject({ status: 401 })
    await rig.agent.delete('/api/users/git-reader/token').set(as(editor)).expect(404)

    const { headers } = await read('git-reader')
    const refused = await rig.agent
      .put('/api/users/git-reader')
      .set({ ...as(editor), 'if-match': headers['etag'] ?? '' })
      .send({ definition: aDefinition })
      .expect(409)
    expect(refused.body.detail).toMatch(/policy files, at .*all\.yaml:\d+/)
    await create('git-reader').expect(409)
  })
})

describe('every change', () => {
  it('is on the audit log before it is made, with before and after, and how it ended', async () => {
    await create('wall').expect(201)
    await rig.agent.post('/api/users/wall/suspend').set(as(editor)).send({ because: 'test' })
    await create('wall').expect(409)
    const changes = await rig.changes()
    expect(changes).toMatchObject([
      {
        ...{ change: 'user.create', by: 'operator:eddie', target: 'wall' },
        after: { version: 1, definition: aDefinition, token: { id: expect.any(String) } },
      },
      { change: 'user.suspend', before: { version: 1 }, after: { suspended: { because: 'test' } } },
    ])
    expect(changes[0]).not.toHaveProperty('before')
    expect(await rig.changed()).toMatchObject([
      { request_id: changes[0]?.['request_id'], status: 201, ended: 'changed' },
      { request_id: changes[1]?.['request_id'], status: 200, ended: 'changed' },
    ])
  })
})

describe('lists', () => {
  beforeEach(async () => {
    for (const name of ['alpha', 'beta', 'gamma']) await create(name).expect(201)
  })

  it('go by pages, the policy files first, with links to the others', async () => {
    const page = (query: string) => rig.agent.get(`/api/users?${query}`).set(as(viewer)).expect(200)
    const one = await page('per_page=2')
    expect(one.body).toMatchObject({ total: 5, page: 1, per_page: 2 })
    const names = [one, await page('per_page=2&page=2'), await page('per_page=2&page=3')]
      .flatMap(({ body }) => body.users)
      .map(({ name }) => name)
    expect(names).toEqual(['git-fleet', 'git-reader', 'alpha', 'beta', 'gamma'])
    expect(one.headers['link']).toBe(
      '</api/users?per_page=2&page=2>; rel="next", </api/users?per_page=2&page=3>; rel="last"',
    )
  })

  it('are searched and cut by product, organization and state', async () => {
    const namesOf = async (query: string) => {
      const { body } = await rig.agent.get(`/api/users?${query}`).set(as(viewer)).expect(200)
      expect(body.total).toBe(body.users.length)
      return body.users.map(({ name }: { name: string }) => name)
    }
    await rig.agent.post('/api/users/beta/suspend').set(as(editor)).send({ because: 'x' })
    await rig.agent.delete('/api/users/gamma/token').set(as(editor)).expect(200)
    expect(await namesOf('search=LOBBY')).toEqual(['git-reader'])
    expect(await namesOf('search=et')).toEqual(['git-fleet', 'beta'].slice(0, 2))
    expect(await namesOf('product=99')).toEqual([])
    expect(await namesOf('state=suspended')).toEqual(['beta'])
    expect(await namesOf('state=valid')).toEqual(['alpha'])
    expect(await namesOf('state=no_token')).toEqual(['git-fleet', 'git-reader', 'gamma'])
    rig.clock.at += 84 * day
    expect(await namesOf('state=expires_soon')).toEqual(['alpha'])
    rig.clock.at += 7 * day
    expect(await namesOf('state=expired')).toEqual(['alpha'])
  })

  it('refuse query keys they do not know, and pages that are none', async () => {
    const get = (query: string) => rig.agent.get(`/api/users?${query}`).set(as(viewer))
    await get('per_page=101').expect(400)
    await get('page=0').expect(400)
    const { body } = await get('serach=x').expect(400)
    expect(body.errors).toEqual([{ parameter: 'serach', detail: expect.any(String) }])
    await get('page=1&page=2').expect(400)
  })
})

describe('rights', () => {
  it('are told of an API user and a device, each with the rule that decides', async () => {
    const get = (query: string) =>
      rig.agent.get(`/api/users/git-reader/permissions?${query}`).set(as(viewer))
    const { body } = await get(`device=${lobby}`).expect(200)
    expect(body.resource).toMatchObject({ type: 'device', product: '12345', device: lobby })
    const outcomes = Object.fromEntries(
      body.permissions.map((one: { action: string; outcome: string }) => [one.action, one.outcome]),
    )
    expect(outcomes).toMatchObject({ 'devices:get': 'allow', 'devices.function:call': 'deny' })
    const allowed = body.permissions.find(
      ({ action }: { action: string }) => action === 'devices:get',
    )
    expect(allowed.rule.file).toContain('all.yaml')
  })

  it('say who may do an action on a device, and only those', async () => {
    await create('wall').expect(201)
    const get = (query: string) => rig.agent.get(`/api/access?${query}`).set(as(viewer))
    const { body } = await get(`action=devices:list&device=${lobby}&product=12345`).expect(200)
    expect(body.access.map(({ user }: { user: string }) => user)).toEqual([
      'git-fleet',
      'git-reader',
    ])
    const all = await get(`action=devices:get&device=${lobby}&product=12345`).expect(200)
    expect(all.body.access.map(({ user }: { user: string }) => user)).toContain('wall')
    const typo = await get(`action=devices:gett&device=${lobby}`).expect(400)
    expect(typo.body.detail).toContain('devices:get')
    await get('action=devices:get').expect(400)
  })

  it('that were granted after the token was issued are held back until it is extended', async () => {
    const heldBack = async () =>
      (await rig.agent.get('/api/users/git-reader/held-back').set(as(viewer)).expect(200)).body
    const ping = async () => {
      const path = `/api/users/git-reader/permissions?device=${lobby}&product=12345`
      const { body } = await rig.agent.get(path).set(as(viewer)).expect(200)
      return body.permissions.find(({ action }: { action: string }) => action === 'devices:ping')
    }
    expect(await heldBack()).toEqual({ user: 'git-reader', held_back: [] })
    await rig.agent.post('/api/users/git-reader/token').set(as(editor)).expect(201)
    expect((await heldBack()).held_back).toEqual([])
    expect(await ping()).toMatchObject({ outcome: 'deny', reason: 'not_granted' })

    rig.use(
      gitPolicies.replace(
        'can: [devices:list, devices:get]',
        'can: [devices:list, devices:get, devices:ping]',
      ),
    )
    expect(await ping()).toMatchObject({ outcome: 'deny', reason: 'not_in_issued_grant' })
    expect((await heldBack()).held_back).toMatchObject([
      { what: 'rule', actions: expect.arrayContaining(['devices:ping']) },
    ])
    await rig.agent.post('/api/users/git-reader/token/extend').set(as(editor)).expect(200)
    expect((await heldBack()).held_back).toEqual([])
    expect(await ping()).toMatchObject({ outcome: 'allow' })
  })
})

describe('operators', () => {
  it('know who they are', async () => {
    const { body } = await rig.agent.get('/api/whoami').set(as(viewer)).expect(200)
    expect(body).toMatchObject({ name: 'vera', role: 'viewer', via: 'token' })
  })

  it('are made, listed and revoked by owners, and the last owner stays', async () => {
    const made = await rig.agent
      .post('/api/operators')
      .set(as(owner))
      .send({ name: 'ines', role: 'editor', product: '12345' })
      .expect(201)
    rig.plain.push(made.body.token)
    await rig.agent.get('/api/whoami').set(as(made.body.token)).expect(200)
    const { body } = await rig.agent.get('/api/operators').set(as(owner)).expect(200)
    expect(body.operators.map(({ name }: { name: string }) => name)).toContain('ines')
    expect(JSON.stringify(body)).not.toContain('hash')
    await rig.agent.delete(`/api/operators/${made.body.operator.id}`).set(as(owner)).expect(204)
    await rig.agent.get('/api/whoami').set(as(made.body.token)).expect(401)
    const self = body.operators.find(({ name }: { name: string }) => name === 'olga')
    await rig.agent.delete(`/api/operators/${self.id}`).set(as(owner)).expect(409)
    const names = (await rig.changes()).map((row) => [row['change'], row['target']])
    expect(names).toEqual([
      ['operator.create', 'ines'],
      ['operator.revoke', 'ines'],
      ['operator.revoke', 'olga'],
    ])
    await rig.agent.get('/api/whoami').set(as(owner)).expect(200)
  })
})

describe('the gate', () => {
  it('says how it stands to operators, and to anybody only whether it serves', async () => {
    const { body } = await rig.agent.get('/api/status').set(as(viewer)).expect(200)
    expect(body).toMatchObject({
      revision: rig.policy.revision,
      drift: false,
      store: { kind: 'sqlite' },
      audit: { healthy: true },
      quota: { left: 9_000, users: [{ user: 'elsewhere' }] },
    })
    const health = await rig.agent.get('/health').expect(200)
    expect(health.body).toEqual({ status: 'ok' })
  })

  it('does not say to an operator of one product who else uses the quota', async () => {
    const made = await rig.agent
      .post('/api/operators')
      .set(as(owner))
      .send({ name: 'otto', role: 'viewer', product: '12345' })
      .expect(201)
    rig.plain.push(made.body.token)
    const { body } = await rig.agent.get('/api/status').set(as(made.body.token)).expect(200)
    expect(body.quota).toEqual({ left: 9_000 })
    expect(JSON.stringify(body)).not.toContain('elsewhere')
  })
})
