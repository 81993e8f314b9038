import { describe, expect, it } from 'vitest'
import { whoOf } from '../../../src/audit/records.ts'
import { createWho } from '../../../src/audit/who.ts'
import { aDecision } from '../../kit/audit.ts'

describe('who', () => {
  it('says of every token what a record without it would say, whatever was asked before', () => {
    const who = createWho(2)
    const asked = [
      aDecision(),
      aDecision(),
      aDecision({ revision: 'next' }),
      aDecision({ grant: undefined }),
      aDecision({ grant: 'c', issuedGrant: 'd' }),
      aDecision({ user: 'renamed' }),
      aDecision({ user: undefined, tokenId: undefined, issuedGrant: undefined }),
      aDecision({ user: undefined, tokenId: undefined, revision: 'next' }),
      ...['t1', 't2', 't3', 't1'].map((tokenId) => aDecision({ tokenId, user: tokenId })),
    ]
    for (const fields of asked) expect(who.of(fields)).toBe(whoOf(fields))
  })
})
