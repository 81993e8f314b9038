/** A directory without a cloud: it knows what the caller states as facts, and notes what it was asked beyond that. */

import type { Value } from '../domain/access-request.ts'
import type { Attribute, Catalog } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import { canonicalId } from '../domain/canonical-id.ts'
import type { Directory } from '../upstream/directory.ts'
import { UsageError } from './io.ts'

export type OfflineDirectory = Directory & {
  /** What the cloud would have had to be asked, in sentences. */
  readonly missing: ReadonlySet<string>
}

export type StatedFact = readonly [name: string, value: string]

/** Facts about where something is or belongs; all others are attributes. */
const places = ['product', 'organization', 'device']

/** @throws UsageError for a fact that no resource has, or of the wrong type */
export function createOfflineDirectory(
  { resources }: Catalog,
  stated: readonly StatedFact[],
): OfflineDirectory {
  const missing = new Set<string>()
  const facts = readFacts(resources, stated)
  const given = (name: string) => stated.find(([key]) => key === name)?.[1]
  const attributes = stated.some(([name]) => !places.includes(name)) ? facts : undefined

  return {
    missing,
    async organization(alias) {
      missing.add(`the id of ${resources.organization.one} "${alias}": write its id in the target`)
      return undefined
    },
    async product(spelling) {
      const id = canonicalId(resources.product, spelling)
      if (id === undefined) {
        missing.add(`the id of ${resources.product.one} "${spelling}": write its id in the target`)
        return undefined
      }
      const organization = given('organization')
      if (organization === undefined) {
        missing.add(`whose ${resources.product.one} ${id} is: --fact organization=ID`)
      }
      return { id, organization }
    },
    async device(spelling) {
      const id = canonicalId(resources.device, spelling)
      const product = given('product')
      if (id === undefined)
        missing.add(`the id of device "${spelling}": write its id in the target`)
      if (product === undefined) missing.add(`where device "${spelling}" is: --fact product=ID`)
      return id === undefined ? undefined : { id, product }
    },
    async products(organization) {
      const product = given('product')
      if (product === undefined) {
        missing.add(
          `the ${resources.product.many} of ${resources.organization.one} ${organization}: --fact product=ID`,
        )
      }
      return product === undefined ? [] : [product]
    },
    async related({ parameter, device, when }, params) {
      const spelling = params[parameter] ?? ''
      if (device.length === 0) {
        const id = canonicalId(resources.device, spelling)
        if (id !== spelling || when === undefined) return id === spelling ? id : undefined
      }
      const stated = given('device')
      if (stated === undefined) {
        missing.add(`which device ${parameter} "${spelling}" belongs to: --fact device=ID`)
        return undefined
      }
      return canonicalId(resources.device, stated)
    },
    attributes: async () => facts,
    prepare: async () => () => facts,
    named: async () => () => facts,
    locate: async () => new Map(),
    placed: () => undefined,
    cached: () => attributes,
    forget: () => undefined,
    deadEnd: () => undefined,
  }
}

/** Attributes that a decision looked at and did not find, as facts to give. */
export function unknownAttributes(
  used: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): string[] {
  return Object.entries(used).flatMap(([id, values]) =>
    Object.keys(values)
      .filter((name) => values[name] === undefined)
      .map((name) => `${name} of ${id}: --fact ${name}=VALUE`),
  )
}

function readFacts(
  resources: Catalog['resources'],
  stated: readonly StatedFact[],
): Readonly<Record<string, Value>> {
  const known = new Map<string, Attribute>([
    ...resources.organization.attributes,
    ...resources.product.attributes,
    ...resources.device.attributes,
  ])
  const facts: Record<string, Value> = {}
  for (const [name, text] of stated) {
    const attribute = known.get(name)
    if (attribute === undefined) {
      if (places.includes(name)) continue
      const hint = didYouMean(name, [...known.keys(), ...places])
      throw new UsageError(`there is no attribute "${name}"${hint}`)
    }
    const value = typed(attribute, text)
    const before = facts[name]
    facts[name] = attribute.type === 'strings' && Array.isArray(before) ? [...before, text] : value
  }
  return facts
}

function typed({ name, type }: Attribute, text: string): Value {
  switch (type) {
    case 'string':
    case 'time':
      return text
    case 'strings':
      return [text]
    case 'number':
      if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
      throw new UsageError(`${name} is a number; "${text}" is none`)
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true'
      throw new UsageError(`${name} is true or false, not "${text}"`)
  }
}
