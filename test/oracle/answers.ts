/** Which keys of a device an API user is shown. */

import { decide } from './decide.ts'
import type { Policy, Rule } from './language.ts'
import type { Item, World } from './world.ts'

/** Shown only where an `answer` names them. */
const secrets = ['mobile_secret']

/** The device as the API user sees it in the answer of `action`; undefined where it does not. */
export function seenBy(
  policy: Policy,
  name: string,
  world: World,
  ask: { action: string; product: string; device: Item },
): Item | undefined {
  const { allowed, cans, hides } = decide(policy, name, world, ask)
  return allowed ? cut(ask.device, cans, hides) : undefined
}

function cut(item: Item, cans: readonly Rule[], hides: readonly Rule[]): Item {
  const hidden = hides.flatMap(({ hide }) => hide ?? [])
  const named = cans.flatMap(({ answer }) => answer ?? [])
  const keepsAll = cans.some(({ answer }) => answer === undefined)
  const isShown = (key: string): boolean =>
    !hidden.includes(key) && (named.includes(key) || (keepsAll && !secrets.includes(key)))
  return Object.fromEntries(Object.entries(item).filter(([key]) => isShown(key)))
}
