/** The part of the policy language that the oracle speaks: what a policy file holds, as plain objects. */

import type { Item } from './world.ts'

export type Scalar = string | number | boolean

/** Attribute to a bare value or operators; `$and`, `$or` and `$not` join further conditions. */
export type Conditions = Readonly<Record<string, unknown>>

export type Source = 'device' | 'cloud' | 'api'

export type Rule = {
  can?: readonly string[]
  cannot?: readonly string[]
  where?: Conditions
  unless?: Conditions
  events?: readonly string[]
  sources?: readonly Source[]
  answer?: readonly string[]
  hide?: readonly string[]
}

export type Guardrail = Rule & { except?: readonly string[] }

export type Role = {
  description: string
  needs?: Readonly<Record<string, string>>
  rules: readonly Rule[]
}

export type Devices =
  | 'all'
  | readonly string[]
  | Conditions
  | Readonly<Record<string, 'all' | readonly string[] | Conditions>>

export type User = {
  owner: string
  never: true
  product?: string
  products?: readonly string[]
  organization?: string
  devices: Devices
  attributes?: Readonly<Record<string, Scalar | readonly Scalar[]>>
  roles?: readonly string[]
  rules?: readonly Rule[]
  scopes?: readonly string[]
}

export type Policy = {
  users: Readonly<Record<string, User>>
  roles?: Readonly<Record<string, Role>>
  guardrails?: readonly Guardrail[]
}

/** What an event is to a policy; `device` is absent where no device sent it. */
export type EventFacts = { product: string; name: string; source: Source; device?: Item }

/** What the rules of a random set are about; each has words that the other lacks. */
export type Theme = 'lists' | 'streams'

/** JSON is YAML: what a test writes into the gate's policy folder. */
export function policyFileOf(policy: Policy): string {
  return JSON.stringify(policy, undefined, 1)
}
