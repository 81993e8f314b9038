import { describe, expect, it } from 'vitest'
import { untilItHolds } from '../../../../src/admin/team/retry.ts'
import { Unprocessable } from '../../../../src/admin/unprocessable.ts'
import { Problem, type ProblemCode } from '../../../../src/domain/problem.ts'

function failing(times: number, code: ProblemCode) {
  let calls = 0
  const write = async (): Promise<number> => {
    calls += 1
    if (calls <= times) throw new Problem(code)
    return calls
  }
  return { write, calls: () => calls }
}

describe('untilItHolds', () => {
  it.each(['conflict', 'precondition_failed'] as const)('tries again after %s', async (code) => {
    expect(await untilItHolds(failing(4, code).write)).toBe(5)
  })

  it('gives up after five times', async () => {
    const { write, calls } = failing(Infinity, 'conflict')
    await expect(untilItHolds(write)).rejects.toMatchObject({ code: 'conflict', status: 409 })
    expect(calls()).toBe(5)
  })

  it('tries once where no race was lost', async () => {
    const { write, calls } = failing(1, 'role_forbids')
    await expect(untilItHolds(write)).rejects.toMatchObject({ code: 'role_forbids' })
    expect(calls()).toBe(1)
  })

  it('says 400 of what cannot be taken, as the cloud does, with all that is wrong', async () => {
    const faults = [{ detail: 'unknown role' }]
    const write = () => Promise.reject(new Unprocessable('unprocessable', faults, { says: 'No.' }))
    const thrown = untilItHolds(write)
    await expect(thrown).rejects.toMatchObject({ status: 400, says: 'No.', faults })
    const plain = untilItHolds(failing(1, 'unprocessable').write)
    await expect(plain).rejects.toMatchObject({ status: 400 })
  })
})
