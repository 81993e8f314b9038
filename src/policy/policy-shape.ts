/** What a policy file may hold, word by word: the one definition behind the loader's checks and the editors' schema. */

import type { Catalog } from '../domain/catalog.ts'
import { denyReasons } from '../domain/words.ts'
import { durationMs, flag, integer, mapping, text, textList, z } from '../lib/shape.ts'

/** The words of `catalog.resources` that stand as keys in policy files. */
export type BoundaryWords = {
  [K in keyof Catalog['resources']]: Pick<Catalog['resources'][K], 'one' | 'many'>
}

export const SOURCES = ['device', 'cloud', 'api'] as const
export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

const dateText = () => z.string().regex(/^\d{4}-\d\d-\d\d$/, 'must be a date such as 2027-03-01')

/** Attribute and operator names are the catalog's: they are checked against it with their own places. */
const conditions = () =>
  z.record(z.string(), z.unknown()).describe('Attribute to value, or to operators')

const oneOrMore = <T extends z.ZodType<string, string>>(one: T) =>
  z
    .union([one, z.array(one).min(1, 'must not be an empty list')])
    .transform((value): z.output<T>[] => (Array.isArray(value) ? value : [value]))

export const whenKeys = {
  days: oneOrMore(text()).optional().describe('mon, tue … or a range such as mon-fri'),
  hours: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/, {
      message: 'must be a window such as 08:00-18:00',
    })
    .optional(),
  zone: text().optional().describe('IANA zone, for example Europe/Berlin'),
  not_on: oneOrMore(z.string().regex(/^\d{4}-\d\d-\d\d$/, 'must be a date such as 2026-12-24'))
    .optional()
    .describe('Dates on which it does not hold'),
}

export const limitKeys = {
  calls: integer(1, 1_000_000_000).optional(),
  per: durationMs().optional(),
}

export const ruleKeys = {
  can: textList().optional().describe('Actions, scopes, classes or family:* that are granted'),
  cannot: textList().optional().describe('Actions, scopes, classes or family:* that are forbidden'),
  where: conditions().optional().describe('Attributes of the resource'),
  with: conditions().optional().describe('Values of the request'),
  unless: conditions().optional().describe('Attributes under which a can does not hold'),
  functions: textList().optional(),
  variables: textList().optional(),
  events: textList().optional(),
  ledgers: textList().optional(),
  body: textList().optional().describe('Body keys'),
  answer: textList().optional().describe('Keys of the answer that are kept'),
  hide: textList().optional().describe('Keys of the answer that are stripped'),
  sources: oneOrMore(z.enum(SOURCES)).optional().describe('Where events come from'),
  when: z.record(z.string(), z.unknown()).optional(),
  limit: z.record(z.string(), z.unknown()).optional(),
  max_age: durationMs()
    .optional()
    .describe('How old, at most, the facts may be by which its actions are decided'),
  because: text().optional().describe('For the log'),
  tell: text().optional().describe('For the client'),
  id: text().optional().describe('A short name, for the log'),
}

export const guardrailKeys = {
  ...ruleKeys,
  except: textList()
    .optional()
    .describe('API users it does not bind; store:NAME for one of the store'),
}

export const roleKeys = {
  description: text().optional(),
  needs: z.record(z.string(), text()).optional().describe('User attribute to resource attribute'),
  rules: z.array(z.unknown()).min(1, 'must not be an empty list').optional(),
}

/** All keys of one API user but for the boundary and device words, which the catalog names. */
export const userKeys = {
  owner: text().optional().describe('Who answers for it'),
  description: text().optional(),
  attributes: z
    .record(z.string(), textList())
    .optional()
    .describe('Values that rules reach as $user.name'),
  scopes: textList().optional().describe("The cloud's own scopes, as the cloud means them"),
  roles: textList().optional(),
  rules: z.array(z.unknown()).min(1, 'must not be an empty list').optional(),
  expires: z
    .string()
    .regex(/^(\d{4}-\d\d-\d\d|never)$/, 'must be a date such as 2027-03-01, or never')
    .optional(),
  lifetime: durationMs().optional(),
  idle: durationMs().optional(),
  never: flag().optional(),
  not_before: dateText().optional().describe('Refused until 00:00 UTC of this date'),
  rate: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Of all its requests together: calls, per'),
  from: textList()
    .optional()
    .describe('Addresses and CIDR ranges from which it may call; absent: from anywhere'),
  observe: dateText()
    .optional()
    .describe('Until 00:00 UTC of this date it is observed: nothing is denied or cut'),
}

export const testKeys = {
  name: text().optional(),
  user: text().optional(),
  action: text().optional(),
  resource: z.record(z.string(), text()).optional(),
  fields: z.record(z.string(), textList()).optional(),
  values: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  facts: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  relation: z
    .enum(['device', 'none', 'all'])
    .optional()
    .describe(
      'none: found to belong to no device, as a ledger instance of the product; all: names no device where that means every one',
    ),
  source: z.enum(SOURCES).optional().describe('Of an event: where it comes from'),
  at: z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'must be a time such as 2026-11-22T10:00:00Z')
    .optional(),
  from: text().optional().describe('Address it calls from; absent: one from which it may'),
  limits: z
    .enum(['free', 'used_up'])
    .optional()
    .describe('used_up: no limit and no rate has room for one more call'),
  want: z.enum(['allow', 'deny']).optional(),
  reason: z.enum(denyReasons).optional(),
  answer: textList().optional(),
  hide: textList().optional(),
  tell: text().optional(),
}

/** The sections, taken apart before they are checked one entry at a time. */
export const sectionKeys = {
  fleet: z.record(z.string(), z.unknown()).optional(),
  roles: z.record(z.string(), z.unknown()).optional(),
  users: z.record(z.string(), z.unknown()).optional(),
  guardrails: z.array(z.unknown()).min(1, 'must not be an empty list').optional(),
  tests: z.array(z.unknown()).min(1, 'must not be an empty list').optional(),
}

/** A whole policy file of one catalog, for the JSON Schema that editors complete from. */
export function policyFileShape(words: BoundaryWords) {
  const rule = mapping({
    ...ruleKeys,
    when: mapping(whenKeys).optional(),
    limit: mapping(limitKeys).optional(),
  })
  const guardrail = mapping({
    ...guardrailKeys,
    when: mapping(whenKeys).optional(),
    limit: mapping(limitKeys).optional(),
  })
  const role = mapping({ ...roleKeys, rules: z.array(rule) })
  const devices = z.union([z.literal('all'), textList(), z.record(z.string(), z.unknown())])
  const user = mapping({
    ...userKeys,
    owner: text(),
    rules: z.array(rule).optional(),
    rate: mapping(limitKeys).optional(),
    [words.product.one]: text().optional(),
    [words.product.many]: textList().optional(),
    [words.organization.one]: text().optional(),
    [words.device.many]: devices.optional(),
  })
  const fleet = mapping({
    [words.product.many]: z.record(z.string(), text()).optional(),
    [words.organization.many]: z.record(z.string(), text()).optional(),
    [words.device.many]: z.record(z.string(), textList()).optional(),
  })
  return mapping({
    fleet: fleet.optional(),
    roles: z.record(z.string(), role).optional(),
    users: z.record(z.string(), user).optional(),
    guardrails: z.array(guardrail).optional(),
    tests: z.array(mapping(testKeys)).optional(),
  })
}
