/** What a client asks to hear: on which shared stream it is carried, and which part of it was asked for. */

import type { Resource } from '../../domain/access-request.ts'
import type { Pattern } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import type { Asked } from '../describe.ts'
import { encodeSegment } from '../target.ts'
import type { Wish } from './interests.ts'

/** The shared stream's target and what it is of, by the ids that were decided. @throws Problem `internal` */
export function sharedTarget(
  shared: Pattern,
  asked: Pick<Asked, 'route' | 'target' | 'resource'>,
): { target: string; place: Resource } {
  const { type: _, ...ids } = asked.resource
  const known: Readonly<Record<string, string>> = { ...parametersOf(asked), ...ids }
  const place: Resource = { type: 'none' }
  let target = ''
  for (const segment of shared.segments) {
    const value = 'literal' in segment ? segment.literal : known[segment.parameter]
    if (value === undefined) {
      throw new Problem('internal', { cause: `nothing to fill ${shared.text} with` })
    }
    target += `/${encodeSegment(value)}`
    if ('parameter' in segment) settle(place, segment.parameter, value)
  }
  return { target, place }
}

/** The narrowest of its ids says what a place is. */
function settle(place: Resource, parameter: string, id: string): void {
  for (const type of ['organization', 'product', 'device'] as const) {
    if (type === parameter) place[type] = id
    if (place[type] !== undefined) place.type = type
  }
}

/** Read back from the canonical target, which was rebuilt from what was decided. */
function parametersOf({ route, target }: Pick<Asked, 'route' | 'target'>): Record<string, string> {
  const [path = ''] = target.split('?', 1)
  const parts = path.split('/').slice(1)
  const found: Record<string, string> = {}
  for (const [at, segment] of route.pattern.segments.entries()) {
    const part = parts[at]
    if ('parameter' in segment && part !== undefined) {
      found[segment.parameter] = decodeURIComponent(part)
    }
  }
  return found
}

export function wishOf({ route, requests, resource }: Asked): Wish {
  const name = requests[0]?.fields.events?.[0]
  const begins = route.deeds.some(({ fields }) => fields.events?.prefix === true)
  const { device } = resource
  if (name === undefined) return { names: undefined, device }
  // Asked as `value*` where the value is the beginning of names.
  return begins && name.endsWith('*')
    ? { names: { text: name.slice(0, -1), rest: 'any' }, device }
    : { names: { text: name, rest: 'none' }, device }
}
