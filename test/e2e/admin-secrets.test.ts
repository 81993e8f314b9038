import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { scannerPattern } from '../../src/store/token-format.ts'
import { aDefinition, lobby, startAdmin, type AdminRig } from '../kit/admin-rig.ts'

let rig: AdminRig
let owner: string

beforeEach(async () => {
  rig = await startAdmin()
  owner = await rig.operator('olga', 'owner')
})
afterEach(() => rig[Symbol.asyncDispose]())

const as = (token: string) => ({ authorization: `Bearer ${token}` })
const tokensIn = (text: string) => text.match(new RegExp(scannerPattern, 'g')) ?? []

describe('T12: a token', () => {
  it('stands in the one answer that shows it, and in no other answer, log line or record', async () => {
    const call = (method: 'get' | 'post' | 'put' | 'delete', path: string, body?: object) =>
      rig.agent[method](path)
        .set({ ...as(owner), 'if-match': etag })
        .send(body)
    let etag = '"none"'
    const keepEtag = (response: { headers: Record<string, string> }) => {
      etag = response.headers['etag'] ?? etag
    }
    const name = 'wall'
    const first = await call('post', '/api/users', { name, definition: aDefinition }).expect(201)
    const lost = first.body.token.token
    keepEtag(first)
    const lifetime = { ...aDefinition, lifetime: '30d' }
    keepEtag(await call('put', '/api/users/wall', { definition: lifetime }).expect(200))
    await call('post', '/api/users/wall/token').expect(201)
    await call('post', '/api/users/git-reader/token').expect(201)
    await call('post', '/api/operators', { name: 'ines', role: 'viewer' }).expect(201)
    await call('post', '/api/users', { name, definition: aDefinition }).expect(409)
    for (const path of [
      ...['/api/users', '/api/users/wall', '/api/users/wall/held-back', '/api/operators'],
      ...[`/api/users/wall/permissions?device=${lobby}&product=12345`, '/api/status', '/health'],
      ...[`/api/access?action=devices:get&product=12345&device=${lobby}`, '/openapi.json'],
    ]) {
      await call('get', path).expect(200)
    }
    // Where somebody puts one by mistake it is refused, or masked on record.
    await call('post', '/api/users/wall/suspend', { because: `lost ${lost}` }).expect(400)
    const leaky = { ...aDefinition, description: lost }
    await call('post', '/api/users', { name: 'b', definition: leaky }).expect(400)
    await call('post', '/api/users', { name: lost, definition: aDefinition }).expect(400)
    await call('post', '/api/users', { [lost]: 1 }).expect(400)
    await call('get', `/api/users/${lost}`).expect(404)
    await rig.agent
      .get('/api/users')
      .set({ ...as(lost), 'user-agent': lost })
      .expect(401)
    await rig.agent
      .post('/api/users/wall/suspend')
      .set({ ...as(owner), 'user-agent': lost })
      .send({ because: 'test' })
      .expect(200)

    const shown = tokensIn(rig.answers.join('\n'))
    expect(shown).toHaveLength(5)
    expect(new Set(shown).size).toBe(5)
    const records = await rig.auditText()
    expect(records).toContain('"kind":"change"')
    expect(tokensIn(records)).toEqual([])
    for (const token of [...shown, ...rig.plain]) {
      for (const text of [records, rig.lines.join('')]) {
        expect(text).not.toContain(token)
        expect(text).not.toContain(token.slice(18, 50))
      }
    }
  })
})
