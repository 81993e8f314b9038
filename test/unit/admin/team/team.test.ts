import { beforeEach, describe, expect, it } from 'vitest'
import type { Actor, ApiUserRecord, ApiUsers } from '../../../../src/admin/api-users.ts'
import { createTeamDefinitions } from '../../../../src/admin/team/definition.ts'
import { createTeamPlaces } from '../../../../src/admin/team/place.ts'
import { createTeam, type Team, type TeamName } from '../../../../src/admin/team/team.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import type { IssuedToken } from '../../../../src/store/tokens.ts'
import { particleCatalog } from '../../../kit/catalog.ts'

const catalog = particleCatalog()
const acme = 'a'.repeat(24)
const bot = 'bot+0123456789@api.particle.io'
const inProduct: TeamName = { kind: 'product', text: '12345' }
const inAcme: TeamName = { kind: 'organization', text: 'acme' }

function anActor(product?: string): Actor {
  const operator = { name: 'eddie', role: 'editor', product, tokenId: 't', via: 'token' } as const
  return { operator, requestId: 'r', address: '127.0.0.1', agent: undefined }
}

function aRecord(name: string, definition: Record<string, unknown>, version = 1): ApiUserRecord {
  return {
    ...{ name, home: 'store', definition, user: undefined, mistakes: [], version },
    ...{ etag: `"${version}"`, suspended: undefined, displacedAtMs: undefined, token: undefined },
    ...{ createdAtMs: undefined, updatedAtMs: undefined },
  }
}

const plain = {
  ...{ owner: 'o', description: 'Bot', product: '12345', devices: 'all' },
  ...{ scopes: ['devices:list'], never: true },
}
const issued = (id: string): IssuedToken => ({
  ...{ token: new Secret(`token-${id}`), tokenId: id, user: bot, expiresAtMs: undefined },
})

/** API users in memory, with the directory of a cloud beside them; what happens is written down. */
class World {
  readonly calls: string[] = []
  readonly records = new Map<string, ApiUserRecord>()
  readonly asked: string[] = []
  /** Thrown by the next writes, one each. */
  readonly races: Problem[] = []
  /** Whether an update finds a token to replace. */
  live = true
  cloudIsUp = true

  put(record: ApiUserRecord): void {
    this.records.set(record.name, record)
  }

  #write(what: string): void {
    this.calls.push(what)
    const race = this.races.shift()
    if (race !== undefined) throw race
  }

  readonly apiUsers: Pick<ApiUsers, 'get' | 'page' | 'create' | 'update' | 'rotate' | 'delete'> = {
    get: async (_actor, name) => {
      const record = this.records.get(name)
      if (record === undefined) throw new Problem('not_found')
      return record
    },
    page: async (_actor, { product, organization, page, perPage }) => {
      const all = [...this.records.values()].filter(
        ({ definition }) =>
          (product !== undefined && definition?.['product'] === product) ||
          (organization !== undefined && definition?.['organization'] === organization),
      )
      return { records: all.slice((page - 1) * perPage, page * perPage), total: all.length }
    },
    create: async (_actor, name, definition) => {
      this.#write(`create ${name}`)
      return { record: aRecord(name, definition), token: issued('1') }
    },
    update: async (_actor, name, definition, ifMatch) => {
      this.#write(`update ${name} ${ifMatch ?? '-'}`)
      const before = this.records.get(name)
      const record = aRecord(name, definition, (before?.version ?? 0) + 1)
      const isOther = String(before?.definition?.['scopes']) !== String(definition['scopes'])
      this.put(record)
      return { record, token: isOther && this.live ? issued('2') : undefined }
    },
    rotate: async (_actor, name) => {
      this.#write(`rotate ${name}`)
      return { record: aRecord(name, plain), token: issued('3') }
    },
    delete: async (_actor, name, ifMatch) => {
      this.#write(`delete ${name} ${ifMatch ?? '-'}`)
      this.records.delete(name)
    },
  }

  #ask<T>(what: string, answer: T): Promise<T> {
    this.asked.push(what)
    if (this.cloudIsUp) return Promise.resolve(answer)
    return Promise.reject(new Problem('attribute_unavailable'))
  }

  readonly directory = {
    product: (id: string) =>
      this.#ask(id, /^(12345|12346)$/.test(id) ? { id, organization: acme } : undefined),
    organization: (id: string) => this.#ask(id, id === 'acme' || id === acme ? acme : undefined),
    products: (id: string) => this.#ask(`products of ${id}`, ['12345', '12346']),
  }
}

let world: World
let team: Team

beforeEach(() => {
  world = new World()
  team = createTeam({
    apiUsers: world.apiUsers,
    places: createTeamPlaces({ catalog, directory: world.directory }),
    definitions: createTeamDefinitions({ catalog, expiry: { never: true } }),
    random: (count) => new Uint8Array(count),
  })
  world.put(aRecord(bot, plain, 7))
})

const rename = { friendlyName: 'New', scopes: undefined }
const other = { friendlyName: undefined, scopes: ['devices:get'] }
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  )

