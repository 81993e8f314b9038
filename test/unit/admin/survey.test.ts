import { describe, expect, it } from 'vitest'
import { createInTurn } from '../../../src/admin/looks.ts'
import { createSurvey, type SurveyParts } from '../../../src/admin/survey.ts'
import type { TokenInfo } from '../../../src/store/tokens.ts'

const day = 86_400_000

function aToken(user: string, endsAtMs: number | undefined): TokenInfo {
  return {
    ...{ tokenId: `id-${user}`, user, kind: 'minted', state: 'valid', grantHash: 'h' },
    ...{ createdAtMs: 0, expiresAtMs: endsAtMs, notBeforeMs: undefined, idleMs: undefined },
    ...{ lastUsedAtMs: undefined, endsAtMs, revokedAtMs: undefined },
  }
}

function aSurvey(tokens: readonly TokenInfo[]) {
  const now = { ms: 0, seq: 1, tookMs: 0, looks: 0, failing: false }
  const parts: SurveyParts = {
    store: {
      users: { names: () => Promise.resolve([]), get: () => Promise.resolve(undefined) },
      changes: { state: () => ({ seq: now.seq, confirmedAtMs: 0, listening: true }) },
    },
    tokens: {
      async list() {
        now.looks += 1
        now.ms += now.tookMs
        if (now.failing) throw new Error('the disk is gone')
        return [...tokens]
      },
    },
    policy: {
      user: () => undefined,
      set: { users: new Map(), revision: 'r', frame: {} } as never,
    },
    clock: { now: () => now.ms, monotonic: () => now.ms },
    warnBeforeMs: 7 * day,
    inTurn: createInTurn(),
  }
  return { now, survey: createSurvey(parts) }
}

describe('the survey', () => {
  it('finds tokens that end soon, the next first, and none that end later or never', async () => {
    const tokens = [
      aToken('b', 6 * day),
      aToken('c', 8 * day),
      aToken('a', day),
      aToken('d', undefined),
    ]
    const { ending } = await aSurvey(tokens).survey()
    expect(ending).toMatchObject({ total: 2, first: [{ user: 'a' }, { user: 'b' }] })
  })

  it('looks again once something changed, and rests as much as it was busy', async () => {
    const { now, survey } = aSurvey([])
    await survey()
    await survey()
    expect(now.looks).toBe(1)
    now.seq += 1
    now.tookMs = 1000
    await survey()
    expect(now.looks).toBe(2)
    now.seq += 1
    now.ms += 15_000
    await survey()
    expect(now.looks).toBe(2)
    now.ms += 5_000
    await survey()
    expect(now.looks).toBe(3)
  })

  it('looks again in time where nothing changed, and at once after a failure', async () => {
    const { now, survey } = aSurvey([])
    await survey()
    now.ms += 600_000
    now.failing = true
    await expect(survey()).rejects.toThrow('the disk')
    now.failing = false
    await survey()
    expect(now.looks).toBe(3)
  })
})
