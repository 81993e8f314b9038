import { describe, expect, it } from 'vitest'
import { Problem } from '../../../src/domain/problem.ts'
import { createBodyBudget, type BodyHold } from '../../../src/proxy/body-budget.ts'

const piece = 1000
/** Each costs what it holds, and 256 bytes besides. */
const cost = piece + 256

const budgetOf = (perAddress: number, inAll: number) =>
  createBodyBudget({ perAddress: perAddress * cost, inAll: inAll * cost, retryAfterS: 10 })

function codeOf(hold: BodyHold, bytes = piece): string {
  try {
    hold.take(bytes)
    return 'taken'
  } catch (thrown) {
    return thrown instanceof Problem ? `${thrown.code} ${thrown.retryAfterS}` : String(thrown)
  }
}

describe('bodies of callers whom nobody knows', () => {
  it('are bounded by address, and others have their room', () => {
    const budget = budgetOf(2, 10)
    const hold = budget.hold('192.0.2.1')
    expect([codeOf(hold), codeOf(budget.hold('192.0.2.1'))]).toEqual(['taken', 'taken'])
    expect(codeOf(hold)).toBe('rationed 10')
    expect(codeOf(budget.hold('192.0.2.1'), 1)).toBe('rationed 10')
    expect(codeOf(budget.hold('192.0.2.2'))).toBe('taken')
  })

  it('are bounded by the /64 of an IPv6 address', () => {
    const budget = budgetOf(1, 10)
    expect(codeOf(budget.hold('2001:db8::1'))).toBe('taken')
    expect(codeOf(budget.hold('2001:db8::2'))).toBe('rationed 10')
    expect(codeOf(budget.hold('2001:db8:0:1::1'))).toBe('taken')
  })

  it('are bounded in all', () => {
    const budget = budgetOf(1, 2)
    expect(codeOf(budget.hold('192.0.2.1'))).toBe('taken')
    expect(codeOf(budget.hold('192.0.2.2'))).toBe('taken')
    expect(codeOf(budget.hold('192.0.2.3'))).toBe('overloaded 10')
  })

  it('give back what they held, once, and what was refused was never held', () => {
    const budget = budgetOf(1, 1)
    const first = budget.hold('192.0.2.1')
    const second = budget.hold('192.0.2.2')
    expect([codeOf(first), codeOf(second)]).toEqual(['taken', 'overloaded 10'])
    second[Symbol.dispose]()
    expect(codeOf(budget.hold('192.0.2.3'))).toBe('overloaded 10')
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    const third = budget.hold('192.0.2.3')
    expect([codeOf(third), codeOf(budget.hold('192.0.2.4'))]).toEqual(['taken', 'overloaded 10'])
  })

  it('cost more than their bytes where these come one by one', () => {
    const hold = budgetOf(1, 1).hold('192.0.2.1')
    let taken = 0
    while (taken < cost && codeOf(hold, 1) === 'taken') taken += 1
    expect(taken).toBe(Math.floor(cost / 257))
  })
})
