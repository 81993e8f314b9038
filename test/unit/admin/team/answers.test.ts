import { describe, expect, it } from 'vitest'
import type { ApiUserRecord } from '../../../../src/admin/api-users.ts'
import { toCreated, toMember, toUpdated } from '../../../../src/admin/team/answers.ts'
import { Secret } from '../../../../src/lib/secret.ts'
import { particleCatalog } from '../../../kit/catalog.ts'
import { aUser } from '../../../kit/tokens.ts'

const catalog = particleCatalog()
const inProduct = { kind: 'product', id: '12345' } as const
const inAcme = { kind: 'organization', id: 'a'.repeat(24) } as const
const issued = {
  ...{ token: new Secret('fg_u_shown-once'), tokenId: 'id', user: 'bot', expiresAtMs: undefined },
}

function aRecord(more: Partial<ApiUserRecord>): ApiUserRecord {
  return {
    ...{ name: 'bot', home: 'store', definition: undefined, user: undefined, mistakes: [] },
    ...{ version: 1, etag: '"e"', suspended: undefined, displacedAtMs: undefined },
    ...{ token: undefined, createdAtMs: undefined, updatedAtMs: undefined, ...more },
  }
}

describe('answers', () => {
  it('show a token where one was made, and none where not', () => {
    expect(toCreated('bot', issued)).toEqual({
      ok: true,
      created: { username: 'bot', is_programmatic: true, tokens: [{ token: 'fg_u_shown-once' }] },
    })
    expect(toUpdated('bot', issued).updated).toEqual({
      username: 'bot',
      tokens: [{ token: 'fg_u_shown-once' }],
    })
    expect(toUpdated('bot', undefined)).toEqual({ ok: true, updated: { username: 'bot' } })
  })
})

describe('toMember', () => {
  const definition = { description: 'Bot', product: 12345, scopes: ['devices:list'] }

  it('has the keys of the cloud and no other, with the number of its product', () => {
    expect(toMember(aRecord({ definition }), inAcme, catalog)).toEqual({
      username: 'bot',
      friendly_name: 'Bot',
      scopes: ['devices:list'],
      is_programmatic: true,
      product_id: 12345,
    })
  })

  it('names the product in whose list it stands, and none for an organization’s own', () => {
    const both = { products: ['12346', '12345'], scopes: 'devices:list' }
    const shown = toMember(aRecord({ definition: both }), inProduct, catalog)
    expect(shown).toMatchObject({ product_id: 12345, scopes: ['devices:list'] })
    const own = aRecord({ definition: { organization: inAcme.id } })
    expect(toMember(own, inAcme, catalog)).not.toHaveProperty('product_id')
  })

  it('reads scopes from the grant of who has none written, if every deed of them is there', () => {
    const user = aUser('bot')
    const deeds = catalog.scopes.get('devices:update') ?? []
    const [rule] = user.grant.rules
    if (rule === undefined) throw new Error('no rule')
    const withRules = (actions: readonly string[]) => ({
      ...user,
      grant: { ...user.grant, rules: [{ ...rule, actions }] },
    })
    const scopesOf = (actions: readonly string[]) =>
      toMember(aRecord({ home: 'git', user: withRules(actions) }), inProduct, catalog).scopes
    expect(deeds.length).toBeGreaterThan(1)
    expect(scopesOf(['devices:list', ...deeds]).toSorted()).toEqual([
      'devices:list',
      'devices:update',
    ])
    expect(scopesOf(['devices:list', ...deeds.slice(1)])).toEqual(['devices:list'])
  })
})
