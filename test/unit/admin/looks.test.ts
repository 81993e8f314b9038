import { describe, expect, it } from 'vitest'
import { createInTurn, createLooks, type Names } from '../../../src/admin/looks.ts'

function aLook() {
  const now = { ms: 0, standing: 'a', looks: 0 }
  const looks = createLooks({
    clock: { monotonic: () => now.ms },
    inTurn: createInTurn(),
    standing: () => now.standing,
  })
  const found: Names = { inFiles: [], inStore: ['x'] }
  const look = (key: string) =>
    looks(key, () => {
      now.looks += 1
      return Promise.resolve(found)
    })
  return { now, looks, look, found }
}

describe('a look at everything', () => {
  it('is made once for all who ask the same, until something changes or time has passed', async () => {
    const { now, look, found } = aLook()
    const all = await Promise.all(Array.from({ length: 20 }, () => look('k')))
    expect(new Set(all)).toEqual(new Set([found]))
    expect(now.looks).toBe(1)
    await look('other')
    expect(now.looks).toBe(2)
    now.standing = 'b'
    await look('k')
    expect(now.looks).toBe(3)
    now.ms += 5_000
    await look('k')
    expect(now.looks).toBe(4)
  })

  it('that failed is made again', async () => {
    const { looks, look } = aLook()
    await expect(looks('k', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
    expect(await look('k')).toMatchObject({ inStore: ['x'] })
  })
})

describe('turns', () => {
  it('come one after the other, also after a failure', async () => {
    const inTurn = createInTurn()
    let running = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running -= 1
      if (most === 1) throw new Error('odd')
    }
    await Promise.allSettled([inTurn(work), inTurn(work), inTurn(work)])
    expect(most).toBe(1)
  })

  it('are refused where too many wait, and had again later', async () => {
    const inTurn = createInTurn()
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, () => inTurn(() => Promise.resolve())),
    )
    const lost = settled.filter(({ status }) => status === 'rejected')
    expect(lost).toHaveLength(9)
    expect(lost[0]).toMatchObject({ reason: { code: 'overloaded', retryAfterS: 2 } })
    await inTurn(() => Promise.resolve())
  })
})
