/** Reads cookies, and says whether a request that carries one comes from a page of this port. */

import { valuesOf, type Head } from './head.ts'

type Heads = Pick<Head, 'rawHeaders'>

/** By name; one that comes twice is left out, for nobody can tell which was meant. */
export function cookiesOf(head: Heads): Readonly<Record<string, string>> {
  const pairs = valuesOf(head, 'cookie')
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.includes('='))
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const)
  const times = Map.groupBy(pairs, ([name]) => name)
  return Object.fromEntries(pairs.filter(([name]) => times.get(name)?.length === 1))
}

/** How often a cookie of that name came. */
export function countCookies(head: Heads, name: string): number {
  return valuesOf(head, 'cookie')
    .flatMap((line) => line.split(';'))
    .filter((pair) => pair.trim().split('=', 1)[0] === name).length
}

/** Browsers say where a request comes from; pages cannot. What does not say it is not believed. */
export function isSameOrigin(head: Heads): boolean {
  const [site, ...moreSites] = valuesOf(head, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin' && moreSites.length === 0
  const [origin, ...moreOrigins] = valuesOf(head, 'origin')
  const [host, ...moreHosts] = valuesOf(head, 'host')
  if (origin === undefined || host === undefined) return false
  if (moreOrigins.length + moreHosts.length > 0) return false
  return URL.parse(origin)?.host === host.toLowerCase()
}
