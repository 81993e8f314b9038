/** Places in queries and bodies that name devices: how they are spelled, and what it means that none is there. */

import type { DevicePlace } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import { allKeys, bodyHas, parsePlace, specsOf, type RouteParts } from './bodies.ts'
import type { RouteText } from './catalog-shape.ts'
import type { Report } from './grammar.ts'

type WrittenPlace = ReturnType<typeof parsePlace> & {
  /** Where in the route it is written. */
  at: readonly PropertyKey[]
  /** `undefined`: it is no place for a device, which is reported. */
  spec: DevicePlace | undefined
}

export function devicePlaces(given: RouteText): DevicePlace[] {
  return placesIn(given).flatMap(({ spec }) => spec ?? [])
}

/** @param route `saysDevice`: its path names one, or something of one */
export function checkDevicePlaces(
  given: RouteText,
  { query, body, saysDevice }: Pick<RouteParts, 'query' | 'body'> & { saysDevice: boolean },
  report: Report,
): void {
  if (saysDevice && given.devices === 'all') {
    report(['devices'], 'the path says which device: "all" has no sense here')
  }
  for (const { place, list, at, spec } of placesIn(given)) {
    if (saysDevice && spec?.absent !== undefined) {
      report(at, 'the path says which device: "absent" has no sense here')
    }
    if (place.in === 'path') report(at, 'a device in the path is found without being listed here')
    const known = place.in === 'query' ? [...query.keys()] : allKeys(body)
    const specs =
      place.in === 'query' ? [query.get(place.key) ?? []].flat() : specsOf(place.key, body)
    // A whole JSON body declares no keys: its devices are looked for and may be missing.
    if (place.in === 'body' && bodyHas(body, 'json') && known.length === 0) continue
    if (place.in !== 'path' && specs.length === 0) {
      report(at, `no ${place.in} key "${place.key}" is declared${didYouMean(place.key, known)}`)
    }
    if (specs.some(({ type }) => (type === 'list') !== list)) {
      report(at, `"${place.key}" is ${list ? 'no list' : 'a list: write [] after it'}`)
    }
  }
  for (const [i, written] of writtenIn(given).entries()) {
    const kinds = new Set(spellingsOf(written).map(({ place }) => place.in))
    if (kinds.size > 1) report(['devices', i, 'place'], 'spellings of one key stand in one place')
  }
}

type Written = Exclude<NonNullable<RouteText['devices']>, string | readonly unknown[]> | string

function writtenIn({ devices = [] }: RouteText): readonly Written[] {
  return devices === 'all' ? [] : [devices].flat()
}

function spellingsOf(written: Written) {
  const sources = typeof written === 'string' ? [written] : [written.place].flat()
  return sources.map(parsePlace)
}

/** Each spelling by itself. */
function placesIn(given: RouteText): WrittenPlace[] {
  return writtenIn(given).flatMap((written, i) => {
    const spellings = spellingsOf(written)
    return spellings.map(({ place, list }, j): WrittenPlace => {
      const at = typeof written === 'string' ? ['devices', i] : ['devices', i, 'place']
      if (place.in === 'path') return { place, list, at, spec: undefined }
      const spec: DevicePlace = { in: place.in, key: place.key, list }
      // Said once: the other spellings are looked for from the first.
      if (typeof written !== 'string' && j === 0) {
        spec.absent = written.absent
        const others = spellings.slice(1).map((other) => other.place.key)
        if (others.length > 0) spec.or = others
      }
      return { place, list, at, spec }
    })
  })
}
