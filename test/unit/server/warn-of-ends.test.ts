import { describe, expect, it } from 'vitest'
import type { TokenInfo } from '../../../src/store/tokens.ts'
import { warnOfEnds } from '../../../src/warn-of-ends.ts'
import { day, start } from '../../kit/tokens.ts'

function info(
  tokenId: string,
  endsAtMs: number | undefined,
  more: Partial<TokenInfo> = {},
): TokenInfo {
  return {
    ...{ tokenId, user: `user-of-${tokenId}`, kind: 'minted', state: 'valid', grantHash: 'g' },
    ...{ createdAtMs: start, expiresAtMs: endsAtMs, notBeforeMs: undefined, idleMs: undefined },
    ...{ lastUsedAtMs: undefined, endsAtMs, revokedAtMs: undefined, ...more },
  }
}

function begin(live: TokenInfo[]) {
  const said: unknown[] = []
  const faults: unknown[] = []
  const clock = { at: start, now: () => clock.at }
  let list = async (): Promise<TokenInfo[]> => live
  let again = (): void => undefined
  warnOfEnds({
    tokens: { list: () => list() },
    clock,
    log: { warn: (message, fields) => void said.push([message, fields]) },
    warnBeforeMs: 14 * day,
    every(_, callback) {
      again = callback
      return { [Symbol.dispose]: () => undefined }
    },
    onFault: (error) => void faults.push(error),
  })
  const settled = () => new Promise((resolve) => void setImmediate(resolve))
  return {
    said,
    faults,
    clock,
    async look(how: typeof list = list) {
      list = how
      again()
      await settled()
    },
    settled,
  }
}

describe('tokens that end soon', () => {
  it('are said at start, and those that do not are not', async () => {
    const { said, settled } = begin([
      info('soon', start + 14 * day),
      info('later', start + 14 * day + 1),
      info('never', undefined),
      info('over', start, { state: 'expired' }),
      info('used', start + 4 * day, { idleMs: 7 * day, expiresAtMs: undefined }),
    ])
    await settled()
    const ends = new Date(start + 14 * day).toISOString()
    expect(said).toEqual([['a token ends soon', { user: 'user-of-soon', tokenId: 'soon', ends }]])
  })

  it('are said of an idle limit once half of it has passed without a use', async () => {
    const { said, settled } = begin([
      info('unused', start + 3.5 * day, { idleMs: 7 * day, expiresAtMs: undefined }),
    ])
    await settled()
    expect(said).toHaveLength(1)
  })

  it('are said once a day', async () => {
    const { said, settled, clock, look } = begin([info('soon', start + 3 * day)])
    await settled()
    clock.at += day - 1
    await look()
    expect(said).toHaveLength(1)
    clock.at += 1
    await look()
    expect(said).toHaveLength(2)
  })

  it('are named up to a hundred, and counted beyond', async () => {
    const many = Array.from({ length: 130 }, (_, i) => info(`t${i}`, start + day))
    const { said, settled } = begin(many)
    await settled()
    expect(said).toHaveLength(101)
    expect(said.at(-1)).toEqual(['more tokens end soon', { more: 30 }])
  })

  it('are said later where the store cannot be asked now', async () => {
    const { said, faults, look } = begin([])
    await look(() => Promise.reject(new Error('away')))
    expect([said.length, faults.length]).toEqual([0, 1])
    await look(async () => [info('soon', start + day)])
    expect(said).toHaveLength(1)
  })
})
