import { describe, expect, it } from 'vitest'
import { aDefinition, day, startAdmin } from '../kit/admin-rig.ts'
import { diskError, faultyDisk } from '../kit/audit.ts'

const as = (token: string) => ({ authorization: `Bearer ${token}` })

describe('a change', () => {
  it('is not made where the audit log cannot be written, and reads go on', async () => {
    const { faults, openFile } = faultyDisk()
    await using rig = await startAdmin({ openFile })
    const token = await rig.operator('eddie', 'editor')
    faults.write = () => Promise.reject(diskError('ENOSPC'))
    const post = () =>
      rig.agent.post('/api/users').set(as(token)).send({ name: 'wall', definition: aDefinition })
    const { body } = await post().expect(503)
    expect(body.code).toBe('audit_unavailable')
    expect(await rig.store.users.get('wall')).toBeUndefined()
    await rig.agent.get('/api/users').set(as(token)).expect(200)
    await rig.agent.get('/health').expect(503)
    delete faults.write
    await post().expect(201)
    await rig.agent.get('/health').expect(200)
  })
})

describe('an API user whose definition stopped fitting', () => {
  it('says why, gives no token any more, and is put right by an update', async () => {
    const role = (name: string) => `
roles:
  ${name}:
    rules:
      - can: devices:get
users:
  other: { owner: o, product: 12345, devices: all, never: true, roles: ${name} }
`
    await using rig = await startAdmin({ policies: role('reader') })
    const token = await rig.operator('eddie', 'editor')
    const { rules: _, ...definition } = { ...aDefinition, roles: 'reader' }
    const made = await rig.agent
      .post('/api/users')
      .set(as(token))
      .send({ name: 'wall', definition })
      .expect(201)
    rig.use(role('looker'))
    const { body, headers } = await rig.agent.get('/api/users/wall').set(as(token)).expect(200)
    expect(body.user).toMatchObject({
      state: 'unfit',
      mistakes: [{ pointer: '/definition/roles', detail: expect.stringContaining('reader') }],
    })
    await expect(async () => rig.tokens.authenticate(made.body.token.token)).rejects.toThrow()
    await rig.agent.post('/api/users/wall/token').set(as(token)).expect(409)
    await rig.agent.get('/api/users/wall/permissions').set(as(token)).expect(409)
    const { body: after } = await rig.agent
      .put('/api/users/wall')
      .set({ ...as(token), 'if-match': headers['etag'] ?? '' })
      .send({ definition: { ...definition, roles: 'looker' } })
      .expect(200)
    expect(after.user.state).toBe('valid')
    // Its rights as they were are not known: the old token does not come back to life.
    expect(after.token.token).not.toBe(made.body.token.token)
  })
})

describe('an API user whose name the policy files took', () => {
  it('is displaced loudly, and comes back by an update once they give the name back', async () => {
    await using rig = await startAdmin()
    const token = await rig.operator('eddie', 'editor')
    const body = { name: 'wall', definition: aDefinition }
    await rig.agent.post('/api/users').set(as(token)).send(body).expect(201)
    await rig.store.users.displace(['wall'], rig.clock.now(), 'gate:here')
    const got = await rig.agent.get('/api/users/wall').set(as(token)).expect(200)
    expect(got.body.user).toMatchObject({ state: 'displaced', displaced_at: expect.any(String) })
    await rig.agent.post('/api/users/wall/token').set(as(token)).expect(409)
    const put = await rig.agent
      .put('/api/users/wall')
      .set({ ...as(token), 'if-match': got.headers['etag'] ?? '' })
      .send({ definition: aDefinition })
      .expect(200)
    expect(put.body.user.state).toBe('no_token')
    await rig.agent.post('/api/users/wall/token').set(as(token)).expect(201)
  })
})

describe('the status', () => {
  it('names replicas under other policies, tokens that end soon, and who is observed', async () => {
    await using rig = await startAdmin()
    const owner = await rig.operator('olga', 'owner')
    const nowMs = rig.clock.now()
    const beat = { version: '0', commit: 'abc', startedAtMs: nowMs, nowMs }
    await rig.store.replicas.beat({
      name: 'here',
      boot: 'b00t',
      ...beat,
      revision: rig.policy.revision,
    })
    await rig.store.replicas.beat({ name: 'there', boot: 'b11t', ...beat, revision: 'other' })
    const definition = { ...aDefinition, lifetime: '3d', observe: observeDate(nowMs) }
    const body = { name: 'wall', definition }
    await rig.agent.post('/api/users').set(as(owner)).send(body).expect(201)
    const status = await rig.agent.get('/api/status').set(as(owner)).expect(200)
    expect(status.body).toMatchObject({
      drift: true,
      observed_users: { total: 1, first: [{ user: 'wall' }] },
      tokens_ending_soon: { total: 1, first: [{ user: 'wall' }] },
    })
    const live: { name: string }[] = status.body.replicas.live
    expect(live.find(({ name }) => name === 'here')).toMatchObject({ this: true })
    expect(live.find(({ name }) => name === 'here')).not.toHaveProperty('drift')
    expect(live.find(({ name }) => name === 'there')).toMatchObject({ drift: true })
  })
})

function observeDate(nowMs: number): string {
  return new Date(nowMs + 10 * day).toISOString().slice(0, 10)
}
