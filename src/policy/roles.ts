/** The `roles` section: named lists of rules, and what an API user must bring to have one. */

import type { Catalog } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import { templatesOf } from './condition-draft.ts'
import { roleKeys } from './policy-shape.ts'
import {
  decodeKeys,
  type FilePlace,
  mistakeAt,
  mistakeAtKey,
  noteAt,
  placeOf,
  within,
  type Part,
} from './report.ts'
import { readRule, type RuleDraft, type RuleReaderParts } from './rule-draft.ts'

export type RoleDraft = {
  name: string
  rules: readonly RuleDraft[]
  /** User attributes that must be set, by name. */
  needs: ReadonlySet<string>
  place: FilePlace
}

/** Every role by name, mistaken ones too, so that one mistake does not make its users mistaken as well. */
export function readRoles(
  sections: readonly Part[],
  parts: RuleReaderParts,
): Map<string, RoleDraft> {
  const roles = new Map<string, RoleDraft>()
  for (const section of sections) {
    if (typeof section.value !== 'object') continue
    for (const name of Object.keys(section.value)) {
      const part = within(section, name)
      if (roles.has(name)) mistakeAtKey(parts.report, part, `role "${name}" is defined twice`)
      if (!isName(name)) mistakeAtKey(parts.report, part, `"${name}" ${NAME_SAYS}`)
      roles.set(name, readRole(name, part, parts))
    }
  }
  return roles
}

/** Names of roles. */
export function isName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/i.test(name)
}

export const NAME_SAYS = 'is no name: use letters, digits, dots, dashes and underscores, at most 63'

/** Names of API users go into logs, file names of tokens and command lines; those that the cloud makes have `+` and `@`. */
export function isUserName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._+@-]{0,127}$/i.test(name)
}

export const USER_NAME_SAYS =
  'is no name: use letters, digits, dots, dashes, underscores, + and @, at most 128'

function readRole(name: string, part: Part, parts: RuleReaderParts): RoleDraft {
  const { catalog, report } = parts
  const role = decodeKeys(roleKeys, part, report)
  const needs = new Set(Object.keys(role?.needs ?? {}))
  for (const [need, attribute] of Object.entries(role?.needs ?? {})) {
    if (isAttribute(attribute, catalog)) continue
    const hint = didYouMean(attribute, attributeNames(catalog))
    mistakeAt(report, within(part, 'needs', need), `unknown attribute "${attribute}"${hint}`)
  }
  const listed = within(part, 'rules')
  const rules = (role?.rules ?? []).flatMap(
    (_, index) => readRule(within(listed, index), 'rule', parts) ?? [],
  )
  const said = typeof part.value === 'object' && Object.hasOwn(part.value, 'rules')
  if (role !== undefined && !said) mistakeAt(report, part, `role "${name}" has no rules`)
  checkNeeds(rules, needs, part, parts)
  return { name, rules, needs, place: placeOf(part) }
}

function checkNeeds(
  rules: readonly RuleDraft[],
  needs: ReadonlySet<string>,
  part: Part,
  { report }: RuleReaderParts,
): void {
  const used = new Set<string>()
  for (const rule of rules) {
    for (const draft of [rule.where, rule.with, rule.unless]) {
      for (const name of draft === undefined ? [] : templatesOf(draft)) {
        used.add(name)
        if (needs.has(name)) continue
        report.mistakes.push({
          ...rule.place,
          message: `uses $user.${name}, which needs: does not name`,
        })
      }
    }
  }
  for (const need of needs) {
    if (!used.has(need)) noteAt(report, within(part, 'needs', need), `no rule uses $user.${need}`)
  }
}

function isAttribute(name: string, catalog: Catalog): boolean {
  return attributeNames(catalog).includes(name)
}

function attributeNames({ resources, actions }: Catalog): string[] {
  const ofResources = Object.values(resources).flatMap(({ attributes }) => [...attributes.keys()])
  const ofRequests = [...actions.values()].flatMap(({ values }) => [...values.keys()])
  return [...new Set(['id', ...ofResources, ...ofRequests])]
}
