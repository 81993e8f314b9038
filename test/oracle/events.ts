/** Which events of a stream an API user is due. */

import { decide } from './decide.ts'
import type { EventFacts, Policy } from './language.ts'
import type { World } from './world.ts'

/** @param prefix of names, as the stream's path asked for */
export function isDue(
  policy: Policy,
  name: string,
  world: World,
  { event, prefix }: { event: EventFacts; prefix: string },
): boolean {
  if (!event.name.startsWith(prefix)) return false
  const { product, device } = event
  return decide(policy, name, world, { action: 'events:get', product, device, event }).allowed
}
