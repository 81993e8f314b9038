/** Definitions of API users as operators write them: JSON here, and places of mistakes as pointers into it. */

import type { ApiUser } from '../../domain/grant.ts'
import type { Mistake } from '../../lib/mistake.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import { pointerTo } from '../http/shape-faults.ts'
import { type Fault, Unprocessable } from '../unprocessable.ts'

export type Definition = Readonly<Record<string, unknown>>

/** Compiling takes the turn of all that is served, up to half a millisecond a rule. */
const maxRules = 100

/** A line for each value, so that rules have lines by which people find them. */
export function writeDefinition(definition: Definition): string {
  return JSON.stringify(definition, null, 2)
}

export function parseDefinition(text: string): Definition {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('The store holds a definition that is none.')
  }
  return { ...value }
}

/**
 * Compiled under the policies in force.
 * @throws Unprocessable with every mistake
 */
export function compileDefinition(
  policy: Pick<PolicyEngine, 'compile'>,
  name: string,
  definition: Definition,
): { user: ApiUser; text: string } {
  const { rules } = definition
  if (Array.isArray(rules) && rules.length > maxRules) {
    const detail = `takes ${maxRules} rules at most; a role of the policy files holds more`
    throw new Unprocessable('unprocessable', [{ pointer: '/definition/rules', detail }])
  }
  const text = writeDefinition(definition)
  const compiled = policy.compile(name, text)
  if (compiled.ok) return { user: compiled.user, text }
  throw new Unprocessable('unprocessable', faultsOf(compiled.mistakes, definition), {
    says: 'The definition does not hold under the policies in force.',
  })
}

/** Each mistake with a pointer to what it speaks of. */
export function faultsOf(mistakes: readonly Mistake[], definition: Definition): Fault[] {
  const pointers = pointersByLine(definition)
  return mistakes.map(({ line, message }) => {
    const pointer = pointers[line - 1]
    return { detail: message, ...(pointer !== undefined && { pointer: `/definition${pointer}` }) }
  })
}

/** What stands in each line that `writeDefinition` writes. */
function pointersByLine(definition: Definition): string[] {
  const lines: string[] = []
  const walk = (value: unknown, path: readonly PropertyKey[]): void => {
    lines.push(pointerTo(path))
    if (typeof value !== 'object' || value === null) return
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
    if (entries.length === 0) return
    for (const [key, inner] of entries) walk(inner, [...path, key])
    lines.push(pointerTo(path))
  }
  walk(definition, [])
  return lines
}
