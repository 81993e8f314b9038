import { describe, expect, it } from 'vitest'
import { createPlaces, type Entrant } from '../../../src/upstream/places.ts'

const code = (wanted: string) => expect.objectContaining({ code: wanted })

function stage(connections: number, calls: number) {
  const places = createPlaces({ connections, calls })
  const went: string[] = []
  return {
    places,
    went,
    enter(user: string, more: Partial<Entrant> = {}): Entrant {
      const entrant: Entrant = {
        ...{ user, own: false },
        go: (waited) => void went.push(waited ? `${user} after a wait` : user),
        ...more,
      }
      places.enter(entrant)
      return entrant
    },
  }
}

describe('createPlaces', () => {
  it('leaves a connection for whoever comes, however many one has asked for', () => {
    const { enter, went } = stage(8, 100)
    for (let call = 0; call < 20; call += 1) enter('flood')
    expect(went).toHaveLength(6)
    enter('other')
    expect(went.at(-1)).toBe('other')
    enter('third')
    expect(went.at(-1)).toBe('third')
  })

  it('lets those who wait take turns, and each one’s calls go in their order', () => {
    const { enter, went, places } = stage(1, 100)
    const busy = enter('x')
    const waiting = ['a', 'a', 'a', 'b', 'b', 'c'].map((user) => enter(user))
    places.leave(busy)
    for (let round = 0; round < 6; round += 1) {
      const order = ['a', 'b', 'c', 'a', 'b', 'a']
      const user = order[round] ?? ''
      expect(went.at(-1)).toBe(`${user} after a wait`)
      const at = waiting.findIndex((each) => each.user === user)
      places.leave(waiting.splice(at, 1)[0] ?? busy)
    }
    expect(went).toHaveLength(7)
  })

  it('refuses one who has had his part with too_many_calls, and all with overloaded once nothing is left', () => {
    const { enter, places } = stage(1, 8)
    for (let call = 0; call < 6; call += 1) enter('flood')
    expect(() => enter('flood')).toThrow(code('too_many_calls'))
    expect(() => places.assertRoom('flood')).toThrow(code('too_many_calls'))
    expect(() => enter('flood', { own: true })).toThrow(code('overloaded'))
    places.assertRoom('other')
    enter('other')
    enter('third')
    expect(() => enter('fourth')).toThrow(code('overloaded'))
  })

  it('has room again for what left, whether it went or gave up waiting', () => {
    const { enter, went, places } = stage(1, 3)
    const first = enter('a')
    const second = enter('b')
    const third = enter('c')
    expect(() => enter('d')).toThrow(code('overloaded'))
    places.leave(second)
    enter('d')
    places.leave(first)
    expect(went).toEqual(['a', 'c after a wait'])
    places.leave(third)
    expect(went.at(-1)).toBe('d after a wait')
  })

  it('deals on where one whose turn it is leaves at once, many in a row', () => {
    const { enter, went, places } = stage(1, 20_000)
    const busy = enter('a')
    for (let call = 0; call < 5_000; call += 1) {
      const gone: Entrant = { user: 'b', own: false, go: () => places.leave(gone) }
      places.enter(gone)
    }
    enter('c')
    places.leave(busy)
    expect(went).toEqual(['a', 'c after a wait'])
    enter('d')
    expect(went.at(-1)).toBe('c after a wait')
  })
})