describe('a change', () => {
  it('is made on the version that was read, and again on the next where it lost a race', async () => {
    world.races.push(new Problem('precondition_failed'))
    expect(await team.update(anActor(), inProduct, bot, rename)).toBeUndefined()
    expect(world.calls).toEqual([`update ${bot} "7"`, `update ${bot} "7"`])
    expect(world.records.get(bot)?.definition).toEqual({ ...plain, description: 'New' })
  })

  it('of scopes answers with the token that the update made', async () => {
    const token = await team.update(anActor(), inProduct, bot, other)
    expect(token?.tokenId).toBe('2')
    expect(world.calls).toEqual([`update ${bot} "7"`])
  })

  it('of scopes answers with a new token where there was none to replace, races or not', async () => {
    world.live = false
    expect((await team.update(anActor(), inProduct, bot, other))?.tokenId).toBe('3')
    const lost = new Problem('conflict')
    world.put(aRecord(bot, plain))
    const { apiUsers } = world
    let rotations = 0
    const racing = createTeam({
      apiUsers: {
        ...apiUsers,
        async rotate(actor, name) {
          rotations += 1
          if (rotations === 1) throw lost
          return apiUsers.rotate(actor, name)
        },
      },
      places: createTeamPlaces({ catalog, directory: world.directory }),
      definitions: createTeamDefinitions({ catalog, expiry: { never: true } }),
      random: (count) => new Uint8Array(count),
    })
    expect((await racing.update(anActor(), inProduct, bot, other))?.tokenId).toBe('3')
  })

  it('of scopes that are the same already makes no token', async () => {
    const same = { friendlyName: undefined, scopes: ['devices:list'] }
    expect(await team.update(anActor(), inProduct, bot, same)).toBeUndefined()
  })

  it('is refused where the API user lives in the policy files', async () => {
    world.put({ ...aRecord('wall', plain), home: 'git' })
    expect(await codeOf(team.update(anActor(), inProduct, 'wall', rename))).toBe('role_forbids')
    expect(await codeOf(team.delete(anActor(), inProduct, 'wall'))).toBe('role_forbids')
    expect(world.calls).toEqual([])
    expect((await team.regenerate(anActor(), inProduct, 'wall')).tokenId).toBe('3')
  })
})

describe('a new API user', () => {
  it('gets another name where that one is taken', async () => {
    world.races.push(new Problem('conflict'))
    const { username } = await team.create(anActor(), inProduct, 'Bot', ['devices:list'])
    expect(world.calls).toHaveLength(2)
    expect(world.calls[1]).toBe(`create ${username}`)
  })

  it('is of a product that the cloud knows, and not of another', async () => {
    const nowhere: TeamName = { kind: 'product', text: '99999' }
    expect(await codeOf(team.create(anActor(), nowhere, 'Bot', ['devices:list']))).toBe('not_found')
    expect(world.calls).toEqual([])
  })
})

describe('a team', () => {
  it('is of one product; the API users of others are not found there', async () => {
    const elsewhere: TeamName = { kind: 'product', text: '12346' }
    expect(await codeOf(team.delete(anActor(), elsewhere, bot))).toBe('not_found')
    expect(await codeOf(team.regenerate(anActor(), elsewhere, bot))).toBe('not_found')
    expect(world.calls).toEqual([])
    expect(await codeOf(team.delete(anActor(), inProduct, bot))).toBe('none')
  })

  it('of an organization has the API users of its products, and is of itself alone for a product', async () => {
    const all = 'all+0123456789@api.particle.io'
    world.put(aRecord(all, { ...plain, product: undefined, organization: acme }))
    const listed = await team.list(anActor(), inAcme)
    expect(listed.map(({ record }) => record.name).toSorted()).toEqual([all, bot].toSorted())
    expect(await codeOf(team.regenerate(anActor(), inAcme, bot))).toBe('none')
    expect(await codeOf(team.regenerate(anActor(), inProduct, all))).toBe('not_found')
  })

  it('lists every page, and nobody whose name is another’s now', async () => {
    for (let i = 0; i < 250; i++) world.put(aRecord(`u${i}`, plain))
    world.put({ ...aRecord('lost', plain), displacedAtMs: 1 })
    const listed = await team.list(anActor(), inProduct)
    expect(listed).toHaveLength(251)
    expect(listed.some(({ record }) => record.name === 'lost')).toBe(false)
  })

  it('is refused as a list where it is too long to be one', async () => {
    for (let i = 0; i < 5001; i++) world.put(aRecord(`u${i}`, plain))
    expect(await codeOf(team.list(anActor(), inProduct))).toBe('invalid_request')
  })

  it('loses an API user and its token while the cloud is down, and gains none', async () => {
    world.cloudIsUp = false
    expect(await codeOf(team.regenerate(anActor(), inProduct, bot))).toBe('none')
    expect(await codeOf(team.delete(anActor(), inProduct, bot))).toBe('none')
    expect(world.asked).toEqual([])
    const made = team.create(anActor(), inProduct, 'Bot', ['devices:list'])
    expect(await codeOf(made)).toBe('attribute_unavailable')
  })

  it('does not exist for an operator of another product', async () => {
    const mine = anActor('12345')
    expect(await codeOf(team.list(mine, inProduct))).toBe('none')
    expect(await codeOf(team.list(anActor('12346'), inProduct))).toBe('not_found')
    expect(await codeOf(team.list(mine, inAcme))).toBe('not_found')
    expect(await codeOf(team.delete(anActor('12346'), inProduct, bot))).toBe('not_found')
    expect(await codeOf(team.create(mine, inAcme, 'Bot', ['devices:list']))).toBe('not_found')
    expect(world.calls).toEqual([])
  })
})
