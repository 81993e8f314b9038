/** The work on API users put together: what the admin API and the cloud's own team API both stand on. */

import { Problem } from '../../domain/problem.ts'
import type { ApiUsers } from '../api-users.ts'
import { createLooks } from '../looks.ts'
import { requireVisible } from './bounds.ts'
import { createChanging } from './changing.ts'
import { createDefinitions } from './definitions.ts'
import { createLifecycle } from './lifecycle.ts'
import { createListing } from './listing.ts'
import type { ApiUsersParts } from './parts.ts'
import { createRecords } from './records.ts'

/** More would be a way to make one process hold everything. */
const maxPerPage = 100

export function createApiUsers(parts: ApiUsersParts): ApiUsers {
  const records = createRecords(parts)
  const changing = createChanging(parts.audit)
  const { clock, inTurn, store, policy } = parts
  const standing = () => `${store.changes.state().seq} ${policy.set.revision}`
  const page = createListing(parts, records, createLooks({ clock, inTurn, standing }))
  return {
    get: async (actor, name) => requireVisible(actor, await records.find(name)).record,
    async page(actor, query) {
      if (query.page < 1 || query.perPage < 1 || query.perPage > maxPerPage) {
        throw new Problem('invalid_request', { says: `A page has 1 to ${maxPerPage} entries.` })
      }
      return page(actor, query)
    },
    ...createDefinitions(parts, records, changing),
    ...createLifecycle(parts, records, changing),
  }
}
