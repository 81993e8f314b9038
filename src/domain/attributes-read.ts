/** Which attributes of devices a condition or a grant hangs on: one left out would be taken for absent. */

import type { Condition, Grant } from './grant.ts'

export function attributesIn(condition: Condition): readonly string[] {
  if ('and' in condition) return condition.and.flatMap(attributesIn)
  if ('or' in condition) return condition.or.flatMap(attributesIn)
  if ('not' in condition) return attributesIn(condition.not)
  return 'attribute' in condition ? [condition.attribute] : []
}

/** Of its devices and of all its rules, whatever their actions. */
export function attributesRead({ devices, rules }: Grant): Set<string> {
  const limits = Object.values(devices).map((limit) => ('where' in limit ? limit.where : undefined))
  const conditions = rules.flatMap(({ condition, unless }) => [condition, unless])
  return new Set(
    [...limits, ...conditions].flatMap((each) => (each === undefined ? [] : attributesIn(each))),
  )
}
