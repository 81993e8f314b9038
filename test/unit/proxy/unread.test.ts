import { describe, expect, it } from 'vitest'
import { createUnreadAnswers, type Unread } from '../../../src/proxy/unread.ts'

const MB = 1024 * 1024
const code = (wanted: string) => expect.objectContaining({ code: wanted })

function stage() {
  const clock = { atMs: 0, monotonic: () => clock.atMs }
  let look = () => {}
  const unread = createUnreadAnswers({
    ...{ maxBytes: 16 * MB, maxAnswerBytes: 2 * MB, stuckMs: 60_000, clock },
    every: (_, callback) => {
      look = callback
      return { [Symbol.dispose]: () => {} }
    },
  })
  const ended: string[] = []
  return {
    unread,
    ended,
    pass(ms: number) {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.atMs += Math.min(left, 1_000)
        look()
      }
    },
    leave(user: string, bytes: number, more: Partial<Unread> = {}): Disposable {
      return unread.watch({
        user,
        left: () => bytes,
        taken: () => 0,
        waitsItsTurn: () => false,
        breakOff: (why) => void ended.push(`${user} ${why}`),
        ...more,
      })
    },
  }
}

describe('createUnreadAnswers', () => {
  it('breaks off an answer of which nothing is taken for a minute, and none sooner', () => {
    const { leave, pass, ended } = stage()
    leave('a', 100)
    pass(59_000)
    expect(ended).toEqual([])
    pass(1_000)
    expect(ended).toEqual(['a slow_reader'])
  })

  it('leaves alone what is taken piece by piece, what has been taken, and what waits for an answer before it', () => {
    const { leave, pass, ended } = stage()
    let taken = 0
    leave('slow', 100, { taken: () => (taken += 1) })
    leave('done', 0)
    leave('pipelined', 100, { waitsItsTurn: () => true })
    pass(600_000)
    expect(ended).toEqual([])
  })

  it('lets nobody have more waiting than is left for the others', () => {
    const { unread, leave } = stage()
    leave('flood', 6 * MB)
    expect(() => unread.assertRoomFor('flood', 5 * MB)).toThrow(code('too_much_unread'))
    unread.assertRoomFor('flood', 4 * MB)
    unread.assertRoomFor('other', 10 * MB)
    const held = leave('flood', 2 * MB)
    // Eight of sixteen: before the cloud is asked nobody knows how large the answer will be.
    expect(() => unread.assertRoom('flood')).toThrow(code('too_much_unread'))
    unread.assertRoom('other')
    held[Symbol.dispose]()
    unread.assertRoom('flood')
  })

  it('refuses everybody with overloaded once there is no room, and one who reads never with too_much_unread', () => {
    const { unread, leave } = stage()
    leave('a', 8 * MB)
    leave('b', 7 * MB)
    expect(() => unread.assertRoomFor('c', 2 * MB)).toThrow(code('overloaded'))
    unread.assertRoomFor('c', MB)
    leave('c', MB)
    expect(() => unread.assertRoom('d')).toThrow(code('overloaded'))
  })

  it('serves one answer of any size where nothing waits', () => {
    const { unread, leave } = stage()
    unread.assertRoomFor('a', 40 * MB)
    leave('a', 40 * MB)
    expect(() => unread.assertRoom('b')).toThrow(code('overloaded'))
  })
})
