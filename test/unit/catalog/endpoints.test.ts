/** The proof that every documented request of Particle's API means exactly one thing to the gate, or is refused. */

import { describe, expect, it } from 'vitest'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import type { Catalog, Pattern, Route } from '../../../src/domain/catalog.ts'
import { endpointRows, misclassified, particleCatalog, sampleSegments } from '../../kit/catalog.ts'

const catalog = particleCatalog()
const rows = endpointRows()

describe('the Particle catalog against every documented endpoint', () => {
  it('means the expected action, scope and declared keys on every form of every row', () => {
    expect(rows.length).toBeGreaterThanOrEqual(206)
    expect(misclassified(catalog, rows)).toEqual([])
  })

  it('is caught when a route is missing', () => {
    const unseen: string[] = []
    for (const route of catalog.routes) {
      const without = { ...catalog, routes: catalog.routes.filter((other) => other !== route) }
      const documented = rows.some((row) =>
        Object.keys(row.forms).some(
          (path) => row.method === route.method && fits(route.pattern, sampleSegments(path)),
        ),
      )
      if (documented && misclassified(without, rows).length === 0) unseen.push(route.id)
    }
    expect(unseen).toEqual([])
  })

  it('is caught when a route means another action', () => {
    const unseen: string[] = []
    for (const route of catalog.routes.filter(({ deeds }) => deeds.length > 0)) {
      const other = route.deeds.map((deed) => ({ ...deed, action: 'devices:anything' }))
      const changed = { ...catalog, routes: swap(route, { ...route, deeds: other }) }
      if (!isDocumented(route)) continue
      if (misclassified(changed, rows).length === 0) unseen.push(route.id)
    }
    expect(unseen).toEqual([])
  })

  it('is caught when a declared key is missing', () => {
    const unseen: string[] = []
    for (const route of catalog.routes.filter(({ query }) => query.size > 0)) {
      const bare = { ...catalog, routes: swap(route, { ...route, query: new Map() }) }
      const asked = rows.some(
        (row) =>
          row.method === route.method &&
          (row.query ?? []).length > 0 &&
          Object.keys(row.forms).some((path) => fits(route.pattern, sampleSegments(path))),
      )
      if (asked && misclassified(bare, rows).length === 0) unseen.push(route.id)
    }
    expect(unseen).toEqual([])
  })

  it('has no route that no documented request reaches, but for known client habits', () => {
    const undocumented = catalog.routes.filter((route) => !isDocumented(route)).map(({ id }) => id)
    expect(undocumented.toSorted()).toEqual([
      'DELETE /v1/orgs/:organization/integrations/:integration',
      'GET /v1/events',
      'GET /v1/orgs/:organization/integrations',
      'GET /v1/orgs/:organization/integrations/:integration',
      'POST /v1/orgs/:organization/integrations',
      'POST /v1/orgs/:organization/integrations/:integration/test',
      'POST /v1/orgs/:organization/team/:username/token',
      'POST /v1/products/:product/team/:username/token',
      'PUT /v1/orgs/:organization/integrations/:integration',
    ])
  })

  it('matches each request by one route alone, as a plain reading of the patterns does', () => {
    const table = createRouteTable(catalog)
    for (const row of rows) {
      for (const path of Object.keys(row.forms)) {
        const segments = sampleSegments(path)
        const found = table.match(row.method, segments)
        const plain = readPlainly(catalog, segments).filter(
          ({ method }) => method === row.method || (row.method === 'HEAD' && method === 'GET'),
        )
        expect(plain.map(({ id }) => id)).toEqual([found.kind === 'route' ? found.route.id : ''])
      }
    }
  })

  it('knows every scope that the cloud documents', () => {
    const scopes = new Set(rows.flatMap(({ scope }) => scope ?? []))
    expect(scopes.size).toBe(87)
    expect([...scopes].filter((scope) => !catalog.scopes.has(scope))).toEqual([])
    for (const extra of ['usage_summary', 'pricing_terms']) {
      expect(catalog.scopes.has(`service_agreements.${extra}:get`)).toBe(true)
    }
  })
})

function swap(route: Route, other: Route): Route[] {
  return catalog.routes.map((known) => (known === route ? other : known))
}

function isDocumented(route: Route): boolean {
  return rows.some((row) =>
    Object.keys(row.forms).some((path) => {
      const segments = sampleSegments(path)
      const plain = readPlainly(catalog, segments).filter(({ method }) => method === row.method)
      return plain.includes(route)
    }),
  )
}

/** The rule in its plainest words: of all routes that fit, at each place those with a literal there win. */
function readPlainly({ routes }: Catalog, segments: readonly string[]): Route[] {
  let left = routes
  for (const [i, segment] of segments.entries()) {
    const literal = left.filter((route) => {
      const at = route.pattern.segments[i]
      return at !== undefined && 'literal' in at && at.literal === segment
    })
    left =
      literal.length > 0
        ? literal
        : left.filter((route) => {
            const at = route.pattern.segments[i]
            return at !== undefined && 'parameter' in at && at.grammar.test(segment)
          })
  }
  return left.filter(({ pattern }) => pattern.segments.length === segments.length)
}

function fits({ segments }: Pattern, given: readonly string[]): boolean {
  return (
    segments.length === given.length &&
    segments.every((segment, i) =>
      'literal' in segment ? segment.literal === given[i] : segment.grammar.test(given[i] ?? ''),
    )
  )
}
