/** Which names the conditions of a rule may use: what all of its actions have, of one type. */

import type { Action, AttributeType, Catalog } from '../domain/catalog.ts'
import { ID, type CatalogFacts } from './catalog-facts.ts'
import type { ConditionScope } from './condition-draft.ts'

type Templates = ConditionScope['templates']

export function attributeScope(
  actions: readonly Action[],
  facts: CatalogFacts,
  catalog: Catalog,
  templates: Templates,
): ConditionScope {
  return {
    reads: 'attribute',
    templates,
    known: [...new Set(actions.flatMap((action) => facts.attributeNames(action)))],
    typeOf: (name) =>
      // Whoever may rename a device could otherwise walk it into a rule.
      name === 'name'
        ? { says: 'a name is never a condition: whoever renames could walk in; use ids or groups' }
        : common(actions, name, 'attribute', (action) => facts.attributeType(action, name)),
    idsOf: (name) =>
      name === ID ? [...new Set(actions.flatMap((action) => facts.typesOf(action)))] : [],
    catalog,
  }
}

export function valueScope(
  actions: readonly Action[],
  catalog: Catalog,
  templates: Templates,
): ConditionScope {
  return {
    reads: 'value',
    templates,
    known: [...new Set(actions.flatMap(({ values }) => [...values.keys()]))],
    typeOf: (name) => common(actions, name, 'request value', ({ values }) => values.get(name)),
    idsOf: () => [],
    catalog,
  }
}

function common(
  actions: readonly Action[],
  name: string,
  what: string,
  typeOf: (action: Action) => AttributeType | undefined,
): AttributeType | { says: string } {
  const lacking = actions.find((action) => typeOf(action) === undefined)
  if (lacking !== undefined) {
    const some = actions.some((action) => typeOf(action) !== undefined)
    return { says: some ? `${lacking.name} has no ${what} "${name}"` : `unknown ${what} "${name}"` }
  }
  const types = new Set(actions.map(typeOf))
  const [type] = types
  if (types.size > 1) return { says: `${what} "${name}" is of several types here; make two rules` }
  // Only where the rule's actions are mistaken themselves: that has been said.
  return type ?? 'string'
}
