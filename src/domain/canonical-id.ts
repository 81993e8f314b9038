/** The one spelling of an id: what is decided, compared and sent upstream is never another. */

import type { ResourceSpec } from './catalog.ts'

/** `undefined`: it is no id of this kind. */
export function canonicalId(
  { id, fold }: Pick<ResourceSpec, 'id' | 'fold'>,
  spelling: string,
): string | undefined {
  const folded = fold === 'lower' ? spelling.toLowerCase() : spelling
  return id.test(folded) ? folded : undefined
}
