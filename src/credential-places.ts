/** For whom each credential of the cloud speaks: the ids that the catalog knows, and never a name that could be taken for one. */

import type { Config, UpstreamConfig } from './config/config.ts'
import { canonicalId } from './domain/canonical-id.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Mistake } from './lib/mistake.ts'
import type { Secret } from './lib/secret.ts'

const products = { list: 'products', type: 'product' } as const
const organizations = { list: 'organizations', type: 'organization' } as const

type Kind = typeof products | typeof organizations
type Resources = Pick<Catalog, 'resources'>

/** One that is looked for under another spelling is never found, and a mightier one would be used in its stead. */
export function credentialMistakes(
  { credentialsFor, keyAt }: Pick<Config, 'credentialsFor' | 'keyAt'>,
  { resources }: Resources,
): Mistake[] {
  return [products, organizations].flatMap(({ list, type }) => {
    const seen = new Set<string>()
    return credentialsFor[list].flatMap((name) => {
      const id = canonicalId(resources[type], name)
      const message = id === undefined ? noId(name, resources[type]) : twice(name, id, seen)
      const place = () => keyAt('upstream', 'credentials', list, name)
      return message === undefined ? [] : [{ ...place(), message }]
    })
  })
}

/** Under canonical ids. */
export function credentialsById(
  { default: one, ...named }: UpstreamConfig['credentials'],
  { resources }: Resources,
) {
  const byId = ({ list, type }: Kind): Map<string, Secret> =>
    new Map(
      Array.from(named[list], ([name, secret]) => [
        canonicalId(resources[type], name) ?? name,
        secret,
      ]),
    )
  return {
    ...(one !== undefined && { default: one }),
    products: byId(products),
    organizations: byId(organizations),
  }
}

function noId(name: string, { one, alias }: Catalog['resources'][Kind['type']]): string {
  const why = alias?.test(name) === true ? ': slugs and names can be moved; write its id' : ''
  return `"${name}" is no ${one} id${why}`
}

function twice(name: string, id: string, seen: Set<string>): string | undefined {
  if (seen.has(id)) return `"${name}" is named twice`
  seen.add(id)
  return undefined
}
