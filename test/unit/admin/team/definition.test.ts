import { describe, expect, it } from 'vitest'
import type { ApiUserRecord } from '../../../../src/admin/api-users.ts'
import { createTeamDefinitions, type TeamExpiry } from '../../../../src/admin/team/definition.ts'
import { Problem } from '../../../../src/domain/problem.ts'
import { particleCatalog } from '../../../kit/catalog.ts'

const catalog = particleCatalog()
const day = 86_400_000
const definitions = (expiry: TeamExpiry) => createTeamDefinitions({ catalog, expiry })
const place = { kind: 'product', id: '12345' } as const
const acme = { kind: 'organization', id: 'a'.repeat(24) } as const
const made = 'bot+0123456789@api.particle.io'

function aRecord(name: string, definition: Record<string, unknown>): ApiUserRecord {
  return {
    ...{ name, home: 'store', definition, user: undefined, mistakes: [], version: 1, etag: '"e"' },
    ...{ suspended: undefined, displacedAtMs: undefined, token: undefined },
    ...{ createdAtMs: undefined, updatedAtMs: undefined },
  }
}

function codeOf(work: () => unknown): string {
  try {
    work()
    return 'none'
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

describe('a new API user', () => {
  it('has the scopes on all devices of its place, an owner and an end', () => {
    const team = definitions({ never: true })
    expect(team.create('olga', place, 'Bot', ['devices:list'])).toEqual({
      ...{ owner: 'olga', description: 'Bot', product: '12345', devices: 'all' },
      ...{ scopes: ['devices:list'], never: true },
    })
    expect(team.create('olga', acme, 'Bot', ['devices:list'])).toMatchObject({
      organization: 'a'.repeat(24),
    })
  })

  it.each<[TeamExpiry, Record<string, unknown>]>([
    [{ never: true }, { never: true }],
    [{ lifetimeMs: 90 * day }, { lifetime: '90d' }],
    [
      { lifetimeMs: 36 * 3_600_000, idleMs: 250 },
      { lifetime: '36h', idle: '250ms' },
    ],
    [{ idleMs: 90_000 }, { idle: '90s' }],
  ])('says the end %o as %o', (expiry, keys) => {
    const { owner, description, product, devices, scopes, ...end } = definitions(expiry).create(
      'olga',
      place,
      'Bot',
      [],
    )
    expect([owner, description, product, devices, scopes]).toHaveLength(5)
    expect(end).toEqual(keys)
  })

  it('is refused where nobody has said which end, with the key to set', () => {
    expect(() => definitions(undefined).requireExpiry()).toThrow('api_users.team_api')
    expect(codeOf(() => definitions(undefined).requireExpiry())).toBe('role_forbids')
    expect(codeOf(() => definitions({ never: true }).requireExpiry())).toBe('none')
  })

  it('has only scopes that the cloud has', () => {
    const team = definitions({ never: true })
    expect(codeOf(() => team.checkScopes(['devices:list', 'devices:lst']))).toBe('invalid_scope')
    expect(() => team.checkScopes(['devices:lst'])).toThrow(
      'Unknown scope "devices:lst"; did you mean "devices:list"?',
    )
    expect(codeOf(() => team.checkScopes(['constructor']))).toBe('invalid_scope')
    expect(codeOf(() => team.checkScopes(['devices:list', 'devices:update']))).toBe('none')
  })
})

describe('a change', () => {
  const team = definitions({ lifetimeMs: 90 * day })
  const plain = team.create('olga', place, 'Bot', ['devices:list', 'devices:get'])
  const change = (
    name: string,
    definition: Record<string, unknown>,
    scopes: readonly string[] | undefined,
    friendlyName?: string,
  ) => team.change(aRecord(name, definition), { friendlyName, scopes })

  it('of the name leaves all else as it is, whoever wrote it', () => {
    const rules = [{ can: 'devices:get' }]
    const own = { owner: 'o', product: '1', devices: ['a'], rules, expires: '2027-01-01' }
    expect(change('wall', own, undefined, 'New')).toEqual({
      definition: { ...own, description: 'New' },
      rights: 'same',
    })
  })

  it('to the same scopes in another order is none', () => {
    const again = change(made, { ...plain }, ['devices:get', 'devices:list'])
    expect(again).toEqual({ definition: plain, rights: 'same' })
  })

  it('of the scopes takes the end that the configuration says today', () => {
    const { definition, rights } = change(made, { ...plain, never: true, lifetime: undefined }, [
      'devices:get',
    ])
    expect(rights).toBe('other')
    expect(definition).toEqual({ ...plain, scopes: ['devices:get'] })
  })

  it.each([
    ['rules', { rules: [{ can: 'devices:get' }] }],
    ['roles', { roles: ['reader'] }],
    ['some devices', { devices: ['0123456789abcdef01234567'] }],
    ['addresses', { from: ['10.0.0.0/8'] }],
    ['several products', { product: undefined, products: ['1', '2'] }],
    ['a date', { expires: '2027-01-01' }],
    ['observation', { observe: '2027-01-01' }],
  ])('of the scopes is refused beside %s', (_, more) => {
    expect(codeOf(() => change(made, { ...plain, ...more }, ['devices:get']))).toBe('role_forbids')
  })

  it('of the scopes is refused for what the admin API has made', () => {
    expect(codeOf(() => change('wall', { ...plain }, ['devices:get']))).toBe('role_forbids')
  })
})
