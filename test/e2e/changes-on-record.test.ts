// What a command line changes stands in the gate's audit log, with or without a gate that runs, asked or idle.

import { describe, expect, it } from 'vitest'
import { makeServedFolder, type ServedFolder } from '../kit/served-folder.ts'

const changesOf = (place: ServedFolder) =>
  place
    .records()
    .filter(({ event }) => event === 'store_changed')
    .map(({ data }) => ({ ...(data as Record<string, unknown>) }))
const serving = /"message":"serving"/

describe('a change by the command line', () => {
  it('is on record within seconds at a gate that nobody asks, and before it has stopped', async () => {
    using place = makeServedFolder()
    await using gate = place.serve()
    await gate.logged(serving)
    expect(changesOf(place)).toEqual([])
    const minted = await place.run('token', 'mint', 'technician')
    const rotated = await place.run('token', 'rotate', 'technician')
    await place.run('users', 'suspend', 'technician', '--because', 'laptop lost')
    const cli = expect.stringMatching(/^cli:/)
    const id = (ran: { out: string }) => ran.out.split('_')[2]
    const first = { token_id: id(minted), token_kind: 'minted', expires_at: expect.any(String) }
    const second = { ...first, token_id: id(rotated) }
    await expect.poll(() => changesOf(place).length, { timeout: 6000, interval: 50 }).toBe(3)
    const about = { user: 'technician', by: cli, at: expect.any(String) }
    expect(changesOf(place)).toMatchObject([
      { ...about, seq: 1, change: 'token_issued', token_id: id(minted), after: first },
      { change: 'token_rotated', token_id: id(rotated), before: first, after: second, ...about },
      { change: 'user_suspended', after: { because: 'laptop lost', suspended_by: cli }, ...about },
    ])

    await place.run('users', 'resume', 'technician')
    gate.signal('SIGTERM')
    expect(await gate.ended()).toBe(0)
    const events = place.records().map(({ event }) => event)
    expect(events.at(-1)).toBe('stopped')
    expect(changesOf(place)).toHaveLength(4)
    expect(changesOf(place).at(-1)).toMatchObject({ change: 'user_resumed', ...about })
  })

  it('is on record at the next start where no gate ran, once, also after SIGKILL', async () => {
    using place = makeServedFolder()
    await place.run('token', 'mint', 'technician')
    const made = await place.run('operators', 'create', 'olga', '--role', 'owner')
    {
      await using gate = place.serve()
      await gate.logged(serving)
      expect(changesOf(place).map(({ change }) => change)).toEqual([
        'token_issued',
        'operator_created',
      ])
      const id = made.out.split('_')[2]
      expect(changesOf(place)[1]).toMatchObject({
        ...{ user: 'olga', token_id: id, after: { role: 'owner', via: 'token' } },
      })
      expect(JSON.stringify(place.records())).not.toContain(made.out.trim())
      gate.signal('SIGKILL')
      await gate.ended()
    }
    await place.run('users', 'suspend', 'technician', '--because', 'laptop lost')
    await place.run('operators', 'revoke', 'olga', '--even-the-last-owner')
    await using again = place.serve()
    await again.logged(serving)
    expect(changesOf(place).map(({ seq, change }) => `${String(seq)} ${String(change)}`)).toEqual([
      '1 token_issued',
      '2 operator_created',
      '3 user_suspended',
      '4 operator_revoked',
    ])
  })
})
