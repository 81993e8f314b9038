import { connect } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aDefinition, gitPolicies, startAdmin, type AdminRig } from '../kit/admin-rig.ts'

let rig: AdminRig
let owner: string
let editor: string
let bound: string

beforeEach(async () => {
  rig = await startAdmin({ policies: named('12345') })
  owner = await rig.operator('olga', 'owner')
  editor = await rig.operator('eddie', 'editor')
  bound = await rig.operator('bo', 'editor', { product: '12345' })
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Policy files whose name `warehouse` is that product's, and which except two names from a guardrail. */
const named = (product: string) => `
fleet:
  products: { warehouse: ${product} }
${gitPolicies.replace('    functions: [detonate]\n', '    functions: [detonate]\n    except: [git-reader, store:robot]\n')}`

const call = (token: string, method: 'get' | 'post' | 'put' | 'delete', path: string) =>
  rig.agent[method](path).set({ authorization: `Bearer ${token}` })
const create = (name: string, more: object = {}, token = editor) =>
  call(token, 'post', '/api/users').send({ name, definition: { ...aDefinition, ...more } })

describe('an operator of one product', () => {
  it('loses sight of an API user whose product the policy files name otherwise now', async () => {
    const made = await create('wall', { product: 'warehouse' }, bound).expect(201)
    await create('here', {}, bound).expect(201)
    await call(bound, 'post', '/api/users/wall/token').expect(201)
    rig.use(named('12346'))
    await call(bound, 'get', '/api/users/wall').expect(404)
    await call(bound, 'post', '/api/users/wall/token').expect(404)
    await call(bound, 'post', '/api/users/wall/token/extend').expect(404)
    const ifMatch = { 'if-match': made.headers['etag'] ?? '' }
    await call(bound, 'delete', '/api/users/wall').set(ifMatch).expect(404)
    const other = await rig.operator('otto', 'editor', { product: '12346' })
    await call(other, 'post', '/api/users/wall/token').expect(404)
    const names = async (token: string) => {
      const { body } = await call(token, 'get', '/api/users').expect(200)
      return body.users.map(({ name }: { name: string }) => name)
    }
    expect(await names(bound)).toEqual(['git-reader', 'here'])
    expect(await names(other)).toEqual([])
    await call(editor, 'post', '/api/users/wall/token').expect(201)
    await call(bound, 'post', '/api/users/here/token').expect(201)
  })

  it('is told neither how many others reach its product nor where else a name is taken', async () => {
    const looked = async (token: string) => {
      const path = '/api/access?action=devices:get&product=12345'
      return (await call(token, 'get', path).expect(200)).body.looked_at
    }
    const before = await looked(bound)
    const all = await looked(owner)
    await create('both', { product: undefined, products: [12345, 12346] }).expect(201)
    expect(await looked(bound)).toBe(before)
    expect(await looked(owner)).toBe(all + 1)
    const foreign = await create('git-fleet', {}, bound).expect(409)
    const own = await create('git-reader', {}, bound).expect(409)
    expect(foreign.body.detail).toBe('There is an API user git-fleet already.')
    expect(own.body.detail).toMatch(/policy files, at .*:\d+/)
  })

  it('has the id of a product, not a name of one', async () => {
    const make = (product: string) =>
      call(owner, 'post', '/api/operators').send({
        name: `of-${product.length}`,
        role: 'viewer',
        product,
      })
    await make('warehouse').expect(400)
    await make(' 12345').expect(400)
    await make('12345\u0000').expect(400)
    await make('12345').expect(201)
  })

  it('sees pages of states and of everything with totals of its own', async () => {
    for (const name of ['a', 'b', 'c']) await create(name, {}, bound).expect(201)
    await create('d', { product: 12346 }).expect(201)
    await create('e', { product: undefined, products: [12345, 12346] }).expect(201)
    const list = async (token: string, query: string) => {
      const { body } = await call(token, 'get', `/api/users?${query}`).expect(200)
      return [body.total, ...body.users.map(({ name }: { name: string }) => name)]
    }
    expect(await list(bound, 'per_page=2')).toEqual([4, 'git-reader', 'a'])
    expect(await list(bound, 'per_page=2&page=2')).toEqual([4, 'b', 'c'])
    expect(await list(bound, 'state=valid')).toEqual([3, 'a', 'b', 'c'])
    expect(await list(editor, 'state=valid')).toEqual([5, 'a', 'b', 'c', 'd', 'e'])
    await call(bound, 'post', '/api/users/b/suspend').send({ because: 'odd' }).expect(200)
    expect(await list(bound, 'state=valid')).toEqual([2, 'a', 'c'])
    expect(await list(bound, 'state=suspended')).toEqual([1, 'b'])
  })
})

describe('an API user that a guardrail excepts by name', () => {
  it('has a token that only an owner of everything may take or let reach further', async () => {
    const boundOwner = await rig.operator('ina', 'owner', { product: '12345' })
    await call(owner, 'post', '/api/users/git-reader/token').expect(201)
    for (const token of [editor, boundOwner]) {
      const { body } = await call(token, 'post', '/api/users/git-reader/token').expect(403)
      expect(body.detail).toContain('guardrail')
      await call(token, 'post', '/api/users/git-reader/token/extend').expect(403)
    }
    await call(owner, 'post', '/api/users/git-reader/token/extend').expect(200)
    await call(editor, 'delete', '/api/users/git-reader/token').expect(200)
    await call(editor, 'post', '/api/users/git-fleet/token').expect(201)
    await create('robot').expect(403)
    await create('robot', {}, owner).expect(201)
    await call(editor, 'post', '/api/users/robot/token').expect(403)
  })
})

describe('what operators write', () => {
  it('has no character in it that drives a terminal or that nobody sees', async () => {
    const bad = ['a\u001b[2J', 'a\u0000', 'a\nb', 'a\u202eb', 'a\u009bb']
    for (const text of bad) {
      const { body } = await create('wall', { owner: text }).expect(422)
      expect(body.errors).toMatchObject([{ pointer: '/definition/owner' }])
      await create('wall', { rules: [{ can: 'devices:get', because: text }] }).expect(422)
      await call(editor, 'post', '/api/users/git-reader/suspend')
        .send({ because: text })
        .expect(400)
    }
    await create('wall', { owner: 'Jürgen “Ops” 北' }).expect(201)
    await call(editor, 'post', '/api/users/wall/suspend').send({ because: 'äh – 北' }).expect(200)
  })

  it('has none in a query', async () => {
    for (const text of ['%00', 'a%0Ab', '%7f']) {
      await call(editor, 'get', `/api/users?search=${text}`).expect(400)
      await call(editor, 'get', `/api/users?product=${text}`).expect(400)
    }
    await call(editor, 'get', '/api/users?search=%C3%BC').expect(200)
  })

  it('is answered with the first hundred mistakes', async () => {
    const scopes = Array.from({ length: 3000 }, (_, n) => `devicez${n}`)
    const { body, text } = await create('wall', { scopes }).expect(422)
    expect(body.errors).toHaveLength(100)
    expect(text.length).toBeLessThan(20_000)
    const few = await create('wall', { scopes: scopes.slice(0, 3) }).expect(422)
    expect(few.body.errors).toHaveLength(3)
  })

  it('is measured as it was sent, not as it is laid out', async () => {
    const ids = (count: number) =>
      Array.from({ length: count }, (_, n) => n.toString(16).padStart(24, '0'))
    await create('wall', { devices: ids(2_300) }).expect(201)
    await create('larger', { devices: ids(2_500) }).expect(413)
  })
})

describe('the record', () => {
  it('says which token changed something, and what an operator was refused', async () => {
    await create('wall').expect(201)
    const [change] = await rig.changes()
    expect(change).toMatchObject({ by: 'operator:eddie', by_token: editor.split('_')[2] })
    await call(bound, 'get', '/api/users/git-fleet').expect(404)
    await call(bound, 'get', '/api/operators').expect(403)
    await call(bound, 'get', '/api/users/git-reader').expect(200)
    const mine = { by: 'operator:bo', token_id: bound.split('_')[2], port: 'admin' }
    expect(await rig.rejects()).toMatchObject([
      { ...mine, reason: 'not_found' },
      { ...mine, reason: 'role_forbids' },
    ])
  })
})

describe('connections', () => {
  it('that never finish a head do not keep operators out', async () => {
    const sockets = Array.from({ length: 120 }, () => {
      const socket = connect(rig.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write('GET /health HTTP/1.1\r\nhost: x\r\n')
      return socket
    })
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    await call(owner, 'get', '/api/whoami').expect(200)
    await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBeGreaterThan(19)
    expect(sockets.filter(({ closed }) => !closed).length).toBeGreaterThan(90)
    for (const socket of sockets) socket.destroy()
  })
})
