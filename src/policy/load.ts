/** From the texts of a policy folder to a policy set: whole, or every mistake of every file at once. */

import { hash } from 'node:crypto'
import type { Catalog } from '../domain/catalog.ts'
import type { ApiUser } from '../domain/grant.ts'
import type { PolicySet } from './policy-set.ts'
import type { Mistake } from '../lib/mistake.ts'
import { Mistakes } from '../lib/mistake.ts'
import { didYouMean } from '../lib/nearest.ts'
import { readYaml } from '../lib/yaml.ts'
import { catalogFacts } from './catalog-facts.ts'
import { fleetOf, readFleet } from './fleet.ts'
import { sectionKeys } from './policy-shape.ts'
import { type PolicyTest, readTest } from './policy-test-reader.ts'
import { decodeKeys, mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'
import { isUserName, readRoles, type RoleDraft } from './roles.ts'
import { readRule } from './rule-draft.ts'
import { readUser } from './users.ts'

export type PolicyFile = { file: string; text: string }

export type LoadOptions = {
  /** The gate's version: part of the revision. */
  version: string
  /** Git commit of the policy folder, where there is one. */
  commit?: string
}

export type LoadResult =
  | { ok: true; set: PolicySet; tests: PolicyTest[]; notes: Mistake[] }
  | { ok: false; mistakes: Mistake[] }

/** Pure; the result is plain data that survives a structured clone. */
export function loadPolicySet(
  files: readonly PolicyFile[],
  catalog: Catalog,
  options: LoadOptions,
): LoadResult {
  const report: Report = { mistakes: [], notes: [] }
  const sorted = files.toSorted((a, b) => (a.file < b.file ? -1 : 1))
  const sections = splitSections(sorted, report)
  const facts = catalogFacts(catalog)
  const names = readFleet(sections.fleet, catalog, report)
  const fleet = fleetOf(names, catalog, report)
  const parts = { catalog, facts, report, fleet }
  const roles = readRoles(sections.roles, parts)
  const guards = entriesOf(sections.guardrails)
  const guardrails = guards.flatMap((part) => readRule(part, 'guardrail', parts) ?? [])

  const users = new Map<string, ApiUser>()
  const said = new Set<string>()
  for (const section of sections.users) {
    for (const name of Object.keys(section.value)) {
      const part = within(section, name)
      if (said.has(name)) mistakeAtKey(report, part, `API user "${name}" is defined twice`)
      said.add(name)
      const user = readUser(name, part, { ...parts, roles, guardrails, home: 'git' })
      if (user !== undefined) users.set(name, user)
    }
  }
  checkExceptions(guards, said, report)
  noteUnusedRoles(roles, sections.users, report)
  const tests = entriesOf(sections.tests).flatMap(
    (part) => readTest(part, { ...parts, users: said }) ?? [],
  )
  if (report.mistakes.length > 0) return { ok: false, mistakes: inOrder(report.mistakes) }
  const { version, commit } = options
  const revision = revisionOf(sorted, catalog, version)
  const frame = { roles, guardrails, names }
  const set: PolicySet = { users, revision, ...(commit !== undefined && { commit }), frame }
  return { ok: true, set, tests, notes: inOrder(report.notes) }
}

type Sections = Record<keyof typeof sectionKeys, Part[]>

function splitSections(files: readonly PolicyFile[], report: Report): Sections {
  const sections: Sections = { fleet: [], roles: [], users: [], guardrails: [], tests: [] }
  for (const { file, text } of files) {
    const read = readYaml(text, file)
    if (!read.ok) {
      report.mistakes.push(...read.mistakes)
      continue
    }
    const part: Part = { source: read.file, path: [], value: read.file.value }
    const found = decodeKeys(sectionKeys, part, report)
    for (const key of ['fleet', 'roles', 'users', 'guardrails', 'tests'] as const) {
      if (found?.[key] !== undefined) sections[key].push(within(part, key))
    }
  }
  return sections
}

function entriesOf(sections: readonly Part[]): Part[] {
  return sections.flatMap((section) =>
    Array.isArray(section.value) ? section.value.map((_, index) => within(section, index)) : [],
  )
}

function checkExceptions(
  guardrails: readonly Part[],
  users: ReadonlySet<string>,
  report: Report,
): void {
  for (const guardrail of guardrails) {
    const part = within(guardrail, 'except')
    for (const name of Array.isArray(part.value) ? part.value : [part.value]) {
      if (typeof name !== 'string' || name === '' || users.has(name)) continue
      const [store, stored = '', ...others] = name.split(':')
      if (store === 'store' && isUserName(stored) && others.length === 0) continue
      const says = `unknown API user "${name}"${didYouMean(name, users)}`
      mistakeAt(report, part, `${says}; one of the store is excepted as store:NAME`)
    }
  }
}

function noteUnusedRoles(
  roles: ReadonlyMap<string, RoleDraft>,
  users: readonly Part[],
  report: Report,
): void {
  const used = new Set<unknown>()
  for (const section of users) {
    for (const name of Object.keys(section.value)) {
      const { value } = within(section, name, 'roles')
      for (const role of Array.isArray(value) ? value : [value]) used.add(role)
    }
  }
  for (const [name, { place }] of roles) {
    const message = `no API user of the files has the role "${name}"`
    if (!used.has(name)) report.notes.push({ ...place, message })
  }
}

/** Files are named by their contents: a rename changes nothing. */
function revisionOf(files: readonly PolicyFile[], catalog: Catalog, version: string): string {
  const texts = files.map(({ text }) => hash('sha256', text, 'hex')).toSorted()
  return hash('sha256', JSON.stringify([texts, catalog.hash, version]), 'hex')
}

function inOrder(mistakes: readonly Mistake[]): Mistake[] {
  const seen = new Set<string>()
  const fresh = mistakes.filter((mistake) => {
    const key = JSON.stringify(mistake)
    return !seen.has(key) && Boolean(seen.add(key))
  })
  return [...new Mistakes(fresh).list]
}
