/** The API users of the store whose definition has a word: found in parts, so that memory stays flat and others are served in between. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ApiUser } from '../domain/grant.ts'
import type { Today } from './tokens.ts'
import type { UserStore } from './user-store.ts'

const chunk = 1000

/** Only those are read and compiled that have the word. Not those that the policy files displaced, or that are unfit today. */
export async function usersMentioning(
  users: Pick<UserStore, 'names' | 'get'>,
  word: string,
  today: Today,
): Promise<ApiUser[]> {
  const found: ApiUser[] = []
  for (let after: string | undefined; ;) {
    const query = { ...(after !== undefined && { after }), limit: chunk, mentions: word }
    // oxlint-disable-next-line no-await-in-loop -- one part after the other
    const rows = await users.names(query)
    for (const { name, displaced } of rows.filter(({ mentions }) => mentions)) {
      // oxlint-disable-next-line no-await-in-loop -- few have it, and an embedded store answers at once
      const stored = displaced ? undefined : (await users.get(name))?.stored
      const user = stored && today(name, stored)
      if (user !== undefined) found.push(user)
    }
    after = rows.at(-1)?.name
    if (rows.length < chunk) return found
    // An embedded store answers at once: without a turn in between nothing else would be served.
    // oxlint-disable-next-line no-await-in-loop -- that is what it is for
    await nextTurn()
  }
}
