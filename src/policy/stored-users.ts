/** API users of the store, compiled under the policy files in force when somebody asks for them. */

import { LRUCache } from 'lru-cache'
import type { Catalog } from '../domain/catalog.ts'
import type { ApiUser, StoredDefinition } from '../domain/grant.ts'
import { atMost } from '../lib/at-most.ts'
import { type Mistake, Mistakes } from '../lib/mistake.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import { readDefinition } from './definition-json.ts'
import { fleetOf } from './fleet.ts'
import type { CompiledUser } from './policy-engine.ts'
import type { Report } from './report.ts'
import { readUser } from './users.ts'
import type { UserFrame } from './user-frame.ts'

export type CompileParts = { catalog: Catalog; facts: CatalogFacts; frame: UserFrame }

/** Whole or with all its mistakes, each at its place in the definition. */
export function compileUser(
  name: string,
  definition: string,
  { catalog, facts, frame }: CompileParts,
): CompiledUser {
  const read = readDefinition(definition, `store:${name}`)
  if (!read.ok) return read
  const report: Report = { mistakes: new FirstMistakes(), notes: [] }
  const { roles, guardrails, names } = frame
  const fleet = fleetOf(names, catalog, report)
  const part = { source: read.file, path: [], value: read.file.value }
  const parts = { catalog, facts, report, fleet, roles, guardrails, home: 'store' } as const
  let user: ApiUser | undefined
  try {
    user = readUser(name, part, parts)
  } catch (error) {
    if (!(error instanceof Enough)) throw error
  }
  if (user === undefined || report.mistakes.length > 0) {
    return { ok: false, mistakes: inOrder(report.mistakes) }
  }
  return { ok: true, user, notes: inOrder(report.notes) }
}

/** Each names the nearest right word, which is dear: thousands would hold up everybody. */
const maxMistakes = 100

class Enough extends Error {
  override readonly name = 'Enough'
}

class FirstMistakes extends Array<Mistake> {
  /** @throws Enough */
  override push(...more: Mistake[]): number {
    const room = maxMistakes - this.length
    const length = super.push(...more.slice(0, room))
    if (more.length >= room) throw new Enough()
    return length
  }
}

function inOrder(mistakes: readonly Mistake[]): Mistake[] {
  // An error is dear to make, and most compile without a finding.
  return mistakes.length === 0 ? [] : [...new Mistakes(mistakes).list]
}

export type StoredUsers = {
  /** `undefined`: its definition does not fit the policy files. */
  get(name: string, stored: StoredDefinition): ApiUser | undefined
  /** To be called when other policy files are in force. */
  clear(): void
}

/** Keeps the last of them: 100,000 that nobody asks for cost nothing. */
export function keepStoredUsers(
  compile: (name: string, definition: string) => CompiledUser,
  cacheSize: number,
): StoredUsers {
  const kept = new LRUCache<string, { definition: string; user: ApiUser | undefined }>(
    atMost(cacheSize),
  )
  return {
    get(name, { definition }) {
      const known = kept.get(name)
      if (known?.definition === definition) return known.user
      const compiled = compile(name, definition)
      const user = compiled.ok ? compiled.user : undefined
      kept.set(name, { definition, user })
      return user
    },
    clear: () => kept.clear(),
  }
}
