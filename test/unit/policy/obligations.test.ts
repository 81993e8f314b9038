import { describe, expect, it } from 'vitest'
import { gateOf, userWith } from '../../kit/policies.ts'

const NONE = new Set()

function obligations(rules: string, facts = {}) {
  const decision = gateOf(userWith(rules)).full('devices:get', { facts })
  return decision.outcome === 'allow' ? decision.obligations : decision
}

describe('obligations', () => {
  it('are none where no rule shapes the answer', () => {
    expect(obligations('- can: devices:get')).toEqual({
      answer: undefined,
      hide: NONE,
      reveal: NONE,
    })
  })

  it('keep the union of the answers of all matching cans', () => {
    expect(
      obligations('- can: devices:get\n  answer: [id]\n- can: devices:get\n  answer: [name]'),
    ).toEqual({ answer: new Set(['id', 'name']), hide: NONE, reveal: NONE })
  })

  it('keep everything where one matching can has no answer', () => {
    expect(obligations('- can: devices:get\n  answer: [id]\n- can: devices:get')).toMatchObject({
      answer: undefined,
    })
  })

  it('do not count rules that do not match', () => {
    const rules =
      '- can: devices:get\n  answer: [id]\n- can: devices:get\n  where: { online: true }'
    expect(obligations(rules, { online: false })).toMatchObject({ answer: new Set(['id']) })
    expect(obligations(rules, { online: true })).toMatchObject({ answer: undefined })
  })

  it('strip what a matching can or cannot hides, and a cannot that hides forbids nothing else', () => {
    expect(
      obligations('- can: devices:get\n  hide: [groups]\n- cannot: devices:get\n  hide: [id]'),
    ).toEqual({ answer: undefined, hide: new Set(['groups', 'id']), reveal: NONE })
    expect(obligations('- can: devices:get\n  answer: [id, name]\n  hide: [id]')).toMatchObject({
      answer: new Set(['name']),
    })
  })

  it('strip by a cannot whose condition is unknown', () => {
    const rules =
      '- can: devices:get\n- cannot: devices:get\n  where: { online: false }\n  hide: [id]'
    expect(obligations(rules, {})).toMatchObject({ hide: new Set(['id']) })
    expect(obligations(rules, { online: true })).toMatchObject({ hide: NONE })
  })

  it('reveal a secret only where it is named exactly', () => {
    expect(obligations('- can: devices:get')).toMatchObject({ reveal: NONE })
    expect(obligations('- can: devices:get\n  answer: [id, mobile_secret]')).toMatchObject({
      reveal: new Set(['mobile_secret']),
    })
    expect(
      obligations(
        '- can: devices:get\n  answer: [mobile_secret]\n- cannot: devices:get\n  hide: [mobile_secret]',
      ),
    ).toMatchObject({ answer: NONE, reveal: NONE })
  })
})
