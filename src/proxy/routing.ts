/** The route stage: the catalog's table, and what a request that fits no route is told. */

import type { RouteTable } from '../catalog/route-table.ts'
import type { Route } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'

export type MatchRoute = (
  method: string,
  target: CanonicalTarget,
) => { route: Route; params: Readonly<Record<string, string>> }

/** @returns a function that throws Problem `unmapped_route`, `method_not_allowed`, `invalid_request`, `refused_route` */
export function createMatchRoute(table: RouteTable): MatchRoute {
  return (method, { segments }) => {
    const match = table.match(method, segments)
    switch (match.kind) {
      case 'unmapped':
        throw new Problem('unmapped_route')
      case 'method':
        throw new Problem('method_not_allowed', { headers: { allow: match.allowed.join(', ') } })
      case 'bad_parameter':
        throw new Problem('invalid_request', { says: 'A part of the path is malformed.' })
      case 'route': {
        const { kind } = match.route
        if (kind.kind === 'refused') throw new Problem('refused_route', { cause: kind.why })
        return match
      }
    }
  }
}
